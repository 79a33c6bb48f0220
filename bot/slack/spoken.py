"""Who spoke, where, and how an answer gets back: read off whatever Slack sends."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Any

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")


class Surface(StrEnum):
    """Where somebody spoke, which decides how they are answered."""

    COMMAND = auto()
    MESSAGE = auto()
    """A button or a shortcut of a message."""
    FORM = auto()
    """The form for renting a GPU was sent. It has closed."""
    MODAL = auto()
    """A button in a modal that shows an answer."""
    HOME = auto()
    """A button in the Home tab, where no answer can be written."""
    SHORTCUT = auto()
    """A global one: there is no conversation."""
    MENTION = auto()
    DIRECT = auto()
    """A message to the bot alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    user_id: str
    surface: Surface
    channel_id: str | None = None
    response_url: str | None = None
    trigger_id: str | None = None
    view_id: str | None = None
    """The modal that the button was pressed in."""
    thread_ts: str | None = None
    """Of the message: that is where the answer is looked for."""
    key: str
    """The same for every delivery of one request: Slack may deliver twice."""
    replaces: bool = False
    """The answer takes the place of the message whose button was pressed."""

    @property
    def destination(self) -> str:
        """Where notices go: the channel, or direct messages where there is none."""
        return self.channel_id or self.user_id

    @classmethod
    def of_command(cls, body: Mapping[str, Any]) -> Spoken:
        return cls(
            user_id=body["user_id"],
            surface=Surface.COMMAND,
            channel_id=body.get("channel_id"),
            response_url=body.get("response_url"),
            trigger_id=body.get("trigger_id"),
            key=f"command:{body.get('trigger_id')}",
        )

    @classmethod
    def of_action(cls, body: Mapping[str, Any]) -> Spoken:
        """Keyed by place, button, moment and person."""
        action, user_id = body["actions"][0], body["user"]["id"]
        container, view = body.get("container", {}), body.get("view")
        place = container.get("message_ts") if view is None else view["id"]
        return cls(
            user_id=user_id,
            surface=_surface(view),
            channel_id=(body.get("channel") or {}).get("id"),
            response_url=body.get("response_url"),
            trigger_id=body.get("trigger_id"),
            view_id=None if view is None else view["id"],
            thread_ts=container.get("thread_ts"),
            key=f"action:{place}:{action['action_id']}:{action.get('action_ts')}:{user_id}",
        )

    @classmethod
    def of_form(cls, body: Mapping[str, Any]) -> Spoken:
        """A view knows no channel: what `kept` gave when it was opened tells."""
        view = body["view"]
        kept = json.loads(view.get("private_metadata") or "{}")
        return cls(
            user_id=body["user"]["id"],
            surface=Surface.FORM,
            channel_id=kept.get("channel_id"),
            response_url=kept.get("response_url"),
            trigger_id=body.get("trigger_id"),
            view_id=view["id"],
            thread_ts=kept.get("thread_ts"),
            key=kept.get("key") or f"view:{view['id']}",
            replaces=bool(kept.get("replaces")),
        )

    @classmethod
    def of_search(cls, body: Mapping[str, Any]) -> Spoken:
        """Somebody types into a menu that asks us what it offers."""
        return cls(user_id=body["user"]["id"], surface=Surface.MODAL, key="search")

    @classmethod
    def of_shortcut(cls, body: Mapping[str, Any]) -> Spoken:
        """A global one, or one of a message."""
        message = body.get("message")
        return cls(
            user_id=body["user"]["id"],
            surface=Surface.SHORTCUT if message is None else Surface.MESSAGE,
            channel_id=(body.get("channel") or {}).get("id"),
            response_url=body.get("response_url"),
            trigger_id=body.get("trigger_id"),
            thread_ts=None if message is None else message.get("thread_ts"),
            key=f"shortcut:{body.get('trigger_id')}",
        )

    @classmethod
    def of_event(cls, body: Mapping[str, Any]) -> Spoken:
        """A mention, or a direct message."""
        event = body["event"]
        is_direct = event.get("channel_type") == "im"
        return cls(
            user_id=event["user"],
            surface=Surface.DIRECT if is_direct else Surface.MENTION,
            channel_id=event["channel"],
            thread_ts=event.get("thread_ts"),
            # Not by the event: one message may make several.
            key=f"message:{event['channel']}:{event.get('ts')}",
        )

    def kept(self, *, key: str | None = None) -> str:
        """For the form: where its answer goes. `key`: of the quote that it changes, which is bought once."""
        kept = {name: getattr(self, name) for name in ("channel_id", "response_url", "thread_ts", "replaces")}
        return json.dumps({**kept, "key": key})


def said(body: Mapping[str, Any]) -> str:
    """What was said to the bot: all of a direct message, what follows the mention elsewhere."""
    event, us = body["event"], _bot_user(body)
    before, mention, after = _split(event.get("text") or "", us)
    if event.get("channel_type") == "im":
        return f"{before} {after}"
    return after if mention else before


def is_by_a_person(event: Mapping[str, Any]) -> bool:
    """Not by a bot, we among them, and no edit: what a message means was heard when it was sent."""
    by_bot = event.get("bot_id") or event.get("user") in {None, "USLACKBOT"}
    return not (by_bot or event.get("subtype") or event.get("edited"))


def _bot_user(body: Mapping[str, Any]) -> str | None:
    authorizations = body.get("authorizations") or [{}]
    user_id: str | None = authorizations[0].get("user_id")
    return user_id


def _split(text: str, user_id: str | None) -> tuple[str, bool, str]:
    """Around the mention of this user; of the first one, where it is not known who we are."""
    for mention in _MENTION.finditer(text):
        if user_id is None or mention[1] == user_id:
            return text[: mention.start()], True, text[mention.end() :]
    return text, False, ""


def _surface(view: Mapping[str, Any] | None) -> Surface:
    if view is None:
        return Surface.MESSAGE
    return Surface.HOME if view["type"] == "home" else Surface.MODAL
