"""The price before anything is rented: what the card says, and what its buttons carry."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from samples import OFFER, REQUEST

from bot.grammar.commands import Create, render
from bot.messages.quotes import cancelled, quote_card
from bot.quotes import MOST_VALUE, Priced, Quote, Ticket
from bot.sandbox.slack.blocklint import lint_message
from bot.slack.arguments import parse
from storage.cloud import BillingMode

ON_DEMAND = BillingMode.ON_DEMAND
ASKED = Create(gpu="4090", name="my-train")
BEST = Priced(
    offer=OFFER,
    command=ASKED,
    stock="low",
    regions=("CN-HK-01 (Hong Kong)", "US-CA-06 (California)", "AS-SGP-02"),
)
CHEAPER = Priced(
    offer=replace(OFFER, region="US-CA-06 (California)", usd_per_gpu_hour=Decimal("0.20")),
    command=replace(ASKED, gpu="RTX 4090 24GB", billing_mode=BillingMode.SPOT, regions=("US-CA-06",)),
    stock="high",
)
DEARER = Priced(
    offer=replace(OFFER, billing_mode=ON_DEMAND, usd_per_gpu_hour=Decimal("0.69")),
    command=replace(ASKED, gpu="RTX 4090 24GB", billing_mode=ON_DEMAND, regions=("CN-HK-01",)),
)
LONG = f"https://example.com/{'x' * 1950}"


def quote(**changes):
    values = {
        "key": "k1",
        "asked": ASKED,
        "request": REQUEST,
        "best": BEST,
        "alternatives": (CHEAPER, DEARER),
        "limit_usd_per_hour": Decimal("0.54"),
    }
    return Quote(**{**values, **changes})


def block(message, block_id):
    (found,) = [block for block in message["blocks"] if block.get("block_id") == block_id]
    return found


def particulars(message):
    fields = [field["text"].split("\n", 1) for field in block(message, "particulars")["fields"]]
    return {name.strip("*"): value for name, value in fields}


def buttons(message):
    rows = [block for block in message["blocks"] if block["type"] == "actions"]
    return {button["text"]["text"]: button for row in rows for button in row["elements"]}


def words(message):
    return [
        block["text"]["text"] for block in message["blocks"] if block["type"] == "section" and "text" in block
    ]


def small_print(message):
    return [block["elements"][0]["text"] for block in message["blocks"] if block["type"] == "context"]


def test_the_first_line_says_what_where_and_for_how_much_and_that_nothing_is_rented_yet():
    card = quote_card(quote())
    assert card["text"] == (
        ":receipt: *RTX 4090 24GB ×1* in CN-HK-01 (Hong Kong), spot: *$0.36/h*, $8.64 a day. "
        "Nothing is rented yet."
    )
    assert block(card, "quote")["text"]["text"] == card["text"]


def test_the_particulars_are_all_there():
    assert particulars(quote_card(quote())) == {
        "Price": "$0.36/h",
        "A day (24 h)": "$8.64",
        "At most": "not above $0.54/h, whatever happens",
        "Region": "CN-HK-01 (Hong Kong)\nelse US-CA-06, AS-SGP-02",
        "Billing": "spot",
        "Stock": "few left",
        "Template": "`pytorch-jupyter`",
        "Disk": "60 GB",
        "Name": "my-train",
    }


def test_for_several_gpus_the_price_of_one_is_said_too():
    two = replace(BEST, offer=replace(OFFER, gpu_count=2))
    assert particulars(quote_card(quote(best=two)))["Price"] == "$0.72/h ($0.36/h each)"


def test_a_disk_that_costs_more_says_so():
    shown = particulars(quote_card(quote(request=replace(REQUEST, disk_gb=200))))
    assert shown["Disk"] == "200 GB, billed apart above 60 GB"


def test_an_image_stands_in_for_the_template_and_a_made_up_name_is_not_promised():
    by_image = replace(REQUEST, template=None, image="a/b:c")
    shown = particulars(quote_card(quote(request=by_image, asked=Create(gpu="4090", image="a/b:c"))))
    assert shown["Image"] == "`a/b:c`"
    assert not {"Template", "Name"} & shown.keys()


def test_what_can_be_lost_is_said_for_spot_and_on_demand():
    (losses, _) = small_print(quote_card(quote()))
    assert losses.splitlines() == [
        "*What you can lose*",
        "On stop: perhaps what is on its disk; and somebody else may rent the GPU meanwhile.",
        "On delete: all on its disk, for good.",
        "When Novita takes it back, usually an hour after a warning: all on its disk.",
        "Keep what matters elsewhere, such as on a network volume.",
    ]
    (losses, _) = small_print(quote_card(quote(best=replace(BEST, offer=DEARER.offer))))
    assert "While it runs: nothing. It is yours until you stop it." in losses


def test_the_command_that_does_the_same_is_shown_to_be_learned():
    *_, command = small_print(quote_card(quote()))
    assert command == "To launch it at once next time: `/gpu create 4090 my-train --yes`"


def test_the_other_ways_have_a_button_each_that_quotes_them():
    card = quote_card(quote())
    assert words(card)[1:] == [
        "*Other ways*",
        "*RTX 4090 24GB ×1* in US-CA-06 (California), spot\n*$0.20/h* · $4.80 a day · $0.16/h less · plenty",
        "*RTX 4090 24GB ×1* in CN-HK-01 (Hong Kong), on demand\n*$0.69/h* · $16.56 a day",
    ]
    take = block(card, "other:0")["accessory"]
    assert (take["text"]["text"], take["action_id"]) == ("Take this", "gpu:requote")
    assert take["accessibility_label"] == "Take RTX 4090 24GB ×1, spot, $0.20/h"
    assert Ticket.read(take["value"]) == Ticket(
        key="k1", line=render(CHEAPER.command), usd_per_hour=Decimal("0.20")
    )


def test_launch_change_and_cancel_carry_the_quote():
    found = buttons(quote_card(quote(asked=replace(ASKED, yes=True))))
    assert {name: button["action_id"] for name, button in found.items()} == {
        "Launch": "gpu:launch",
        "Change": "gpu:change",
        "Cancel": "gpu:cancel",
    }
    assert found["Launch"]["style"] == "primary"
    launch = Ticket.read(found["Launch"]["value"])
    assert launch == Ticket(key="k1", line="/gpu create 4090 my-train", usd_per_hour=Decimal("0.36"))
    assert Ticket.read(found["Cancel"]["value"]).key == "k1"


def test_without_a_template_it_cannot_be_launched_but_one_can_be_chosen():
    card = quote_card(quote(request=replace(REQUEST, template=None)), needs_template=True)
    assert particulars(card)["Template"] == "still to be chosen"
    found = buttons(card)
    assert list(found) == ["Choose a template", "Cancel"]
    assert found["Choose a template"]["action_id"] == "gpu:change"
    assert "`/gpu create 4090 my-train --template TEMPLATE --yes`" in small_print(card)[-1]


@pytest.mark.parametrize("needs_template", [False, True])
def test_what_cannot_be_had_says_why_and_what_can(needs_template):
    missing = quote(best=None, missing="No 4090 is to be had as spot now.", limit_usd_per_hour=None)
    card = quote_card(missing, needs_template=needs_template)
    assert card["text"] == ":warning: No 4090 is to be had as spot now. Nothing is rented."
    assert words(card)[1] == "*What can be had instead*"
    assert "less" not in words(card)[2]
    assert list(buttons(card)) == ["Change", "Cancel"]
    assert small_print(card) == []


def test_where_there_is_nothing_else_the_offers_are_named():
    card = quote_card(quote(best=None, missing="No.", alternatives=()))
    assert words(card)[1] == "Try again later, or see what can be had: `/gpu offers`"


def test_what_is_too_long_for_a_button_is_there_to_copy():
    asked = replace(ASKED, image="i" * 400, webhook_url=LONG)
    card = quote_card(quote(asked=asked, alternatives=()))
    assert lint_message(card) == []
    assert list(buttons(card)) == ["Cancel"]
    (rich,) = [block for block in card["blocks"] if block["type"] == "rich_text"]
    line = rich["elements"][1]["elements"][0]["text"]
    assert parse(line) == replace(asked, yes=True)


def test_as_many_other_ways_are_shown_as_there_is_room_for():
    # Its value just fits into a button, and five of them hardly fit into a message.
    asked = replace(ASKED, webhook_url=LONG[:1900])
    offer = replace(OFFER, product_name="G" * 100, region="R" * 100)
    request = replace(REQUEST, template="t" * 300)
    regions = tuple(str(number) * 40 for number in range(6))
    others = (Priced(offer=offer, command=asked),) * 3
    card = quote_card(
        quote(
            asked=asked,
            alternatives=others,
            request=request,
            best=replace(BEST, offer=offer, regions=regions),
        )
    )
    assert lint_message(card) == []
    assert "Launch" in buttons(card)
    assert 1 <= len([block for block in card["blocks"] if "accessory" in block]) < 3
    assert len(buttons(card)["Launch"]["value"]) <= MOST_VALUE


def test_a_cancelled_quote_says_that_nothing_was_rented():
    assert cancelled()["text"] == "Nothing was rented."
    assert small_print(cancelled()) == ["Nothing was rented."]
