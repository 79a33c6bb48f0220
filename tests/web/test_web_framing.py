"""What every request and answer carries: ids and headers."""

from __future__ import annotations

import re

import pytest
import structlog
from samples import NOW
from starlette.responses import PlainTextResponse, StreamingResponse
from structlog.testing import capture_logs

from bot.web.framing import Framing, LastResort

EVERYWHERE = ["/health", "/api/instances", "/nothing", "/docs", "/openapi.json"]


@pytest.mark.parametrize("path", EVERYWHERE)
async def test_every_answer_has_the_security_headers(rest, path):
    headers = (await rest.http.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


async def test_an_unexpected_error_has_them_too(rest):
    rest.operations.failure = ValueError()

    with capture_logs():
        answer = await rest.http.get("/api/instances")

    assert (answer.status_code, answer.headers["x-content-type-options"]) == (500, "nosniff")


@pytest.mark.parametrize("path", EVERYWHERE)
async def test_the_ids_of_the_caller_come_back(rest, path):
    sent = {"X-Request-ID": "7f3a:b/c=1", "X-Correlation-ID": "flow-9"}
    headers = (await rest.http.get(path, headers=sent)).headers

    assert (headers["x-request-id"], headers["x-correlation-id"]) == ("7f3a:b/c=1", "flow-9")


async def test_ids_are_made_where_there_are_none(rest):
    first, second = [(await rest.http.get("/health")).headers for _ in range(2)]

    assert re.fullmatch("req_[0-9a-f]{16}", first["x-request-id"])
    assert re.fullmatch("corr_[0-9a-f]{16}", first["x-correlation-id"])
    assert first["x-request-id"] != second["x-request-id"]


@pytest.mark.parametrize("sent", ["", "a b", "<script>", "x" * 129, 'a"b'])
async def test_an_id_that_could_forge_a_log_line_is_replaced(rest, sent):
    headers = (await rest.http.get("/health", headers={"X-Request-ID": sent})).headers

    assert headers["x-request-id"].startswith("req_")


async def test_what_is_logged_meanwhile_carries_the_request_id(build):
    seen = {}

    async def slack(request):
        seen.update(structlog.contextvars.get_contextvars())
        return PlainTextResponse("")

    rest = await build(slack_handler=slack)
    sent = {"X-Request-ID": "req-1", "X-Correlation-ID": "corr-1"}
    await rest.http.post("/slack/events", headers=sent)

    assert seen == {"request_id": "req-1", "correlation_id": "corr-1"}
    assert structlog.contextvars.get_contextvars() == {}


async def test_what_breaks_in_the_middle_of_an_answer_is_logged_and_cut_off(build):
    async def half():
        yield "half"
        raise ValueError("broken")

    async def slack(request):
        return StreamingResponse(half())

    rest = await build(slack_handler=slack)
    with capture_logs() as logs, pytest.raises(ValueError, match="broken"):
        await rest.http.post("/slack/events")

    assert [line["event"] for line in logs] == ["rest.broken"]


async def test_what_is_not_http_passes_untouched():
    passed = []

    async def app(scope, receive, send):
        passed.append(scope)

    lifespan = {"type": "lifespan"}
    for layer in (Framing(app), LastResort(app, clock=lambda: NOW)):
        await layer(lifespan, None, None)

    assert passed == [{"type": "lifespan"}] * 2


async def test_an_answer_without_any_header_gets_ours():
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    async def send(message):
        sent.append(message)

    await Framing(app)({"type": "http", "method": "GET", "headers": []}, None, send)

    assert (b"x-content-type-options", b"nosniff") in sent[0]["headers"]


async def test_an_answer_may_bring_its_own_policy_but_not_its_own_ids():
    sent = []
    brought = [
        (b"Content-Security-Policy", b"default-src 'self'"),
        (b"X-Request-ID", b"theirs"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": brought})

    async def send(message):
        sent.append(message)

    asked = [(b"x-request-id", b"ours")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": asked}
    await Framing(app)(scope, None, send)

    headers = [(name.lower(), value) for name, value in sent[0]["headers"]]
    assert [value for name, value in headers if name == b"content-security-policy"] == [b"default-src 'self'"]
    assert [value for name, value in headers if name == b"x-request-id"] == [b"ours"]
    assert [value for name, value in headers if name == b"set-cookie"] == [b"a=1", b"b=2"]
