"""Which events a change in the workspace is to the app, as far as it has subscribed to them.

Shapes as in docs.slack.dev/reference/events. A message of the app itself is an event too, with its `bot_id`
(slackapi/bolt-js#580), and so is each edit of it. A mention is one only where somebody else has written it
(bolt-js#1573), and not in direct messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from bot.sandbox.slack.changes import Change, MessageDeleted, MessageEdited, MessagePosted
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import ChannelKind
from bot.sandbox.slack.scopes import EVENT_OF_MESSAGES
from bot.sandbox.slack.workspace import Workspace

Event = dict[str, Any]
Tab = Literal["home", "messages"]


def events_of(workspace: Workspace, change: Change) -> list[Event]:
    match change:
        case MessagePosted(message=message):
            return [*_posted(workspace, message), *_mentions(workspace, message)]
        case MessageEdited(message=message, before=Message() as before):
            return list(_edited(workspace, message, before))
        case MessageDeleted(message=message):
            return list(_deleted(workspace, message))
        case _:
            return []


def home_opened(workspace: Workspace, user_id: str, tab: Tab) -> list[Event]:
    if not workspace.app.hears("app_home_opened"):
        return []
    channel = workspace.direct_channel({workspace.app.user_id, user_id})
    event = {"type": "app_home_opened", "user": user_id, "channel": channel.id, "tab": tab}
    view = workspace.views.home(user_id) if tab == "home" else None
    return [event | ({"view": workspace.view_json(view)} if view else {})]


def _mentions(workspace: Workspace, message: Message) -> Iterator[Event]:
    app = workspace.app
    channel = workspace.channels[message.channel]
    if channel.kind is ChannelKind.DIRECT or message.user == app.user_id:
        return
    named = re.search(rf"<@{app.user_id}(\|[^>]*)?>", message.text)
    if named and app.user_id in channel.members and app.hears("app_mention"):
        yield {**message.as_json(), "type": "app_mention", "channel": channel.id, "event_ts": message.ts}


def _posted(workspace: Workspace, message: Message) -> Iterator[Event]:
    if _is_heard(workspace, message):
        yield _event(workspace, message, {**_body(workspace, message), "event_ts": message.ts})


def _edited(workspace: Workspace, message: Message, before: Message) -> Iterator[Event]:
    if _is_heard(workspace, message):
        bodies = {"message": _body(workspace, message), "previous_message": _body(workspace, before)}
        yield _event(workspace, message, _hidden(workspace, "message_changed") | bodies)


def _deleted(workspace: Workspace, message: Message) -> Iterator[Event]:
    if _is_heard(workspace, message):
        bodies = {"deleted_ts": message.ts, "previous_message": _body(workspace, message)}
        yield _event(workspace, message, _hidden(workspace, "message_deleted") | bodies)


def _is_heard(workspace: Workspace, message: Message) -> bool:
    channel = workspace.channels[message.channel]
    return workspace.app.user_id in channel.members and workspace.app.hears(EVENT_OF_MESSAGES[channel.kind])


def _event(workspace: Workspace, message: Message, body: dict[str, Any]) -> Event:
    kind = workspace.channels[message.channel].kind
    return {**body, "type": "message", "channel": message.channel, "channel_type": kind.value}


def _hidden(workspace: Workspace, subtype: str) -> dict[str, Any]:
    ts = workspace.timestamps.next()
    return {"subtype": subtype, "hidden": True, "ts": ts, "event_ts": ts}


def _body(workspace: Workspace, message: Message) -> dict[str, Any]:
    app = workspace.app
    body = message.as_json()
    if message.bot_id is None:
        return body
    profile = {"id": app.bot_id, "app_id": app.id, "name": app.name, "team_id": workspace.team.id}
    return body | {"bot_profile": {**profile, "deleted": False}}
