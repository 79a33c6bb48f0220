"""What the cloud sells, for how much, and where some of it is left."""

from __future__ import annotations

from dataclasses import dataclass

from bot.sandbox.novita.catalogue import BillingMode, Catalogue, Cluster, Product
from bot.sandbox.novita.stock import PLENTY, Stock
from bot.sandbox.page.panel.money import per_hour

_MODES: tuple[BillingMode, ...] = ("spot", "onDemand")
_NOT_SOLD = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """How many are free there, by billing mode."""

    region: str
    spot: str
    on_demand: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductView:
    id: str
    name: str
    prices: str
    """Per hour."""
    is_available: bool
    summary: str
    places: tuple[PlaceView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionView:
    code: str
    name: str
    has_gpus: bool
    is_first: bool
    """The bot tries it before any other."""


def products_view(catalogue: Catalogue, stock: Stock) -> tuple[ProductView, ...]:
    return tuple(_product(product, catalogue, stock) for product in catalogue.products)


def _product(product: Product, catalogue: Catalogue, stock: Stock) -> ProductView:
    most = {each: _most_free(product, each, stock) for each in product.cluster_ids}
    return ProductView(
        id=product.id,
        name=product.name,
        prices=_prices(product),
        is_available=any(most.values()),
        summary=_summary(list(most.values())),
        places=tuple(_place(product, catalogue.cluster(each), stock) for each in product.cluster_ids),
    )


def _prices(product: Product) -> str:
    if product.spot_price is None:
        return f"{per_hour(product.price)} on demand only"
    return f"{per_hour(product.spot_price)} spot · {per_hour(product.price)} on demand"


def _most_free(product: Product, cluster_id: str, stock: Stock) -> int:
    return max(stock.free(product, cluster_id, mode) for mode in _MODES)


def _summary(most: list[int]) -> str:
    with_some = [free for free in most if free]
    if not with_some:
        return f"none in {_regions(len(most))}"
    where = _regions(len(most)) if len(with_some) == len(most) else f"{len(with_some)} of {len(most)} regions"
    return f"{_many(max(with_some))} in {where}"


def _regions(number: int) -> str:
    return "its only region" if number == 1 else f"all {number} regions"


def _place(product: Product, cluster: Cluster, stock: Stock) -> PlaceView:
    free = {
        mode: _many(stock.free(product, cluster.id, mode)) if mode in product.billing_modes else _NOT_SOLD
        for mode in _MODES
    }
    return PlaceView(region=cluster.name, spot=free["spot"], on_demand=free["onDemand"])


def _many(free: int) -> str:
    """Where no capacity is set, the number says nothing."""
    if free == 0:
        return "none"
    return "plenty" if free > PLENTY // 2 else f"{free} free"


def regions_view(catalogue: Catalogue, stock: Stock, *, first: str) -> tuple[RegionView, ...]:
    """`first`: the code of the region that the bot tries first; it stands first here too."""
    regions = [_region(cluster, catalogue, stock, first=first) for cluster in catalogue.clusters]
    return tuple(sorted(regions, key=lambda region: not region.is_first))


def _region(cluster: Cluster, catalogue: Catalogue, stock: Stock, *, first: str) -> RegionView:
    here = [product for product in catalogue.products if cluster.id in product.cluster_ids]
    return RegionView(
        code=cluster.code,
        name=cluster.name,
        has_gpus=any(_most_free(product, cluster.id, stock) for product in here),
        is_first=cluster.code.casefold() == first.casefold(),
    )
