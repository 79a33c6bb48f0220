"""What a create would rent and for how much; what else there is; what can be had at all. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import chain, islice

from bot.choosing import DEAREST_FALLBACK, Market, choose, offers
from bot.errors import CatalogError, NoOffer, ProductNotFound
from bot.grammar.commands import Create, Offers
from bot.grammar.fields import MAX_REGIONS, Unfit, read_gpu, read_regions
from bot.matching import match_gpu, match_gpus, region_word
from bot.quotes import Priced, Quote
from storage.cloud import BillingMode, Offer
from storage.records import CreateRequest

Markets = Mapping[BillingMode, Market]

MOST_ALTERNATIVES = 3


def quote(asked: Create, request: CreateRequest, markets: Markets, *, key: str) -> Quote:
    """`request`: what would be recorded of `asked`. Raises ProductNotFound, RegionNotFound.

    What cannot be had now is no error: the quote says why, and what can.
    """
    market = markets[request.billing_mode]
    best, missing = None, None
    try:
        offer = choose(request, market, refused=(), first_usd_per_hour=None)
        best = _best(asked, request, market, offer)
    except NoOffer as fault:
        missing = str(fault)
    return Quote(
        key=key,
        asked=asked,
        request=request,
        best=best,
        missing=missing,
        alternatives=_alternatives(asked, request, markets, best.offer if best else None),
        limit_usd_per_hour=_limit(request, best),
    )


def on_offer(asked: Offers, markets: Markets, *, disk_gb: int) -> tuple[Priced, ...]:
    """One way for each GPU and billing mode, cheapest first. Raises ProductNotFound.

    Its command keeps to the regions that have it at that price, where others are dearer: a launch must not
    cost more than was shown. `disk_gb`: of that launch.
    """
    known = {name for market in markets.values() for name in _names(market)}
    meant = sorted(known) if asked.gpu is None else match_gpus(asked.gpu, known)
    found = [
        row for mode in markets for name in meant for row in _row(asked, name, mode, markets[mode], disk_gb)
    ]
    return tuple(sorted(found, key=lambda row: (row.offer.usd_per_gpu_hour, row.offer.product_name)))


def _best(asked: Create, request: CreateRequest, market: Market, offer: Offer) -> Priced:
    limit = request.max_usd_per_hour or offer.usd_per_hour * DEAREST_FALLBACK
    others = [other.region for other in offers(request, market) if other.usd_per_hour <= limit]
    return Priced(
        offer=offer,
        command=asked,
        stock=_stock(offer, market),
        regions=tuple(dict.fromkeys([offer.region, *others])),
    )


def _limit(request: CreateRequest, best: Priced | None) -> Decimal | None:
    if request.max_usd_per_hour is not None or best is None:
        return request.max_usd_per_hour
    return best.offer.usd_per_hour * DEAREST_FALLBACK


def _alternatives(
    asked: Create, request: CreateRequest, markets: Markets, best: Offer | None
) -> tuple[Priced, ...]:
    """What is cheaper, the other billing mode, and another GPU of about that price.

    The same for the same price elsewhere is no choice that anybody has to make; but where it cannot be had as
    asked for, every other way to the same GPU comes first.
    """
    name = match_gpu(request.gpu, _names(markets[request.billing_mode]))
    # Regions that are only preferred say nothing about what is cheap.
    wanted = replace(
        request, gpu=name, regions=request.regions if request.regions_only else (), regions_only=False
    )
    ways = [o for o in _ways(wanted, markets) if best is None or _place(o) != _place(best)]
    same = [offer for offer in ways if offer.billing_mode is request.billing_mode]
    other = [offer for offer in ways if offer.billing_mode is not request.billing_mode]
    better = [offer for offer in same if best is None or _price(offer) < _price(best)]
    more = sorted([*better[1:], *other[1:]], key=_price)
    others = _other_gpus(wanted, markets, best)
    rest = chain(more, others) if best is None else chain(others, more)
    candidates = chain(better[:1], other[:1], rest)
    exact = (priced for offer in candidates for priced in _exactly(asked, request, markets, offer))
    return tuple(sorted(islice(exact, MOST_ALTERNATIVES), key=lambda priced: _price(priced.offer)))


def _ways(wanted: CreateRequest, markets: Markets) -> Iterator[Offer]:
    """The cheapest of each region and billing mode; typed regions first, then by price."""
    for mode, market in markets.items():
        places: set[tuple[BillingMode, str]] = set()
        for offer in _offers(replace(wanted, billing_mode=mode), market):
            if _place(offer) not in places:
                places.add(_place(offer))
                yield offer


def _other_gpus(wanted: CreateRequest, markets: Markets, best: Offer | None) -> Iterator[Offer]:
    """One of each, the same billing mode first, nearest in price."""
    price = _expected_price(wanted, markets, best)
    found = [
        offer
        for mode, market in markets.items()
        for name in sorted(_names(market))
        if name != wanted.gpu
        for offer in _offers(replace(wanted, gpu=name, billing_mode=mode), market)[:1]
    ]
    seen = set()
    for offer in sorted(found, key=lambda o: (o.billing_mode != wanted.billing_mode, abs(_price(o) - price))):
        if offer.product_name not in seen:
            seen.add(offer.product_name)
            yield offer


def _expected_price(wanted: CreateRequest, markets: Markets, best: Offer | None) -> Decimal:
    """What the GPU costs where it can be had; else where it is sold, though not now."""
    if best is not None:
        return best.usd_per_hour
    modes = sorted(markets, key=lambda mode: mode is not wanted.billing_mode)
    prices = [
        product.usd_per_gpu_hour * wanted.gpu_count
        for mode in modes
        for product in markets[mode].products
        if product.name == wanted.gpu and product.usd_per_gpu_hour is not None
    ]
    price = next(iter(prices), Decimal(0))
    return price if wanted.max_usd_per_hour is None else min(price, wanted.max_usd_per_hour)


def _exactly(asked: Create, request: CreateRequest, markets: Markets, offer: Offer) -> Iterator[Priced]:
    """Nothing where no command gets just this offer, or the request's limit forbids it."""
    mode, region = offer.billing_mode, region_word(offer.region)
    if not _can_be_typed(offer.product_name, region):
        return
    wanted = replace(request, gpu=offer.product_name, billing_mode=mode, regions=(region,), regions_only=True)
    try:
        got = choose(wanted, markets[mode], refused=(), first_usd_per_hour=None)
    except CatalogError:
        return
    if got == offer:
        command = replace(asked, gpu=offer.product_name, billing_mode=mode, regions=(region,))
        stock = _stock(offer, markets[mode])
        yield Priced(offer=offer, command=command, stock=stock, regions=(offer.region,))


def _row(asked: Offers, name: str, mode: BillingMode, market: Market, disk_gb: int) -> Iterator[Priced]:
    found = _offers(_anywhere(asked, name, mode, disk_gb), market)
    if not found or not _can_be_typed(name):
        return
    cheapest = min(found, key=_price)
    most = None if asked.max_usd_per_hour is None else asked.max_usd_per_hour * cheapest.gpu_count
    if most is not None and cheapest.usd_per_hour > most:
        return
    here = [offer.region for offer in found if _price(offer) == _price(cheapest)]
    regions = tuple(dict.fromkeys([*here, *(offer.region for offer in found)]))
    words = tuple(dict.fromkeys(filter(_can_be_typed_as_region, map(region_word, here))))
    yield Priced(
        offer=cheapest,
        command=Create(
            gpu=name,
            gpu_count=cheapest.gpu_count,
            billing_mode=mode,
            regions=words[:MAX_REGIONS] if len(regions) > len(set(here)) else (),
            max_usd_per_hour=most,
        ),
        stock=_stock(cheapest, market),
        regions=regions,
        limit_usd_per_hour=most or cheapest.usd_per_hour * DEAREST_FALLBACK,
    )


def _anywhere(asked: Offers, name: str, mode: BillingMode, disk_gb: int) -> CreateRequest:
    return CreateRequest(
        name="",
        gpu=name,
        gpu_count=asked.gpu_count or 1,
        template=None,
        image=None,
        billing_mode=mode,
        regions=(),
        regions_only=False,
        disk_gb=disk_gb,
    )


def _offers(request: CreateRequest, market: Market) -> Sequence[Offer]:
    """Of the GPU that is named in full, and of no other."""
    try:
        return [offer for offer in offers(request, market) if offer.product_name == request.gpu]
    except ProductNotFound:
        return []


def _names(market: Market) -> set[str]:
    return {product.name for product in market.products}


def _price(offer: Offer) -> Decimal:
    return offer.usd_per_hour


def _place(offer: Offer) -> tuple[BillingMode, str]:
    return offer.billing_mode, offer.cluster_id


def _stock(offer: Offer, market: Market) -> str | None:
    return next((product.stock for product in market.products if product.id == offer.product_id), None)


def _can_be_typed(gpu: str, region: str | None = None) -> bool:
    try:
        return read_gpu(gpu) == (gpu, None) and (region is None or _can_be_typed_as_region(region))
    except Unfit:
        return False


def _can_be_typed_as_region(region: str) -> bool:
    try:
        return read_regions(region) == (region,)
    except Unfit:
        return False
