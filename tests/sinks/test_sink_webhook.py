from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import hashlib
import hmac
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from clocks import Clock
from receivers import raw_receiver, receiver
from sink_samples import a_delivery, an_event, an_instance
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from bot.receivers import Receivers
from bot.sinks import webhook as webhook_module
from bot.sinks.body import webhook_body
from bot.sinks.signing import Signer
from bot.sinks.verdicts import Delivered, Gone, Later
from bot.sinks.webhook import WebhookSink, origin

WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
PLAIN = "a plain secret, ünïcode too"


@pytest.fixture
def clock():
    return Clock(datetime.now(UTC))  # the library that verifies looks at the real time


@pytest.fixture
async def sink(clock):
    """Its receivers came with requests; `test_sink_guard.py` has the configured one."""
    it = await a_sink(clock)
    yield it
    await it.aclose()


async def a_sink(clock, *, secret: str | None = WHSEC, within: float = 5) -> WebhookSink:
    it = WebhookSink(
        secret=secret,
        trusted=None,
        receivers=Receivers(["127.0.0.1"]),
        timeout=timedelta(seconds=within),
        user_agent="novita-gpu-bot/0.1",
        clock=clock,
    )
    await it.start()
    return it


async def send(sink, url):
    return await asyncio.wait_for(sink.send(a_delivery(address=url)), 30)


async def what_arrives(clock, secret):
    sink = await a_sink(clock, secret=secret)
    async with receiver() as it:
        await send(sink, it.url)
    await sink.aclose()
    (received,) = it.received
    return received


def standard_key(secret: str) -> str:
    """What a receiver of ours gives to its library: that one reads every text as base64."""
    if secret.startswith("whsec_"):
        return secret
    return base64.b64encode(secret.encode()).decode()


# answers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_success(sink, status):
    async with receiver(status=status) as it:
        assert await send(sink, it.url) == Delivered(status_code=status)
    assert len(it.received) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 408, 425, 429, 500, 502, 503, 504])
async def test_every_other_answer_is_tried_later_and_only_later(sink, status):
    async with receiver(status=status) as it:
        verdict = await send(sink, it.url)
    assert verdict == Later(reason=f"answered {status}", status_code=status)
    assert len(it.received) == 1


async def test_410_ends_the_target(sink):
    async with receiver(status=410) as it:
        verdict = await send(sink, it.url)
    assert isinstance(verdict, Gone)
    assert verdict.status_code == 410


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_throttling_receiver_says_when(sink, status):
    async with receiver(status=status, headers={"Retry-After": "77"}) as it:
        verdict = await send(sink, it.url)
    assert verdict.after == timedelta(seconds=77)


async def test_retry_after_may_be_a_date(sink, clock):
    clock.now = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
    async with receiver(status=503, headers={"Retry-After": "Mon, 23 Nov 2026 15:30:00 GMT"}) as it:
        verdict = await send(sink, it.url)
    assert verdict.after == timedelta(minutes=30)


async def test_retry_after_of_another_answer_means_nothing(sink):
    async with receiver(status=500, headers={"Retry-After": "77"}) as it:
        verdict = await send(sink, it.url)
    assert verdict.after is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_its_target_sees_nothing(sink, status):
    async with receiver() as elsewhere, receiver(status=status, headers={"Location": elsewhere.url}) as it:
        verdict = await send(sink, it.url)
    assert isinstance(verdict, Later)
    assert verdict.status_code == status
    assert elsewhere.received == []


@pytest.mark.parametrize("location", [b"data:,x", b"http://[", b"http://\x01/"])
async def test_a_redirect_to_nowhere_is_tried_later(sink, location):
    answer = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
    async with raw_receiver(answer) as url:
        assert isinstance(await send(sink, url), Later)


# receivers in trouble


async def test_a_receiver_that_hangs_is_left_after_the_timeout(clock):
    sink = await a_sink(clock, within=0.2)
    silent = asyncio.Event()

    async def hang(request):
        await silent.wait()
        return web.Response()

    async with receiver(answer=hang) as it:
        assert await send(sink, it.url) == Later(reason="no answer within 0.2 s")
        silent.set()
    await sink.aclose()


async def test_a_receiver_that_trickles_headers_cannot_outlast_the_timeout(clock):
    sink = await a_sink(clock, within=0.3)
    over = asyncio.Event()

    async def trickle(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not over.is_set():
            writer.write(b"X-More: x\r\n")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.05)

    async with raw_receiver(trickle) as url:
        assert await send(sink, url) == Later(reason="no answer within 0.3 s")
        over.set()
    await sink.aclose()


async def test_nobody_listening_is_tried_later(sink):
    async with receiver() as it:
        url = it.url
    assert await send(sink, url) == Later(reason="cannot connect")


async def test_tls_to_a_receiver_without_it_is_tried_later(sink):
    async with receiver() as it:
        verdict = await send(sink, it.url.replace("http:", "https:"))
    assert isinstance(verdict, Later)
    assert it.received == []


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 O", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"]
)
async def test_a_connection_dropped_before_the_answer_is_whole_is_tried_later(sink, answer):
    async with raw_receiver(answer) as url:
        verdict = await send(sink, url)
    assert isinstance(verdict, Later)
    assert verdict.status_code is None


async def test_a_2xx_counts_even_when_its_text_breaks_off(sink):
    async with raw_receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all of it") as url:
        assert await send(sink, url) == Delivered(status_code=200)


async def test_a_2xx_counts_even_when_its_text_never_ends(sink, monkeypatch):
    monkeypatch.setattr(webhook_module, "_REPLY_TIMEOUT", timedelta(seconds=0.05))
    over = asyncio.Event()

    async def stall(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await over.wait()
        return response

    async with receiver(answer=stall) as it:
        assert await send(sink, it.url) == Delivered(status_code=200)
        over.set()


async def test_of_a_huge_answer_little_is_read(sink, monkeypatch):
    monkeypatch.setattr(webhook_module, "_REPLY_TIMEOUT", timedelta(seconds=60))
    written = 0
    dropped = asyncio.Event()

    async def flood(request):
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(4096):
                await response.write(b"x" * 65536)
                written += 65536
        finally:
            dropped.set()
        return response

    async with receiver(answer=flood) as it:
        assert await send(sink, it.url) == Delivered(status_code=200)
        await asyncio.wait_for(dropped.wait(), 5)
    assert written < 32 * 1024 * 1024  # what the kernel takes in is not ours to say


async def test_a_packed_answer_is_not_unpacked(sink):
    packed = gzip.compress(b"\0" * 30_000_000)

    async def bomb(request):
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with receiver(answer=bomb) as it:
        tracemalloc.start()
        try:
            assert await send(sink, it.url) == Delivered(status_code=200)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "ftp://127.0.0.1/", "http://", "http://[::1", "http://\x00/",
     "http://" + "a" * 64 + ".invalid/", "http://a..b/"],
)  # fmt: skip
async def test_an_impossible_address_is_no_crash(sink, url):
    assert isinstance(await send(sink, url), Later)


async def test_after_a_short_answer_the_connection_is_used_again(sink):
    async with receiver() as it:
        await send(sink, it.url)
        await send(sink, it.url)
    assert it.received[0].peer_port == it.received[1].peer_port


async def test_silent_receivers_take_no_room_from_another(clock):
    sink = await a_sink(clock, within=20)
    more_than_httpx_has_by_default = 101
    all_there, over = asyncio.Event(), asyncio.Event()

    async def hang(request):
        if len(silent.received) == more_than_httpx_has_by_default:
            all_there.set()
        await over.wait()
        return web.Response()

    async with receiver(answer=hang) as silent, receiver() as well:
        waiting = [
            asyncio.ensure_future(send(sink, silent.url)) for _ in range(more_than_httpx_has_by_default)
        ]
        await asyncio.wait_for(all_there.wait(), 15)
        assert await send(sink, well.url) == Delivered(status_code=200)
        over.set()
        await asyncio.gather(*waiting)
    await sink.aclose()


async def test_cancelling_a_send_is_not_taken_for_an_answer(sink):
    arrived, over = asyncio.Event(), asyncio.Event()

    async def hang(request):
        arrived.set()
        await over.wait()
        return web.Response()

    async with receiver(answer=hang) as it:
        sending = asyncio.ensure_future(send(sink, it.url))
        await asyncio.wait_for(arrived.wait(), 5)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        over.set()


# what is sent


async def test_the_body_and_the_plain_headers_are_sent(clock):
    received = await what_arrives(clock, WHSEC)
    assert received.body == webhook_body(a_delivery().event)
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["User-Agent"] == "novita-gpu-bot/0.1"
    assert received.headers["webhook-id"] == "evt_0001"
    assert received.headers["webhook-timestamp"] == str(int(clock.now.timestamp()))
    assert received.headers["X-Webhook-Timestamp"] == received.headers["webhook-timestamp"]


@pytest.mark.parametrize("secret", [WHSEC, WHSEC.rstrip("="), PLAIN, "0000", "whsecret"])
async def test_a_receiver_verifies_us_with_the_standard_library_of_webhooks(clock, secret):
    received = await what_arrives(clock, secret)
    assert Webhook(standard_key(secret)).verify(received.body, received.headers)["event"] == "instance.ready"


@pytest.mark.parametrize("secret", [WHSEC, PLAIN])
async def test_a_changed_body_is_refused(clock, secret):
    received = await what_arrives(clock, secret)
    with pytest.raises(WebhookVerificationError):
        Webhook(standard_key(secret)).verify(received.body.replace(b"ready", b"ruddy"), received.headers)


@pytest.mark.parametrize("secret", [WHSEC, PLAIN])
async def test_a_wrong_secret_is_refused(clock, secret):
    received = await what_arrives(clock, secret)
    with pytest.raises(WebhookVerificationError):
        Webhook(standard_key("another secret")).verify(received.body, received.headers)


async def test_an_old_timestamp_is_refused(clock):
    clock.advance(-360)
    received = await what_arrives(clock, WHSEC)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(WHSEC).verify(received.body, received.headers)


async def test_a_fresh_timestamp_on_an_old_signature_is_refused(clock):
    received = await what_arrives(clock, WHSEC)
    later = received.headers | {"webhook-timestamp": str(int(clock.now.timestamp()) + 60)}
    with pytest.raises(WebhookVerificationError):
        Webhook(WHSEC).verify(received.body, later)


@pytest.mark.parametrize("secret", [WHSEC, PLAIN])
async def test_the_older_headers_are_keyed_with_the_secret_as_written(clock, secret):
    received = await what_arrives(clock, secret)
    expected = "sha256=" + hmac.new(secret.encode(), received.body, hashlib.sha256).hexdigest()
    assert received.headers["X-Webhook-Signature"] == expected
    assert received.headers["X-Signature"] == expected


@pytest.mark.parametrize("secret", [None, ""])
async def test_without_a_secret_nothing_is_signed(clock, secret):
    received = await what_arrives(clock, secret)
    assert not [name for name in received.headers if "signature" in name.lower()]
    assert received.headers["webhook-id"] == "evt_0001"


async def test_every_try_has_the_same_id_and_body_and_its_own_timestamp(sink, clock):
    async with receiver(status=500) as it:
        await send(sink, it.url)
        clock.advance(7200)
        await send(sink, it.url)
    first, second = it.received
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_a_cookie_of_a_receiver_is_not_carried_to_the_next_try(sink):
    async with receiver(headers={"Set-Cookie": "who=you"}) as it:
        await send(sink, it.url)
        await send(sink, it.url)
    assert "Cookie" not in it.received[1].headers


@pytest.mark.parametrize("secret", ["whsec_", "whsec_====", "whsec_not base64", "whsec_abc-_", "whsec_a", ""])
def test_a_secret_that_cannot_sign_is_refused_and_not_quoted(secret):
    with pytest.raises(ValueError, match="webhook secret") as caught:
        Signer(secret)
    assert "not base64" not in secret or secret not in str(caught.value)


@pytest.mark.parametrize("secret", [WHSEC, WHSEC.rstrip("="), PLAIN, "x"])
def test_a_secret_that_can_sign_is_taken(secret):
    Signer(secret)


# what is logged


async def test_a_target_that_breaks_is_logged_once_and_its_recovery_once(sink, clock):
    async with receiver(status=500) as it:
        with capture_logs() as logs:
            await send(sink, it.url)
            await send(sink, it.url)
            clock.advance(90)
            it.status = 200
            await send(sink, it.url)
            await send(sink, it.url)
    assert [entry["event"] for entry in logs] == ["receiver.failing", "receiver.recovered"]
    assert clock.now - logs[1]["since"] == timedelta(seconds=90)


async def test_no_log_holds_what_may_be_a_password_in_an_address(sink):
    async with receiver(status=500) as it:
        secret_url = it.url.replace("http://", "http://bob:hunter2@") + "/T0/B0/kept?token=hidden#frag"
        with capture_logs() as logs:
            await send(sink, secret_url)
    (entry,) = logs
    assert entry["receiver"] == it.url.removesuffix("/hook")


async def test_few_broken_targets_are_remembered(sink, monkeypatch):
    monkeypatch.setattr(webhook_module, "_MOST_BROKEN_TARGETS", 2)
    async with receiver(status=500) as it:
        for path in "abcd":
            await send(sink, f"{it.url}/{path}")
    assert len(sink._broken) == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@hooks.example:8443/a?b=c", "https://hooks.example:8443"),
        ("https://hooks.example", "https://hooks.example"),
        ("http://[::1", "an invalid address"),
    ],
)
def test_of_an_address_only_the_origin_is_shown(url, shown):
    assert origin(url) == shown


@pytest.mark.parametrize("correlation_id", ["build-17", None])
async def test_it_carries_the_correlation_id_of_the_wish(clock, correlation_id):
    event = an_event(instance=an_instance(correlation_id=correlation_id))
    sink = await a_sink(clock, secret=None)
    async with receiver() as it:
        await sink.send(a_delivery(event, address=it.url))
    await sink.aclose()
    assert it.received[0].headers.get("X-Correlation-ID") == correlation_id
