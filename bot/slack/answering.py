"""How an answer comes about: the work, the acknowledgement in time, and what is said of either.

Everything is acknowledged: what is not within three seconds looks broken, and over Socket Mode it is silence.
So an answer that is there soon goes into the ack; what takes longer follows it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from slack_bolt.async_app import AsyncAck

from bot.errors import BotError, TryAgain
from bot.grammar.commands import SLASH
from bot.messages import answers
from bot.messages.blocks import Message
from bot.slack.hearing import noted
from bot.slack.replies import Replies
from bot.slack.spoken import Spoken

log = structlog.get_logger(__name__)

T = TypeVar("T")

Work = Callable[[Spoken], Coroutine[Any, Any, Message | None]]

ACK_QUERY_WITHIN = timedelta(seconds=0.2)
ACK_CHANGE_WITHIN = timedelta(seconds=2.5)
"""A change is acknowledged when it is on disk; Slack gives it three seconds."""
_ANSWER_WITHIN = timedelta(seconds=10)


class Unexpected(BotError):
    """A fault of ours; the log has the reference too."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"Something went wrong on my side. Please try again. Reference: {reference}")
        self.reference = reference


class Answering:
    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    def begin(self, verb: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T | BotError]:
        return self._replies.begin(_outcome(verb, work))

    async def soon(
        self, ack: AsyncAck, spoken: Spoken, outcome: asyncio.Task[Message | BotError], within: timedelta
    ) -> None:
        """In the ack of a command, if it is there by then."""
        if await is_there(outcome, within):
            await ack(**said_of(outcome.result()))
            return
        await ack()
        self.follow(spoken, outcome)

    async def later(
        self, ack: AsyncAck, spoken: Spoken, verb: str, work: Coroutine[Any, Any, Message | None]
    ) -> None:
        """Acknowledged at once. Work that answers None has shown by itself what came of it."""
        await ack()
        self.follow(spoken, self.begin(verb, work))

    async def in_window(self, ack: AsyncAck, spoken: Spoken, verb: str, work: Work) -> None:
        """For a press in the Home tab, where nothing can be written."""
        await ack()
        self._replies.begin(self._say_in_window(spoken, verb, work))

    async def done(
        self, ack: AsyncAck, spoken: Spoken, verb: str, work: Coroutine[Any, Any, Message | None]
    ) -> None:
        """Acknowledged when it is on disk."""
        outcome = self.begin(verb, work)
        await is_there(outcome, ACK_CHANGE_WITHIN)
        await ack()
        self.follow(spoken, outcome)

    def follow(self, spoken: Spoken, outcome: Awaitable[Message | BotError | None]) -> None:
        self._replies.begin(self._say(spoken, outcome))

    async def _say_in_window(self, spoken: Spoken, verb: str, work: Work) -> None:
        window = await self._replies.room_for(spoken)
        if window is not None:
            await self._say(window, self.begin(verb, work(window)))

    async def _say(self, spoken: Spoken, outcome: Awaitable[Message | BotError | None]) -> None:
        done = await outcome
        if isinstance(done, BotError):
            spoken = replace(spoken, replaces=False)  # what was pressed can be pressed again
        if done is not None:
            await self._replies.tell(said_of(done), spoken)


def said_of(outcome: Message | BotError) -> Message:
    match outcome:
        case Unexpected(reference=reference):
            return answers.unexpected(reference)
        case BotError():
            return answers.error(outcome)
        case _:
            return outcome


def unexpected(error: Exception) -> Unexpected:
    reference = uuid.uuid4().hex[:8]
    log.error("slack.broken", reference=reference, exc_info=error)
    return Unexpected(reference)


async def is_there(outcome: asyncio.Task[Any], within: timedelta) -> bool:
    await asyncio.wait({outcome}, timeout=within.total_seconds())
    return outcome.done()


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
        return unexpected(error)


def _in_vain() -> TryAgain:
    seconds = int(_ANSWER_WITHIN.total_seconds())
    return TryAgain(
        f"I have waited {seconds} seconds for an answer in vain. If you asked for a change, it may have been "
        "made all the same.",
        hint=f"{SLASH} list",
    )
