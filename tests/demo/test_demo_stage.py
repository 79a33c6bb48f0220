"""What each line does, with an app of a few lines in the place of the bot."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

import pytest
from clocks import Clock
from demo_world import GPU, content, nothing

from bot.sandbox.novita.deeds import Deed, OfCloud, OfInstance
from bot.sandbox.slack.delivery import Ack, Delivery
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.terminal import stage as stage_module
from bot.sandbox.terminal.deeds import read_deed
from bot.sandbox.terminal.scene import Scene
from bot.sandbox.terminal.screen import Screen
from bot.sandbox.terminal.stage import Stage

BUTTON_OF = {"Stop": "gpu:stop", "Delete": "gpu:delete", "Connect": "gpu:connect"}


class Slack(SlackServer):
    """Not on any port: what people send goes to `app`, which returns what its ack carries, or an Ack."""

    app: Callable[[Delivery], Any] = staticmethod(lambda _: {})

    async def deliver(self, delivery: Delivery) -> Ack:
        answer = self.app(delivery)
        if isinstance(answer, Ack):
            return answer
        return Ack(envelope_id=delivery.envelope_id, took=timedelta(0), payload=answer)


class FakeFate:
    def __init__(self) -> None:
        self.played: list[Deed] = []

    async def play(self, deed: Deed) -> str:
        if deed == OfInstance(act="stop", name="nobody"):
            raise LookupError("Novita has no GPU for nobody.")
        self.played.append(deed)
        return "It happens."


@dataclass
class World:
    typed_by_hand: bool = False
    still: str = ""
    sent: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = Clock()
        self.stream = io.StringIO()
        self.workspace = Workspace(clock=clock, seed=5)
        self.slack = Slack(self.workspace)
        self.slack.app = self.answer
        self.answers: Callable[[Delivery], Any] = lambda _: {"text": "answered"}
        self.scene = Scene(self.workspace, Screen(self.stream, gone=nothing), clock=clock, zone=UTC)
        self.workspace.subscribe(self.scene.observe)
        self.fate = FakeFate()
        self.stage = Stage(
            self.slack,
            self.scene,
            self.fate,
            settled=self.settled,
            person="U0ADA",
            channel=GPU,
            typed_by_hand=self.typed_by_hand,
        )

    def answer(self, delivery: Delivery) -> Any:
        self.sent.append(delivery)
        return self.answers(delivery)

    async def settled(self) -> str:
        return self.still

    async def type(self, *lines: str) -> list[str]:
        """What was told of it."""
        self.stream.seek(0)
        self.stream.truncate()
        for line in lines:
            deed = read_deed(line)
            assert deed is not None
            assert await self.stage.play(deed)
        return [line.rstrip() for line in self.stream.getvalue().splitlines() if line.strip()]

    def post(self, name: str, *labels: str, **button: Any) -> Any:
        return self.workspace.post(self.workspace.channels[GPU], card(name, *labels, **button))

    def whisper(self, name: str, *labels: str) -> None:
        self.workspace.whisper("U0ADA", self.workspace.channels[GPU], card(name, *labels))

    @property
    def action(self) -> tuple[str, str]:
        """Of the latest press: the user and the button's value."""
        payload = self.sent[-1].payload
        return payload["user"]["name"], payload["actions"][0]["value"]


def card(name: str, *labels: str, **more: Any) -> Any:
    buttons = [
        {
            "type": "button",
            "text": {"type": "plain_text", "text": label},
            "action_id": BUTTON_OF[label],
            "value": name,
            **more,
        }
        for label in labels
    ]
    text = {"type": "mrkdwn", "text": f":x: *Failed*  *{name}*"}
    blocks = [{"type": "section", "text": text}, {"type": "actions", "elements": buttons}]
    return content({"text": name, "blocks": blocks})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "_ANSWERED_WITHIN", 0.01)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_command_goes_to_the_app_and_its_answer_to_who_typed(world: World) -> None:
    assert await world.type("/gpu list all") == [
        "ada 12:00:00  #gpu",
        "  /gpu list all",
        "gpu-ops 12:00:00  only ada sees this",
        "  answered",
    ]
    assert world.sent[0].payload["text"] == "list all"


async def test_an_answer_after_the_acknowledgement_is_waited_for(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(stage_module, "_ANSWERED_WITHIN", 5.0)

    def answer_later(_: Delivery) -> dict[str, Any]:
        asyncio.get_running_loop().call_later(0.05, world.whisper, "late", "Stop")
        return {}

    world.answers = answer_later
    told = await world.type("/gpu ssh", "/gpu list")
    assert told.index("gpu-ops 12:00:00  only ada sees this") < told.index("  /gpu list")


async def test_a_command_that_fails_is_told_and_not_waited_for(world: World) -> None:
    world.answers = lambda d: Ack(envelope_id=d.envelope_id, took=timedelta(0), error="dispatch_failed")
    assert (await world.type("/gpu list"))[-1] == "  /gpu list failed: dispatch_failed"


async def test_the_button_of_the_newest_card_is_pressed(world: World) -> None:
    world.post("old", "Stop")
    world.post("new", "Stop", "Delete")
    assert (await world.type("press STOP"))[0] == "ada 12:00:00  presses Stop"
    assert world.action == ("ada", "new")


async def test_the_button_of_a_named_instance_is_pressed(world: World) -> None:
    world.post("old", "Stop")
    world.post("new", "Stop")
    await world.type("press stop OLD")
    assert world.action == ("ada", "old")


async def test_a_card_goes_before_an_answer_that_shows_how_it_was(world: World) -> None:
    world.post("now", "Stop")
    world.whisper("before", "Stop", "Connect")
    await world.type("press stop")
    assert world.action == ("ada", "now")
    await world.type("press connect")
    assert world.action == ("ada", "before")


async def test_a_confirmation_is_shown_and_given(world: World) -> None:
    texts = {"title": "Delete a?", "text": "For good.", "confirm": "Delete it", "deny": "Keep it"}
    confirm = {part: {"type": "plain_text", "text": text} for part, text in texts.items()}
    world.post("a", "Delete", confirm=confirm)
    assert (await world.type("press delete"))[:4] == [
        "ada 12:00:00  presses Delete",
        "  │ Delete a?",
        "  │ For good.",
        "  │ [ Delete it ] pressed, not [ Keep it ]",
    ]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("press foo", "? No button foo here. There is: Stop, Delete."),
        ("press stop nobody", "? No button stop of nobody here. There is: none yet."),
    ],
)
async def test_a_button_that_is_not_there_is_said_with_those_that_are(
    world: World, line: str, hint: str
) -> None:
    world.post("a", "Stop", "Delete")
    assert await world.type(line) == [hint]
    assert world.sent == []


async def test_a_button_that_is_there_twice_is_a_hint_too(world: World) -> None:
    world.post("a", "Stop", "Stop")
    assert "is there 2 times" in (await world.type("press stop"))[0]


FORM = {
    "type": "modal",
    "callback_id": "f",
    "title": {"type": "plain_text", "text": "Rent"},
    "submit": {"type": "plain_text", "text": "Create"},
    "blocks": [
        {
            "type": "input",
            "block_id": name,
            "label": {"type": "plain_text", "text": name},
            "optional": name != "gpu",
            "element": {"type": "plain_text_input", "action_id": name},
        }
        for name in ("gpu", "name")
    ],
}


def opens_form(world: World) -> None:
    def answer(delivery: Delivery) -> dict[str, Any]:
        if "trigger_id" in delivery.payload and "view" not in delivery.payload:
            world.workspace.open_view(delivery.payload["trigger_id"], FORM)
        return {}

    world.answers = answer


async def test_a_form_is_filled_in_and_sent(world: World) -> None:
    opens_form(world)
    assert any("╭─ Rent ─" in line for line in await world.type("/gpu create"))
    told = await world.type("fill gpu=4090 name=a")
    assert told[:3] == ["ada 12:00:00  sends the form", "  gpu: 4090", "  name: a"]
    assert told[-1] == "The form 'Rent' of ada is closed."
    values = world.sent[-1].payload["view"]["state"]["values"]
    assert (values["gpu"]["gpu"]["value"], values["name"]["name"]["value"]) == ("4090", "a")


async def test_the_app_is_asked_for_what_it_offers_in_a_field_that_searches(world: World) -> None:
    element = {"type": "external_select", "action_id": "gpu", "min_query_length": 0}
    form = {**FORM, "blocks": [{**FORM["blocks"][0], "element": element}]}
    known = {"text": {"type": "plain_text", "text": "RTX 4090 24GB · spot $0.35/h"}, "value": "RTX 4090 24GB"}

    def answer(delivery: Delivery) -> dict[str, Any]:
        if delivery.payload.get("type") == "block_suggestion":
            return {"options": [known] if delivery.payload["value"] == "4090" else []}
        if "view" not in delivery.payload:
            world.workspace.open_view(delivery.payload["trigger_id"], form)
        return {}

    world.answers = answer
    await world.type("/gpu create")
    assert (await world.type("fill gpu=zz")) == ["? gpu: nothing is found for zz."]
    await world.type("fill gpu=4090")
    values = world.sent[-1].payload["view"]["state"]["values"]
    assert values["gpu"]["gpu"]["selected_option"] == known


async def test_what_slack_or_the_app_does_not_take_is_told(world: World) -> None:
    opens_form(world)
    await world.type("/gpu create")
    assert (await world.type("fill name=a"))[-1] == "  ✗ gpu: Please complete this required field."
    world.answers = lambda _: {"response_action": "errors", "errors": {"name": "Taken."}}
    assert (await world.type("fill gpu=1"))[-1] == "  ✗ name: Taken."
    assert "has no field colour" in (await world.type("fill colour=red"))[0]


async def test_a_form_is_closed_by_who_has_it_open(world: World) -> None:
    opens_form(world)
    await world.type("/gpu create")
    assert await world.type("cancel") == ["The form 'Rent' of ada is closed."]
    for line in ("cancel", "fill gpu=1"):
        assert await world.type(line) == ["? No form is open. /gpu create opens one."]


async def test_somebody_else_types(world: World) -> None:
    assert world.stage.prompt == "ada in #gpu › "
    for name, told in (
        ("ben", "You are Ben Ortiz now, a member."),
        ("mia", "You are Mia Multi now, a guest."),
        ("gus", "You are Gus Single now, a guest."),
        ("sam", "You are Sam Stranger now, from another workspace."),
    ):
        assert await world.type(f"as {name}") == [told]
        assert world.stage.prompt == f"{name} in #gpu › "
        await world.type("/gpu")
        assert world.sent[-1].payload["user_name"] == name


@pytest.mark.parametrize("name", ["dan", "gpu-ops", "nobody"])
async def test_who_is_not_there_cannot_type(world: World, name: str) -> None:
    told = await world.type(f"as {name}")
    assert "".join(told).startswith(f"? Nobody here is called {name}. There are: ada, ben, cleo")


async def test_another_channel_is_entered(world: World) -> None:
    assert await world.type("in random") == ["You are in #random now. The bot is not."]
    await world.type("/gpu")
    assert world.sent[-1].payload["channel_name"] == "random"
    assert await world.type("in dm") == ["You are in dm now."]
    await world.type("/gpu")
    assert world.sent[-1].payload["channel_name"] == "directmessage"


async def test_who_may_not_be_in_a_channel_is_back_in_everybodys(world: World) -> None:
    await world.type("in #random", "as gus")
    assert world.stage.who_and_where == "gus in #gpu"
    assert (await world.type("in random"))[0].startswith("? There is no #random for you. There is: gpu")
    assert (await world.type("in old"))[0].startswith("? There is no #old")


async def test_novitas_side_is_played(world: World) -> None:
    told = await world.type("cloud down", "cloud reclaim a", "cloud stop nobody")
    assert world.fate.played == [OfCloud(act="down"), OfInstance(act="reclaim", name="a")]
    assert told[1] == "  It happens."
    assert told[-1] == "? Novita has no GPU for nobody."


async def test_waiting_says_what_still_goes_on() -> None:
    assert await World(still="Still under way: a.").type("wait") == ["? Still under way: a."]


async def test_waiting_says_that_it_is_over_to_who_typed_it() -> None:
    assert await World(typed_by_hand=True).type("wait") == ["Nothing is under way."]
    assert await World().type("wait") == []


async def test_the_other_lines(world: World) -> None:
    told = await world.type("# Lunch.", "help", "what")
    assert told[0] == "— Lunch."
    assert told[1].startswith("  /gpu …")
    assert told[-1].startswith("? That is no line of the demo.")
    quit_ = read_deed("quit")
    assert quit_ is not None
    assert not await world.stage.play(quit_)
