"""What Slack sends, handed on: commands, buttons, the form. Nothing here calls Novita for a change.

Everything is acknowledged, and in time: what is not acknowledged within three seconds looks broken, and over
Socket Mode it is silence. So an answer that is there soon goes into the ack; what takes longer follows it.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import (
    BotError,
    NameTaken,
    ProductNotFound,
    RegionNotFound,
    TemplateNotFound,
    TryAgain,
    UsageError,
)
from bot.grammar.commands import SLASH, Act, Command, Create, Ssh, render, verb_of
from bot.messages import answers
from bot.messages.blocks import Message
from bot.messages.form import FORM_ID, create_form, read_form
from bot.sinks.slack_answers import Refused, Unavailable, answer_of
from bot.slack.arguments import parse
from bot.slack.conversation import Conversation, Spoken
from bot.slack.hearing import heard, note_answer, noted
from bot.slack.replies import Replies
from storage.records import Wish

log = structlog.get_logger(__name__)

T = TypeVar("T")

_ANSWER_WITHIN = timedelta(seconds=10)
_ACK_QUERY_WITHIN = timedelta(seconds=0.2)
_ACK_CHANGE_WITHIN = timedelta(seconds=2.5)
"""A change is acknowledged when it is on disk; Slack gives it three seconds."""
_OPEN_WITHIN = timedelta(seconds=3)
"""The life of a trigger_id."""

_FIELD_OF: tuple[tuple[type[BotError], str], ...] = (
    (NameTaken, "name"),
    (ProductNotFound, "gpu"),
    (TemplateNotFound, "template"),
    (RegionNotFound, "regions"),
)
"""The field of the form that an error is about."""


class _Unexpected(BotError):
    """A fault of ours; the log has the reference too."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"Something went wrong on my side. Please try again. Reference: {reference}")
        self.reference = reference


class Listeners:
    def __init__(
        self,
        conversation: Conversation,
        client: AsyncWebClient,
        replies: Replies,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._conversation = conversation
        self._client = client
        self._replies = replies
        self._clock = clock

    def register(self, app: AsyncApp) -> None:
        """`app` raises its error for what nobody listens to."""
        app.command(SLASH)(self.command)
        app.action(re.compile(r"^gpu:"))(self.press)
        app.view(FORM_ID)(self.submit)
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

    async def press(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        """A button: `gpu:<what>`, its value the instance's id. Whoever presses is judged anew."""
        spoken = Spoken.of_action(body)
        action = body["actions"][0]
        what, instance_id = action["action_id"].split(":")[1], action.get("value") or ""
        with heard(spoken, "button"):
            await self._do(ack, what, instance_id, spoken)

    async def submit(self, ack: AsyncAck, body: Mapping[str, Any], view: Mapping[str, Any]) -> None:
        spoken = Spoken.of_view(body, json.loads(view["private_metadata"] or "{}"))
        filled = read_form(view["state"])
        if isinstance(filled, Create) and self._conversation.needs_form(filled):
            filled = {"template": "Choose a template, or name an image below."}
        with heard(spoken, "form"):
            if isinstance(filled, Create):
                await self._order(ack, filled, spoken)
                return
            note_answer("create", UsageError("fields"))
            await ack(response_action="errors", errors=filled)

    async def fail(self, error: Exception, body: Mapping[str, Any]) -> BoltResponse:
        """What nobody listens to, such as the parts of another version, and what no listener foresaw."""
        if not isinstance(error, BoltUnhandledRequestError):
            return self._failed(_unexpected(error), body)
        if "command" in body:
            return self._failed(UsageError(f"I listen to {SLASH} only.", hint=f"{SLASH} help"), body)
        return BoltResponse(status=200)

    async def _obey(self, ack: AsyncAck, command: Command, spoken: Spoken) -> None:
        verb = verb_of(command)
        match command:
            case Create() if self._conversation.needs_form(command):
                await self._answer_later(ack, spoken, "form", self._open_form(command, spoken))
            case Ssh(name=name):
                await self._answer_later(ack, spoken, verb, self._conversation.connect(name, spoken))
            case _:
                soon = _ACK_CHANGE_WITHIN if isinstance(command, Create | Act) else _ACK_QUERY_WITHIN
                outcome = self._begin(verb, self._conversation.carry_out(command, spoken))
                await self._answer_soon(ack, spoken, outcome, soon)

    async def _do(self, ack: AsyncAck, what: str, instance_id: str, spoken: Spoken) -> None:
        match what:
            case "start" | "stop" | "restart" | "delete":
                outcome = self._begin(what, self._conversation.act(Wish(what), instance_id, spoken))
                await _is_there(outcome, _ACK_CHANGE_WITHIN)
                await ack()
                self._replies.begin(self._say(spoken, outcome))
            case "connect":
                await self._answer_later(ack, spoken, "ssh", self._conversation.connect(instance_id, spoken))
            case "status":
                await self._answer_later(ack, spoken, what, self._conversation.status(instance_id, spoken))
            case "create":
                await self._answer_later(ack, spoken, "form", self._open_form(Create(), spoken))
            case _:
                await self._answer_later(ack, spoken, "unknown", _no_longer_known())

    async def _order(self, ack: AsyncAck, filled: Create, spoken: Spoken) -> None:
        outcome = self._begin("create", self._conversation.create(filled, spoken))
        done = outcome.result() if await _is_there(outcome, _ACK_CHANGE_WITHIN) else None
        if isinstance(done, BotError):
            await ack(**self._refusal(done, filled, spoken))
            return
        await ack()
        self._replies.begin(self._say(spoken, outcome))

    def _failed(self, fault: BotError, body: Mapping[str, Any]) -> BoltResponse:
        if "command" in body:
            return BoltResponse(status=200, body=json.dumps(_message(fault)))
        if body.get("type") == "view_submission":
            # An empty ack would close the form as though all were well.
            return BoltResponse(status=200, body=json.dumps(_beside("gpu", fault)))
        self._replies.begin(self._replies.tell(_message(fault), body.get("response_url")))
        return BoltResponse(status=200)

    async def _answer_soon(
        self, ack: AsyncAck, spoken: Spoken, outcome: asyncio.Task[Message | BotError], within: timedelta
    ) -> None:
        if await _is_there(outcome, within):
            await ack(**_message(outcome.result()))
            return
        await ack()
        self._replies.begin(self._say(spoken, outcome))

    async def _answer_later(
        self, ack: AsyncAck, spoken: Spoken, verb: str, work: Coroutine[Any, Any, Message | None]
    ) -> None:
        await ack()
        self._replies.begin(self._say(spoken, _outcome(verb, work)))

    def _begin(self, verb: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T | BotError]:
        return self._replies.begin(_outcome(verb, work))

    async def _say(self, spoken: Spoken, outcome: Awaitable[Message | BotError | None]) -> None:
        """None: nothing is left to say, since a form was opened."""
        done = await outcome
        if done is not None:
            await self._replies.tell(_message(done), spoken.response_url, thread_ts=spoken.thread_ts)

    async def _open_form(self, typed: Create, spoken: Spoken) -> None:
        await self._conversation.require_member(spoken)
        view = self._form(typed, spoken)
        try:
            await answer_of(
                lambda: self._client.views_open(trigger_id=spoken.trigger_id, view=view),
                now=self._clock(),
                timeout=_OPEN_WITHIN,
            )
        except Unavailable as error:
            raise _not_opened(typed) from error
        except Refused as refusal:
            if refusal.code == "exchanged_trigger_id":
                return  # a second delivery of the same command: its form is open
            if refusal.code != "expired_trigger_id":
                raise
            raise _not_opened(typed) from refusal

    def _refusal(self, fault: BotError, filled: Create, spoken: Spoken) -> dict[str, Any]:
        """Beside the field that it is about, else above them all."""
        for kind, field in _FIELD_OF:
            if isinstance(fault, kind):
                return _beside(field, fault)
        return {"response_action": "update", "view": self._form(filled, spoken, error=_sentence(fault))}

    def _form(self, filled: Create, spoken: Spoken, *, error: str | None = None) -> dict[str, Any]:
        return create_form(
            **self._conversation.form_choices(), filled=filled, private=spoken.kept(), error=error
        )


async def _outcome(verb: str, work: Coroutine[Any, Any, T]) -> T | BotError:
    """The answer, or what came in between. Raises nothing."""
    return await noted(verb, _answer(work))


async def _answer(work: Coroutine[Any, Any, T]) -> T | BotError:
    try:
        async with asyncio.timeout(_ANSWER_WITHIN.total_seconds()):
            return await work
    except BotError as error:
        return error
    except TimeoutError:
        log.warning("answer.slow")
        return _in_vain()
    except Exception as error:  # noqa: BLE001 - one of the three places that catch everything
        return _unexpected(error)


async def _is_there(outcome: asyncio.Task[Any], within: timedelta) -> bool:
    await asyncio.wait({outcome}, timeout=within.total_seconds())
    return outcome.done()


async def _no_longer_known() -> Message:
    raise UsageError("That button is of another version of mine.", hint=f"{SLASH} list")


def _message(outcome: Message | BotError) -> Message:
    match outcome:
        case _Unexpected(reference=reference):
            return answers.unexpected(reference)
        case BotError():
            return answers.error(outcome)
        case _:
            return outcome


def _unexpected(error: Exception) -> _Unexpected:
    reference = uuid.uuid4().hex[:8]
    log.error("slack.broken", reference=reference, exc_info=error)
    return _Unexpected(reference)


def _in_vain() -> TryAgain:
    seconds = int(_ANSWER_WITHIN.total_seconds())
    return TryAgain(
        f"I have waited {seconds} seconds for an answer in vain. If you asked for a change, it may have been "
        "made all the same.",
        hint=f"{SLASH} list",
    )


def _not_opened(typed: Create) -> TryAgain:
    return TryAgain("Slack did not open the form in time. Please try again.", hint=render(typed))


def _beside(field: str, fault: BotError) -> dict[str, Any]:
    return {"response_action": "errors", "errors": {field: _sentence(fault)}}


def _sentence(fault: BotError) -> str:
    """For the form, where a command to copy would be of no use."""
    return f"{fault} {fault.free} is free." if isinstance(fault, NameTaken) else str(fault)
