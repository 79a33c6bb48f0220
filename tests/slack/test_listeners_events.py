"""Where there is no slash: threads, direct messages, shortcuts, the Home tab."""

from __future__ import annotations

from dataclasses import replace

import pytest
from samples import seconds
from slack_office import CREATE, GPU, PASSWORD, SOLD, Office

from bot.sandbox.slack.faults import HttpStatus
from bot.sandbox.slack.messages import Message
from bot.slack.listeners import ABOUT, RENT, RENT_HERE
from storage.records import EventKind, Instance, NewCard, NewEvent, Notify


async def whispered(o: Office, count: int = 1, channel: str = GPU) -> Message:
    await o.slack.wait_for(lambda: len(o.whispers(channel=channel)) >= count)
    return o.whispers(channel=channel)[-1]


async def carded(o: Office) -> tuple[Instance, Message]:
    """A running instance of Ada's, and its card."""
    i = await o.running()
    message = await o.card(i)
    shown = await o.scene.store.instances.add(
        _again(i),
        key=None,
        event=NewEvent(kind=EventKind.READY, at=o.scene.clock()),
        card=NewCard(channel=GPU),
        unique_name=False,
    )
    (leased,) = await o.scene.store.cards.lease_due(1)
    await o.scene.store.cards.settle(leased, shown_version=1, ts=message.ts, channel=GPU)
    return shown, message


def _again(i: Instance) -> Instance:
    return replace(i, id="b" * 16, name="other", novita_id="n2")


async def test_a_mention_in_a_thread_is_answered_there_to_the_asker_alone(o: Office):
    _, card = await carded(o)
    await o.ada.mention(GPU, "status my-train", thread_ts=card.ts)
    answer = await whispered(o)
    assert "my-train" in answer.words
    assert answer.thread_ts == card.ts


async def test_in_the_thread_of_a_card_its_instance_is_meant(o: Office):
    shown, card = await carded(o)
    await o.ada.mention(GPU, "status", thread_ts=card.ts)
    assert shown.name in (await whispered(o)).words
    await o.ada.mention(GPU, "stop", thread_ts=card.ts)
    assert f"Stopping *{shown.name}*" in (await whispered(o, 2)).words


async def test_what_stands_before_the_mention_is_not_meant(o: Office):
    o.ada.say(GPU, "hello")
    await o.ada.mention(GPU, "help")
    assert "Rent" in (await whispered(o)).words


async def test_a_mention_acts_once_for_each_event(o: Office):
    await o.ada.mention(GPU, CREATE.removeprefix("/gpu "))
    await whispered(o)
    (envelope,) = o.slack.deliveries
    await o.slack.redeliver(envelope)
    await o.side._replies.drain(within=seconds(5))
    assert len(await o.instances()) == 1


async def test_a_mention_that_needs_the_form_is_answered_with_a_button_for_it(o: Office):
    await o.ada.mention(GPU, "create 4090 my-train")
    answer = await whispered(o)
    await o.ada.press(answer, "Open the form")
    form = await o.slack.wait_for(lambda: o.ada.view)
    assert form.values["name"]["name"]["value"] == "my-train"


@pytest.mark.parametrize(
    "changes",
    [
        {"edited": {"user": "U0ADA", "ts": "1.2"}},
        {"bot_id": "B1"},
        {"user": None},
        {"user": "USLACKBOT"},
        {"subtype": "message_changed"},
    ],
)
async def test_an_edit_and_what_no_person_says_does_nothing(o: Office, changes: dict):
    sent = await o.ada.mention(GPU, f"{CREATE.removeprefix('/gpu ')} --yes")
    await whispered(o)
    event = {**sent.delivery.payload["event"], "ts": "9.9", **changes}
    for kind in ({}, {"type": "message", "channel_type": "im", "channel": "D1"}):
        assert (await o.sends(sent.delivery, event={**event, **kind}, event_id="Ev9")).error is None
    await o.side._replies.drain(within=seconds(5))
    assert len(await o.instances()) == 1


async def test_of_several_mentions_the_bots_own_counts(o: Office):
    await o.ada.mention(GPU, "help")
    await whispered(o)
    await o.ada.write(GPU, "@ben stop asking @gpu-ops list")
    assert "You have no instance" in (await whispered(o, 2)).words


async def test_what_a_guest_mentions_is_refused(o: Office):
    await o.slack.person("U0GUS").mention(GPU, "create")
    await o.slack.wait_for(lambda: o.whispers("U0GUS"))
    assert "Guests" in o.whispers("U0GUS")[-1].words


async def direct(o: Office, text: str, count: int) -> Message:
    await o.ada.write(o.ada.direct_channel, text)
    await o.slack.wait_for(lambda: len([m for m in o.ada.dms() if m.app_id]) >= count)
    return o.ada.dms()[-1]


async def test_the_bot_answers_its_direct_messages_and_not_itself(o: Office):
    assert "Rent" in (await direct(o, "help", 1)).words
    assert "You have no instance" in (await direct(o, "/gpu list", 2)).words
    await o.side._replies.drain(within=seconds(5))
    assert len([m for m in o.ada.dms() if m.app_id]) == 2


async def test_no_password_is_written_where_it_would_stay(o: Office):
    await o.running()
    answer = await direct(o, "ssh", 1)
    assert PASSWORD not in answer.words
    assert "Connect" in answer.buttons


async def test_the_global_shortcut_opens_the_form_and_the_card_goes_to_direct_messages(o: Office):
    await o.ada.shortcut(RENT)
    form = await o.slack.wait_for(lambda: o.ada.view)
    values = {"gpu": SOLD, "name": "my-train", "template": "107672"}
    assert (await o.orders(form, values)).ok
    await o.side._replies.drain(within=seconds(5))
    assert (await o.instance()).channel == "U0ADA"


async def test_a_shortcut_of_a_message_opens_the_form_for_its_channel(o: Office):
    await o.ada.shortcut(RENT_HERE, o.ada.say(GPU, "who needs a GPU?"))
    form = await o.slack.wait_for(lambda: o.ada.view)
    await o.orders(form, {"gpu": SOLD, "template": "107672"})
    await o.side._replies.drain(within=seconds(5))
    assert (await o.instance()).channel == GPU


async def test_a_shortcut_tells_of_the_instance_of_its_message_or_thread(o: Office):
    shown, card = await carded(o)
    reply = o.ada.say(GPU, "is it up?", card.ts)
    for count, message in enumerate((card, reply), 1):
        await o.ada.shortcut(ABOUT, message)
        assert shown.name in (await whispered(o, count)).words
    await o.ada.shortcut(ABOUT, o.ada.say(GPU, "something else"))
    assert "about no GPU" in (await whispered(o, 3)).words


async def home_is_due(o: Office) -> list[str]:
    return [leased.user_id for leased in await o.scene.store.people.lease_homes(5)]


async def test_an_opened_home_is_due(o: Office):
    await o.ada.home()
    await o.side._replies.drain(within=seconds(5))
    assert await home_is_due(o) == ["U0ADA"]
    assert o.scene.woken


async def test_a_guest_sees_a_home_that_says_who_the_bot_is_for(o: Office):
    guest = o.slack.person("U0GUS")
    await guest.home()
    home = await o.slack.wait_for(lambda: guest.home_view)
    assert "members" in home.words
    assert await home_is_due(o) == []


async def test_a_member_who_became_a_guest_sees_no_home_that_goes_on(o: Office):
    await o.ada.home()
    await o.side._replies.drain(within=seconds(5))
    assert await home_is_due(o) == ["U0ADA"]
    ada = o.slack.workspace.users["U0ADA"]
    o.slack.workspace.users["U0ADA"] = replace(ada, is_restricted=True)
    o.scene.clock.advance(601)
    await o.ada.home()
    await o.slack.wait_for(lambda: o.ada.home_view and "members" in o.ada.home_view.words)
    await o.scene.store.people.choose("U0ADA", Notify.QUIET)
    assert await home_is_due(o) == []


async def test_a_home_that_cannot_be_shown_now_says_so(o: Office):
    o.slack.fail("users.info", HttpStatus(500))
    await o.ada.home()
    home = await o.slack.wait_for(lambda: o.ada.home_view)
    assert "try again" in home.words
    assert "Refresh" in home.words


async def at_home(o: Office, *buttons: tuple[str, str]) -> None:
    """A Home tab with these buttons: action id and value."""
    elements = [
        {"type": "button", "action_id": what, "value": value, "text": {"type": "plain_text", "text": what}}
        for what, value in buttons
    ]
    view = {"type": "home", "blocks": [{"type": "actions", "elements": elements}]}
    await o.side.client.views_publish(user_id="U0ADA", view=view)


async def test_connecting_from_home_is_answered_in_a_window(o: Office):
    i = await o.running()
    await at_home(o, ("gpu:connect", i.id))
    await o.ada.press(o.ada.home_view, "gpu:connect")
    await o.slack.wait_for(lambda: o.ada.view and PASSWORD in o.ada.view.words)
    assert PASSWORD not in str([m.words for m in o.ada.dms()])


async def test_a_stop_from_home_is_done_without_a_word_and_a_stale_one_is_told_in_a_window(o: Office):
    i = await o.running()
    await at_home(o, ("gpu:stop", i.id), ("gpu:start", i.id))
    await o.ada.press(o.ada.home_view, "gpu:stop")
    await o.side._replies.drain(within=seconds(5))
    assert (await o.instance()).wish == "stop"
    assert o.ada.view is None
    await o.ada.press(o.ada.home_view, "gpu:stop")
    assert "You pressed" in (await o.slack.wait_for(lambda: o.ada.view)).words


async def test_buttons_in_a_window_answer_in_that_window(o: Office):
    i = await o.running()
    await at_home(o, ("gpu:status", i.id))
    await o.ada.press(o.ada.home_view, "gpu:status")
    window = await o.slack.wait_for(
        lambda: o.ada.view if o.ada.view and "my-train" in o.ada.view.words else None
    )
    await o.ada.press(window, "Stop")
    await o.slack.wait_for(lambda: "Stopping" in o.ada.view.words)


@pytest.mark.parametrize("choice", list(Notify))
async def test_how_one_is_told_is_chosen_at_home(o: Office, choice: Notify):
    await at_home(o, ("gpu:notify", choice.value))
    await o.ada.press(o.ada.home_view, "gpu:notify")
    await o.side._replies.drain(within=seconds(5))
    assert await o.scene.store.people.notify(["U0ADA"]) == {"U0ADA": choice}


async def test_a_choice_that_does_not_exist_changes_nothing(o: Office):
    await at_home(o, ("gpu:notify", "loudly"))
    await o.ada.press(o.ada.home_view, "gpu:notify")
    assert "another version" in (await o.slack.wait_for(lambda: o.ada.view)).words
