"""One log line for each request, within the layer that gives it its ids."""

from __future__ import annotations

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.web.security import holds_key

_log = structlog.get_logger()

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_SLACK = "/slack/events"
_LONGEST_PATH = 200
"""Characters. Anybody may send one of any length."""


class RequestLog:
    """Pure ASGI. Reads that went well are details; what changes something or goes wrong is news."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_at = asyncio.get_running_loop().time()
        status_code: int | None = None

        async def noted(message: Message) -> None:
            nonlocal status_code
            if message["type"] == "http.response.start":
                status_code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            _note(scope, status_code, asyncio.get_running_loop().time() - began_at)


def _note(scope: Scope, status_code: int | None, seconds: float) -> None:
    """`status_code` None: cut off before there was an answer."""
    well = status_code is not None and status_code < 400
    # Of what Slack asks, a line of its own says what it was; at what Slack did not sign, anybody may knock.
    slack = scope["path"] == _SLACK and (well or status_code == 401)
    is_detail = slack or (well and scope["method"] in _READING)
    tell = _log.debug if is_detail else _log.info
    tell(
        "request.answered",
        method=scope["method"],
        path=scope["path"][:_LONGEST_PATH],
        status_code=status_code,
        milliseconds=round(seconds * 1000),
        caller=_caller(scope, status_code),
    )


def _caller(scope: Scope, status_code: int | None) -> str:
    """Which of API_KEYS it was, by its place there; never what was shown."""
    if holds_key(scope):
        return str(scope["state"]["caller"])
    if status_code == 401:
        return "stranger"
    return "slack" if scope["path"] == _SLACK else "anybody"
