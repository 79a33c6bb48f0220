from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from clocks import Clock
from standardwebhooks import Webhook

from bot.sandbox.hook import Arrival, Receiver
from bot.sinks.signing import Signer

SECRET = f"whsec_{base64.b64encode(b'a secret of the demo').decode()}"
BODY = (
    '{"event":"instance.ready","status":"running","instanceId":"i1",\n'
    ' "instance":{"id":"i1","name":"my-train"},"sequence":2}'
)


class Ear:
    def __init__(self) -> None:
        self.heard: list[Arrival] = []
        self.clock = Clock()
        self.receiver = Receiver(SECRET, clock=self.clock)
        self.receiver.subscribe(self.heard.append)


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


async def test_a_signed_webhook_is_told_and_kept(ear: Ear) -> None:
    assert await post(ear, BODY, signed(BODY)) == 200
    (arrival,) = ear.heard
    assert list(ear.receiver.arrivals) == ear.heard
    assert arrival.verified
    assert (arrival.event, arrival.name, arrival.status) == ("instance.ready", "my-train", "running")
    assert (arrival.sequence, arrival.webhook_id, arrival.tries) == (2, "e1", 1)
    assert (arrival.at, arrival.answered, arrival.body) == (ear.clock(), 200, BODY)
    assert dict(arrival.headers)["webhook-id"] == "e1"


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({}, "Missing required headers"),
        (signed(BODY, secret="another"), "No matching signature found"),
        (signed(BODY + " "), "No matching signature found"),
        (signed(BODY, at=datetime(2020, 1, 1, tzinfo=UTC)), "Message timestamp too old"),
        (signed(BODY) | {"webhook-signature": "v1"}, "Signature unreadable"),
        (signed(BODY) | {"webhook-signature": "v1,nobase64"}, "No matching signature found"),
    ],
)
async def test_a_wrong_signature_is_refused_and_told(ear: Ear, headers: dict[str, str], problem: str) -> None:
    assert await post(ear, BODY, headers) == 401
    (arrival,) = ear.heard
    assert (arrival.verified, arrival.problem, arrival.answered) == (False, problem, 401)


@pytest.mark.parametrize("answer", [500, 410])
async def test_a_broken_receiver_says_so_to_whatever_comes(ear: Ear, answer: Any) -> None:
    ear.receiver.answers = answer
    assert await post(ear, BODY, signed(BODY)) == answer
    assert await post(ear, BODY, {}) == answer
    assert [(each.verified, each.answered) for each in ear.heard] == [(True, answer), (False, answer)]


async def test_a_repeated_webhook_id_is_counted(ear: Ear) -> None:
    for headers in (signed(BODY), signed(BODY), {}, {}):
        await post(ear, BODY, headers)
    assert [arrival.tries for arrival in ear.heard] == [1, 2, 1, 1]


async def test_an_event_without_a_name_goes_under_the_name_that_came_before(ear: Ear) -> None:
    failed = '{"event":"instance.failed","instanceId":"i1"}'
    for body in (failed, BODY, failed):
        await post(ear, body, signed(body))
    assert [arrival.name for arrival in ear.heard] == ["i1", "my-train", "my-train"]


async def test_who_no_longer_listens_is_not_told() -> None:
    heard: list[Arrival] = []
    async with Receiver(SECRET, clock=Clock()) as receiver:
        end = receiver.subscribe(heard.append)
        end()
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(receiver.url, content=BODY)
    assert not heard


@pytest.mark.parametrize("body", ["no json", "[1]", '{"sequence":"x"}', "", "[" * 100_000])
async def test_whatever_comes_is_told_as_far_as_it_can_be_read(ear: Ear, body: str) -> None:
    assert await post(ear, body, {}) == 401
    (arrival,) = ear.heard
    assert (arrival.event, arrival.status, arrival.sequence) == ("unreadable", "unknown", 0)


async def test_it_listens_on_loopback_only(ear: Ear) -> None:
    assert ear.receiver.url.startswith("http://127.0.0.1:")


def test_the_library_takes_what_the_bot_signs() -> None:
    Webhook(SECRET).verify(BODY, signed(BODY))


async def test_a_receiver_that_never_opened_closes() -> None:
    await Receiver(SECRET, clock=Clock()).__aexit__(None, None, None)
