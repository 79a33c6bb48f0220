from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import samples
from demo_world import GPU, Terminal, World

from bot.errors import UsageError
from bot.messages import answers, card, notices
from bot.sandbox.slack.changes import InteractionFailed
from bot.sandbox.terminal.hook import Arrival
from storage.cloud import Details, Observation, Phase, Secrets
from storage.records import Event, EventKind, Instance, NewEvent, State, Wish

ADA = "U0ADA"


@pytest.fixture
def world() -> World:
    return World()


def of_ada(instance: Instance) -> Instance:
    return replace(instance, requester=ADA, wished_by=ADA)


def shown(instance: Instance) -> dict[str, Any]:
    return dict(card.card(of_ada(instance), now=samples.NOW))


def test_a_card_is_framed_with_its_state_fields_and_buttons(world: World) -> None:
    world.post(shown(samples.running()))
    head, top, state, *fields, buttons, bottom = world.told()
    assert head == "gpu-ops 12:00:00  #gpu"
    assert (top[2], bottom[2]) == ("╭", "╰")
    assert "🟢 Running  my-train" in state
    assert "[ Status ]  [ Connect ]  [ Stop ]  [ Delete ]" in buttons
    text = "\n".join(fields)
    for words in ("GPU           RTX 4090 24GB ×1", "Region        CN-HK-01 (Hong Kong)", "$0.36/h", "@ada"):
        assert words in text


def test_a_frame_is_as_wide_in_every_line(world: World) -> None:
    world.post(shown(samples.running()))
    widths = {line.rindex("│") for line in world.told() if "│" in line and "🟢" not in line}
    assert len(widths) == 1


def test_an_edit_that_changes_the_state_draws_the_card_again(world: World) -> None:
    message = world.post(shown(samples.starting()))
    world.told()
    world.workspace.edit(message, replace(message.content, blocks=tuple(shown(samples.running())["blocks"])))
    head, _, state, *_ = world.told()
    assert head == "gpu-ops 12:00:00  #gpu · edited"
    assert "🟢 Running  my-train" in state


def test_an_edit_that_does_not_tells_only_what_is_new(world: World) -> None:
    pulling = samples.starting(status="pulling")
    message = world.post(shown(samples.starting(status="creating")))
    world.told()
    delayed = replace(pulling, delayed_since=samples.NOW)
    world.workspace.edit(message, replace(message.content, blocks=tuple(shown(delayed)["blocks"])))
    assert world.told() == [
        "  ✎ my-train  Novita says  pulling",
        "  ✎ my-train  ⌛ Novita has not been answering since today at 12:00; this goes on by itself when it",
        "  does.",
    ]


def test_an_edit_of_what_was_never_seen_is_drawn_whole(world: World) -> None:
    end = world.workspace.subscribe(lambda _: None)
    end()
    unseen = World(clock=world.clock)
    message = world.post(shown(samples.starting()))
    unseen.scene.observe(type("_", (), {})) if False else None
    world.workspace.edit(message, message.content)
    assert world.told()[-1]


def test_a_notice_stands_behind_a_bar_and_calls_people_by_name(world: World) -> None:
    parent = world.post(shown(samples.running()))
    world.told()
    fact = NewEvent(kind=EventKind.READY, at=samples.NOW, elapsed=timedelta(seconds=8), verb=Wish.CREATE)
    event = Event(
        id="e1", instance_id="abcdef0123456789", sequence=2, fact=fact, instance=of_ada(samples.running())
    )
    world.post(dict(notices.notice(event)), thread_ts=parent.ts)
    head, first, *others, buttons = world.told()
    assert head == "gpu-ops 12:00:00  #gpu · thread of my-train"
    assert first == "  │ @ada 🟢 my-train is ready. It took 8 s."
    assert all(line.startswith("  │ ") for line in others)
    assert buttons == "  │ [ Connect ]"


def test_a_reply_whose_card_is_gone_is_told_all_the_same(world: World) -> None:
    parent = world.post({"text": "a card"})
    reply = world.post({"text": "a notice"}, thread_ts=parent.ts)
    world.workspace.delete(parent)
    world.told()
    world.scene.observe(type(_posted(reply))(message=reply))
    assert world.told() == ["gpu-ops 12:00:00  #gpu · thread", "  │ a notice"]


def _posted(message: Any) -> Any:
    from bot.sandbox.slack.changes import MessagePosted

    return MessagePosted(message=message)
