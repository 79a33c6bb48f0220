"""Home, single fields, messages and shortcuts: lines that the app answers in its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from demo_world import GPU, content
from test_demo_stage import FORM, World, card, opens_form

from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.installation import App, Shortcut
from bot.sandbox.terminal import stage as stage_module


def plain(words: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": words}


def options(*words: str) -> list[dict[str, Any]]:
    return [{"text": plain(word), "value": word.lower()} for word in words]


def field(name: str, kind: str = "plain_text_input", *, tells: bool = False, **more: Any) -> dict[str, Any]:
    element = {"type": kind, "action_id": name, **more}
    block = {"type": "input", "block_id": f"{name}-block", "label": plain(name), "element": element}
    return block | {"optional": True} | ({"dispatch_action": True} if tells else {})


def modal(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {**FORM, "blocks": list(blocks)}


FILTER = {"type": "static_select", "action_id": "home:filter", "options": options("Mine", "All")}
CREATE = {"type": "button", "action_id": "create", "text": plain("Rent")}
MORE = {"type": "overflow", "action_id": "more", "options": options("Restart", "Delete")}


def home(words: str = "Nothing runs.") -> dict[str, Any]:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": words}, "accessory": MORE}
    return {"type": "home", "blocks": [section, {"type": "actions", "elements": [CREATE, FILTER]}]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "_ANSWERED_WITHIN", 0.01)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "_ANSWERED_WITHIN", 5.0)


@pytest.fixture
def world() -> World:
    return World()


def later(world: World, deed: Callable[[Delivery], Any]) -> None:
    """The app acknowledges, and does it a moment after."""

    def answer(delivery: Delivery) -> dict[str, Any]:
        asyncio.get_running_loop().call_later(0.01, deed, delivery)
        return {}

    world.answers = answer


def kind(delivery: Delivery) -> str:
    return str(delivery.payload.get("event", delivery.payload)["type"])


@pytest.mark.usefixtures("patient")
async def test_the_home_tab_is_opened_and_drawn(world: World) -> None:
    later(world, lambda _: world.workspace.publish_home("U0ADA", home()))
    told = await world.type("home")
    assert told[:2] == [
        "ada 12:00:00  opens the Home tab",
        "gpu-ops 12:00:00  the Home tab that only ada sees",
    ]
    assert len([line for line in told if "Nothing runs." in line]) == 1
    assert any("[ Rent ]  [ home:filter: Mine | All ▾ ]" in line for line in told)
    assert kind(world.sent[-1]) == "app_home_opened"
    assert world.stage.prompt == "ada in Home › "


async def test_a_home_tab_that_is_empty_or_that_is_not_there_is_said(world: World) -> None:
    world.answers = lambda _: {}
    assert (await world.type("home"))[-1] == "? The Home tab is empty: the bot has put nothing there."
    world.workspace.app = App(has_home_tab=False)
    assert (await world.type("home"))[-1] == "? the app's manifest has no Home tab"


async def test_in_the_home_tab_its_buttons_and_menus_are_at_hand(world: World) -> None:
    world.answers = lambda _: {}
    world.workspace.publish_home("U0ADA", home())
    world.post("a", "Stop")
    assert "No button rent here" in (await world.type("press rent"))[0]
    await world.type("home", "press rent")
    assert world.sent[-1].payload["view"]["type"] == "home"
    await world.type("press restart")
    assert world.sent[-1].payload["actions"][0]["selected_option"]["value"] == "restart"
    told = await world.type("choose filter=al")
    assert told[0] == "ada 12:00:00  chooses home:filter: All"
    assert world.sent[-1].payload["actions"][0]["selected_option"]["value"] == "all"
    await world.type("press stop")
    assert world.action == ("ada", "a")
    await world.type("/gpu list")
    assert world.stage.prompt == "ada in #gpu › "
    assert "No button rent here" in (await world.type("press rent"))[0]


@pytest.mark.usefixtures("patient")
async def test_the_home_tab_is_drawn_again_when_the_app_changes_it(world: World) -> None:
    world.workspace.publish_home("U0ADA", home())
    later(world, lambda _: world.workspace.publish_home("U0ADA", home("One runs.")))
    await world.type("home")
    later(world, lambda _: world.workspace.publish_home("U0ADA", home("Two run.")))
    told = await world.type("press rent")
    assert any("Two run." in line for line in told)


async def test_a_field_that_tells_the_app_is_chosen_and_the_form_drawn_again(world: World) -> None:
    gpu = field("gpu", "static_select", tells=True, options=options("4090", "H100"))
    opens_form(world)
    world.answers = opens(world, modal(gpu, field("name")), modal(gpu, field("region")))
    await world.type("/gpu create")
    told = await world.type("choose gpu=h1")
    assert told[0] == "ada 12:00:00  chooses gpu: H100"
    assert any("region" in line for line in told)
    assert world.sent[-1].payload["actions"][0]["selected_option"]["value"] == "h100"
    assert (await world.type("choose name=a"))[0].startswith(
        "? There is no field name here. There is: gpu, region"
    )


def opens(world: World, first: dict[str, Any], second: dict[str, Any]) -> Callable[[Delivery], Any]:
    def answer(delivery: Delivery) -> dict[str, Any]:
        payload = delivery.payload
        if "command" in payload:
            world.workspace.open_view(payload["trigger_id"], first)
        elif payload["type"] == "block_actions":
            view = world.workspace.views.find(payload["view"]["id"])
            assert view is not None
            world.workspace.update_view(view, second, payload["view"]["hash"])
        elif payload["type"] == "block_suggestion":
            names = [name for name in ("PyTorch", "Plain", "JupyterLab") if payload["value"] in name.lower()]
            return {"options": options(*names)}
        return {}

    return answer


async def test_a_form_is_filled_in_whose_fields_come_with_the_first_choice(world: World) -> None:
    gpu = field("gpu", "static_select", tells=True, options=options("4090", "H100"))
    world.answers = opens(
        world, modal(gpu), modal(gpu, field("region", "static_select", options=options("HK")))
    )
    await world.type("/gpu create")
    told = await world.type("fill region=hk gpu=4090")
    assert "ada 12:00:00  chooses gpu: 4090" in told
    assert "ada 12:00:00  sends the form" in told
    values = world.sent[-1].payload["view"]["state"]["values"]
    assert values["gpu-block"]["gpu"]["selected_option"]["value"] == "4090"
    assert values["region-block"]["region"]["selected_option"]["value"] == "hk"


async def test_external_selects_are_searched_with_what_was_typed(world: World) -> None:
    one = field("template", "external_select", min_query_length=2)
    many = field("more", "multi_external_select", min_query_length=2)
    world.answers = opens(world, modal(one, many), FORM)
    await world.type("/gpu create")
    assert (await world.type("fill template=p")) == ["? template: type 2 letters or more to search."]
    assert (await world.type("fill template=xyz")) == ["? template: nothing is found for xyz."]
    assert "fits several: PyTorch | JupyterLab" in (await world.type("fill template=py"))[0]
    await world.type("fill template=pyto more=jup,pla")
    values = world.sent[-1].payload["view"]["state"]["values"]
    assert values["template-block"]["template"]["selected_option"]["value"] == "pytorch"
    assert [o["value"] for o in values["more-block"]["more"]["selected_options"]] == ["jupyterlab", "plain"]


async def test_a_form_that_fills_itself_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "_ANSWERED_WITHIN", 0.1)
    loading = {"type": "section", "text": plain("One moment")}

    def answer(delivery: Delivery) -> dict[str, Any]:
        if "command" in delivery.payload:
            view = world.workspace.open_view(delivery.payload["trigger_id"], modal(loading))
            loop = asyncio.get_running_loop()
            loop.call_later(0.01, world.workspace.update_view, view, modal(field("name")))
        return {}

    world.answers = answer
    await world.type("/gpu create", "fill name=a")
    assert world.sent[-1].payload["view"]["state"]["values"]["name-block"]["name"]["value"] == "a"


async def test_a_button_of_the_open_form_goes_first(world: World) -> None:
    world.post("a", "Stop")
    stop = {"type": "button", "action_id": "form-stop", "text": plain("Stop")}
    world.answers = opens(world, modal({"type": "actions", "elements": [stop]}), FORM)
    await world.type("/gpu create", "press stop")
    assert world.sent[-1].payload["actions"][0]["action_id"] == "form-stop"


@pytest.mark.usefixtures("patient")
async def test_what_is_said_reaches_the_app_where_it_is_called(world: World) -> None:
    later(world, lambda _: world.workspace.post(world.workspace.channels[GPU], content({"text": "Here."})))
    told = await world.type("say @gpu-ops who's there?")
    assert told == ["ada 12:00:00  #gpu", "  @gpu-ops who's there?", "gpu-ops 12:00:00  #gpu", "  Here."]
    assert (kind(world.sent[-1]), world.sent[-1].payload["event"]["channel"]) == ("app_mention", GPU)


async def test_what_the_app_does_not_hear_is_said(world: World) -> None:
    told = await world.type("say hello")
    assert told[-1].startswith("? The bot is not told of this. Call it: say @gpu-ops status")
    assert world.sent == []
    await world.type("in dm", "say hello")
    assert kind(world.sent[-1]) == "message"


async def test_a_reply_goes_to_the_thread_of_the_newest_card(world: World) -> None:
    assert (await world.type("reply hello")) == ["? There is no card here."]
    old, new = world.post("old", "Stop"), world.post("new", "Stop")
    world.workspace.post(world.workspace.channels[GPU], card("x", "Stop"), thread_ts=old.ts)
    world.whisper("y", "Stop")
    told = await world.type("reply @gpu-ops status")
    assert told[0] == "ada 12:00:00  #gpu · thread of new"
    assert world.sent[-1].payload["event"]["thread_ts"] == new.ts


async def test_shortcuts_are_used_by_name(world: World) -> None:
    world.answers = lambda _: {}
    world.workspace.app = App(
        shortcuts=(
            Shortcut(name="Rent a GPU", callback_id="create", reach="global"),
            Shortcut(name="Status", callback_id="status", reach="message"),
        )
    )
    post = world.post("a", "Stop")
    world.post("b", "Stop")
    assert (await world.type("shortcut rent a gpu"))[0] == "ada 12:00:00  uses the shortcut Rent a GPU"
    assert (world.sent[-1].payload["type"], world.sent[-1].payload["callback_id"]) == ("shortcut", "create")
    assert (await world.type("shortcut status on a"))[0] == "ada 12:00:00  uses the shortcut Status on a"
    assert world.sent[-1].payload["message_ts"] == post.ts
    assert "only: Rent a GPU" in (await world.type("shortcut Status"))[0]
    assert (await world.type("shortcut Status on c")) == ["? There is no card of c here."]


async def test_a_question_is_answered_with_fill_alone(world: World) -> None:
    world.answers = opens(world, modal({"type": "section", "text": plain("Sure?")}), FORM)
    told = await world.type("/gpu delete a", "fill")
    assert world.sent[-1].payload["type"] == "view_submission"
    assert told[-1] == "The form 'Rent' of ada is closed."
