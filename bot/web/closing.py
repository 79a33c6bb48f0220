"""While the service stops: nothing new is taken, and what is asked is still answered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.types import ASGIApp, Receive, Scope, Send

from bot.web.errors import answer, fault
from bot.web.health import Health

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Closing:
    """Pure ASGI. Slack, too, is refused: it tells the person, who tries again."""

    def __init__(self, app: ASGIApp, *, health: Health, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._health = health
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._health.stopping or scope["method"] in _READING:
            await self._app(scope, receive, send)
            return
        refused = fault(503, "The service is stopping. Please try again in a moment.", Retry_After="5")
        await answer(refused, scope, self._clock())(scope, receive, send)
