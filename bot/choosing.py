"""Which offer next: the cheapest product in the preferred region, then the others. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.errors import NoOffer, RegionNotFound
from bot.matching import match_gpu, match_region, region_code
from storage.cloud import Cluster, Offer, Product
from storage.records import CreateRequest

MOST_ATTEMPTS = 8
DEAREST_FALLBACK = Decimal("1.5")
"""Without a cap of its own, a request takes nothing dearer than so many times its first price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What the request's billing mode finds on sale."""

    products: Sequence[Product]
    clusters: Sequence[Cluster]


def choose(
    request: CreateRequest, market: Market, *, refused: Sequence[Offer], first_usd_per_hour: Decimal | None
) -> Offer:
    """The best offer that was not refused yet. Raises ProductNotFound, RegionNotFound, NoOffer."""
    if len(refused) >= MOST_ATTEMPTS:
        raise NoOffer(f"Novita had no capacity in {_places(refused)}.", code="INSUFFICIENT_RESOURCE")
    tried = {(offer.product_id, offer.cluster_id) for offer in refused}
    left = [offer for offer in offers(request, market) if (offer.product_id, offer.cluster_id) not in tried]
    if not left:
        raise _none_left(request, refused)
    affordable = [offer for offer in left if _within_limit(offer, request, first_usd_per_hour)]
    if not affordable:
        raise _too_dear(request, min(left, key=lambda offer: offer.usd_per_hour), first_usd_per_hour)
    return affordable[0]


def offers(request: CreateRequest, market: Market) -> list[Offer]:
    """All that fit, best first: preferred regions, then the cheapest; a region's products by price."""
    name = match_gpu(request.gpu, [product.name for product in market.products])
    fitting = [p for p in market.products if p.name == name and _fits(p, request)]
    found = [
        offer
        for product in sorted(fitting, key=_cheapest_then_richest)
        for cluster in _clusters_of(product, market.clusters)
        for offer in _offer(product, cluster, request)
    ]
    order = _region_order(request, found, market.clusters)
    return sorted((offer for offer in found if offer.cluster_id in order), key=lambda o: order[o.cluster_id])


def _fits(product: Product, request: CreateRequest) -> bool:
    big_enough = product.max_disk_gb is None or product.max_disk_gb >= request.disk_gb
    return product.available and product.usd_per_gpu_hour is not None and big_enough


def _cheapest_then_richest(product: Product) -> tuple[Decimal, int, int, str]:
    price = product.usd_per_gpu_hour or Decimal(0)
    return (price, -(product.memory_gb_per_gpu or 0), -(product.cpu_per_gpu or 0), product.id)


def _clusters_of(product: Product, clusters: Sequence[Cluster]) -> list[Cluster]:
    codes = {region_code(region) for region in product.regions}
    return [c for c in clusters if not codes or region_code(c.name) in codes or c.id.casefold() in codes]


def _offer(product: Product, cluster: Cluster, request: CreateRequest) -> list[Offer]:
    if product.usd_per_gpu_hour is None:
        return []
    offer = Offer(
        product_id=product.id,
        product_name=product.name,
        cluster_id=cluster.id,
        region=cluster.name,
        billing_mode=product.billing_mode,
        gpu_count=request.gpu_count,
        usd_per_gpu_hour=product.usd_per_gpu_hour,
    )
    return [offer]


def _region_order(
    request: CreateRequest, found: Sequence[Offer], clusters: Sequence[Cluster]
) -> dict[str, int]:
    """Cluster id -> rank. Typed regions are the only ones; preferred ones come first, the rest by price."""
    ids = [cluster.id for cluster in _preferred(request, clusters)]
    if not request.regions_only:
        ids += [offer.cluster_id for offer in sorted(found, key=lambda offer: offer.usd_per_hour)]
    return {cluster_id: rank for rank, cluster_id in enumerate(dict.fromkeys(ids))}


def _preferred(request: CreateRequest, clusters: Sequence[Cluster]) -> list[Cluster]:
    preferred = []
    for typed in request.regions:
        try:
            preferred.append(match_region(typed, clusters))
        except RegionNotFound:
            if request.regions_only:
                raise  # a region that was only preferred may be unknown: the others will do
    return preferred


def _within_limit(offer: Offer, request: CreateRequest, first: Decimal | None) -> bool:
    limit = _limit(request, first)
    return limit is None or offer.usd_per_hour <= limit


def _limit(request: CreateRequest, first: Decimal | None) -> Decimal | None:
    if request.max_usd_per_hour is not None:
        return request.max_usd_per_hour
    return None if first is None else first * DEAREST_FALLBACK


def _none_left(request: CreateRequest, refused: Sequence[Offer]) -> NoOffer:
    if refused:
        return NoOffer(f"Novita had no capacity in {_places(refused)}.", code="INSUFFICIENT_RESOURCE")
    where = f" in {', '.join(request.regions)}" if request.regions_only else ""
    mode = "on demand" if request.billing_mode == "onDemand" else "as spot"
    return NoOffer(f"No {request.gpu} with {request.disk_gb} GB of disk is to be had {mode}{where} now.")


def _too_dear(request: CreateRequest, cheapest: Offer, first: Decimal | None) -> NoOffer:
    limit = _limit(request, first) or Decimal(0)
    rule = "your --max" if request.max_usd_per_hour is not None else "1.5 times the first price"
    return NoOffer(
        f"What is left costs more than {rule} (${limit.normalize():f}/h): {cheapest.product_name} in "
        f"{cheapest.region} at ${cheapest.usd_per_hour.normalize():f}/h.",
        code="NO_OPTIMAL_PRODUCT",
    )


def _places(refused: Sequence[Offer]) -> str:
    return ", ".join(dict.fromkeys(f"{offer.region} ({offer.product_id})" for offer in refused))
