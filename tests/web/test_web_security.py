"""Who may call."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr
from samples import NOW
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bot.web import security
from bot.web.security import OPEN, Gate, Inbound
from bot.web.server import WebServer

KEYS = (SecretStr("first-key"), SecretStr("second-key"))


async def _slack(request):
    return PlainTextResponse("ok")


async def _refused(rest, **request):
    answer = await rest.http.get("/api/instances", **request)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    error = answer.json()["error"]
    assert error["code"] == "AUTHENTICATION_ERROR"
    return error["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer first-key"},
        {"Authorization": "bearer second-key"},
        {"Authorization": "Bearer   second-key "},
        {"X-API-Key": "second-key"},
        {"X-API-Key": "first-key", "Authorization": "Bearer wrong"},
        [("X-API-Key", "wrong"), ("X-API-Key", "first-key")],
    ],
)
async def test_any_of_the_keys_opens_from_anywhere(build, headers):
    rest = await build(api_keys=KEYS, caller=("203.0.113.9", 1), base_url="http://gpu.example.com")

    assert (await rest.http.get("/api/instances", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer first-ke"},
        {"Authorization": "Bearer first-key2"},
        {"Authorization": "Bearer FIRST-KEY"},
        {"Authorization": "Basic first-key"},
        {"Authorization": "first-key"},
        {"X-API-Key": ""},
        {"X-API-Key": "first-key,second-key"},
        {"X-API-Key": "none"},
        {"X-API-Key": b"first-key\xff"},
    ],
)
async def test_without_one_of_the_keys_not_even_this_machine_gets_in(build, headers):
    rest = await build(api_keys=KEYS)

    assert "API_KEYS" in await _refused(rest, headers=headers)


async def test_keys_are_compared_in_constant_time_and_all_of_them(build, monkeypatch):
    compared = []
    real = security.hmac.compare_digest

    def watched(one, other):
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(security.hmac, "compare_digest", watched)
    rest = await build(api_keys=KEYS)
    for key in ("first-key", "wrong", "x" * 100):
        await rest.http.get("/api/instances", headers={"X-API-Key": key})

    assert compared == [(32, 32)] * 6


@pytest.mark.parametrize("caller", ["127.0.0.1", "127.8.9.1", "::1"])
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:3000", "127.0.0.1:3000", "[::1]", "[::1]:3000"])
async def test_without_keys_this_machine_gets_in(build, caller, host):
    rest = await build(caller=(caller, 1))

    assert (await rest.http.get("/api/instances", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "caller", [("203.0.113.9", 1), ("10.0.0.1", 1), ("2001:db8::1", 1), ("testclient", 1), None]
)
async def test_without_keys_another_machine_is_told_what_to_set(build, caller):
    assert "Set API_KEYS" in await _refused(await build(caller=caller))


@pytest.mark.parametrize(
    "host",
    [
        "gpu.example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "example.com:3000",
        "10.0.0.1",
        "[2001:db8::1]",
        "evil@localhost",
        "localhost@evil",
        "localhost:x",
        "localhost:3000:3000",
        "::1",
        "",
    ],
)
async def test_without_keys_a_name_that_only_points_here_does_not_get_in(build, host):
    assert "Set API_KEYS" in await _refused(await build(), headers={"Host": host})


async def test_without_keys_two_hosts_do_not_get_in(build):
    hosts = [("Host", "localhost"), ("Host", "evil.example.com")]

    assert "Set API_KEYS" in await _refused(await build(), headers=hosts)


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Anything"],
)
async def test_without_keys_nothing_comes_through_a_proxy(build, header):
    assert "Set API_KEYS" in await _refused(await build(), headers={header: "127.0.0.1"})


async def test_without_keys_nobody_gets_in_while_slack_comes_over_http(build):
    rest = await build(slack_handler=_slack)

    assert "Set API_KEYS" in await _refused(rest)
    assert (await rest.http.post("/slack/events")).text == "ok"


async def test_with_keys_rest_works_beside_slack_over_http(build):
    rest = await build(api_keys=KEYS, slack_handler=_slack)

    assert (await rest.http.get("/api/instances", headers={"X-API-Key": "first-key"})).status_code == 200


async def test_the_word_none_opens_it_to_all(build):
    rest = await build(
        api_keys="none", caller=("203.0.113.9", 1), base_url="http://gpu.example.com", slack_handler=_slack
    )
    forwarded = {"X-Forwarded-For": "198.51.100.7"}

    assert (await rest.http.get("/api/instances", headers=forwarded)).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/ready", "/docs", "/openapi.json"])
async def test_probes_and_the_description_need_no_key(build, path):
    rest = await build(api_keys=KEYS, caller=("203.0.113.9", 1))

    assert (await rest.http.get(path)).status_code in {200, 503}


async def test_what_slack_sends_needs_no_key(build):
    rest = await build(api_keys=KEYS, caller=("203.0.113.9", 1), slack_handler=_slack)

    assert (await rest.http.post("/slack/events", content=b"payload=x")).text == "ok"


def _paths(app):
    return {route.path for route in app.routes if isinstance(route, Route)} | set(app.openapi()["paths"])


async def test_every_other_address_needs_a_key(build):
    rest = await build(api_keys=KEYS)
    closed = _paths(rest.app) - OPEN

    assert {"/api/instances", "/api/instances/{id}", "/api/deliveries"} <= closed
    for path in [*closed, "/nothing", "//health", "/health/", "/HEALTH", "/docs/oauth2-redirect"]:
        for method in ("GET", "POST", "DELETE", "OPTIONS", "HEAD"):
            # Failures are limited too.
            rest.now += timedelta(minutes=1)
            assert (await rest.http.request(method, path)).status_code == 401, (method, path)


async def test_a_body_without_a_key_is_not_read(build):
    rest = await build(api_keys=KEYS)

    async def body():
        pytest.fail("read")
        yield b""

    answer = await rest.http.post(
        "/api/instances", content=body(), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 401


async def test_what_is_not_http_passes_untouched():
    passed = []

    async def app(scope, receive, send):
        passed.append(scope)

    inbound = Inbound(api_keys=KEYS, request_size_limit=1)
    await Gate(app, inbound=inbound, exposed=True, clock=lambda: NOW)({"type": "lifespan"}, None, None)

    assert passed == [{"type": "lifespan"}]


async def test_pages_of_other_origins_are_not_let_in_unless_named(build):
    preflight = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    closed = await build()
    answers = await asyncio.gather(
        closed.http.options("/api/instances", headers=preflight),
        closed.http.get("/api/instances", headers=preflight),
    )

    assert [answer.status_code for answer in answers] == [405, 200]
    assert not any("access-control-allow-origin" in answer.headers for answer in answers)


async def test_a_named_origin_may_call_with_a_key(build):
    rest = await build(api_keys=KEYS, cors_origin=("https://app.example.com",), cors_methods=("GET", "POST"))
    asked = {
        "Origin": "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key, content-type",
    }
    preflight = await rest.http.options("/api/instances", headers=asked)
    refused = await rest.http.get("/api/instances", headers={"Origin": "https://app.example.com"})
    foreign = await rest.http.options(
        "/api/instances", headers={**asked, "Origin": "https://evil.example.com"}
    )

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://app.example.com"
    assert preflight.headers["access-control-allow-methods"] == "GET, POST"
    assert "access-control-allow-credentials" not in preflight.headers
    assert preflight.headers["x-content-type-options"] == "nosniff"
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "access-control-allow-origin" not in foreign.headers


FOREIGN = {"Origin": "https://evil.example.com"}
SOUND = {"name": "a", "productName": "b", "templateId": "c"}


@pytest.mark.parametrize("inbound", [{}, {"api_keys": "none"}])
@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "null", "http://localhost:8080", "http://localhost:3000", ""]
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/instances"), ("DELETE", "/api/instances/a")])
async def test_where_no_key_is_needed_a_foreign_page_changes_nothing(build, inbound, origin, method, path):
    rest = await build(**inbound)

    answer = await rest.http.request(method, path, headers={"Origin": origin})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert "CORS_ORIGIN" in answer.json()["error"]["message"]


@pytest.mark.parametrize("named", [("https://evil.example.com",), ("*",)])
async def test_a_page_that_was_named_may_change_things(build, named):
    rest = await build(cors_origin=named)

    assert (await rest.http.post("/api/instances", json=SOUND, headers=FOREIGN)).status_code == 201


async def test_of_two_origins_both_must_be_named(build):
    rest = await build(cors_origin=("https://app.example.com",))
    origins = [("Origin", "https://app.example.com"), *FOREIGN.items()]

    assert (await rest.http.post("/api/instances", json=SOUND, headers=origins)).status_code == 403


async def test_a_key_is_enough_wherever_the_page_comes_from(build):
    rest = await build(api_keys=KEYS)
    headers = {**FOREIGN, "X-API-Key": "first-key"}

    assert (await rest.http.post("/api/instances", json=SOUND, headers=headers)).status_code == 201


@pytest.mark.parametrize("header", ["Via", "X-Real-IP", "X-Forwarded"])
async def test_without_keys_whatever_a_proxy_leaves_behind_is_enough(build, header):
    assert "Set API_KEYS" in await _refused(await build(), headers={header: "1.1 proxy"})


async def test_what_a_header_says_about_the_caller_lets_nobody_in(build):
    rest = await build(caller=("203.0.113.9", 1))
    for header in (
        "X-Forwarded-For",
        "X-Real-IP",
        "Forwarded",
        "X-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
    ):
        await _refused(rest, headers={header: "127.0.0.1"})


@pytest.mark.parametrize("path", ["/health", "/nothing", "/api/instances"])
async def test_a_websocket_is_closed_before_anything_sees_it(build, path):
    rest = await build(api_keys="none")
    scope = {"type": "websocket", "path": path, "headers": [], "client": ("127.0.0.1", 1)}
    sent = []

    async def send(message):
        sent.append(message)

    await rest.app(scope, None, send)

    assert sent == [{"type": "websocket.close", "code": 1008}]


AROUND = [
    "/api/instances",
    "//api/instances",
    "/%61pi/instances",
    "/api%2Finstances",
    "/health/../api/instances",
    "/health/%2e%2e/api/instances",
    "/health%2F..%2Fapi/instances",
    "/health;/../api/instances",
    "/health%00",
    "/health%3F",
    "/health%23/api/instances",
    "/docs/../api/instances",
    "/./health",
    "/health/",
    "/Health",
    "http://localhost/api/instances",
    "*",
    "/api/instances?x=/health",
    "/api/instances#/health",
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "TRACE"])
async def test_no_spelling_of_an_address_gets_around_the_key(serving, method):
    answers = {target: await serving(method, target) for target in AROUND}

    assert set(answers.values()) <= {400, 401}, answers


async def test_probes_are_found_by_every_spelling_of_their_own_address(serving):
    for method in ("GET", "HEAD"):
        for target in ("/health", "/%68ealth", "/health?a=/api", "/health?", "http://localhost/health"):
            assert await serving(method, target) == 200


async def test_an_upgrade_to_a_websocket_is_no_way_in(serving):
    upgrade = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a\r\n"
    )

    assert await serving("GET", "/api/instances", upgrade) == 401


async def test_a_second_request_in_a_body_is_no_way_in(serving):
    smuggled = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"

    assert await serving("POST", "/health", smuggled) in {400, 405}


@pytest.fixture
async def serving(build):
    """Sends a request line as it is, through uvicorn, without a key; gives the status code."""
    rest = await build(api_keys=KEYS)
    server = WebServer(rest.app, "127.0.0.1", 0)
    await server.start()

    async def ask(method, target, headers=""):
        # Failures are limited too.
        rest.now += timedelta(minutes=1)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        request = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
        writer.write(request.encode())
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return int(answer.split(b" ", 2)[1])

    yield ask
    await server.stop(timedelta(seconds=5))
