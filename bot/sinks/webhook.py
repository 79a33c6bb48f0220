"""Sends events to the people's own programs: one POST per try, following Standard Webhooks 1.0."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx

from bot.schedule import parse_retry_after
from bot.sinks.body import webhook_body
from bot.sinks.health import Health
from bot.sinks.signing import Signer
from bot.sinks.verdicts import Delivered, Gone, Later, Verdict
from bot.tls import authorities
from storage.records import Delivery

_CONNECT_TIMEOUT = timedelta(seconds=5)
_REPLY_TIMEOUT = timedelta(seconds=1)
_LONGEST_REPLY = 64 * 1024
"""Bytes. A longer one costs its sender the connection."""
_MAY_SAY_WHEN = frozenset({429, 502, 503, 504})
"""Whose `Retry-After` is honoured."""
_MOST_BROKEN_TARGETS = 1000


class WebhookSink:
    """Tries once per call and raises nothing that a receiver can cause; the outbox decides what follows.

    Logs name a receiver by its origin only: the path and query of a webhook's URL are often its password.
    """

    def __init__(
        self,
        *,
        secret: str | None,
        timeout: timedelta,
        user_agent: str,
        clock: Callable[[], datetime],
    ) -> None:
        """`timeout`: of a whole try, from the look-up of the name to the status line of the answer."""
        seconds = timeout.total_seconds()
        self._signer = Signer(secret) if secret else None
        self._timeout = timeout
        self._user_agent = user_agent
        self._clock = clock
        self._broken: dict[str, Health] = {}
        self._client = httpx.AsyncClient(
            trust_env=False,
            verify=authorities(),
            follow_redirects=False,
            timeout=httpx.Timeout(seconds, connect=_CONNECT_TIMEOUT.total_seconds(), pool=None),
            # No common limit: a hundred silent receivers must not use up the room of the others.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=5),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def send(self, delivery: Delivery) -> Verdict:
        verdict = await self._try(delivery)
        self._note_health(delivery.target.address, verdict)
        return verdict

    async def _try(self, delivery: Delivery) -> Verdict:
        body = webhook_body(delivery.event)
        try:
            return await self._post(delivery.target.address, self._headers(delivery, body), body)
        except (TimeoutError, httpx.TimeoutException):
            return Later(reason=f"no answer within {self._timeout.total_seconds():g} s")
        except httpx.ConnectError:
            return Later(reason="cannot connect")
        except httpx.InvalidURL:
            # A redirect to nowhere raises it as well, although redirects are not followed.
            return Later(reason="the address, or the one it redirects to, is not valid")
        except (httpx.HTTPError, OSError) as error:
            # Only the type: the text may hold the URL.
            return Later(reason=f"the connection failed ({type(error).__name__})")

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> Verdict:
        request = self._client.build_request("POST", url, content=body, headers=headers)
        async with asyncio.timeout(self._timeout.total_seconds()):
            response = await self._client.send(request, stream=True)
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
