"""The form, from the trigger to the instance: opened, filled, refused, sent, sent twice."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal

from samples import seconds
from slack_office import CREATE, GPU, SOLD, Office
from structlog.testing import capture_logs

from bot.errors import NoOffer, NovitaUnavailable
from bot.sandbox.slack.faults import CloseConnection, ErrorCode, Hang, HttpStatus, RateLimited
from bot.slack import forms, people
from storage.cloud import BillingMode

FILLED = {"gpu": SOLD, "template": "107672", "name": "my-train"}


async def test_the_form_becomes_an_instance(either: Office):
    view = await either.form()
    told = await either.told(
        either.orders(view, {**FILLED, "count": "2", "billing": "onDemand", "disk": "80", "max": "1.5"})
    )
    assert "Creating *my-train*" in told.words
    assert either.ada.view is None
    i = await either.instance()
    assert (i.requester, i.channel) == ("U0ADA", GPU)
    assert (i.request.gpu_count, i.request.disk_gb, i.request.template) == (2, 80, "107672")
    assert i.request.billing_mode is BillingMode.ON_DEMAND


async def test_what_the_form_said_it_costs_is_what_dearer_offers_are_held_against(o: Office):
    await o.told(o.orders(await o.form(), {**FILLED, "count": "2"}))
    assert (await o.instance()).first_usd_per_hour == Decimal("0.72")


async def test_what_was_typed_is_in_the_form(o: Office):
    view = await o.form("/gpu create 4090:2 my-train --region US-CA-06")
    assert view.values["gpu"]["gpu"]["selected_option"]["value"] == "RTX 4090 24GB"
    assert view.values["name"]["name"]["value"] == "my-train"
    assert view.values["count"]["count"]["selected_option"]["value"] == "2"
    assert [r["value"] for r in view.values["regions"]["regions"]["selected_options"]] == ["US-CA-06"]


def forget(o: Office) -> None:
    """As before the first look-up."""
    o.scene.catalog._templates.value = None
    o.scene.catalog._clusters.value = None
    for cached in o.scene.catalog._products.values():
        cached.value = None


async def test_the_form_opens_at_once_and_is_filled_when_novita_answers(o: Office):
    forget(o)
    gate = o.scene.novita.gates["products"] = asyncio.Event()
    view = await o.form("/gpu create 4090 my-train")
    assert "looking up" in view.words
    gate.set()
    await o.slack.wait_for(lambda: "name" in o.ada.view.values)
    assert o.ada.view.id == view.id
    assert o.ada.view.values["gpu"]["gpu"]["selected_option"]["value"] == "RTX 4090 24GB"
    assert o.ada.view.values["name"]["name"]["value"] == "my-train"


async def test_a_form_whose_look_up_fails_lets_one_type_instead_of_choosing(o: Office):
    forget(o)
    for call in ("products", "clusters", "templates"):
        o.scene.novita.before[call] += [NovitaUnavailable("Novita does not answer.")] * 4
    await o.form()
    view = await o.slack.wait_for(lambda: o.ada.view if "gpu" in o.ada.view.values else None)
    told = await o.told(o.orders(view, {"gpu": "4090", "image": "mine:1"}))
    assert "Creating" in told.words


async def test_a_price_that_was_not_shown_is_shown_before_anything_is_rented(o: Office):
    reply = await o.ada.submit(await o.form(), FILLED)
    assert "It costs $0.36/h now. Press Launch again" in reply.view.words
    assert await o.instances() == []
    await o.told(o.ada.submit())
    assert (await o.instance()).first_usd_per_hour == Decimal("0.36")


async def test_a_price_that_rose_under_the_form_is_asked_about(o: Office):
    view = await o.priced()
    for cached in o.scene.catalog._products.values():
        cached.value = tuple(replace(p, usd_per_gpu_hour=Decimal("0.90")) for p in cached.value)
    reply = await o.ada.submit(view, FILLED)
    assert "It costs $0.90/h now" in reply.view.words
    assert await o.instances() == []


async def test_of_two_changes_in_a_row_the_later_one_is_shown(o: Office):
    view = await o.priced()
    earlier = (await o.ada.choose(view, "count", "2")).delivery
    await o.slack.wait_for(lambda: "$0.72" in o.ada.view.words)
    await o.ada.choose(o.ada.view, "count", "4")
    await o.slack.wait_for(lambda: "$1.44" in o.ada.view.words)
    await o.slack.deliver(earlier)
    await o.side._replies.drain(within=seconds(5))
    assert "$1.44" in o.ada.view.words


async def test_who_is_no_member_is_offered_nothing(o: Office):
    view = await o.form()
    element = next(b["element"] for b in view.blocks if b["block_id"] == "gpu")
    block = next(b for b in view.blocks if b["block_id"] == "gpu")
    delivery = o.slack.payloads.suggestion(view, block, element, "4090")
    ack = await o.sends(delivery, user={"id": "U0GUS", "team_id": "T0SANDBOX"})
    assert ack.payload == {"options": []}


async def test_the_estimate_and_the_command_follow_what_is_chosen(o: Office):
    view = await o.form("/gpu create 4090 my-train")
    assert "$0.36" in view.words
    await o.ada.choose(view, "count", "2")
    await o.slack.wait_for(lambda: "$0.72" in o.ada.view.words)
    assert "/gpu create" in o.ada.view.words
    assert ':2" my-train' in o.ada.view.words
    assert o.ada.view.values["count"]["count"]["selected_option"]["value"] == "2"
    assert await o.instances() == []


async def test_gpus_are_found_as_one_types(o: Office):
    view = await o.form()
    found = await o.ada.search(view, "gpu", "4090")
    assert [option["value"] for option in found] == ["RTX 4090 24GB"]
    assert "$0.36" in found[0]["text"]["text"]
    assert await o.ada.search(view, "gpu", "zzzz") == []


async def test_mistakes_are_told_at_their_fields_and_nothing_is_made(either: Office):
    view = await either.form()
    reply = await either.orders(view, {"name": "no spaces!", "image": "a:1", "gpu": FILLED["gpu"]})
    assert list(reply.errors) == ["name"]
    reply = await either.orders(view, {"name": "my-train", "image": "a:1", "template": "107672"})
    assert reply.errors == {"image": "Choose either a template or an image."}
    assert either.ada.view is not None
    assert await either.instances() == []


async def test_a_form_without_template_or_image_says_so_at_the_field(o: Office):
    reply = await o.orders(await o.form(), {"gpu": FILLED["gpu"]})
    assert reply.errors == {"template": "Choose a template, or name an image below."}


async def test_a_taken_name_is_told_at_its_field_with_a_free_one(either: Office):
    await either.types(CREATE)
    view = await either.form()
    reply = await either.orders(view, FILLED)
    assert reply.errors == {"name": "The name my-train is in use. my-train-2 is free."}
    told = await either.told(either.orders(view, {"name": "my-train-2"}))
    assert "Creating *my-train-2*" in told.words


async def test_what_is_wrong_as_a_whole_is_told_above_the_fields_which_stay_filled(o: Office, monkeypatch):
    def disprove(_request):
        raise NoOffer("Sold <!channel> out.", code="NO_AVAILABLE_PRODUCTS")

    monkeypatch.setattr(o.scene.catalog, "disprove", disprove)
    reply = await o.orders(await o.form(), FILLED)
    assert reply.errors == {}
    assert reply.view is not None
    assert "Sold &lt;!channel&gt; out." in reply.view.words
    assert reply.view.values["name"]["name"]["value"] == "my-train"
    monkeypatch.undo()
    assert "Creating *my-train*" in (await o.told(o.orders(o.ada.view))).words


async def test_what_is_wrong_with_an_unknown_gpu_is_told_at_its_field(o: Office):
    delivery = o.slack.payloads.view_submission(o.ada.fill(await o.priced(), FILLED))
    view = delivery.payload["view"]
    typed = {"type": "plain_text_input", "value": "B300"}
    values = {**view["state"]["values"], "gpu": {"gpu": typed}}
    ack = await o.sends(delivery, view={**view, "state": {"values": values}})
    assert "Novita has no GPU called B300" in ack.payload["errors"]["gpu"]


async def test_a_guest_who_got_hold_of_a_form_gets_nothing(o: Office):
    """The one who opens it and the one who sends it need not be the same to us."""
    view = await o.priced()
    delivery = o.slack.payloads.view_submission(o.ada.fill(view, FILLED))
    ack = await o.sends(delivery, user={"id": "U0GUS", "team_id": "T0SANDBOX"})
    assert ack.payload["response_action"] == "update"
    assert "Guests and people of other workspaces" in json.dumps(ack.payload["view"])
    assert await o.instances() == []


async def test_an_own_fault_keeps_the_form_open_and_has_a_reference(o: Office, monkeypatch):
    def disprove(_request):
        raise ZeroDivisionError

    monkeypatch.setattr(o.scene.catalog, "disprove", disprove)
    view = await o.form()
    with capture_logs() as logs:
        reply = await o.orders(view, FILLED)
    assert reply.view is not None
    assert f"Reference: {logs[0]['reference']}" in reply.view.words
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)


async def test_a_form_that_is_sent_twice_makes_one_instance(either: Office):
    view = either.ada.fill(await either.priced(), FILLED)
    delivery = either.slack.payloads.view_submission(view)
    acks = await asyncio.gather(either.sends(delivery), either.sends(delivery))
    assert [ack.payload for ack in acks] == [{}, {}]
    await either.slack.wait_for(lambda: len(either.whispers()) == 2)
    assert all("Creating *my-train*" in message.words for message in either.whispers())
    assert len(await either.instances()) == 1


async def test_a_form_that_takes_long_closes_and_its_answer_follows(o: Office, monkeypatch):
    monkeypatch.setattr(forms, "ACK_CHANGE_WITHIN", seconds(0.05))
    monkeypatch.setattr(people, "_LOOK_UP_WITHIN", seconds(0.2))
    view = await o.form()
    o.scene.clock.advance(601)  # who Ada is has to be asked again
    o.slack.fail("users.info", Hang())
    reply = await o.orders(view, FILLED)
    assert (reply.ok, o.ada.view) == (True, None)
    await o.slack.wait_for(o.whispers)
    assert "Please try again" in o.whispers()[0].words
    assert await o.instances() == []


async def test_a_form_that_cannot_be_read_stays_open_with_a_reference(o: Office):
    view = await o.form()
    delivery = o.slack.payloads.view_submission(view)
    with capture_logs() as logs:
        ack = await o.sends(delivery, view={**delivery.payload["view"], "private_metadata": "{"})
    assert logs[0]["reference"] in ack.payload["errors"]["gpu"]


# --- views.open ---------------------------------------------------------------------------------------------


async def test_a_command_that_is_delivered_twice_opens_one_form(either: Office):
    reply = await either.ada.command("/gpu create", channel=GPU)
    view = await either.slack.wait_for(lambda: either.ada.view)
    await either.slack.redeliver(reply.envelope_id)
    await either.slack.wait_for(lambda: either.slack.journal.count("views.open") == 2)
    await either.side.close()
    assert either.ada.view == view
    assert either.whispers() == []


async def test_a_form_that_slack_did_not_open_is_told_with_the_command_to_repeat(o: Office):
    for fault in (ErrorCode("expired_trigger_id"), HttpStatus(503), RateLimited(), CloseConnection()):
        o.slack.fail("views.open", fault)
        told = await o.types("/gpu create 4090 my-train")
        assert "Slack did not open the form in time. Please try again." in told
        assert "Try: `/gpu create 4090 my-train`" in told
    assert o.ada.view is None


async def test_a_trigger_that_waited_too_long_is_told(o: Office):
    delivery = o.slack.payloads.command("U0ADA", o.slack.workspace.channels[GPU], "/gpu", "create")
    o.scene.clock.advance(4)
    await o.slack.deliver(delivery)
    await o.slack.wait_for(o.whispers)
    assert "did not open the form in time" in o.whispers()[0].words


async def test_any_other_refusal_of_the_form_is_a_fault_of_ours(o: Office):
    o.slack.fail("views.open", ErrorCode("invalid_arguments"))
    with capture_logs() as logs:
        told = await o.types("/gpu create")
    assert logs[0]["reference"] in told
