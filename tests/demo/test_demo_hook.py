from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks import Webhook

from bot.sandbox.terminal.hook import Arrival, Receiver
from bot.sinks.signing import Signer

SECRET = f"whsec_{base64.b64encode(b'a secret of the demo').decode()}"
BODY = '{"event":"instance.ready","status":"running",\n "sequence":2}'


class Ear:
    def __init__(self) -> None:
        self.heard: list[Arrival] = []
        self.receiver = Receiver(SECRET, self.heard.append)


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    ear = Ear()
    async with ear.receiver:
        yield ear


async def post(ear: Ear, body: str, headers: dict[str, str]) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(ear.receiver.url, content=body, headers=headers)).status_code


def signed(body: str, *, secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(UTC)
    headers = {"webhook-id": "e1", "webhook-timestamp": str(int(at.timestamp()))}
    return headers | Signer(secret).headers(webhook_id="e1", at=at, body=body.encode())


async def test_a_signed_webhook_is_told_with_its_body_on_one_line(ear: Ear) -> None:
    assert await post(ear, BODY, signed(BODY)) == 200
    assert ear.heard == [
        Arrival(
            event="instance.ready",
            status="running",
            sequence=2,
            verified=True,
            body='{"event":"instance.ready","status":"running", "sequence":2}',
        )
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(BODY, secret="another"),
        signed(BODY + " "),
        signed(BODY, at=datetime(2020, 1, 1, tzinfo=UTC)),
        signed(BODY) | {"webhook-signature": "v1"},
        signed(BODY) | {"webhook-signature": "v1,nobase64"},
    ],
)
async def test_a_wrong_signature_is_refused_and_told(ear: Ear, headers: dict[str, str]) -> None:
    assert await post(ear, BODY, headers) == 401
    assert not ear.heard[0].verified


@pytest.mark.parametrize("body", ["no json", "[1]", '{"sequence":"x"}', ""])
async def test_whatever_comes_is_told_as_far_as_it_can_be_read(ear: Ear, body: str) -> None:
    assert await post(ear, body, {}) == 401
    (arrival,) = ear.heard
    assert (arrival.event, arrival.status, arrival.sequence) == ("unreadable", "unknown", 0)


async def test_it_listens_on_loopback_only(ear: Ear) -> None:
    assert ear.receiver.url.startswith("http://127.0.0.1:")


def test_the_library_takes_what_the_bot_signs() -> None:
    Webhook(SECRET).verify(BODY, signed(BODY))


async def test_a_receiver_that_never_opened_closes() -> None:
    await Receiver(SECRET, print).__aexit__(None, None, None)
