"""What goes around every request, as pure ASGI: its ids, the headers of its answer, the last resort."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from secrets import token_hex

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.web.errors import answer, fault

_IDS = {"request_id": ("X-Request-ID", "req"), "correlation_id": ("X-Correlation-ID", "corr")}
_SOUND_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""It goes into logs and headers as it is; anything else is replaced."""

_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer that does not bring its own."""

_log = structlog.get_logger()


class Framing:
    """The outermost layer. The ids are in `scope["state"]`, in the logs and in the answer's headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ids = _ids(Headers(scope=scope))
        scope.setdefault("state", {}).update(ids)

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, ids)
            await send(message)

        with structlog.contextvars.bound_contextvars(**ids):
            await self._app(scope, receive, framed)


class LastResort:
    """Answers what nothing else has caught, and logs it under the reference that the answer names."""

    def __init__(self, app: ASGIApp, *, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            _log.exception("rest.broken", method=scope["method"], path=scope["path"])
            if begun:
                raise
            reference = scope["state"]["request_id"]
            sorry = fault(500, f"Something went wrong here. The logs have it under {reference}.")
            await answer(sorry, scope, self._clock())(scope, receive, send)


def _ids(headers: Headers) -> dict[str, str]:
    return {
        key: _sound(headers.get(name)) or f"{prefix}_{token_hex(8)}" for key, (name, prefix) in _IDS.items()
    }


def _sound(given: str | None) -> str | None:
    return given if given and _SOUND_ID.fullmatch(given) else None


def _add_headers(message: Message, ids: dict[str, str]) -> None:
    headers = MutableHeaders(raw=message.setdefault("headers", []))
    for key, (name, _prefix) in _IDS.items():
        headers[name] = ids[key]
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
