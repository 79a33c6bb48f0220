"""Which offer is taken, and which is next."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from samples import REQUEST

from bot.choosing import MOST_ATTEMPTS, Market, choose, offers
from bot.errors import NoOffer, ProductNotFound, RegionNotFound
from storage.cloud import BillingMode, Cluster, Offer, Product
from storage.records import CreateRequest

HK = Cluster(id="cn-hongkong-1", name="CN-HK-01 (Hong Kong)")
CA = Cluster(id="us-ca-6", name="US-CA-06 (California)")
SG = Cluster(id="as-sgp-2", name="AS-SGP-02")


def sold(product_id: str, price: str | None, *regions: str, **changes: object) -> Product:
    product = Product(
        id=product_id,
        name="RTX 4090 24GB",
        billing_mode=BillingMode.SPOT,
        usd_per_gpu_hour=None if price is None else Decimal(price),
        available=True,
        regions=regions,
        max_disk_gb=6144,
    )
    return replace(product, **changes)


MARKET = Market(
    products=(
        sold("hk-dear", "0.40", "CN-HK-01"),
        sold("hk-cheap", "0.36", "CN-HK-01 (Hong Kong)"),
        sold("ca", "0.20", "US-CA-06 (California)"),
        sold("sg", "0.25", "AS-SGP-02"),
        sold("other", "0.01", name="RTX 3090 24GB"),
    ),
    clusters=(HK, CA, SG),
)


def order(request: CreateRequest, market: Market = MARKET) -> list[str]:
    return [offer.product_id for offer in offers(request, market)]


def pick(request: CreateRequest, refused: list[Offer] | None = None, first: str | None = None) -> Offer:
    limit = None if first is None else Decimal(first)
    return choose(request, MARKET, refused=refused or [], first_usd_per_hour=limit)


def test_the_default_region_comes_first_then_the_cheapest_and_products_by_price():
    assert order(REQUEST) == ["hk-cheap", "hk-dear", "ca", "sg"]


def test_typed_regions_are_the_only_ones_in_their_order():
    typed = replace(REQUEST, regions=("as-sgp-2", "CN-HK-01"), regions_only=True)
    assert order(typed) == ["sg", "hk-cheap", "hk-dear"]


def test_a_typed_region_must_exist_a_preferred_one_need_not():
    with pytest.raises(RegionNotFound):
        order(replace(REQUEST, regions=("MARS-1",), regions_only=True))
    assert order(replace(REQUEST, regions=("MARS-1",)))[0] == "ca"


def test_a_product_without_regions_is_sold_everywhere():
    market = Market(products=(sold("any", "0.3"),), clusters=(HK, CA))
    assert [offer.cluster_id for offer in offers(REQUEST, market)] == ["cn-hongkong-1", "us-ca-6"]


def test_of_two_at_one_price_the_richer_is_taken():
    market = Market(
        products=(
            sold("a", "0.3", "AS-SGP-02", memory_gb_per_gpu=32),
            sold("b", "0.3", memory_gb_per_gpu=64),
        ),
        clusters=(SG,),
    )
    assert order(REQUEST, market) == ["b", "a"]


@pytest.mark.parametrize(
    "unfit", [{"available": False}, {"usd_per_gpu_hour": None}, {"max_disk_gb": 59}], ids=str
)
def test_what_does_not_fit_is_not_offered(unfit):
    market = Market(products=(sold("a", "0.3", **unfit),), clusters=(SG,))
    assert order(REQUEST, market) == []
    with pytest.raises(NoOffer, match="No 4090 with 60 GB of disk is to be had as spot now"):
        choose(REQUEST, market, refused=(), first_usd_per_hour=None)


def test_the_price_is_for_all_gpus():
    assert pick(replace(REQUEST, gpu_count=4)).usd_per_hour == Decimal("1.44")


def test_each_refusal_moves_on_to_the_next_until_none_is_left():
    refused: list[Offer] = []
    while len(refused) < 4:
        refused.append(pick(REQUEST, refused, first="0.36"))
    assert [offer.product_id for offer in refused] == ["hk-cheap", "hk-dear", "ca", "sg"]
    with pytest.raises(NoOffer, match=r"no capacity in CN-HK-01") as over:
        pick(REQUEST, refused)
    assert over.value.code == "INSUFFICIENT_RESOURCE"


def test_eight_attempts_are_the_most():
    offer = pick(REQUEST)
    with pytest.raises(NoOffer, match="no capacity"):
        pick(REQUEST, [replace(offer, cluster_id=str(n)) for n in range(MOST_ATTEMPTS)])


def test_a_cap_of_ones_own_binds_the_whole_instance():
    capped = replace(REQUEST, max_usd_per_hour=Decimal("0.50"), gpu_count=2)
    assert pick(capped).product_id == "ca"
    with pytest.raises(NoOffer, match=r"more than your --max \(\$0.1/h\).* at \$0.2/h") as dear:
        pick(replace(REQUEST, max_usd_per_hour=Decimal("0.10")))
    assert dear.value.code == "NO_OPTIMAL_PRODUCT"


def test_a_fallback_half_again_as_dear_as_the_first_price_is_named_not_taken():
    first = pick(replace(REQUEST, regions=("US-CA-06",)))
    refused = [first, *(o for o in offers(REQUEST, MARKET) if o.product_id == "sg")]
    with pytest.raises(NoOffer, match=r"1.5 times the first price \(\$0.3/h\): .* at \$0.36/h"):
        pick(REQUEST, refused, first="0.20")
    assert pick(REQUEST, refused, first="0.24").product_id == "hk-cheap"


def test_an_unknown_gpu_is_an_error_of_its_own():
    with pytest.raises(ProductNotFound):
        pick(replace(REQUEST, gpu="B300"))


def test_the_scenario_covers_distinct_prices():
    prices = sorted(offer.usd_per_hour for offer in offers(REQUEST, MARKET))
    assert all(a < b for a, b in pairwise(prices))


def test_on_demand_is_named_in_the_error():
    nothing = Market(products=(sold("a", None),), clusters=(SG,))
    typed = replace(REQUEST, billing_mode=BillingMode.ON_DEMAND, regions_only=True, regions=("AS-SGP-02",))
    with pytest.raises(NoOffer, match="on demand in AS-SGP-02 now"):
        choose(typed, nothing, refused=(), first_usd_per_hour=None)
