"""How much a request may send, and for how long."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from samples import NOW
from starlette.responses import PlainTextResponse

from bot.web.bodies import BodyLimit

JSON = {"Content-Type": "application/json"}
LIMIT = 1_024


def _body(size):
    padding = {"name": "a", "productName": "b", "templateId": "c", "padding": ""}
    padding["padding"] = "x" * (size - len(json.dumps(padding)))
    return json.dumps(padding).encode()


async def _chunks(body, size=100):
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def test_a_body_of_just_the_limit_is_read(rest):
    whole = await rest.http.post("/api/instances", content=_body(LIMIT), headers=JSON)
    chunked = await rest.http.post("/api/instances", content=_chunks(_body(LIMIT)), headers=JSON)

    assert [whole.status_code, chunked.status_code] == [201, 201]


@pytest.mark.parametrize("path", ["/api/instances", "/slack/events"])
async def test_one_byte_more_is_413_announced_or_not(build, path):
    async def slack(request):
        pytest.fail("handed on")

    rest = await build(api_keys="none", slack_handler=slack)
    body = _body(LIMIT + 1)
    whole = await rest.http.post(path, content=body, headers=JSON)
    chunked = await rest.http.post(path, content=_chunks(body), headers=JSON)

    for answer in (whole, chunked):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert "1024 bytes" in answer.json()["error"]["message"]
    assert rest.operations.creations == []


async def test_what_is_announced_too_large_is_not_read(rest):
    async def body():
        pytest.fail("read")
        yield b""

    headers = {**JSON, "Content-Length": str(LIMIT + 1)}
    answer = await rest.http.post("/api/instances", content=body(), headers=headers)

    assert answer.status_code == 413


async def test_a_body_is_not_read_past_the_limit(rest):
    read = []

    async def body():
        for number in range(1_000):
            read.append(number)
            yield b"x" * 100

    assert (await rest.http.post("/api/instances", content=body(), headers=JSON)).status_code == 413
    assert len(read) == LIMIT // 100 + 1


async def test_a_lie_about_the_length_does_not_help(rest):
    headers = {**JSON, "Content-Length": "5"}
    answer = await rest.http.post("/api/instances", content=_chunks(_body(LIMIT * 2)), headers=headers)

    assert answer.status_code == 413


async def test_a_body_that_does_not_come_is_408(build):
    rest = await build(body_within=timedelta(milliseconds=20))
    never = asyncio.Event()

    async def body():
        yield b"{"
        await never.wait()

    answer = await rest.http.post("/api/instances", content=body(), headers=JSON)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["retryable"]) == (408, "REQUEST_TIMEOUT", True)
    assert answer.headers["connection"] == "close"


async def test_after_the_body_a_disconnect_may_be_awaited_without_end(build):
    """An answer that takes longer than the body may is not cut off."""
    gone = asyncio.Event()

    async def receive():
        if received:
            await gone.wait()
            return {"type": "http.disconnect"}
        received.append(1)
        return {"type": "http.request", "body": b"", "more_body": False}

    received, heard = [], []

    async def app(scope, receive, send):
        heard.append((await receive())["type"])
        asyncio.get_running_loop().call_later(0.03, gone.set)
        heard.append((await receive())["type"])

    limited = BodyLimit(app, most_bytes=LIMIT, within=timedelta(milliseconds=1), clock=lambda: NOW)
    await limited({"type": "http", "headers": []}, receive, None)

    assert heard == ["http.request", "http.disconnect"]


async def test_what_is_not_http_passes_untouched():
    passed = []

    async def app(scope, receive, send):
        passed.append(receive)

    limited = BodyLimit(app, most_bytes=LIMIT, within=timedelta(seconds=1), clock=lambda: NOW)
    await limited({"type": "lifespan"}, "as it is", None)

    assert passed == ["as it is"]


async def test_slack_gets_its_body_as_it_was_sent(build):
    """The signature is over these bytes."""

    async def slack(request):
        return PlainTextResponse((await request.body()) + request.headers["x-slack-signature"].encode())

    rest = await build(slack_handler=slack)
    body = b"payload=%7B%22a%22%3A1%7D&token=x"
    answer = await rest.http.post("/slack/events", content=body, headers={"X-Slack-Signature": "v0=1"})

    assert answer.content == body + b"v0=1"


async def test_what_slack_cannot_have_sent_is_400(build):
    async def slack(request):
        pytest.fail("handed on")

    rest = await build(slack_handler=slack)
    answer = await rest.http.post("/slack/events", content=b"\xff")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
