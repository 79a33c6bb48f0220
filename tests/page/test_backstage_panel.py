from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from backstage_world import World

from bot.sandbox.novita.deeds import Deed, OfCloud, OfNextCreate, OfStock
from bot.sandbox.page.panel.arrivals import pretty
from bot.sandbox.page.panel.calls import Choice
from bot.sandbox.page.panel.money import billed, per_hour
from bot.sandbox.page.panel.stock import ProductView


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.server.close()  # an API that is made to answer errors listens


def chosen(choices: Sequence[Choice]) -> list[str]:
    return [choice.label for choice in choices if choice.is_chosen]


UNCLEAR = OfNextCreate(meets="unclear")


@pytest.mark.parametrize(
    ("deeds", "word", "next_create"),
    [
        ([], "Up", "as stock and balance allow"),
        ([UNCLEAR], "Up", "done and billed, but its answer is lost"),
        ([OfCloud(act="balance empty")], "Up", "refused, not enough balance"),
        ([UNCLEAR, OfCloud(act="errors on")], "Answers 500 to everything", "answered 500"),
        (
            [UNCLEAR, OfCloud(act="down")],
            "Unreachable: connections are refused",
            "not received at all",
        ),
    ],
)
async def test_the_status_says_what_the_next_create_will_meet(
    world: World, deeds: list[Deed], word: str, next_create: str
) -> None:
    for deed in deeds:
        await world.fate.play(deed)
    assert (world.panel.api.word, world.panel.api.next_create) == (word, next_create)


async def test_of_each_row_of_buttons_one_is_pressed(world: World) -> None:
    await world.fate.play(OfCloud(act="errors on"))
    await world.fate.play(UNCLEAR)
    world.receiver.answers = 410
    panel = world.panel
    assert chosen(panel.api.states) == ["Errors 500"]
    assert chosen(panel.api.meetings) == ["Answer lost"]
    assert chosen(panel.hook.answers) == ["Gone (410)"]
    assert panel.said == "The next create is done and billed, but its answer is lost on the way."


def test_calls_are_counted_by_kind_and_by_minute(world: World) -> None:
    for endpoint in ("products", "templates", "list"):
        world.call(endpoint)
    world.clock.advance(61)
    world.call("list")
    world.call("create", None)
    world.call("get", 404)
    world.call("endpoint", 502)
    calls = world.panel.calls
    assert (calls.total, calls.last_minute, calls.failed) == (7, 4, 2)
    assert [(kind.word, kind.last_minute, kind.total) for kind in calls.kinds] == [
        ("create", 1, 1),
        ("list", 1, 2),
        ("get", 1, 1),
        ("look-ups", 0, 2),
        ("probes of an instance", 1, 1),
    ]
    world.server.journal.clear()
    assert world.panel.calls.total == 0


def product(world: World, product_id: str) -> ProductView:
    return next(each for each in world.panel.products if each.id == product_id)


@pytest.mark.parametrize(
    ("product_id", "prices", "summary", "is_available"),
    [
        ("4090.16c62g", "$0.175 spot · $0.35 on demand", "plenty in all 3 regions", True),
        ("5090.20c90g", "$0.315 spot · $0.63 on demand", "16 free in all 2 regions", True),
        ("6000ada.24c120g", "$0.35 spot · $0.70 on demand", "none in its only region", False),
        ("h200.sxm.24c240g", "$3.50 on demand only", "4 free in its only region", True),
    ],
)
def test_a_product_says_its_prices_and_what_is_left(
    world: World, product_id: str, prices: str, summary: str, is_available: bool
) -> None:
    seen = product(world, product_id)
    assert (seen.prices, seen.summary, seen.is_available) == (prices, summary, is_available)


async def test_where_something_is_left_is_said_place_by_place(world: World) -> None:
    await world.fate.play(OfStock(act="full"))
    seen = product(world, "5090.20c90g")
    assert seen.summary == "16 free in 1 of 2 regions"
    assert [(place.region, place.spot, place.on_demand) for place in seen.places] == [
        ("CN-HK-01 (Hong Kong)", "none", "none"),
        ("US-WEST-01", "16 free", "16 free"),
    ]
    assert product(world, "h200.sxm.24c240g").places[0].spot == "–"


async def test_a_product_that_is_sold_out_says_so(world: World) -> None:
    await world.fate.play(OfStock(act="full", what="4090.16c62g"))
    seen = product(world, "4090.16c62g")
    assert (seen.is_available, seen.summary) == (False, "none in all 3 regions")


async def test_the_region_that_is_tried_first_stands_first(world: World) -> None:
    await world.fate.play(OfStock(act="full"))
    first, *others = world.panel.regions
    assert (first.code, first.is_first, first.has_gpus) == ("CN-HK-01", True, False)
    assert all(region.has_gpus and not region.is_first for region in others)


def test_arrivals_are_shown_newest_first_with_what_was_wrong(world: World) -> None:
    world.arrive()
    world.arrive(tries=2, answered=500)
    world.arrive(problem="No matching signature found", answered=401)
    forged, again, first = world.panel.hook.arrivals
    assert (forged.signature, forged.tone) == ("NOT VERIFIED: No matching signature found", "bad")
    assert (again.signature, again.again, again.is_accepted) == ("verified", "again, try 2", False)
    assert (first.again, first.is_accepted, first.clock) == ("", True, "12:00:07")
    assert (forged.key, again.key, first.key) == ("3", "2", "1")


def test_old_arrivals_are_counted_but_not_shown(world: World) -> None:
    for number in range(45):
        world.arrive(sequence=number)
    hook = world.panel.hook
    assert hook.total == 45
    assert [arrival.sequence for arrival in hook.arrivals] == list(range(44, 4, -1))


def test_a_body_is_drawn_out_if_it_is_json() -> None:
    assert pretty('{"a":["ü"]}') == '{\n  "a": [\n    "ü"\n  ]\n}'
    assert pretty("no json") == "no json"
    assert pretty("[" * 5000) == "[" * 5000
    assert len(pretty(json.dumps("x" * 50_000))) < 21_000


@pytest.mark.parametrize(
    ("units", "usd"),
    [(0, "$0.00"), (35_000, "$0.35"), (17_500, "$0.175"), (256_000, "$2.56"), (10, "$0.0001")],
)
def test_a_price_has_cents_and_no_more_than_it_needs(units: int, usd: str) -> None:
    assert per_hour(units) == usd


def test_a_cost_shows_hundredths_of_a_cent() -> None:
    assert billed(35_000, timedelta(seconds=6)) == "$0.0006"


def test_an_empty_panel_says_what_is_not_there(world: World) -> None:
    html = world.html
    assert "No GPU is rented at the moment." in html
    assert "Nothing has arrived yet." in html
    assert "Nobody has called yet." in html


def test_whatever_comes_is_escaped(world: World) -> None:
    evil = "<script>alert('x')</script>\"><b>"
    world.rent(evil)
    world.arrive(
        event=evil,
        name=evil,
        status=evil,
        problem=evil,
        body=evil,
        headers=(("x-evil", evil),),
        webhook_id=evil,
    )
    html = world.html
    assert "<script" not in html
    assert "<b>" not in html
    assert html.count("&lt;script&gt;") == 7


def test_the_panel_needs_nothing_that_the_page_forbids(world: World) -> None:
    """No inline style or script: the page's policy takes neither."""
    world.rent()
    world.arrive()
    assert not [
        word for word in ("style=", "<style", "<script", "onclick", "javascript:") if word in world.html
    ]


def test_every_id_is_there_once(world: World) -> None:
    for name in ("a", "b"):
        world.rent(name)
        world.arrive()
    ids = re.findall(r'\sid="([^"]*)"', world.html)
    assert len(ids) == len(set(ids)) > 20
