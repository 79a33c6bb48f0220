"""What a create would rent, what else there is, and what can be had at all."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import REQUEST

from bot.choosing import Market, choose
from bot.errors import ProductNotFound, RegionNotFound
from bot.grammar.commands import Create, Offers, render
from bot.quotes import Priced, Quote
from bot.quoting import on_offer, quote
from bot.slack.arguments import parse
from storage.cloud import BillingMode, Cluster, Product

SPOT, ON_DEMAND = BillingMode.SPOT, BillingMode.ON_DEMAND
HK = Cluster(id="cn-hongkong-1", name="CN-HK-01 (Hong Kong)")
CA = Cluster(id="us-ca-6", name="US-CA-06 (California)")
SG = Cluster(id="as-sgp-2", name="AS-SGP-02")
CLUSTERS = (HK, CA, SG)
ASKED = Create(gpu="4090", name="my-train", template="pytorch")
WHERE = ("CN-HK-01", "US-CA-06", "AS-SGP-02")


def sold(name: str, price: str | None, *regions: str, mode: BillingMode = SPOT, **changes: object) -> Product:
    product = Product(
        id=f"{name} {price} {','.join(regions)}",
        name=name,
        billing_mode=mode,
        usd_per_gpu_hour=None if price is None else Decimal(price),
        available=True,
        stock="high",
        regions=regions,
        max_disk_gb=6144,
    )
    return replace(product, **changes)


SPOTS = (
    sold("RTX 4090 24GB", "0.40", "CN-HK-01"),
    sold("RTX 4090 24GB", "0.36", "CN-HK-01", stock="low"),
    sold("RTX 4090 24GB", "0.20", "US-CA-06 (California)"),
    sold("RTX 4090 24GB", "0.60", "AS-SGP-02"),
    sold("RTX 3090 24GB", "0.10", "US-CA-06"),
    sold("RTX 5090 32GB", "0.45", "AS-SGP-02"),
    sold("H100 SXM 80GB", "1.28"),
    sold("H200 SXM 141GB", None),
    sold("L40S 48GB", "0.30", available=False, stock="none"),
)
ON_DEMANDS = (
    sold("RTX 4090 24GB", "0.69", "CN-HK-01", "AS-SGP-02", mode=ON_DEMAND),
    sold("RTX 4090 24GB", "0.75", "US-CA-06", mode=ON_DEMAND),
    sold("RTX 3090 24GB", None, mode=ON_DEMAND),
    sold("RTX 5090 32GB", "0.90", "AS-SGP-02", mode=ON_DEMAND),
    sold("H100 SXM 80GB", "2.56", mode=ON_DEMAND),
    sold("H200 SXM 141GB", "3.50", mode=ON_DEMAND),
    sold("L40S 48GB", None, mode=ON_DEMAND),
)
MARKETS = {
    SPOT: Market(products=SPOTS, clusters=CLUSTERS),
    ON_DEMAND: Market(products=ON_DEMANDS, clusters=CLUSTERS),
}


def quoted(asked: Create = ASKED, **changes: object) -> Quote:
    filled = {"gpu": asked.gpu, "regions_only": bool(asked.regions), **changes}
    if asked.regions:
        filled["regions"] = asked.regions
    if asked.max_usd_per_hour is not None:
        filled["max_usd_per_hour"] = asked.max_usd_per_hour
    return quote(asked, replace(REQUEST, **filled), MARKETS, key="k1")


def shown(priced: Priced) -> tuple[str, str, str]:
    offer = priced.offer
    return offer.product_name, offer.region, f"{offer.billing_mode} {offer.usd_per_hour}"


def test_the_best_is_what_a_create_would_take_with_the_regions_it_may_move_to():
    best = quoted().best
    assert best is not None
    assert best.offer == choose(REQUEST, MARKETS[SPOT], refused=(), first_usd_per_hour=None)
    assert (best.command, best.stock) == (ASKED, "low")
    assert best.regions == ("CN-HK-01 (Hong Kong)", "US-CA-06 (California)")


def test_nothing_above_one_and_a_half_times_the_price_is_rented_or_above_ones_own_limit():
    assert quoted().limit_usd_per_hour == Decimal("0.540")
    assert quoted(max_usd_per_hour=Decimal(2)).limit_usd_per_hour == Decimal(2)
    assert quoted(gpu_count=2).limit_usd_per_hour == Decimal("1.080")


def test_alternatives_are_what_is_cheaper_the_other_billing_mode_and_a_gpu_of_that_price():
    assert [shown(other) for other in quoted().alternatives] == [
        ("RTX 4090 24GB", "US-CA-06 (California)", "spot 0.20"),
        ("RTX 5090 32GB", "AS-SGP-02", "spot 0.45"),
        ("RTX 4090 24GB", "CN-HK-01 (Hong Kong)", "onDemand 0.69"),
    ]


def test_an_alternative_says_nothing_that_was_not_typed_otherwise():
    first = quoted(replace(ASKED, disk_gb=80)).alternatives[0]
    assert first.command == replace(
        ASKED, gpu="RTX 4090 24GB", billing_mode=SPOT, regions=("US-CA-06",), disk_gb=80
    )
    assert (first.regions, first.stock) == (("US-CA-06 (California)",), "high")


def test_typed_regions_come_first_among_the_alternatives():
    asked = replace(ASKED, regions=("AS-SGP-02", "CN-HK-01"))
    best, *others = [quoted(asked).best, *quoted(asked).alternatives]
    assert shown(best)[1] == "AS-SGP-02"
    assert ("RTX 4090 24GB", "CN-HK-01 (Hong Kong)", "spot 0.36") in map(shown, others)
    assert ("RTX 4090 24GB", "AS-SGP-02", "onDemand 0.69") in map(shown, others)


def test_what_cannot_be_had_says_why_and_names_the_gpus_nearest_in_price():
    q = quoted(replace(ASKED, gpu="L40S"))
    assert q.best is None
    assert q.missing == "No L40S with 60 GB of disk is to be had as spot now."
    assert q.limit_usd_per_hour is None
    assert [shown(other) for other in q.alternatives] == [
        ("RTX 3090 24GB", "US-CA-06 (California)", "spot 0.10"),
        ("RTX 4090 24GB", "US-CA-06 (California)", "spot 0.20"),
        ("RTX 5090 32GB", "AS-SGP-02", "spot 0.45"),
    ]


def test_what_is_only_sold_in_the_other_billing_mode_is_offered_so():
    q = quoted(replace(ASKED, gpu="H200"))
    assert q.best is None
    assert q.alternatives[0].command.billing_mode is ON_DEMAND
    assert {other.offer.product_name for other in q.alternatives} == {"H200 SXM 141GB"}


def test_a_limit_too_low_for_the_gpu_leaves_what_it_buys():
    q = quoted(replace(ASKED, max_usd_per_hour=Decimal("0.15")))
    assert q.best is None
    assert q.missing is not None
    assert "your --max ($0.15/h)" in q.missing
    assert [shown(other) for other in q.alternatives] == [
        ("RTX 3090 24GB", "US-CA-06 (California)", "spot 0.10")
    ]


def test_a_gpu_or_a_typed_region_that_is_not_there_is_refused_as_a_create_is():
    with pytest.raises(ProductNotFound, match="Did you mean"):
        quoted(replace(ASKED, gpu="4900"))
    with pytest.raises(ProductNotFound, match="could be"):
        quoted(replace(ASKED, gpu="rtx"))
    with pytest.raises(RegionNotFound):
        quoted(replace(ASKED, regions=("MARS-1",)))


def test_of_two_regions_that_are_typed_alike_only_the_one_that_is_meant_is_offered():
    twins = (HK, Cluster(id="us-1", name="US-CA-06 (West)"), CA)
    markets = {SPOT: Market(products=SPOTS[:3], clusters=twins)}
    (other,) = quote(ASKED, REQUEST, markets, key="k").alternatives
    assert other.offer.region == "US-CA-06 (West)"


def test_a_gpu_whose_name_cannot_be_typed_is_no_alternative():
    odd = (sold("L40S 48GB", "0.3", available=False), sold("A:1", "0.3"), sold('24" <b>', "0.3"))
    markets = {SPOT: Market(products=odd, clusters=CLUSTERS)}
    assert quote(ASKED, replace(REQUEST, gpu="L40S"), markets, key="k").alternatives == ()
    assert on_offer(Offers(), markets, disk_gb=60) == ()


def test_offers_are_one_for_each_gpu_and_billing_mode_cheapest_first():
    rows = on_offer(Offers(), MARKETS, disk_gb=60)
    assert [(row.offer.product_name, row.offer.billing_mode, row.offer.usd_per_hour) for row in rows] == [
        ("RTX 3090 24GB", SPOT, Decimal("0.10")),
        ("RTX 4090 24GB", SPOT, Decimal("0.20")),
        ("RTX 5090 32GB", SPOT, Decimal("0.45")),
        ("RTX 4090 24GB", ON_DEMAND, Decimal("0.69")),
        ("RTX 5090 32GB", ON_DEMAND, Decimal("0.90")),
        ("H100 SXM 80GB", SPOT, Decimal("1.28")),
        ("H100 SXM 80GB", ON_DEMAND, Decimal("2.56")),
        ("H200 SXM 141GB", ON_DEMAND, Decimal("3.50")),
    ]


def test_an_offer_keeps_to_the_regions_that_have_it_at_its_price():
    cheap, dear = on_offer(Offers(gpu="4090"), MARKETS, disk_gb=60)
    assert cheap.regions == ("US-CA-06 (California)", "CN-HK-01 (Hong Kong)", "AS-SGP-02")
    assert cheap.command == Create(gpu="RTX 4090 24GB", gpu_count=1, billing_mode=SPOT, regions=("US-CA-06",))
    assert dear.command.regions == ("CN-HK-01", "AS-SGP-02")


def test_an_offer_that_costs_the_same_everywhere_names_no_region():
    (row,) = on_offer(Offers(gpu="h200"), MARKETS, disk_gb=60)
    assert row.command == Create(gpu="H200 SXM 141GB", gpu_count=1, billing_mode=ON_DEMAND)
    assert len(row.regions) == 3


def test_offers_are_filtered_by_a_part_of_the_name_and_by_the_price_of_one_gpu():
    assert {row.offer.product_name for row in on_offer(Offers(gpu="24gb"), MARKETS, disk_gb=60)} == {
        "RTX 3090 24GB",
        "RTX 4090 24GB",
    }
    rows = on_offer(Offers(gpu="h100", gpu_count=2, max_usd_per_hour=Decimal("1.28")), MARKETS, disk_gb=60)
    assert [(row.offer.usd_per_hour, row.command.gpu_count) for row in rows] == [(Decimal("2.56"), 2)]
    assert rows[0].command.max_usd_per_hour == Decimal("2.56")


def test_a_limit_binds_the_launch_and_dearer_regions_stay_named():
    (row,) = on_offer(Offers(gpu="4090", max_usd_per_hour=Decimal("0.36")), MARKETS, disk_gb=60)
    assert row.regions == ("US-CA-06 (California)", "CN-HK-01 (Hong Kong)", "AS-SGP-02")
    assert row.command.regions == ("US-CA-06",)
    assert row.command.max_usd_per_hour == row.limit_usd_per_hour == Decimal("0.36")


def test_what_an_offer_costs_at_most_is_one_and_a_half_times_what_is_shown():
    (row, _) = on_offer(Offers(gpu="4090"), MARKETS, disk_gb=60)
    assert row.limit_usd_per_hour == row.offer.usd_per_hour * Decimal("1.5")
    assert row.command.max_usd_per_hour is None


def test_an_offer_is_priced_for_the_disk_that_its_launch_takes():
    small = replace(SPOTS[2], max_disk_gb=40)
    markets = {SPOT: Market(products=[small, *SPOTS[:2]], clusters=CLUSTERS)}
    (row,) = on_offer(Offers(gpu="4090"), markets, disk_gb=60)
    assert row.offer.usd_per_hour == Decimal("0.36")


def test_a_gpu_that_cannot_be_had_now_is_no_mistake_an_unknown_one_is():
    assert on_offer(Offers(gpu="l40s"), MARKETS, disk_gb=60) == ()
    with pytest.raises(ProductNotFound, match="Did you mean"):
        on_offer(Offers(gpu="4900"), MARKETS, disk_gb=60)


NAMES = st.sampled_from(["RTX 4090 24GB", "RTX 3090 24GB", "H100", "A:1"])
PRODUCTS = st.builds(
    sold,
    NAMES,
    st.none() | st.sampled_from(["0.1", "0.2", "0.3", "0.5", "2"]),
    *[st.sampled_from(WHERE)] * 2,
    available=st.booleans(),
    max_disk_gb=st.sampled_from([10, 100]),
)
SOLD = st.lists(PRODUCTS, min_size=1, max_size=10)
CREATES = st.builds(
    Create,
    gpu=st.sampled_from(["4090", "3090", "h100"]),
    gpu_count=st.none() | st.integers(1, 8),
    template=st.just("t"),
    billing_mode=st.sampled_from(BillingMode),
    regions=st.lists(st.sampled_from(WHERE), unique=True, max_size=2).map(tuple),
    max_usd_per_hour=st.none() | st.sampled_from([Decimal("0.2"), Decimal(1)]),
)


def request_of(asked: Create) -> object:
    return replace(
        REQUEST,
        gpu=asked.gpu,
        gpu_count=asked.gpu_count or 1,
        billing_mode=asked.billing_mode,
        regions=asked.regions or ("CN-HK-01",),
        regions_only=bool(asked.regions),
        max_usd_per_hour=asked.max_usd_per_hour,
    )


@settings(deadline=None)
@given(SOLD, SOLD, CREATES)
def test_every_alternative_is_got_by_its_command_and_keeps_to_the_limit(spot, on_demand, asked):
    markets = {
        SPOT: Market(products=spot, clusters=CLUSTERS),
        ON_DEMAND: Market(
            products=[replace(product, billing_mode=ON_DEMAND) for product in on_demand], clusters=CLUSTERS
        ),
    }
    try:
        q = quote(asked, request_of(asked), markets, key="k")
    except (ProductNotFound, RegionNotFound):
        return
    assert (q.best is None) == (q.missing is not None)
    prices = [other.offer.usd_per_hour for other in q.alternatives]
    assert prices == sorted(prices)
    assert len({other.offer for other in q.alternatives} | ({q.best.offer} if q.best else set())) == len(
        prices
    ) + (q.best is not None)
    for other in q.alternatives:
        assert parse(render(other.command)) == other.command
        again = request_of(other.command)
        market = markets[other.offer.billing_mode]
        assert choose(again, market, refused=(), first_usd_per_hour=None) == other.offer
        assert asked.max_usd_per_hour is None or other.offer.usd_per_hour <= asked.max_usd_per_hour
