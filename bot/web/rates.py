"""How often a caller may ask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from bot.web.errors import answer
from bot.web.quotas import STANDING, Quota, too_many

if TYPE_CHECKING:
    from bot.web.limiter import Limiter

UNLIMITED = frozenset({"/health", "/ready", "/slack/events"})
"""Probes must not fail because somebody asks much, and Slack has a pace of its own."""

_CREATE = ("POST", "/api/instances")
_MINUTE = timedelta(minutes=1)
_CREATES_PER_MINUTE = 10


class RateLimit:
    """Pure ASGI, within the gate, which says who the caller is. A create counts as a request too; what is
    refused counts as nothing."""

    def __init__(self, app: ASGIApp, *, most: int, window: timedelta, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._clock = clock
        self._requests = (Quota(name="requests", most=most, within=window),)
        self._creates = (*self._requests, creates(most, window))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        quotas = self._creates if (scope["method"], scope["path"]) == _CREATE else self._requests
        now = self._clock()
        standing = self._limiter.take(scope["state"]["caller"], quotas, now)
        scope["state"][STANDING] = standing
        if standing.allowed:
            await self._app(scope, receive, send)
            return
        await answer(too_many(standing, now), scope, now)(scope, receive, send)

    @cached_property
    def _limiter(self) -> Limiter:
        from bot.web.limiter import Limiter  # noqa: PLC0415 - a start need not wait for it

        return Limiter()


def creates(most: int, window: timedelta) -> Quota:
    """Ten a minute, or a tenth of what `most` in `window` makes in a minute where that is more. Always by the
    minute: an hour's worth at once would be a bill, not a burst."""
    tenth = most * (_MINUTE / window) / 10
    return Quota(name="creates", most=max(_CREATES_PER_MINUTE, int(tenth)), within=_MINUTE)
