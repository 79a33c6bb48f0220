"""What can be had now: a line each, a page at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from message_strategies import NOW
from samples import OFFER

from bot.grammar.commands import Create, Offers, render
from bot.messages.offering import OFFERS_PAGE, offers_list
from bot.quotes import Priced, Ticket
from bot.sandbox.slack.blocklint import lint_message
from storage.cloud import BillingMode

ROW = Priced(
    offer=OFFER,
    command=Create(gpu="RTX 4090 24GB", gpu_count=1, billing_mode=BillingMode.SPOT),
    stock="high",
    regions=("CN-HK-01 (Hong Kong)", "US-CA-06 (California)", "AS-SGP-02", "EU-DE-01"),
)


def rows(count: int) -> list[Priced]:
    return [
        replace(ROW, offer=replace(OFFER, usd_per_gpu_hour=Decimal(number) / 10))
        for number in range(1, count + 1)
    ]


def listed(found=(ROW,), *, asked=None, offset=0, launches_at_once=True):
    return offers_list(
        found,
        asked=asked or Offers(),
        key="k",
        offset=offset,
        launches_at_once=launches_at_once,
        now=NOW,
    )


def lines(message):
    return [block for block in message["blocks"] if block.get("block_id", "").startswith("offer:")]


def texts(message):
    return [block["text"]["text"] for block in lines(message)]


def end(message):
    (found,) = [block for block in message["blocks"] if block.get("block_id") == "end"]
    return found["elements"][0]["text"]


def turns(message):
    row = [block for block in message["blocks"] if block["type"] == "actions"]
    return {
        button["text"]["text"]: (button["action_id"], json.loads(button["value"]))
        for block in row
        for button in block["elements"]
    }


def test_a_line_says_what_how_much_where_and_how_many_are_left():
    message = listed()
    assert message["text"] == "What can be had now: 1, from $0.36/h (RTX 4090 24GB, spot)"
    assert "Prices are for one GPU, cheapest first, as of <!date^" in message["blocks"][0]["text"]["text"]
    assert texts(message) == ["*RTX 4090 24GB*, spot, *$0.36/h*\nCN-HK-01, US-CA-06, AS-SGP-02 +1 · plenty"]
    assert end(message) == 'To rent by command: `/gpu create "RTX 4090 24GB:1" --spot`'


def test_regions_where_it_is_dearer_are_told_apart():
    row = replace(ROW, command=replace(ROW.command, regions=("CN-HK-01",)), stock=None)
    assert texts(listed([row])) == [
        "*RTX 4090 24GB*, spot, *$0.36/h*\nCN-HK-01 · dearer in US-CA-06, AS-SGP-02, EU-DE-01"
    ]


def test_prices_are_for_as_many_as_were_asked_for():
    row = replace(ROW, offer=replace(OFFER, gpu_count=2))
    message = listed([row], asked=Offers(gpu="4090", gpu_count=2))
    assert "Prices are for 2 GPUs together" in message["blocks"][0]["text"]["text"]
    assert texts(message)[0].startswith("*RTX 4090 24GB ×2*, spot, *$0.72/h*")


def test_a_press_that_rents_at_once_is_asked_about_with_the_price():
    button = lines(listed())[0]["accessory"]
    assert (button["text"]["text"], button["action_id"]) == ("Launch", "gpu:launch")
    assert {key: text["text"] for key, text in button["confirm"].items() if key != "style"} == {
        "title": "Rent RTX 4090 24GB ×1?",
        "text": "Spot, $0.36/h, $8.64 a day, until you stop it.",
        "confirm": "Rent it",
        "deny": "Not now",
    }
    assert button["confirm"]["style"] == "primary"
    assert button["accessibility_label"] == "Launch RTX 4090 24GB ×1, spot, $0.36/h"
    ticket = Ticket.read(button["value"])
    assert (ticket.line, ticket.usd_per_hour) == (render(ROW.command), Decimal("0.36"))


def test_each_offer_is_bought_once_wherever_it_stands_in_the_list():
    both = [replace(ROW, command=replace(ROW.command, gpu=gpu)) for gpu in ("A", "B")]
    keys = [Ticket.read(line["accessory"]["value"]).key for line in lines(listed(both))]
    moved = [Ticket.read(line["accessory"]["value"]).key for line in lines(listed(both[::-1]))]
    assert keys == moved[::-1]
    assert len(set(keys)) == 2


def test_where_a_template_is_needed_a_press_opens_the_form():
    button = lines(listed(launches_at_once=False))[0]["accessory"]
    assert (button["text"]["text"], button["action_id"]) == ("Launch …", "gpu:change")
    assert "confirm" not in button


def test_pages_are_turned_with_what_was_asked():
    found, asked = rows(40), Offers(gpu="4090", max_usd_per_hour=Decimal(9))
    first = listed(found, asked=asked)
    line = "/gpu offers 4090 --max 9"
    assert len(lines(first)) == OFFERS_PAGE
    assert end(first).startswith("1–15 of 40.")
    assert turns(first) == {
        "Next": ("gpu:offers_page:next", {"line": line, "offset": 15, "key": "k"}),
    }
    second = listed(found, asked=asked, offset=15)
    assert turns(second) == {
        "Previous": ("gpu:offers_page:previous", {"line": line, "offset": 0, "key": "k"}),
        "Next": ("gpu:offers_page:next", {"line": line, "offset": 30, "key": "k"}),
    }
    last = listed(found, asked=asked, offset=30)
    assert (len(lines(last)), list(turns(last))) == (10, ["Previous"])


def test_every_offer_is_on_a_page_though_the_commands_are_long():
    long = replace(
        ROW, command=replace(ROW.command, gpu="G" * 200, regions=tuple("R" * 60 for _ in range(10)))
    )
    found, seen, offset = [long] * 20, 0, 0
    while True:
        message = listed(found, offset=offset)
        assert lint_message(message) == []
        seen += len(lines(message))
        if "Next" not in turns(message):
            break
        offset = turns(message)["Next"][1]["offset"]
    assert seen == 20


@pytest.mark.parametrize("offset", [-5, 99])
def test_a_page_that_is_no_longer_there_shows_what_is(offset):
    assert lines(listed(rows(20), offset=offset))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Offers(), ["Nothing can be had now.", "Try again in some minutes."]),
        (Offers(gpu="h100"), ["No h100 can be had now.", "All that can be had: `/gpu offers`"]),
        (
            Offers(max_usd_per_hour=Decimal("0.1")),
            ["Nothing can be had for $0.10/h or less now.", "At any price: `/gpu offers`"],
        ),
        (
            Offers(gpu="h100", gpu_count=2, max_usd_per_hour=Decimal("0.1")),
            ["No h100 can be had for $0.10/h or less now.", "At any price: `/gpu offers h100:2`"],
        ),
    ],
)
def test_where_there_is_nothing_it_says_so_and_what_to_try(asked, said):
    message = listed((), asked=asked)
    assert message["blocks"][0]["text"]["text"].removeprefix(":information_source: ").splitlines() == said
