"""Who may call: API_KEYS, or this machine alone. Decided before anything of a body is read."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.units import is_loopback
from bot.web.errors import Fault, answer, fault
from bot.web.quotas import STANDING, Quota, address_of, too_many

if TYPE_CHECKING:
    from bot.web.limiter import Limiter

OPEN = frozenset({"/health", "/ready", "/slack/events", "/openapi.json", "/docs"})
"""Need no key: probes have none, Slack signs, and the description is the same in every installation. Any
other address needs one, also if it does not exist: a new route is closed until somebody opens it here."""

_KEY = "key-"
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:@/\[\]]+))(?::[0-9]{1,5})?")

_FAILURES = Quota(name="refused requests of one address", most=10, within=timedelta(minutes=1))
_MOST_PRESENTED = 4
"""Keys of one request that are compared: more are a way to guess many at once."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_PROXIED = frozenset({"forwarded", "via", "x-real-ip"})
_POLICY_VIOLATION = 1008

_NO_KEY = "Send one of the keys of API_KEYS, as `Authorization: Bearer KEY` or as `X-API-Key: KEY`."
_LOCAL_ONLY = (
    "API_KEYS is not set, so only direct requests from this machine to a loopback address are answered. "
    "Set API_KEYS to answer others."
)
_CLOSED = (
    "API_KEYS is not set, and Slack's HTTP mode opens this service to the network. Set API_KEYS to use REST."
)
_FOREIGN_PAGE = "A web page of another origin may change nothing here; CORS_ORIGIN names those that may."


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
    rate_limit_window: timedelta = timedelta(minutes=1)
    rate_limit_max_requests: int = 100


class Gate:
    """Pure ASGI. Who calls is in `scope["state"]["caller"]`: a key by its place in API_KEYS, never the key
    itself, or else the address. `exposed`: Slack's HTTP mode is on, so that a proxy may make strangers look
    local."""

    def __init__(
        self, app: ASGIApp, *, inbound: Inbound, exposed: bool, clock: Callable[[], datetime]
    ) -> None:
        self._app = app
        self._api_keys = inbound.api_keys
        self._digests = _named_digests(inbound.api_keys)
        self._origins = frozenset(inbound.cors_origin)
        self._exposed = exposed
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # There are none yet. One that is added is closed as well until somebody opens it here.
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["state"]["caller"] = address_of(scope.get("client"))
        refusal = None if scope["path"] in OPEN else self._refusal(HTTPConnection(scope))
        if refusal is None:
            await self._app(scope, receive, send)
            return
        await answer(refusal, scope, self._clock())(scope, receive, send)

    def _refusal(self, request: HTTPConnection) -> Fault | None:
        if self._digests:
            name = _name_of(_presented(request), self._digests)
            request.scope["state"]["caller"] = name or request.scope["state"]["caller"]
            return None if name else self._failed(request, _NO_KEY)
        if self._api_keys != "none":
            if self._exposed:
                return self._failed(request, _CLOSED)
            if not _is_local(request):
                return self._failed(request, _LOCAL_ONLY)
        return None if self._is_of_our_pages(request) else fault(403, _FOREIGN_PAGE)

    def _failed(self, request: HTTPConnection, why: str) -> Fault:
        """Only whoever fails is made to wait. A right key gets in even from an address that has failed too
        often: behind one NAT or proxy, a neighbour could otherwise lock everybody out. What withstands
        guessing is the length of a key; this keeps the noise down and tells of it."""
        state, now = request.scope["state"], self._clock()
        standing = state[STANDING] = self._limiter.take(state["caller"], (_FAILURES,), now)
        if standing.allowed:
            return fault(401, why, WWW_Authenticate="Bearer")
        return too_many(standing, now, why)

    def _is_of_our_pages(self, request: HTTPConnection) -> bool:
        """Where no key is needed, a browser on this machine is enough to get in. Any page may make it send a
        POST without a body, and cannot hide that it did."""
        if request.scope["method"] in _READING or "*" in self._origins:
            return True
        return all(origin in self._origins for origin in request.headers.getlist("origin"))

    @cached_property
    def _limiter(self) -> Limiter:
        from bot.web.limiter import Limiter  # noqa: PLC0415 - a start need not wait for it

        return Limiter()


def holds_key(scope: Scope) -> bool:
    """Not so where no key is needed."""
    return str(scope.get("state", {}).get("caller", "")).startswith(_KEY)


def _named_digests(keys: tuple[SecretStr, ...] | Literal["none"]) -> tuple[tuple[str, bytes], ...]:
    if keys == "none":
        return ()
    return tuple((f"{_KEY}{n}", _digest(key.get_secret_value())) for n, key in enumerate(keys, 1))


def _name_of(presented: Iterable[str], known: tuple[tuple[str, bytes], ...]) -> str | None:
    """Takes as long for a wrong key as for a right one: every pair is compared, as digests of one length."""
    digests = [_digest(key) for key in islice(presented, _MOST_PRESENTED)]
    found = [name for given in digests for name, digest in known if hmac.compare_digest(given, digest)]
    return found[0] if found else None


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
    if any(name in _PROXIED or name.startswith("x-forwarded") for name in request.headers):
        return False
    hosts = request.headers.getlist("host")
    named = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return named is not None and is_loopback(named[1] or named[2])
