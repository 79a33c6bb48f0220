"""The one body of every error, and which status code goes with what."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bot.errors import (
    BadCredentials,
    BotError,
    ForbiddenReceiver,
    InstanceNotFound,
    InvalidState,
    NameTaken,
    NoOffer,
    NotAllowed,
    NotSent,
    NovitaUnavailable,
    ProductNotFound,
    RegionNotFound,
    TemplateNotFound,
    TryAgain,
    UsageError,
)
from storage.errors import DatabaseUnavailable

JSON = {"Content-Type": "application/json"}


async def _failing(rest, error):
    rest.operations.failure = error
    return await rest.create()


def _documented(answer):
    """The body has the documented fields and no others; gives what is inside."""
    assert answer.headers["content-type"] == "application/json"
    [(name, error)] = answer.json().items()
    assert name == "error"
    assert error["timestamp"] == "2026-11-23T12:00:00.000Z"
    assert error["requestId"] == answer.headers["x-request-id"]
    assert error["correlationId"] == answer.headers["x-correlation-id"]
    assert isinstance(error["message"], str)
    assert error["message"]
    required = {"code", "message", "timestamp", "requestId", "correlationId"}
    assert required <= set(error) <= required | {"details", "retryable", "retryAfter"}
    for detail in error.get("details", []):
        assert set(detail) == {"field", "reason"}
    return error


@pytest.mark.parametrize(
    ("error", "status_code", "code"),
    [
        (UsageError("What?"), 400, "VALIDATION_ERROR"),
        (NotAllowed("No."), 403, "FORBIDDEN"),
        (InstanceNotFound("None."), 404, "INSTANCE_NOT_FOUND"),
        (ProductNotFound("None."), 404, "PRODUCT_NOT_FOUND"),
        (TemplateNotFound("None."), 404, "TEMPLATE_NOT_FOUND"),
        (RegionNotFound("None."), 404, "REGION_NOT_FOUND"),
        (NoOffer("None."), 404, "NO_AVAILABLE_PRODUCTS"),
        (NoOffer("None.", code="NO_OPTIMAL_PRODUCT"), 404, "NO_OPTIMAL_PRODUCT"),
        (InvalidState("Not now."), 409, "INVALID_STATE"),
        (NameTaken("a", "a-2"), 409, "NAME_TAKEN"),
        (BadCredentials("Wrong key.", status_code=401), 502, "NOVITA_API_ERROR"),
        (TryAgain("Later."), 503, "SERVICE_UNAVAILABLE"),
        (NovitaUnavailable("Away."), 503, "NOVITA_UNAVAILABLE"),
        (NotSent("Open.", code="CIRCUIT_BREAKER_OPEN"), 503, "CIRCUIT_BREAKER_OPEN"),
    ],
)
async def test_what_people_may_see_has_its_status_code(rest, error, status_code, code):
    answer = await _failing(rest, error)

    assert (answer.status_code, _documented(answer)["code"]) == (status_code, code)
    assert answer.json()["error"]["message"] == str(error)


async def test_only_what_may_be_sent_again_is_called_retryable(rest):
    retryable = _documented(await _failing(rest, TryAgain("Later.")))
    assert retryable["retryable"] is True
    with capture_logs():
        for error in (NameTaken("a", "a-2"), BadCredentials("Wrong key."), ValueError("broken")):
            assert "retryable" not in _documented(await _failing(rest, error))


async def test_a_pause_that_is_asked_for_is_told_in_whole_seconds(rest):
    answer = await _failing(rest, NovitaUnavailable("Away.", retry_after=timedelta(seconds=19.2)))

    assert answer.headers["retry-after"] == "20"
    assert _documented(answer)["retryAfter"] == 20


async def test_hints_for_slack_are_not_told_to_programs(rest):
    answer = await _failing(rest, InvalidState("It is failed.", hint="/gpu delete a"))

    assert "/gpu" not in answer.text


@pytest.mark.parametrize(
    ("error", "field"),
    [(ProductNotFound, "productName"), (TemplateNotFound, "templateId"), (RegionNotFound, "region")],
)
async def test_near_names_are_details(rest, error, field):
    answer = await _failing(rest, error("None.", nearest=("RTX 4090 24GB", "RTX 4080")))

    assert _documented(answer)["details"] == [{"field": field, "reason": "nearest: RTX 4090 24GB, RTX 4080"}]
    assert "details" not in _documented(await _failing(rest, error("None.")))


@pytest.mark.parametrize(
    "broken", [ValueError("s3cret"), BotError("s3cret"), ExceptionGroup("g", [OSError()])]
)
async def test_the_unexpected_is_500_and_logged_under_the_reference_of_the_answer(rest, broken):
    rest.operations.failure = broken
    with capture_logs() as logs:
        answer = await rest.http.post(
            "/api/instances",
            json={"name": "a", "productName": "b", "templateId": "c"},
            headers={"X-Request-ID": "req-7"},
        )

    assert (answer.status_code, _documented(answer)["code"]) == (500, "INTERNAL_ERROR")
    assert "req-7" in answer.json()["error"]["message"]
    assert "s3cret" not in answer.text
    assert "Traceback" not in answer.text
    line, _answered = logs
    assert (line["event"], line["log_level"], line["exc_info"]) == ("rest.broken", "error", True)
    assert (line["method"], line["path"]) == ("POST", "/api/instances")


@pytest.mark.parametrize(
    ("method", "path", "status_code", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/", 404, "NOT_FOUND"),
        ("GET", "/api/instances/", 404, "NOT_FOUND"),
        ("POST", "/slack/events", 404, "NOT_FOUND"),
        ("PUT", "/api/instances", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/health", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/slack/events", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_an_address_or_method_that_is_not_there_is_told_like_any_error(
    rest, method, path, status_code, code
):
    answer = await rest.http.request(method, path)

    assert (answer.status_code, _documented(answer)["code"]) == (status_code, code)


async def test_a_wrong_method_is_told_which_ones_there_are(rest):
    paths = ("/api/instances", "/api/instances/a", "/health", "/docs")
    answers = [await rest.http.patch(path) for path in paths]

    assert [answer.headers["allow"] for answer in answers] == [
        "GET, POST",
        "GET, DELETE",
        "GET, HEAD",
        "GET, HEAD",
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a",',
        b"\xff\xfe\xfd",
        b"nonsense",
        b"[" * 100_000,
        b"1" * 5_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
)
async def test_what_is_not_json_is_400(build, body):
    rest = await build(request_size_limit=200_000)

    answer = await rest.http.post("/api/instances", content=body, headers=JSON)

    assert (answer.status_code, _documented(answer)["code"]) == (400, "VALIDATION_ERROR")
    assert "body" in answer.json()["error"]["message"]


async def test_broken_json_is_told_where_it_breaks(rest):
    answer = await rest.http.post("/api/instances", content=b'{"name": "a",}', headers=JSON)

    [detail] = _documented(answer)["details"]
    assert detail["field"] == "body"
    assert "is not JSON" in detail["reason"]
    assert "13" in detail["reason"]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"text"', b"7", b"NaN"])
async def test_json_that_is_no_object_is_400(rest, body):
    answer = await rest.http.post("/api/instances", content=body, headers=JSON)

    assert (answer.status_code, _documented(answer)["details"][0]["field"]) == (400, "body")


async def test_half_of_a_character_is_400(rest):
    body = json.dumps({"name": "a", "productName": "4090 \ud800", "templateId": "b"})
    answer = await rest.http.post("/api/instances", content=body.encode(), headers=JSON)

    assert (answer.status_code, _documented(answer)["details"][0]["field"]) == (400, "productName")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "text/a+json", ""]
)
async def test_another_content_type_is_415(rest, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await rest.http.post("/api/instances", content=b'{"name": "a"}', headers=headers)

    assert (answer.status_code, _documented(answer)["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert rest.operations.creations == []


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/a+json"]
)
async def test_json_by_another_spelling_is_taken(rest, content_type):
    body = b'{"name": "a", "productName": "b", "templateId": "c"}'
    answer = await rest.http.post("/api/instances", content=body, headers={"Content-Type": content_type})

    assert answer.status_code == 201


async def test_a_post_without_body_and_content_type_is_told_what_is_missing(rest):
    answer = await rest.http.post("/api/instances")

    assert (answer.status_code, _documented(answer)["details"][0]["field"]) == (400, "body")


async def test_a_webhook_that_may_not_be_named_is_told_at_its_field(rest):
    rest.operations.failure = ForbiddenReceiver("Name a public host.")

    answer = await rest.create()

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert error["details"] == [{"field": "webhookUrl", "reason": "Name a public host."}]


async def test_while_the_database_is_down_it_is_503_and_no_line_of_its_own(rest):
    rest.operations.failure = DatabaseUnavailable("down")

    with capture_logs() as logs:
        reading, changing = await rest.http.get("/api/instances"), await rest.create()

    told = [
        (a.status_code, a.json()["error"]["code"], a.json()["error"].get("retryable"))
        for a in (reading, changing)
    ]
    assert told == [(503, "SERVICE_UNAVAILABLE", True), (503, "SERVICE_UNAVAILABLE", None)]
    assert "rest.broken" not in [line["event"] for line in logs]
