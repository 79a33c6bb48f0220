"""Bounds on what a request may send: how much, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.web.errors import Fault, answer, fault
from bot.web.handlers import Refused


class BodyLimit:
    """Pure ASGI. What is announced too large is refused unread, the rest is counted as it comes."""

    def __init__(
        self, app: ASGIApp, *, most_bytes: int, within: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._within = within
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _announced(scope) > self._most_bytes:
            await answer(self._too_large(), scope, self._clock())(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        deadline = asyncio.get_running_loop().time() + self._within.total_seconds()
        seen = 0
        complete = False

        async def counted() -> Message:
            nonlocal seen, complete
            # After the body comes the news of a disconnect, which may be waited for without end.
            message = await (receive() if complete else self._in_time(receive, deadline))
            seen += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if seen > self._most_bytes:
                raise Refused(self._too_large())
            return message

        return counted

    async def _in_time(self, receive: Receive, deadline: float) -> Message:
        try:
            async with asyncio.timeout_at(deadline):
                return await receive()
        except TimeoutError as error:
            seconds = self._within.total_seconds()
            late = fault(408, f"The body did not arrive within {seconds:g} seconds.", Connection="close")
            raise Refused(late) from error

    def _too_large(self) -> Fault:
        return fault(413, f"The body is larger than REQUEST_SIZE_LIMIT, {self._most_bytes} bytes.")


def _announced(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0
