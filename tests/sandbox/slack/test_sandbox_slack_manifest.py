"""What the manifest asks for: scopes, events, shortcuts and tabs."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_slack_app import RawApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.installation import App, Shortcut
from bot.sandbox.slack.messages import Content
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.scopes import ALL_SCOPES
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.webapi import METHODS
from bot.sandbox.slack.workspace import Workspace

MANIFEST: dict[str, Any] = {
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "shortcuts": [
            {"name": "Rent a GPU", "type": "global", "callback_id": "create", "description": "d"},
            {"name": "Status", "type": "message", "callback_id": "status", "description": "d"},
        ],
    },
    "oauth_config": {"scopes": {"bot": ["commands", "chat:write", "im:history"]}},
    "settings": {"event_subscriptions": {"bot_events": ["app_home_opened", "message.im"]}},
}


def test_a_manifest_is_read() -> None:
    app = App.from_manifest(MANIFEST)
    assert app.scopes == {"commands", "chat:write", "im:history"}
    assert app.events == {"app_home_opened", "message.im"}
    assert app.shortcuts == (
        Shortcut(name="Rent a GPU", callback_id="create", reach="global"),
        Shortcut(name="Status", callback_id="status", reach="message"),
    )
    assert (app.has_home_tab, app.has_messages_tab, app.may_be_written_to) == (True, True, True)
    assert app.offered("message") == (app.shortcuts[1],)


def test_what_a_manifest_leaves_out_is_off() -> None:
    app = App.from_manifest({})
    assert (app.scopes, app.events, app.shortcuts) == (frozenset(), frozenset(), ())
    assert (app.has_home_tab, app.has_messages_tab, app.may_be_written_to) == (False, False, False)
    tabs = {"messages_tab_enabled": True, "messages_tab_read_only_enabled": True}
    silent = App.from_manifest({"features": {"app_home": tabs}})
    assert (silent.has_messages_tab, silent.may_be_written_to) == (True, False)


@pytest.mark.parametrize(
    ("method", "arguments", "needed"),
    [
        ("chat.postMessage", {"channel": "C0GPU", "text": "t"}, "chat:write"),
        ("chat.update", {"channel": "C0GPU", "text": "t", "ts": "1.0"}, "chat:write"),
        ("chat.delete", {"channel": "C0GPU", "ts": "1.0"}, "chat:write"),
        ("chat.postEphemeral", {"channel": "C0GPU", "text": "t", "user": "U0ADA"}, "chat:write"),
        ("users.info", {"user": "U0ADA"}, "users:read"),
        ("conversations.open", {"users": "U0ADA"}, "im:write"),
        ("conversations.open", {"users": "U0ADA,U0BEN"}, "mpim:write"),
        ("conversations.info", {"channel": "C0GPU"}, "channels:read"),
        ("conversations.info", {"channel": "C0LAB"}, "groups:read"),
    ],
)
async def test_a_method_without_its_scope_is_refused_with_both(
    workspace: Workspace, client: AsyncWebClient, method: str, arguments: dict[str, Any], needed: str
) -> None:
    workspace.app = App(scopes=ALL_SCOPES - {needed})
    with pytest.raises(SlackApiError) as caught:
        await client.api_call(method, json=arguments)
    answer = caught.value.response
    assert (answer["error"], answer["needed"]) == ("missing_scope", needed)
    assert answer["provided"] == ",".join(sorted(ALL_SCOPES - {needed}))


async def test_no_scope_is_needed_for_the_others(
    workspace: Workspace, client: AsyncWebClient, app: RawApp, ada: Person
) -> None:
    workspace.app = App(scopes=frozenset())
    view = {"type": "modal", "title": {"type": "plain_text", "text": "t"}, "blocks": [{"type": "divider"}]}
    await client.auth_test()
    trigger_id = (await ada.command("/gpu", channel="C0GPU")).trigger_id
    opened = await client.views_open(trigger_id=trigger_id, view=view)
    await client.views_update(view_id=opened["view"]["id"], view=view)
    await client.views_publish(user_id="U0ADA", view={"type": "home", "blocks": []})
    assert {"auth.test", "views.open", "views.update", "views.publish"} <= METHODS.keys()


async def test_a_client_offers_the_shortcuts_of_the_manifest_and_no_other(
    server: SlackServer, workspace: Workspace, app: RawApp, ada: Person
) -> None:
    workspace.app = App.from_manifest(MANIFEST)
    channel = workspace.channels["C0GPU"]
    message = workspace.post(channel, Content(text="t"))
    for name in ("create", "rent a gpu"):
        await ada.shortcut(name)
    await ada.shortcut("Status", message)
    assert [payload["callback_id"] for payload in app.payloads] == ["create", "create", "status"]
    with pytest.raises(LookupError, match="no global shortcut 'status', only: Rent a GPU"):
        await ada.shortcut("status")
    with pytest.raises(LookupError, match="no message shortcut 'create', only: Status"):
        await ada.shortcut("create", message)
    with pytest.raises(LookupError, match="an ephemeral message has no shortcuts"):
        await ada.shortcut("Status", workspace.whisper("U0ADA", channel, Content(text="t")))


async def test_a_global_shortcut_knows_no_place(app: RawApp, ada: Person) -> None:
    await ada.shortcut("create")
    payload = app.payloads[0]
    assert payload["user"] == {"id": "U0ADA", "username": "ada", "team_id": "T0SANDBOX"}
    assert (payload["type"], payload["callback_id"]) == ("shortcut", "create")
    assert {"trigger_id", "action_ts", "team", "token"} <= payload.keys()
    assert not {"channel", "message", "response_url", "api_app_id", "container"} & payload.keys()


async def test_a_message_shortcut_brings_the_message_along(
    workspace: Workspace, app: RawApp, ada: Person
) -> None:
    message = ada.say("C0SECRET", "look at this")
    await ada.shortcut("status", message)
    payload = app.payloads[0]
    assert payload["user"] == {"id": "U0ADA", "name": "ada", "team_id": "T0SANDBOX"}
    assert (payload["type"], payload["message_ts"]) == ("message_action", message.ts)
    assert (payload["message"]["text"], payload["message"]["user"]) == ("look at this", "U0ADA")
    assert payload["channel"] == {"id": "C0SECRET", "name": "privategroup"}
    assert payload["response_url"]
    assert payload["trigger_id"]


async def test_an_answer_to_a_shortcut_is_ignored_by_slack_and_a_violation(
    server: SlackServer, app: RawApp, ada: Person
) -> None:
    app.answer = lambda _: {"text": "thanks"}
    await ada.shortcut("create")
    assert server.violations == ["answer to shortcut: Slack ignores what it says"]
