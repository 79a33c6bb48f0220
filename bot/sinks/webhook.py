"""Sends events to the people's own programs: one POST per try, following Standard Webhooks 1.0.

The configured address is the operator's choice and may be private. Every other came with a request, and goes
through the guard.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx
import structlog

from bot.receivers import Receivers
from bot.schedule import parse_retry_after
from bot.sinks.body import webhook_body
from bot.sinks.guard import Forbidden, Guard, GuardedTransport, Lookup, Resolve, breaches
from bot.sinks.health import Health
from bot.sinks.signing import Signer
from bot.sinks.verdicts import Delivered, Gone, Later, Verdict
from bot.tls import authorities
from storage.records import Delivery

log = structlog.get_logger(__name__)

_CONNECT_TIMEOUT = timedelta(seconds=5)
_REPLY_TIMEOUT = timedelta(seconds=1)
_LONGEST_REPLY = 64 * 1024
"""Bytes. A longer one costs its sender the connection."""
_MAY_SAY_WHEN = frozenset({429, 502, 503, 504})
"""Whose `Retry-After` is honoured."""
_MOST_BROKEN_TARGETS = 1000
# No common limit: a hundred silent receivers must not use up the room of the others.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=5)
_UNGUARDED = Later(reason="the guard against private addresses failed its test when the service started")


class WebhookSink:
    """Tries once per call and raises nothing that a receiver can cause; the outbox decides what follows.

    Logs name a receiver by its origin only: the path and query of a webhook's URL are often its password.
    """

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        *,
        secret: str | None,
        trusted: str | None,
        receivers: Receivers,
        timeout: timedelta,
        user_agent: str,
        clock: Callable[[], datetime],
        resolve: Resolve | None = None,
    ) -> None:
        """`trusted`: the configured address. What was sent there under an earlier configuration is not.

        `timeout`: of a whole try, from the look-up of the name to the status line of the answer.
        `resolve`: for tests; otherwise the system's.
        """
        self._signer = Signer(secret) if secret else None
        self._trusted = trusted
        self._receivers = receivers
        self._timeout = timeout
        self._user_agent = user_agent
        self._clock = clock
        self._broken: dict[str, Health] = {}
        self._lookup = Lookup()
        self._plain = self._client(
            httpx.AsyncHTTPTransport(verify=authorities(), trust_env=False, limits=_LIMITS)
        )
        guard = Guard(receivers, resolve or self._lookup)
        self._guarded = self._client(GuardedTransport(guard, limits=_LIMITS))
        self._guard_holds = False

    async def start(self) -> None:
        """Tests the guard; until it has held, nothing but the configured address is sent to."""
        reached = await breaches(self._guarded, self._receivers)
        self._guard_holds = not reached
        if reached:
            log.error("webhook.guard_failed", reached=reached, refused="every webhookUrl of a request")

    async def aclose(self) -> None:
        await self._plain.aclose()
        await self._guarded.aclose()
        self._lookup.close()

    async def send(self, delivery: Delivery) -> Verdict:
        url = delivery.target.address
        client = self._client_for(url)
        verdict = _UNGUARDED if client is None else await self._try(client, delivery)
        self._note_health(url, verdict)
        return verdict

    def _client_for(self, url: str) -> httpx.AsyncClient | None:
        """None: it may not be sent to at present."""
        if url == self._trusted:
            return self._plain
        return self._guarded if self._guard_holds else None

    async def _try(self, client: httpx.AsyncClient, delivery: Delivery) -> Verdict:
        body = webhook_body(delivery.event)
        try:
            return await self._post(client, delivery.target.address, self._headers(delivery, body), body)
        except (TimeoutError, httpx.TimeoutException):
            return Later(reason=f"no answer within {self._timeout.total_seconds():g} s")
        except httpx.ConnectError:
            return Later(reason="cannot connect")
        except httpx.InvalidURL:
            # A redirect to nowhere raises it as well, although redirects are not followed.
            return Later(reason="the address, or the one it redirects to, is not valid")
        except Forbidden:
            return Later(reason="the address of the host is not public")
        except (httpx.HTTPError, OSError) as error:
            # Only the type: the text may hold the URL.
            return Later(reason=f"the connection failed ({type(error).__name__})")

    async def _post(
        self, client: httpx.AsyncClient, url: str, headers: dict[str, str], body: bytes
    ) -> Verdict:
        request = client.build_request("POST", url, content=body, headers=headers)
        async with asyncio.timeout(self._timeout.total_seconds()):
            response = await client.send(request, stream=True)
        try:
            return self._judge(response)
        finally:
            await _drop_reply(response)

    def _headers(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        now = self._clock()
        seconds = str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._user_agent,
            "webhook-id": delivery.event.id,
            "webhook-timestamp": seconds,
            "X-Webhook-Timestamp": seconds,
        }
        if (correlation_id := delivery.event.instance.correlation_id) is not None:
            headers["X-Correlation-ID"] = correlation_id
        if self._signer is None:
            return headers
        return headers | self._signer.headers(webhook_id=delivery.event.id, at=now, body=body)

    def _judge(self, response: httpx.Response) -> Verdict:
        code = response.status_code
        if response.is_success:
            return Delivered(status_code=code)
        if code == httpx.codes.GONE:
            return Gone(reason="the receiver wants no more (410)", status_code=code)
        if response.is_redirect:
            return Later(reason=f"redirects are not followed ({code})", status_code=code)
        header = response.headers.get("Retry-After") if code in _MAY_SAY_WHEN else None
        return Later(
            reason=f"answered {code}", status_code=code, after=parse_retry_after(header, self._clock())
        )

    def _client(self, transport: httpx.AsyncHTTPTransport) -> httpx.AsyncClient:
        timeout = httpx.Timeout(
            self._timeout.total_seconds(), connect=_CONNECT_TIMEOUT.total_seconds(), pool=None
        )
        return httpx.AsyncClient(
            transport=transport,
            trust_env=False,  # no proxy: it would make the connections, and nobody would judge them
            follow_redirects=False,
            timeout=timeout,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    def _note_health(self, url: str, verdict: Verdict) -> None:
        """Only targets that fail are kept, and not more than a cap: anybody may name new ones."""
        match verdict:
            case Delivered():
                health = self._broken.pop(url, None)
                if health is not None:
                    health.answered()
            case _:
                if url not in self._broken and len(self._broken) >= _MOST_BROKEN_TARGETS:
                    self._broken.pop(next(iter(self._broken)))
                self._broken.setdefault(url, Health(origin(url), self._clock)).failed(verdict.reason)


def origin(url: str) -> str:
    """Scheme, host and port: what may be logged of a webhook's address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


async def _drop_reply(response: httpx.Response) -> None:
    """Reads what a sane receiver says, so that the connection can be used again, and forgets it.

    The status has decided; nothing that happens here changes that.
    """
    try:
        with contextlib.suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(_REPLY_TIMEOUT.total_seconds()):
                await _read_at_most(response, _LONGEST_REPLY)
    finally:
        await response.aclose()


async def _read_at_most(response: httpx.Response, limit: int) -> None:
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > limit:
            return
