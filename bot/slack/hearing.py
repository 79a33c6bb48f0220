"""One log line for each thing that somebody asked in Slack, and one id on all the lines that it causes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Literal, TypeVar

import structlog

from bot.errors import BotError
from bot.slack.spoken import Spoken

log = structlog.get_logger(__name__)

T = TypeVar("T")

Means = Literal["command", "button", "form", "shortcut", "message", "home"]

_READING = frozenset({"help", "list", "status", "form", "quote", "offers", "cancel", "home", "message"})


@contextmanager
def heard(spoken: Spoken, means: Means) -> Iterator[None]:
    """In HTTP mode the request has its id already. Work that is begun within keeps the ids to its end."""
    known = structlog.contextvars.get_contextvars().get("request_id")
    ids = {"request_id": known or f"req_{token_hex(8)}", "actor": spoken.user_id, "means": means}
    with structlog.contextvars.bound_contextvars(**ids):
        yield


async def noted(verb: str, work: Awaitable[T]) -> T:
    began_at = asyncio.get_running_loop().time()
    answer = await work
    note_answer(verb, answer, seconds=asyncio.get_running_loop().time() - began_at)
    return answer


def note_answer(verb: str, answer: object, *, seconds: float = 0) -> None:
    """Of what was typed only the verb: the rest may hold secrets."""
    outcome = answer.code if isinstance(answer, BotError) else "ok"
    tell = log.debug if verb in _READING and outcome == "ok" else log.info
    tell("slack.answered", verb=verb, outcome=outcome, milliseconds=round(seconds * 1000))
