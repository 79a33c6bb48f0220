"""What Slack sends, handed on: commands, buttons, the form, shortcuts, events. Nothing here calls Novita."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse

from bot.errors import BotError, UsageError
from bot.grammar.commands import SLASH, Act, Command, Create, Ssh, verb_of
from bot.messages import answers
from bot.messages.form import FOLLOWED, FORM_ID
from bot.slack.answering import (
    ACK_CHANGE_WITHIN,
    ACK_QUERY_WITHIN,
    Answering,
    said_of,
    unexpected,
)
from bot.slack.arguments import parse
from bot.slack.buying import Buying
from bot.slack.conversation import Conversation
from bot.slack.events import Events
from bot.slack.forms import Forms, beside
from bot.slack.hearing import heard, note_answer
from bot.slack.presses import Presses
from bot.slack.replies import Replies
from bot.slack.spoken import Spoken, Surface

RENT, RENT_HERE, ABOUT = "gpu_create", "gpu_create_here", "gpu_about"
"""Callback ids of the shortcuts in the manifest."""


class Listeners:
    def __init__(  # noqa: PLR0913 - the one place where these meet
        self,
        *,
        conversation: Conversation,
        buying: Buying,
        forms: Forms,
        presses: Presses,
        events: Events,
        answering: Answering,
        replies: Replies,
    ) -> None:
        self._conversation = conversation
        self._buying = buying
        self._forms = forms
        self._presses = presses
        self._events = events
        self._answering = answering
        self._replies = replies

    def register(self, app: AsyncApp) -> None:
        """`app` raises its error for what nobody listens to."""
        app.command(SLASH)(self.command)
        app.action(re.compile(r"^gpu:"))(self._presses.press)
        app.action(re.compile(rf"^({'|'.join(FOLLOWED)})$"))(self._forms.keep_up)
        app.options("gpu")(self._forms.suggest)
        app.view(FORM_ID)(self._forms.submit)
        app.shortcut(RENT)(self._events.shortcut)
        app.shortcut(RENT_HERE)(self._events.shortcut)
        app.shortcut(ABOUT)(self._events.about)
        app.event("app_home_opened")(self._events.home_opened)
        app.event("app_mention")(self._events.mentioned)
        app.event("message")(self._events.messaged)
        app.error(self.fail)

    async def command(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        spoken = Spoken.of_command(body)
        with heard(spoken, "command"):
            try:
                command = parse(body.get("text") or "")
            except BotError as error:
                note_answer("unknown", error)
                await ack(**answers.error(error))
                return
            await self._obey(ack, command, spoken)

    async def fail(self, error: Exception, body: Mapping[str, Any]) -> BoltResponse | None:
        """What nobody listens to, such as the parts of another version, and what no listener foresaw."""
        if body.get("type") == "event_callback":
            if not isinstance(error, BoltUnhandledRequestError):
                unexpected(error)
            return None  # Bolt has acknowledged it by itself
        if not isinstance(error, BoltUnhandledRequestError):
            return self._failed(unexpected(error), body)
        if "command" in body:
            return self._failed(UsageError(f"I listen to {SLASH} only.", hint=f"{SLASH} help"), body)
        return BoltResponse(status=200)

    async def _obey(self, ack: AsyncAck, command: Command, spoken: Spoken) -> None:
        verb = verb_of(command)
        match command:
            case Create() if self._buying.needs_form(command):
                await self._answering.later(ack, spoken, "form", self._forms.open(command, spoken))
            case Ssh(name=name):
                await self._answering.later(ack, spoken, verb, self._conversation.connect(name, spoken))
            case _:
                soon = ACK_CHANGE_WITHIN if self._changes(command) else ACK_QUERY_WITHIN
                outcome = self._answering.begin(verb, self._conversation.carry_out(command, spoken))
                await self._answering.soon(ack, spoken, outcome, soon)

    def _changes(self, command: Command) -> bool:
        """Acknowledged when it is on disk; a quote is a query."""
        return isinstance(command, Act) or (isinstance(command, Create) and self._buying.launches(command))

    def _failed(self, fault: BotError, body: Mapping[str, Any]) -> BoltResponse:
        if "command" in body:
            return BoltResponse(status=200, body=json.dumps(said_of(fault)))
        if body.get("type") == "view_submission":
            # An empty ack would close the form as though all were well.
            return BoltResponse(status=200, body=json.dumps(beside("gpu", fault)))
        response_url = body.get("response_url")
        if response_url is not None:
            spoken = Spoken(user_id="", surface=Surface.MESSAGE, response_url=response_url, key="")
            self._replies.begin(self._replies.tell(said_of(fault), spoken))
        return BoltResponse(status=200)
