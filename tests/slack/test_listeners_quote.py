"""A quote before money: what it says, what its buttons do, and that it is bought once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from samples import seconds
from slack_office import GPU, Office

from bot.sandbox.slack.messages import Message
from bot.slack.buying import order_key
from bot.slack.spoken import Spoken, Surface
from storage.records import State
from storage.store.finding import Find


@pytest.fixture(autouse=True)
def default_template(o: Office) -> None:
    o.scene.operations.defaults = replace(o.scene.operations.defaults, template="pytorch-jupyter")


async def quoted(o: Office, line: str = "/gpu create 4090") -> Message:
    return await o.told(o.ada.command(line, channel=GPU))


async def test_a_gpu_alone_is_quoted_and_nothing_is_rented(o: Office):
    quote = await quoted(o)
    assert "RTX 4090 24GB" in quote.words
    assert "$0.36" in quote.words
    assert {"Launch", "Change", "Cancel"} <= quote.buttons.keys()
    assert await o.instances() == []


@pytest.mark.parametrize("line", ["/gpu create 4090 --yes", "/gpu create 4090 --template pytorch-jupyter"])
async def test_consent_or_a_template_launches_at_once(o: Office, line: str):
    assert "Creating" in await o.types(line)
    assert (await o.instance()).first_usd_per_hour is None


async def test_launch_rents_what_was_quoted_in_the_place_of_the_quote(o: Office):
    quote = await quoted(o, "/gpu create 4090 my-train")
    assert (await o.ada.press(quote, "Launch")).ok
    await o.slack.wait_for(lambda: "Creating" in o.whispers()[-1].words)
    assert len(o.whispers()) == 1
    created = await o.instance()
    assert (created.name, created.request.template) == ("my-train", "pytorch-jupyter")


async def test_the_quoted_price_is_the_one_that_dearer_offers_are_held_against(o: Office):
    await o.ada.press(await quoted(o), "Launch")
    await o.slack.wait_for(lambda: "Creating" in o.whispers()[-1].words)
    assert (await o.instance()).first_usd_per_hour == Decimal("0.36")


async def test_a_quote_is_bought_once_however_often_it_is_launched(o: Office):
    quote = await quoted(o)
    await o.ada.press(quote, "Launch")
    await o.slack.wait_for(lambda: "Creating" in o.whispers()[-1].words)
    o.scene.clock.advance(5)
    await o.ada.press(quote, "Launch")
    await o.slack.wait_for(lambda: "launched already" in o.whispers()[-1].words)
    assert len(await o.instances()) == 1


async def test_a_command_that_is_delivered_twice_has_two_quotes_and_buys_once(o: Office):
    quote = await quoted(o)
    (envelope,) = o.slack.deliveries
    o.scene.clock.advance(2)
    again = await o.slack.redeliver(envelope)
    (launch,) = [
        element["value"]
        for block in again.payload["blocks"]
        for element in block.get("elements", ())
        if element.get("action_id") == "gpu:launch"
    ]
    keys = [json.loads(value)["key"] for value in (launch, ticket_of(quote))]
    assert keys[0] != keys[1]
    assert order_key(keys[0]) == order_key(keys[1])


def ticket_of(message: Message, what: str = "gpu:launch") -> str:
    return next(
        e["value"] for b in message.blocks for e in b.get("elements", ()) if e.get("action_id") == what
    )


async def test_another_choice_takes_the_place_of_the_quote_and_is_the_same_purchase(o: Office):
    quote = await quoted(o)
    await o.ada.press(quote, "gpu:requote", block_id="other:0")
    await o.slack.wait_for(lambda: o.whispers()[-1].revision > quote.revision)
    other = o.whispers()[-1]
    assert len(o.whispers()) == 1
    await o.ada.press(other, "Launch")
    await o.slack.wait_for(lambda: "Creating" in o.whispers()[-1].words)
    o.scene.clock.advance(5)
    await o.ada.press(quote, "Launch")
    await o.slack.wait_for(lambda: "launched already" in o.whispers()[-1].words)
    assert len(await o.instances()) == 1


async def test_an_old_quote_is_answered_with_a_new_one(o: Office):
    quote = await quoted(o)
    o.scene.clock.advance(timedelta(hours=2).total_seconds())
    await o.ada.press(quote, "Launch")
    await o.slack.wait_for(lambda: o.whispers()[-1].revision > quote.revision)
    assert await o.instances() == []
    await o.ada.press(o.whispers()[-1], "Launch")
    await o.slack.wait_for(lambda: "Creating" in o.whispers()[-1].words)


async def test_change_opens_the_form_with_what_was_typed_and_buys_the_same_quote(o: Office):
    quote = await quoted(o, "/gpu create 4090:2 my-train")
    await o.ada.press(quote, "Change")
    form = await o.slack.wait_for(lambda: o.ada.view)
    assert form.values["name"]["name"]["value"] == "my-train"
    assert (await o.orders(form, {"count": "4"})).ok
    await o.slack.wait_for(lambda: "Creating" in o.whispers()[-1].words)
    assert (await o.instance()).request.gpu_count == 4
    o.scene.clock.advance(5)
    await o.ada.press(quote, "Launch")
    await o.slack.wait_for(lambda: "launched already" in o.whispers()[-1].words)
    assert len(await o.instances()) == 1


async def test_a_launch_that_is_refused_leaves_the_quote_where_it_can_be_launched_again(o: Office):
    quote = await quoted(o, "/gpu create 4090 my-train")
    await o.types("/gpu create 4090 my-train --yes")
    await o.ada.press(quote, "Launch")
    await o.slack.wait_for(lambda: "is in use" in o.whispers()[-1].words)
    assert "Launch" in next(m for m in o.whispers() if m.ts == quote.ts).buttons
    assert len(await o.instances()) == 1


async def test_a_quote_whose_launch_failed_says_how_to_rent_another(o: Office):
    quote = await quoted(o)
    await o.ada.press(quote, "Launch")
    await o.slack.wait_for(lambda: "Creating" in o.whispers()[-1].words)
    created = await o.instance()
    await o.scene.store.instances.wish(
        Find(ref=created.id), key=None, decide=lambda i: (replace(i, state=State.FAILED, wish=None), None)
    )
    o.scene.clock.advance(5)
    for button in ("Launch", "Change"):
        await o.ada.press(quote, button)
        await o.slack.wait_for(lambda: "To rent another: `/gpu create" in o.whispers()[-1].words)
    assert o.ada.view is None


async def test_a_quote_that_waits_for_novita_is_acknowledged_as_a_query(o: Office):
    o.scene.clock.advance(61)
    gate = o.scene.novita.gates["products"] = asyncio.Event()
    began = asyncio.get_running_loop().time()
    assert (await o.ada.command("/gpu create 4090", channel=GPU)).ok
    assert asyncio.get_running_loop().time() - began < 1.5
    gate.set()
    await o.slack.wait_for(o.whispers)
    assert "Launch" in o.whispers()[-1].buttons


async def test_cancel_rents_nothing(o: Office):
    await o.ada.press(await quoted(o), "Cancel")
    await o.slack.wait_for(lambda: "Nothing was rented" in o.whispers()[-1].words)
    assert not o.whispers()[-1].buttons


async def test_only_members_get_quotes_and_offers(o: Office):
    for line in ("/gpu create 4090", "/gpu offers"):
        assert "Guests" in await o.types(line, by="U0GUS")


async def test_a_gpu_that_is_not_sold_is_told_with_the_nearest(o: Office):
    words = await o.types("/gpu create 4080")
    assert "RTX 4090 24GB" in words
    assert await o.instances() == []


async def test_offers_are_launched_from_their_list_once_each(o: Office):
    offers = await o.told(o.ada.command("/gpu offers", channel=GPU))
    assert "RTX 4090 24GB" in offers.words
    for _ in range(2):
        await o.ada.press(offers, "gpu:launch", block_id="offer:0")
        await o.slack.wait_for(lambda: offers.revision < o.whispers()[-1].revision)
        o.scene.clock.advance(5)
    assert len(await o.instances()) == 1


async def test_offers_open_the_form_where_a_template_has_yet_to_be_chosen(o: Office):
    o.scene.operations.defaults = replace(o.scene.operations.defaults, template=None)
    offers = await o.told(o.ada.command("/gpu offers 4090", channel=GPU))
    await o.ada.press(offers, "gpu:change", block_id="offer:0")
    form = await o.slack.wait_for(lambda: o.ada.view)
    assert form.values["gpu"]["gpu"]["selected_option"]["value"] == "RTX 4090 24GB"


@pytest.mark.parametrize(
    "value", ["", "{}", "nonsense", json.dumps({"key": "x", "line": "/gpu list", "usd": None})]
)
async def test_a_ticket_of_another_version_is_answered(o: Office, value: str):
    quote = await quoted(o)
    delivery = (await o.ada.press(quote, "Cancel")).delivery
    action = {**delivery.payload["actions"][0], "action_id": "gpu:launch", "value": value}
    await o.sends(delivery, actions=[action])
    await o.side._replies.drain(within=seconds(5))
    assert "another version" in o.whispers()[-1].words
    assert await o.instances() == []


def test_the_surface_decides_how_an_answer_gets_back():
    assert Spoken(user_id="U1", surface=Surface.SHORTCUT, key="k").destination == "U1"
