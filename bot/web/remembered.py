"""Answers about instances, kept until the next commit: whoever polls often asks for what has not changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READ = "/api/instances"
_NEVER = (b"include=", b"%")
"""Passwords are fetched anew each time, and kept nowhere; `inclu%64e` asks for them as well."""
_MOST = 500

Generation = Callable[[], int | None]
"""A number that every commit changes; None: others commit too, and nothing can be kept."""


@dataclass(slots=True)
class _Answer:
    """What the first who asked was told. `done` is set when nothing more of it will come."""

    messages: list[Message] = field(default_factory=list)
    route: Any = None
    """What the router found, for those layers that count by it."""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_good(self) -> bool:
        return bool(self.messages) and self.messages[0]["status"] == 200

    async def note(self, message: Message) -> None:
        self.messages.append(message)


class Remembered:
    """Pure ASGI, within the gate: what is kept is the same for every caller."""

    def __init__(self, app: ASGIApp, *, generation: Generation) -> None:
        self._app = app
        self._generation = generation
        self._answers: dict[tuple[str, bytes], _Answer] = {}
        self._as_of: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Taken before anything is read: what is committed meanwhile makes the answer one of the past.
        generation = self._generation() if _may_be_kept(scope) else None
        if generation is None:
            await self._app(scope, receive, send)
            return
        if generation != self._as_of or len(self._answers) >= _MOST:
            self._answers, self._as_of = {}, generation
        key = (scope["path"], scope["query_string"])
        kept = self._answers.get(key)
        if kept is None:
            self._answers[key] = kept = _Answer()
            await self._ask(kept, scope, receive)
            await _send(kept, scope, send)
            return
        # Of several who come at once the first one asks for all.
        await kept.done.wait()
        if kept.is_good:
            await _send(kept, scope, send)
        else:
            await self._app(scope, receive, send)

    async def _ask(self, answer: _Answer, scope: Scope, receive: Receive) -> None:
        """Done before anything is sent: who does not read what he asked for must not hold up the others."""
        try:
            await self._app(scope, receive, answer.note)
        except BaseException:
            answer.messages.clear()
            raise
        finally:
            answer.route = scope.get("route")
            answer.done.set()


async def _send(answer: _Answer, scope: Scope, send: Send) -> None:
    scope["route"] = answer.route
    start, *rest = answer.messages
    await send({**start, "headers": list(start["headers"])})
    for message in rest:
        await send(message)


def _may_be_kept(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and scope["path"].startswith(_READ)
        and not any(sign in scope["query_string"] for sign in _NEVER)
    )
