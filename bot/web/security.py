"""Who may call: API_KEYS, or this machine alone. Decided before anything of a body is read."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import SecretStr
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.units import is_loopback
from bot.web.errors import answer, fault

OPEN = frozenset({"/health", "/ready", "/slack/events", "/openapi.json", "/docs"})
"""Need no key: probes have none, Slack signs, and the description is the same in every installation. Any
other address needs one, also if it does not exist: a new route is closed until somebody opens it here."""

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:@/\[\]]+))(?::[0-9]{1,5})?")

_NO_KEY = "Send one of the keys of API_KEYS, as `Authorization: Bearer KEY` or as `X-API-Key: KEY`."
_LOCAL_ONLY = (
    "API_KEYS is not set, so only direct requests from this machine to a loopback address are answered. "
    "Set API_KEYS to answer others."
)
_CLOSED = (
    "API_KEYS is not set, and Slack's HTTP mode opens this service to the network. Set API_KEYS to use REST."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """What a request must be like; the settings of the same names, where there are any."""

    api_keys: tuple[SecretStr, ...] | Literal["none"]
    request_size_limit: int
    """Bytes."""
    body_within: timedelta = timedelta(seconds=10)
    cors_origin: tuple[str, ...] = ()
    """Empty: no web page of another origin may call."""
    cors_methods: tuple[str, ...] = ("GET", "POST", "PUT", "DELETE", "OPTIONS")


class Gate:
    """Pure ASGI. `exposed`: Slack's HTTP mode is on, so that a proxy may make strangers look local."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        api_keys: tuple[SecretStr, ...] | Literal["none"],
        exposed: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._app = app
        self._api_keys = api_keys
        self._exposed = exposed
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None
        if scope["type"] == "http" and scope["path"] not in OPEN:
            refusal = self._refusal(HTTPConnection(scope))
        if refusal is None:
            await self._app(scope, receive, send)
            return
        refused = fault(401, refusal, WWW_Authenticate="Bearer")
        await answer(refused, scope, self._clock())(scope, receive, send)

    def _refusal(self, request: HTTPConnection) -> str | None:
        if self._api_keys == "none":
            return None
        if self._api_keys:
            return None if _holds_one_of(self._api_keys, request) else _NO_KEY
        if self._exposed:
            return _CLOSED
        return None if _is_local(request) else _LOCAL_ONLY


def _holds_one_of(keys: tuple[SecretStr, ...], request: HTTPConnection) -> bool:
    """Takes as long for a wrong key as for a right one: every pair is compared, as digests of one length."""
    known = [_digest(key.get_secret_value()) for key in keys]
    found = [hmac.compare_digest(_digest(key), one) for key in _presented(request) for one in known]
    return any(found)


def _presented(request: HTTPConnection) -> Iterator[str]:
    yield from request.headers.getlist("x-api-key")
    for value in request.headers.getlist("authorization"):
        scheme, _, key = value.partition(" ")
        if scheme.lower() == "bearer":
            yield key.strip()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("latin-1", "replace")).digest()


def _is_local(request: HTTPConnection) -> bool:
    """From loopback, not through a proxy, and not from a web page whose name was made to point here."""
    if request.client is None or not is_loopback(request.client.host):
        return False
    if any(name == "forwarded" or name.startswith("x-forwarded-") for name in request.headers):
        return False
    hosts = request.headers.getlist("host")
    named = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return named is not None and is_loopback(named[1] or named[2])
