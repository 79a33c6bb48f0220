"""Which fields reach the app at once, what an update leaves in them, and options that the app brings."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_slack_app import RawApp
from sandbox_slack_blocks import Opener, field, modal, offered, plain, refused
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.changes import Change, InteractionFailed
from bot.sandbox.slack.messages import Content, Message
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

HK, US = offered("hk", "us")


def dispatching(block: dict[str, Any], *triggers: str) -> dict[str, Any]:
    config = {"dispatch_action_config": {"trigger_actions_on": list(triggers)}} if triggers else {}
    return block | {"dispatch_action": True, "element": block["element"] | config}


def region(**more: Any) -> dict[str, Any]:
    return field("region", "static_select", options=[HK, US], **more)


def name(**more: Any) -> dict[str, Any]:
    return field("name", "plain_text_input", **more)


def template(**more: Any) -> dict[str, Any]:
    return field("template", "external_select", min_query_length=0, **more)


async def test_a_choice_in_an_input_stays_in_the_client(app: RawApp, opened: Opener, ada: Person) -> None:
    view = await opened(modal(region()))
    reply = await ada.choose(view, "region-value", "us")
    assert (reply.ok, reply.delivery, len(app.payloads)) == (True, None, 1)
    assert ada.view is not None
    assert ada.view.values["region"]["region-value"]["selected_option"] == US


async def test_a_choice_in_an_input_that_dispatches_brings_the_whole_form_along(
    app: RawApp, opened: Opener, ada: Person
) -> None:
    view = await opened(modal(dispatching(region()), name()))
    ada.fill(view, {"name": "abc"})
    await ada.choose(view, "region-value", "us")
    payload = app.payloads[-1]
    (action,) = payload["actions"]
    assert (payload["type"], action["action_id"], action["block_id"]) == (
        "block_actions",
        "region-value",
        "region",
    )
    assert (action["type"], action["selected_option"]) == ("static_select", US)
    values = payload["view"]["state"]["values"]
    assert values["region"]["region-value"]["selected_option"] == US
    assert values["name"]["name-value"]["value"] == "abc"
    assert payload["container"] == {"type": "view", "view_id": view.id}


@pytest.mark.parametrize(
    ("triggers", "typed", "entered"),
    [
        ((), False, True),
        (("on_enter_pressed",), False, True),
        (("on_character_entered",), True, False),
        (("on_enter_pressed", "on_character_entered"), True, True),
    ],
)
async def test_a_text_dispatches_when_the_app_wants_it(
    app: RawApp, opened: Opener, ada: Person, triggers: tuple[str, ...], *, typed: bool, entered: bool
) -> None:
    view = await opened(modal(dispatching(name(), *triggers)))
    assert ((await ada.type_into(view, "name-value", "ab")).delivery is not None) is typed
    reply = await ada.choose(view, "name-value", "abc")
    assert (reply.delivery is not None) is entered
    assert len(app.payloads) == 1 + typed + entered
    assert ada.view is not None
    assert ada.view.values["name"]["name-value"]["value"] == "abc"
    if entered:
        assert app.payloads[-1]["actions"][0]["value"] == "abc"


async def test_a_text_in_an_input_that_does_not_dispatch_is_never_told(
    app: RawApp, opened: Opener, ada: Person
) -> None:
    view = await opened(modal(name(), region()))
    await ada.type_into(view, "name-value", "ab")
    await ada.choose(view, "name-value", "abc")
    assert len(app.payloads) == 1
    with pytest.raises(LookupError, match="nothing can be typed into 'region-value'"):
        await ada.type_into(view, "region-value", "hk")


async def test_an_update_after_a_choice_is_guarded_by_the_hash_of_the_choice(
    app: RawApp, client: AsyncWebClient, opened: Opener, ada: Person
) -> None:
    view = await opened(modal(dispatching(region())))
    await ada.choose(view, "region-value", "us")
    shown = app.payloads[-1]["view"]
    newer = modal(dispatching(region()), name(initial_value="us-1"))
    await client.views_update(view_id=shown["id"], hash=shown["hash"], view=newer)
    assert (
        await refused(client.views_update(view_id=shown["id"], hash=shown["hash"], view=newer))
        == "hash_conflict"
    )
    assert ada.view is not None
    assert ada.view.values["region"]["region-value"]["selected_option"] == US
    assert ada.view.values["name"]["name-value"]["value"] == "us-1"


async def test_a_new_initial_value_is_for_new_fields_only(
    client: AsyncWebClient, opened: Opener, ada: Person
) -> None:
    view = await opened(modal(name(initial_value="first"), region(), field("typed", "plain_text_input")))
    ada.fill(view, {"typed": "mine"})
    again = modal(
        name(initial_value="second"),
        region(initial_option=HK),
        field("typed", "plain_text_input", initial_value="theirs"),
        name(initial_value="second") | {"block_id": "name-2"},
    )
    await client.views_update(view_id=view.id, view=again)
    assert ada.view is not None
    given = {block_id: next(iter(entry.values())) for block_id, entry in ada.view.values.items()}
    assert given["name"]["value"] == "first"
    assert given["region"]["selected_option"] is None
    assert given["typed"]["value"] == "mine"
    assert given["name-2"]["value"] == "second"


async def test_a_field_that_was_away_begins_anew(client: AsyncWebClient, opened: Opener, ada: Person) -> None:
    view = await opened(modal(name(), region()))
    ada.fill(view, {"name": "abc"})
    await client.views_update(view_id=view.id, view=modal(region()))
    await client.views_update(view_id=view.id, view=modal(region(), name(initial_value="new")))
    assert ada.view is not None
    assert ada.view.values["name"]["name-value"]["value"] == "new"


async def test_an_input_in_a_message_keeps_what_is_chosen_for_the_next_press(
    workspace: Workspace, app: RawApp, ada: Person, server: SlackServer
) -> None:
    button = {"type": "button", "action_id": "go", "text": plain("Go")}
    blocks = (region(), {"type": "actions", "block_id": "deeds", "elements": [button]})
    message = workspace.post(workspace.channels["C0GPU"], Content(text="t", blocks=blocks))
    assert (await ada.choose(message, "region-value", "us")).delivery is None
    await ada.press(message, "go")
    await server.person("U0BEN").press(message, "go")
    hers, his = (payload["state"]["values"]["region"]["region-value"] for payload in app.payloads)
    assert (hers["selected_option"], his["selected_option"]) == (US, None)
    assert ada.state_of(message)["region"]["region-value"]["selected_option"] == US
    ada.reload()
    assert ada.state_of(message)["region"]["region-value"]["selected_option"] is None


async def test_the_same_action_in_two_blocks_is_told_apart_by_the_block(
    workspace: Workspace, app: RawApp, ada: Person
) -> None:
    button = {"type": "button", "action_id": "stop", "text": plain("Stop")}
    blocks = tuple(
        {"type": "actions", "block_id": of, "elements": [button | {"value": of}]} for of in ("one", "two")
    )
    message = workspace.post(workspace.channels["C0GPU"], Content(text="t", blocks=blocks))
    await ada.press(message, "Stop", block_id="two")
    assert app.payloads[0]["actions"][0]["value"] == "two"
    with pytest.raises(LookupError, match="is there 2 times"):
        await ada.press(message, "Stop")


@pytest.fixture
def menu(workspace: Workspace) -> Message:
    element = {"type": "external_select", "action_id": "pick", "min_query_length": 2}
    section = {"type": "section", "block_id": "menu", "text": plain("Pick"), "accessory": element}
    return workspace.post(workspace.channels["C0GPU"], Content(text="t", blocks=(section,)))


async def test_a_message_asks_for_options_with_its_place_alone(
    app: RawApp, ada: Person, menu: Message
) -> None:
    app.answer = lambda _: {"options": offered("py")}
    assert await ada.search(menu, "pick", "py") == offered("py")
    payload = app.payloads[0]
    assert (payload["type"], payload["value"], payload["action_id"], payload["block_id"]) == (
        "block_suggestion",
        "py",
        "pick",
        "menu",
    )
    assert payload["container"] == {
        "type": "message",
        "message_ts": menu.ts,
        "channel_id": "C0GPU",
        "is_ephemeral": False,
    }
    assert payload["channel"] == {"id": "C0GPU", "name": "gpu"}
    assert not {"view", "message", "trigger_id", "response_url"} & payload.keys()


async def test_the_home_tab_asks_with_its_view(app: RawApp, client: AsyncWebClient, ada: Person) -> None:
    element = {"type": "external_select", "action_id": "pick", "min_query_length": 0}
    block = {"type": "actions", "block_id": "menu", "elements": [element]}
    await client.views_publish(user_id="U0ADA", view={"type": "home", "blocks": [block]})
    app.answer = lambda _: {"options": offered("py")} if _["payload"]["type"] == "block_suggestion" else {}
    home = ada.home_view
    assert home is not None
    assert await ada.search(home, "pick", "") == offered("py")
    await ada.choose(home, "pick", "py")
    asked, chosen = app.payloads
    assert (asked["view"]["type"], asked["container"]["view_id"]) == ("home", home.id)
    assert chosen["actions"][0]["selected_option"] == offered("py")[0]
    assert not {"response_url", "channel", "message"} & chosen.keys()


async def test_nothing_is_asked_before_enough_is_typed(
    app: RawApp, ada: Person, menu: Message, opened: Opener
) -> None:
    app.answer = lambda _: {"options": offered("py")}
    assert await ada.search(menu, "pick", "p") == []
    assert app.payloads == []
    app.answer = lambda _: {}
    view = await opened(modal(field("usual", "external_select")))
    assert await ada.search(view, "usual-value", "py") == []
    assert len(app.payloads) == 1


async def test_only_what_was_found_can_be_chosen(app: RawApp, ada: Person, opened: Opener) -> None:
    view = await opened(modal(template(), field("many", "multi_external_select", min_query_length=0)))
    app.answer = lambda _: {"options": offered("py", "js")}
    with pytest.raises(LookupError, match="'template-value' offers no 'py'"):
        await ada.submit(values={"template": "py"})
    await ada.search(view, "template-value", "")
    app.answer = lambda _: {"option_groups": [{"label": plain("g"), "options": offered("a")}]}
    await ada.search(view, "many-value", "")
    app.answer = lambda _: {}
    assert (await ada.submit(values={"template": "JS", "many": ["a"]})).ok
    values = app.payloads[-1]["view"]["state"]["values"]
    assert values["template"]["template-value"]["selected_option"] == offered("js")[0]
    assert values["many"]["many-value"]["selected_options"] == offered("a")


@pytest.mark.parametrize(
    ("answer", "found", "faults"),
    [
        ({"options": []}, 0, 0),
        ({"options": offered(*map(str, range(100)))}, 100, 0),
        ({"options": offered(*map(str, range(101)))}, 0, 1),
        ({"option_groups": []}, 0, 0),
        ({"option_groups": [{"label": plain("g"), "options": offered("a")}] * 101}, 0, 1),
        ({"options": offered("a"), "option_groups": []}, 0, 1),
        ({}, 0, 1),
        ({"options": [{"text": plain("a" * 76), "value": "a"}]}, 0, 1),
        ({"options": [{"text": plain("a"), "value": "a" * 151}]}, 0, 1),
    ],
)
async def test_an_answer_with_options_is_inspected(
    server: SlackServer,
    app: RawApp,
    ada: Person,
    menu: Message,
    answer: dict[str, Any],
    found: int,
    faults: int,
) -> None:
    app.answer = lambda _: answer
    assert len(await ada.search(menu, "pick", "py")) == found
    assert len(server.violations) == faults


async def test_who_waits_for_options_in_vain_is_told(
    workspace: Workspace, server: SlackServer, app: RawApp, ada: Person, menu: Message
) -> None:
    seen: list[Change] = []
    workspace.subscribe(seen.append)
    server.drop_connections()
    assert await ada.search(menu, "pick", "py") == []
    assert seen == [InteractionFailed(user="U0ADA", what="pick", error="dispatch_failed")]
