"""What is said to the bot without a slash: mentions, direct messages, shortcuts, the Home tab opened.

Slash commands do not work in threads; these do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import BotError, NotAllowed
from bot.grammar.commands import Act, Command, Create, Ssh, Status
from bot.messages.blocks import Message
from bot.messages.home import home_later, stranger_home
from bot.sinks.slack_answers import answer_of
from bot.slack.answering import Answering
from bot.slack.arguments import parse
from bot.slack.buying import Buying
from bot.slack.conversation import Conversation
from bot.slack.forms import Forms
from bot.slack.hearing import heard
from bot.slack.spoken import Spoken, Surface, is_by_a_person, said

_PUBLISH_WITHIN = timedelta(seconds=10)


class Events:
    def __init__(  # noqa: PLR0913 - the one place where these meet
        self,
        conversation: Conversation,
        buying: Buying,
        forms: Forms,
        answering: Answering,
        client: AsyncWebClient,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._conversation = conversation
        self._buying = buying
        self._forms = forms
        self._answering = answering
        self._client = client
        self._clock = clock

    async def mentioned(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        await self._hear(ack, body)

    async def messaged(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        """Only what is written to the bot alone: Slack sends nothing else to who asks for no more."""
        if body["event"].get("channel_type") != "im":
            await ack()
            return
        await self._hear(ack, body)

    async def home_opened(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        await ack()
        if body["event"].get("tab") != "home":
            return
        user_id = body["event"]["user"]
        spoken = Spoken(user_id=user_id, surface=Surface.HOME, key=f"event:{body.get('event_id')}")
        with heard(spoken, "home"):
            self._answering.begin("home", self._open_home(spoken))

    async def shortcut(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        spoken = Spoken.of_shortcut(body)
        with heard(spoken, "shortcut"):
            await self._answering.later(ack, spoken, "form", self._forms.open(Create(), spoken))

    async def about(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        """Of a message: the instance whose card, or whose thread, it is."""
        spoken, message = Spoken.of_shortcut(body), body["message"]
        work = self._conversation.about_message(
            spoken.destination, message.get("thread_ts"), message.get("ts"), spoken=spoken
        )
        with heard(spoken, "shortcut"):
            await self._answering.later(ack, spoken, "status", work)

    async def _hear(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        if not is_by_a_person(body["event"]):
            await ack()
            return
        spoken = Spoken.of_event(body)
        with heard(spoken, "message"):
            await self._answering.later(ack, spoken, "message", self._answer(said(body), spoken))

    async def _answer(self, text: str, spoken: Spoken) -> Message:
        command = await self._in_context(parse(text), spoken)
        if isinstance(command, Create) and self._buying.needs_form(command):
            return await self._buying.offer_form(command, spoken)
        return await self._conversation.carry_out(command, spoken)

    async def _in_context(self, command: Command, spoken: Spoken) -> Command:
        """In the thread of a card its instance is meant, where none is named."""
        match command:
            case Act(name=None) | Status(name=None) | Ssh(name=None) if spoken.thread_ts is not None:
                found = await self._conversation.instance_at(spoken.destination, spoken.thread_ts)
                return command if found is None else replace(command, name=found)
            case _:
                return command

    async def _open_home(self, spoken: Spoken) -> None:
        try:
            await self._conversation.open_home(spoken)
        except NotAllowed:
            await self._conversation.close_home(spoken.user_id)
            await self._publish(spoken, stranger_home())
        except BotError as trouble:
            await self._publish(spoken, home_later(str(trouble)))
            raise

    async def _publish(self, spoken: Spoken, view: dict[str, Any]) -> None:
        await answer_of(
            lambda: self._client.views_publish(user_id=spoken.user_id, view=view),
            now=self._clock(),
            timeout=_PUBLISH_WITHIN,
        )
