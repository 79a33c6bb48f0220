"""HTTP mode, Slack's side: signed POSTs to the app's request URL.

Signing as in docs.slack.dev/authentication/verifying-requests-from-slack.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.sandbox.slack.delivery import Ack, AckLog, Delivery, Kind

FORM = "application/x-www-form-urlencoded"
NOTHING = timedelta(0)


def signature(signing_secret: str, timestamp: str, body: str) -> str:
    base = f"v0:{timestamp}:{body}".encode()
    return "v0=" + hmac.new(signing_secret.encode(), base, hashlib.sha256).hexdigest()


@dataclass(slots=True, kw_only=True)
class HttpMode:
    """`clock` gives aware UTC. Until set back, `age` makes requests look that old, `forges` signs wrongly."""

    clock: Callable[[], datetime]
    signing_secret: str
    log: AckLog
    ack_timeout: timedelta
    url: str | None = None
    age: timedelta = NOTHING
    forges: bool = False
    _session: aiohttp.ClientSession | None = None

    async def deliver(self, delivery: Delivery) -> Ack:
        body, content_type = _encoded(delivery)
        ack = await self._post(delivery.envelope_id, body, content_type, _retry_headers(delivery))
        if ack.error is None:
            self.log.add(ack)
        return ack

    async def verify_url(self, challenge: str) -> bool:
        """What Slack does when the request URL is entered: true if the app echoes the challenge."""
        body = json.dumps({"token": "", "challenge": challenge, "type": "url_verification"})
        ack = await self._post("url_verification", body, "application/json", {})
        return ack.error is None and challenge in {ack.payload.get("challenge"), ack.payload.get("text")}

    async def check_ssl(self) -> int | None:
        """The status code with which the app answers Slack's check of its certificate."""
        return (
            await self._post("ssl_check", urlencode({"ssl_check": "1", "token": ""}), FORM, {})
        ).status_code

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _post(self, envelope_id: str, body: str, content_type: str, headers: dict[str, str]) -> Ack:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self.ack_timeout.total_seconds()):
                answer = await self._answer(
                    body, {**self._signed(body), "Content-Type": content_type, **headers}
                )
        except TimeoutError:
            answer = {"error": "operation_timeout"}
        except aiohttp.ClientError:
            answer = {"error": "dispatch_failed"}
        return Ack(envelope_id=envelope_id, took=timedelta(seconds=loop.time() - started), **answer)

    async def _answer(self, body: str, headers: dict[str, str]) -> dict[str, Any]:
        if self.url is None:
            raise aiohttp.InvalidURL("no request URL is set")
        if self._session is None:
            self._session = aiohttp.ClientSession()
        post = self._session.post(self.url, data=body.encode(), headers=headers, allow_redirects=False)
        async with post as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return {
                "status_code": response.status,
                "error": None if response.status < 300 else "dispatch_failed",
                "payload": _parsed(text, is_json=is_json),
                "wants_no_retry": response.headers.get("X-Slack-No-Retry") == "1",
            }

    def _signed(self, body: str) -> dict[str, str]:
        timestamp = str(int((self.clock() - self.age).timestamp()))
        secret = f"not {self.signing_secret}" if self.forges else self.signing_secret
        return {
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(secret, timestamp, body),
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }


def _encoded(delivery: Delivery) -> tuple[str, str]:
    match delivery.kind:
        case Kind.COMMAND:
            return urlencode(delivery.payload), FORM
        case Kind.INTERACTIVE:
            return urlencode({"payload": json.dumps(delivery.payload)}), FORM
        case Kind.EVENT:
            return json.dumps(delivery.payload), "application/json"


def _retry_headers(delivery: Delivery) -> dict[str, str]:
    if not delivery.retry_attempt:
        return {}
    return {
        "X-Slack-Retry-Num": str(delivery.retry_attempt),
        "X-Slack-Retry-Reason": delivery.retry_reason,
    }


def _parsed(text: str, *, is_json: bool) -> dict[str, Any]:
    """A body that is not JSON is the text of the answer."""
    if not is_json:
        return {"text": text} if text.strip() else {}
    try:
        body = json.loads(text or "{}")
    except ValueError:
        return {"text": text}
    return body if isinstance(body, dict) else {"text": text}
