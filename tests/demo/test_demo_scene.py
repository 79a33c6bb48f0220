from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import samples
from demo_world import GPU, Terminal, World, content

from bot.errors import ProductNotFound, UsageError
from bot.messages import answers, card, notices
from bot.messages.form import create_form, loading_form
from bot.sandbox.hook import Arrival
from bot.sandbox.slack.changes import EphemeralDeleted, HomePublished, InteractionFailed, MessagePosted
from bot.sandbox.slack.views import View
from storage.cloud import Details, Observation, Phase, Secrets
from storage.records import Event, EventKind, Instance, NewEvent, Wish

ADA = "U0ADA"
TEXT = {"text": "a text"}


@pytest.fixture
def world() -> World:
    return World()


def of_ada(instance: Instance) -> Instance:
    return replace(instance, requester=ADA, wished_by=ADA)


def card_of(instance: Instance) -> dict[str, Any]:
    return dict(card.card(of_ada(instance), now=samples.NOW))


def ready_notice() -> dict[str, Any]:
    fact = NewEvent(kind=EventKind.READY, at=samples.NOW, elapsed=timedelta(seconds=8), verb=Wish.CREATE)
    event = Event(
        id="e1", instance_id="abcdef0123456789", sequence=2, fact=fact, instance=of_ada(samples.running())
    )
    return dict(notices.notice(event))


def opened(world: World, definition: dict[str, Any]) -> View:
    return world.workspace.open_view(world.workspace.triggers.issue(ADA), definition)


def empty_form() -> dict[str, Any]:
    return create_form(products=(), templates=(), clusters=())


def test_a_card_is_framed_with_its_state_fields_and_buttons(world: World) -> None:
    world.post(card_of(samples.running()))
    head, top, state, *fields, buttons, bottom = world.told()
    assert head == "gpu-ops 12:00:00  #gpu"
    assert (top[2], top[-1], bottom[2], bottom[-1]) == ("╭", "╮", "╰", "╯")
    assert "🟢 Running  my-train" in state
    assert "[ Status ]  [ Connect ]  [ Stop ]  [ Delete ]" in buttons
    text = "\n".join(fields)
    for words in ("GPU     RTX 4090 24GB ×1", "Region  CN-HK-01 (Hong Kong)", "$0.36/h", "@ada"):
        assert words in text


def test_an_edit_that_changes_the_state_draws_the_card_again(world: World) -> None:
    message = world.post(card_of(samples.starting()))
    world.told()
    world.workspace.edit(message, content(card_of(samples.running())))
    head, _, state, *_ = world.told()
    assert head == "gpu-ops 12:00:00  #gpu · edited"
    assert "🟢 Running  my-train" in state


def test_another_edit_tells_only_what_is_new(world: World) -> None:
    message = world.post(card_of(samples.starting(status="creating")))
    world.told()
    later = samples.starting(status="pulling", delayed_since=samples.NOW)
    world.workspace.edit(message, content(card_of(later)))
    first, *second = world.told()
    assert first == "  ✎ my-train  Novita says pulling · 0 s so far, as of today at 12:00"
    assert "".join(second).startswith("  ✎ my-train  ⌛ Novita has not been answering since today at 12:00")


def test_an_edit_of_a_card_that_was_never_told_is_drawn_whole(world: World) -> None:
    late = World()
    message = world.post(card_of(samples.starting()))
    late.workspace.board.add(message)
    late.workspace.edit(message, message.content)
    assert late.told()[0] == "gpu-ops 12:00:00  #gpu · edited"


def test_a_notice_stands_behind_a_bar_and_calls_people_by_name(world: World) -> None:
    parent = world.post(card_of(samples.running()))
    world.told()
    world.post(ready_notice(), thread_ts=parent.ts)
    head, first, *others, buttons = world.told()
    assert head == "gpu-ops 12:00:00  #gpu · thread of my-train"
    assert first == "  │ @ada 🟢 my-train is ready. It took 8 s."
    assert all(line.startswith("  │ ") for line in others)
    assert buttons == "  │ [ Connect ]"


def test_a_reply_whose_card_is_gone_is_told_all_the_same(world: World) -> None:
    reply = replace(world.post(TEXT), thread_ts="1.0")
    world.told()
    world.scene.observe(MessagePosted(message=reply))
    assert world.told() == ["gpu-ops 12:00:00  #gpu · thread", "  │ a text"]


def test_a_message_of_one_part_needs_no_frame(world: World) -> None:
    world.post(TEXT)
    assert world.told() == ["gpu-ops 12:00:00  #gpu", "  a text"]


def test_direct_messages_say_with_whom(world: World) -> None:
    direct = world.workspace.direct_channel({ADA, world.workspace.app.user_id})
    world.post(TEXT, channel=direct.id)
    assert world.told()[0] == "gpu-ops 12:00:00  direct messages with ada"


def test_what_is_ephemeral_says_who_sees_it(world: World) -> None:
    world.whisper(ADA, dict(answers.created(of_ada(samples.creating()))))
    assert world.told() == [
        "gpu-ops 12:00:00  only ada sees this",
        "  ⏳ Creating my-train: 4090 ×1, spot. I'll post here when it is usable.",
    ]
    assert world.scene.private == {ADA: 1}


def test_an_ephemeral_that_changes_is_told_again_and_one_that_goes_is_noted(world: World) -> None:
    message = world.whisper(ADA, TEXT)
    world.workspace.edit_whisper(ADA, message, content({"text": "another"}))
    assert world.told()[-1] == "  another"
    world.scene.observe(EphemeralDeleted(user=ADA, message=message))
    assert world.told() == ["What only ada saw is gone."]


def test_a_message_that_is_deleted_is_noted(world: World) -> None:
    world.workspace.delete(world.post(TEXT))
    assert world.told()[-1] == "gpu-ops 12:00:00  #gpu · deleted"


def test_what_people_write_has_their_name(world: World) -> None:
    parent = world.workspace.say("U0BEN", GPU, "hello <@U0GPUBOT>")
    world.workspace.say("U0CLEO", GPU, "hello too", parent.ts)
    world.scene.typed(ADA, GPU, "/gpu list")
    assert world.told() == [
        "ben 12:00:00  #gpu",
        "  hello @gpu-ops",
        "cleo 12:00:00  #gpu · thread of hello @gpu-ops",
        "  hello too",
        "ada 12:00:00  #gpu",
        "  /gpu list",
    ]


def test_a_text_that_is_no_object_is_told_too(world: World) -> None:
    message = world.post(
        {"text": "t", "blocks": [{"type": "markdown", "text": "# One"}, {"type": "divider"}]}
    )
    world.told()
    world.workspace.edit(message, content({"text": "t", "blocks": [{"type": "markdown", "text": "# Two"}]}))
    assert world.told()[0] == "gpu-ops 12:00:00  #gpu · edited"


def test_connection_details_can_be_copied_in_one_piece(world: World) -> None:
    """Also from a narrow terminal: only the terminal itself breaks the line."""
    secrets = Secrets(ssh_password="pass*word", jupyter_url="https://a1-8888.example.com/lab?token=t")
    observation = Observation(novita_id="n1", name="a", status="running", phase=Phase.RUNNING)
    connection = replace(samples.CONNECTION, ssh=f"ssh -p 32787 root@{'proxy.' * 30}example.com")
    details = Details(observation=observation, connection=connection, complete=True, secrets=secrets)
    world.whisper(ADA, dict(answers.connect(samples.running(), details)))
    told = world.told()
    assert f"  {connection.ssh}" in told
    assert "  pass*word" in told
    assert "  Jupyter: https://a1-8888.example.com/lab?token=t" in told
    assert any(line.startswith("  Only you can see this.") for line in told)


def test_errors_are_told_with_their_way_out(world: World) -> None:
    error = ProductNotFound("Novita sells no 4091.", nearest=("RTX 4090 24GB",))
    world.whisper(ADA, dict(answers.error(error)))
    world.whisper(ADA, dict(answers.error(UsageError("What?", hint="/gpu list"))))
    told = world.told()
    assert told[1:3] == ["  ⚠ Novita sells no 4091.", "  Nearest: RTX 4090 24GB"]
    assert told[-1] == "  Try: /gpu list"


def test_a_failure_of_slack_itself_is_told(world: World) -> None:
    world.scene.observe(InteractionFailed(user=ADA, what="/gpu list", error="operation_timeout"))
    assert world.told() == ["Slack 12:00:00", "  /gpu list failed: operation_timeout"]


def test_a_form_is_drawn_once_however_much_is_typed_into_it(world: World) -> None:
    view = opened(world, empty_form())
    head, top, *_ = world.told()
    assert head == "gpu-ops 12:00:00  a form that only ada sees"
    assert top.startswith("  ╭─ Rent a GPU ─")
    world.workspace.fill_view(view, {("name", "name"): {"type": "plain_text_input", "value": "a"}})
    assert world.told() == []


def test_a_form_that_the_app_changes_is_drawn_again(world: World) -> None:
    view = opened(world, loading_form())
    assert any("One moment" in line for line in world.told())
    view = world.workspace.update_view(view, empty_form())
    assert any("How many GPUs" in line for line in world.told())
    world.workspace.close_view(view)
    assert world.told() == ["The form 'Rent a GPU' of ada is closed."]


def test_a_form_that_was_not_taken_says_why(world: World) -> None:
    world.scene.sent(ADA, [("name", "BAD!")])
    world.scene.complained({"name": "No such letters."})
    assert world.told() == [
        "ada 12:00:00  sends the form",
        "  name: BAD!",
        "gpu-ops 12:00:00  the form was not taken",
        "  ✗ name: No such letters.",
    ]


def test_a_home_tab_is_drawn_for_who_has_it_open(world: World) -> None:
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "*Mine*"}}
    view = world.workspace.publish_home(ADA, {"type": "home", "blocks": [block]})
    assert world.told() == []
    world.scene.home_of = ADA
    world.workspace.publish_home("U0BEN", {"type": "home", "blocks": [block]})
    assert world.told() == []
    view = world.workspace.publish_home(ADA, {"type": "home", "blocks": [block]})
    head, _, line, _ = world.told()
    assert head == "gpu-ops 12:00:00  the Home tab that only ada sees"
    assert "Mine" in line
    world.scene.observe(HomePublished(user=ADA, view=view))
    assert world.told() == []
    world.scene.home(ADA, view)
    assert any("Mine" in line for line in world.told())


def test_a_press_shows_what_slack_asks_first(world: World) -> None:
    world.scene.pressed(ADA, "Delete", ("Delete a?", "[ Delete it ] pressed"))
    assert world.told() == ["ada 12:00:00  presses Delete", "  │ Delete a?", "  │ [ Delete it ] pressed"]


ARRIVAL = Arrival(
    at=datetime(2026, 11, 23, 12, tzinfo=UTC),
    webhook_id="e1",
    tries=1,
    event="instance.ready",
    name="a",
    status="running",
    sequence=2,
    problem="",
    answered=200,
    headers=(),
    body='{"a":"' + "x" * 200 + '"}',
)


def test_a_webhook_tells_event_status_sequence_and_signature(world: World) -> None:
    world.scene.arrived(ARRIVAL)
    head, body = world.told()
    assert head == "webhook 12:00:00 instance.ready · running · sequence 2 · signature verified"
    assert body == f"  {ARRIVAL.body}"


def test_in_a_terminal_the_body_of_a_webhook_is_cut_to_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    world = World(stream=Terminal())
    world.scene.arrived(replace(ARRIVAL, body=f"{ARRIVAL.body}\x1b[2J"))
    told = world.told()
    assert len(told) == 2
    assert "…" in told[1]


def test_a_webhook_with_a_wrong_signature_stands_out(world: World) -> None:
    world.scene.arrived(replace(ARRIVAL, problem="No matching signature found", answered=401))
    assert world.told()[0].endswith("SIGNATURE WRONG")


def test_what_a_broken_receiver_answers_is_told(world: World) -> None:
    world.scene.arrived(replace(ARRIVAL, answered=500))
    assert world.told()[0].endswith("signature verified · answered 500")


def test_the_body_of_a_webhook_is_one_line(world: World) -> None:
    world.scene.arrived(replace(ARRIVAL, body='{\n "a":\t1}'))
    assert world.told()[1] == '  { "a": 1}'


def test_the_demo_speaks_in_its_own_voice(world: World) -> None:
    world.scene.novita("The API is down.")
    world.scene.hint("Type help.")
    world.scene.caption("Lunch.")
    world.scene.lines("  one", "two")
    assert world.told() == [
        "Novita 12:00:00",
        "  The API is down.",
        "? Type help.",
        "— Lunch.",
        "  one",
        "two",
    ]


def test_without_a_terminal_there_is_not_one_escape(world: World) -> None:
    world.post(card_of(samples.running()))
    world.scene.arrived(ARRIVAL)
    assert "\x1b" not in world.stream.getvalue()


def test_in_a_terminal_there_are_colours_unless_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    colourful = World(stream=Terminal())
    colourful.post(card_of(samples.running()))
    assert "\x1b[32m" in colourful.stream.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = World(stream=Terminal())
    plain.post(card_of(samples.running()))
    assert "\x1b[32m" not in plain.stream.getvalue()
