"""What the form offers while somebody types the name of a GPU."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_strategies import MODES, PRICES, WILD, unhurried

from bot.messages.choices import gpu_option, gpu_suggestions
from bot.sandbox.slack.blocklint import lint_options
from storage.cloud import BillingMode, Product

SPOT, ON_DEMAND = BillingMode.SPOT, BillingMode.ON_DEMAND
CA, HK, SG = "US-CA-06 (California)", "CN-HK-01", "AS-SGP-02"


def sold(name: str, price: str | None = "0.35", mode: BillingMode = SPOT, **changes: object) -> Product:
    usd = None if price is None else Decimal(price)
    values = {"id": name, "name": name, "billing_mode": mode, "usd_per_gpu_hour": usd, "available": True}
    return Product(**{**values, **changes})


PRODUCTS = (
    sold("H100 SXM 80GB", "1.28", regions=(CA,), stock="low"),
    sold("RTX 4090 24GB", "0.39", regions=(SG, HK), stock="low"),
    sold("RTX 4090 24GB", "0.35", regions=(CA,), stock="high"),
    sold("RTX 4090 24GB", "0.69", ON_DEMAND, regions=(CA, HK), stock="normal"),
    sold("RTX 3090 24GB", "0.21", stock="normal"),
    sold("RTX 5090 32GB", "0.10", available=False),
    sold("L40S 48GB", None),
    sold("RTX 4090 48GB", "0.80", ON_DEMAND, regions=(HK,)),
)


def labels(typed: str, products: tuple[Product, ...] = PRODUCTS) -> list[str]:
    return [option["text"]["text"] for option in gpu_suggestions(typed, products)]


def names(typed: str) -> list[str]:
    return [option["value"] for option in gpu_suggestions(typed, PRODUCTS)]


@pytest.mark.parametrize("typed", ["", "  "])
def test_nothing_typed_shows_all_cheapest_first_and_last_what_cannot_be_had(typed):
    assert labels(typed) == [
        "RTX 3090 24GB · spot $0.21/h · some left",
        "RTX 4090 24GB · spot $0.35/h · on demand $0.69/h · US-CA-06 +2 · plenty",
        "RTX 4090 48GB · on demand $0.80/h · CN-HK-01",
        "H100 SXM 80GB · spot $1.28/h · US-CA-06 · few left",
        "L40S 48GB · none free now",
        "RTX 5090 32GB · none free now",
    ]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("4090", ["RTX 4090 24GB", "RTX 4090 48GB"]),
        ("rtx 4090 48gb", ["RTX 4090 48GB"]),
        ("rtx409048gb", ["RTX 4090 48GB"]),
        ("90", ["RTX 3090 24GB", "RTX 4090 24GB", "RTX 4090 48GB", "RTX 5090 32GB"]),
        ("h100:2", ["H100 SXM 80GB"]),
        ("5090", ["RTX 5090 32GB"]),
        ("zzzz", []),
    ],
)
def test_what_fits_the_typed_part_is_offered(typed, found):
    assert names(typed) == found


def test_a_slip_of_the_finger_still_finds_it():
    assert names("4900")[0] == "RTX 4090 24GB"


def test_the_name_itself_comes_first():
    products = (sold("H100 SXM 80GB", "1"), sold("H100", "2"))
    assert [option["value"] for option in gpu_suggestions("h100", products)] == ["H100", "H100 SXM 80GB"]


def test_a_hundred_are_the_most():
    many = tuple(sold(f"GPU {number}", str(number)) for number in range(1, 151))
    assert len(gpu_suggestions("", many)) == len(gpu_suggestions("gpu", many)) == 100
    assert gpu_suggestions("", ()) == []


def test_a_long_name_leaves_room_for_the_prices():
    products = (sold("G" * 140, "12.346", regions=(CA,)), sold("G" * 140, "23.456", ON_DEMAND, regions=(CA,)))
    (label,) = labels("", products)
    assert label.endswith("… · spot $12.35/h · on demand $23.46/h")
    assert len(label) == 75


@unhurried
@given(
    WILD | st.sampled_from(["4090", "rtx", "24", ":"]),
    st.lists(
        st.builds(
            Product,
            id=WILD,
            name=WILD | st.sampled_from(["RTX 4090 24GB", "<script>", "عتاد", "&<>"]),
            billing_mode=MODES,
            usd_per_gpu_hour=st.none() | PRICES,
            available=st.booleans(),
            stock=st.none() | WILD | st.sampled_from(["low", "high"]),
            regions=st.lists(WILD, max_size=3).map(tuple),
        ),
        max_size=8,
    ),
)
def test_whatever_is_typed_and_sold_slack_takes_the_suggestions(typed, products):
    options = gpu_suggestions(typed, products)
    assert not options or lint_options({"options": options}) == []
    for option in options:
        assert gpu_option(option["value"], products) == option
