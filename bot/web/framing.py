"""What goes around every request, as pure ASGI: its ids, the headers of its answer, the last resort."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from secrets import token_hex
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.metrics import UNROUTED, Metrics
from bot.web.errors import answer, fault
from bot.web.quotas import STANDING

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
_DEFAULTS = tuple((name.lower().encode(), value.encode()) for name, value in _HEADERS.items())

_log = structlog.get_logger()


class Framing:
    """The outermost layer. The ids are in `scope["state"]`, in the logs and in the answer's headers."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics | None = None) -> None:
        self._app = app
        self._metrics = metrics or Metrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status_code = self._metrics.start(), None
        ids = _ids(Headers(scope=scope))
        scope.setdefault("state", {}).update(ids)

        async def framed(message: Message) -> None:
            nonlocal status_code
            if message["type"] == "http.response.start":
                status_code = message["status"]
                message["headers"] = _with_ours(message.get("headers", ()), scope["state"])
            await send(message)

        try:
            with structlog.contextvars.bound_contextvars(**ids):
                await self._app(scope, receive, framed)
        finally:
            self._metrics.requested(scope["method"], _route(scope), status_code, began)


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


def _route(scope: Scope) -> str:
    """The template, such as `/api/instances/{id}`: an address itself is different each time."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is not None:
        return path
    # Routes that are none of FastAPI's, such as /docs, leave no trace but what they call.
    is_literal = "endpoint" in scope and not scope.get("path_params")
    return str(scope["path"]) if is_literal else UNROUTED


def _ids(headers: Headers) -> dict[str, str]:
    return {
        key: _sound(headers.get(name)) or f"{prefix}_{token_hex(8)}" for key, (name, prefix) in _IDS.items()
    }


def _sound(given: str | None) -> str | None:
    return given if given and _SOUND_ID.fullmatch(given) else None


def _with_ours(brought: Iterable[tuple[bytes, bytes]], state: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    ours = [(name, state[key]) for key, (name, _prefix) in _IDS.items()]
    if STANDING in state:
        ours += state[STANDING].headers
    added = [(name.lower().encode(), value.encode()) for name, value in ours]
    replaced = {name for name, _ in added}
    kept = [(name, value) for name, value in brought if name.lower() not in replaced]
    names = {name.lower() for name, _ in kept}
    return [*kept, *added, *(pair for pair in _DEFAULTS if pair[0] not in names)]
