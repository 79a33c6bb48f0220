"""One line for each request: what an operator greps for first."""

from __future__ import annotations

import asyncio

import pytest
from loglines import events, logged
from pydantic import SecretStr
from starlette.responses import Response

from bot.web.requestlog import RequestLog


async def test_what_changes_something_is_news_and_has_the_ids_of_its_answer(rest):
    with logged() as lines:
        answer = await rest.create()
    line = lines[-1]
    assert (line["event"], line["log_level"]) == ("request.answered", "info")
    assert (line["method"], line["path"], line["status_code"]) == ("POST", "/api/instances", 201)
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert line["correlation_id"] == answer.headers["X-Correlation-ID"]
    assert isinstance(line["milliseconds"], int)


async def test_a_read_is_a_detail_unless_it_goes_wrong(rest):
    with logged(details=True) as lines:
        await rest.http.get("/health")
        await rest.http.get("/nothing")
    assert [(line["path"], line["log_level"]) for line in lines] == [
        ("/health", "debug"),
        ("/nothing", "info"),
    ]


async def test_a_query_and_a_key_are_never_in_it(build):
    rest = await build(api_keys=(SecretStr("first"), SecretStr("s3cret")))
    with logged(details=True) as lines:
        await rest.http.get("/api/instances?limit=1&x=s3cret", headers={"X-API-Key": "s3cret"})
        await rest.http.get("/api/instances", headers={"Authorization": "Bearer s3cret"})
    assert {line["caller"] for line in lines if line["event"] == "request.answered"} == {"key-2"}
    assert "s3cret" not in str(lines)


@pytest.mark.parametrize(
    ("path", "caller"), [("/api/instances", "stranger"), ("/health", "anybody"), ("/slack/events", "slack")]
)
async def test_it_says_how_the_caller_showed_who_it_is(build, path, caller):
    rest = await build(caller=("192.0.2.1", 1))
    with logged(details=True) as lines:
        await rest.http.get(path)
    assert [line["caller"] for line in lines] == [caller]


async def test_a_path_of_any_length_takes_little_room(rest):
    with logged() as lines:
        await rest.http.get("/" + "x" * 5_000)
    assert len(lines[0]["path"]) == 200


async def test_what_slack_asks_is_a_detail_here(build):
    async def answer(_request):
        return Response()

    rest = await build(slack_handler=answer)
    with logged(details=True) as lines:
        await rest.http.post("/slack/events", content="x")
    assert [(line["log_level"], line["caller"]) for line in lines] == [("debug", "slack")]


async def test_a_fault_and_its_request_have_one_id(rest):
    rest.operations.failure = ZeroDivisionError()
    with logged() as lines:
        answer = await rest.create()
    assert events(lines) == ["rest.broken", "request.answered"]
    assert {line["request_id"] for line in lines} == {answer.json()["error"]["requestId"]}
    assert lines[1]["status_code"] == 500


async def test_what_is_no_request_has_no_line():
    async def app(scope, _receive, _send):
        seen.append(scope["type"])

    seen: list[str] = []
    with logged(details=True) as lines:
        await RequestLog(app)({"type": "lifespan"}, None, None)
    assert (seen, lines) == (["lifespan"], [])


async def test_a_request_that_is_cut_off_has_a_line_without_a_status():
    async def app(_scope, _receive, _send):
        raise asyncio.CancelledError

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    with logged() as lines, pytest.raises(asyncio.CancelledError):
        await RequestLog(app)(scope, None, None)
    assert [(line["status_code"], line["log_level"]) for line in lines] == [(None, "info")]
