"""How often a caller may ask, and may fail to be let in."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr
from samples import NOW, seconds
from starlette.responses import PlainTextResponse
from structlog.testing import capture_logs

from bot import parts
from bot.settings import load
from bot.web.limiter import Limiter
from bot.web.quotas import Quota, address_of
from bot.web.rates import creates
from bot.web.security import Gate, Inbound

KEYS = (SecretStr("first-key"), SecretStr("second-key"))
FIRST, SECOND = ({"X-API-Key": key.get_secret_value()} for key in KEYS)
EPOCH = int(NOW.timestamp())
MINUTE = timedelta(minutes=1)


def _told(answer):
    """Limit, remaining and reset, in seconds after NOW."""
    limit, remaining, reset = (
        int(answer.headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "reset")
    )
    return limit, remaining, reset - EPOCH


def _untold(answer):
    return not any(name.startswith("x-ratelimit") for name in answer.headers)


async def _spend(rest, count, path="/api/instances", **request):
    for _ in range(count):
        assert (await rest.http.get(path, **request)).status_code != 429


async def _refused(rest, path="/api/instances", **request):
    answer = await rest.http.get(path, **request)
    assert answer.status_code == 429
    return answer


async def test_every_answer_tells_how_many_requests_remain_and_until_when(rest):
    answers = [await rest.http.get("/api/instances") for _ in range(2)]
    rest.now += seconds(30)
    later = await rest.http.get("/api/instances")

    assert [_told(answer) for answer in (*answers, later)] == [(100, 99, 60), (100, 98, 60), (100, 97, 60)]


async def test_the_first_request_too_many_is_told_when_to_come_back(build):
    rest = await build(rate_limit_max_requests=3)
    await _spend(rest, 3)
    rest.now += seconds(47.5)

    answer = await _refused(rest)

    error = answer.json()["error"]
    assert (error["code"], error["retryable"], error["retryAfter"]) == ("RATE_LIMIT_EXCEEDED", True, 13)
    assert answer.headers["retry-after"] == "13"
    assert _told(answer) == (3, 0, 60)
    assert error["message"] == "The limit is 3 requests in 60 seconds."


async def test_at_the_reset_that_is_told_everything_is_there_again_and_not_before(build):
    rest = await build(rate_limit_max_requests=10, rate_limit_window=timedelta(seconds=90.2))
    rest.now += seconds(0.7)
    await _spend(rest, 10)
    *_, reset = _told(await _refused(rest))

    rest.now = NOW + seconds(reset - 1)
    await _refused(rest)
    rest.now = NOW + seconds(reset)

    assert reset == 92
    assert _told(await rest.http.get("/api/instances")) == (10, 9, reset + 91)


async def test_keys_are_counted_apart_and_wherever_they_come_from(build):
    rest = await build(api_keys=KEYS, rate_limit_max_requests=2, caller=("203.0.113.9", 1))
    await _spend(rest, 2, headers=FIRST)
    await _refused(rest, headers=FIRST)
    await _refused(rest, headers={"Authorization": "Bearer first-key"})

    assert _told(await rest.http.get("/api/instances", headers=SECOND)) == (2, 1, 60)


async def _get_from(rest, host):
    transport = httpx.ASGITransport(app=rest.app, client=(host, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://gpu.example.com") as http:
        return await http.get("/api/instances")


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("203.0.113.1", "203.0.113.2", False),
        ("203.0.113.1", "::ffff:203.0.113.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("a-socket", "b-socket", False),
    ],
)
async def test_without_keys_an_address_is_counted_and_an_ipv6_one_by_its_network(build, one, other, shared):
    rest = await build(api_keys="none", rate_limit_max_requests=2)
    answers = [await _get_from(rest, host) for host in (one, one, one, other)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429 if shared else 200]


async def test_what_a_proxy_says_does_not_make_another_address(build):
    rest = await build(api_keys="none", rate_limit_max_requests=2)
    for number in range(2):
        await _spend(rest, 1, headers={"X-Forwarded-For": f"203.0.113.{number}"})

    await _refused(rest, headers={"X-Forwarded-For": "203.0.113.77"})


async def test_callers_without_an_address_are_counted_as_one(build):
    rest = await build(api_keys="none", rate_limit_max_requests=2, caller=None)
    await _spend(rest, 2)
    await _refused(rest)


async def test_ten_creates_a_minute_are_taken_and_reading_goes_on(rest):
    for remaining in range(9, -1, -1):
        assert _told(await rest.create()) == (10, remaining, 60)

    answer = await rest.create()

    assert (answer.status_code, _told(answer)) == (429, (10, 0, 60))
    assert answer.json()["error"]["message"] == "The limit is 10 creates in 60 seconds."
    assert len(rest.operations.creations) == 10
    assert (await rest.http.get("/api/instances")).status_code == 200
    rest.now += MINUTE
    assert (await rest.create()).status_code == 201


async def test_a_create_counts_as_a_request_and_a_refused_one_as_nothing(rest):
    for _ in range(15):
        await rest.create()

    assert _told(await rest.http.get("/api/instances")) == (100, 89, 60)


async def test_a_create_that_is_one_request_too_many_leaves_the_creates_as_they_are(build):
    rest = await build(rate_limit_max_requests=12, rate_limit_window=seconds(60))
    await _spend(rest, 11)
    last, refused = await rest.create(), await rest.create()
    rest.now += MINUTE

    assert (_told(last), _told(refused)) == ((12, 0, 60), (12, 0, 60))
    assert refused.status_code == 429
    assert _told(await rest.create()) == (10, 9, 120)


async def test_of_two_limits_that_are_spent_the_later_one_is_told(build):
    rest = await build(rate_limit_max_requests=10, rate_limit_window=timedelta(minutes=5))
    for _ in range(10):
        last = await rest.create()

    assert [_told(last), _told(await rest.create())] == [(10, 0, 300)] * 2


@pytest.mark.parametrize("path", ["/api/instances/a/start", "/api/instances/"])
async def test_only_the_create_itself_is_a_create(rest, path):
    assert _told(await rest.http.post(path))[0] == 100


async def test_a_create_by_another_spelling_of_its_address_is_one(rest):
    answer = await rest.http.post("/%61pi/instances", json={})

    assert (answer.status_code, _told(answer)) == (400, (10, 9, 60))


@pytest.mark.parametrize(
    ("most", "window", "per_minute"),
    [
        (100, 60, 10),
        (10, 60, 10),
        (101, 60, 10),
        (110, 60, 11),
        (1_000, 60, 100),
        (100, 3_600, 10),
        (1_000, 600, 10),
        (60_000, 3_600, 100),
    ],
)
def test_creates_are_ten_a_minute_or_a_tenth_of_a_raised_maximum(most, window, per_minute):
    assert creates(most, seconds(window)) == Quota(name="creates", most=per_minute, within=MINUTE)


async def test_probes_and_slack_are_never_limited(build):
    async def slack(request):
        return PlainTextResponse("ok")

    rest = await build(api_keys="none", rate_limit_max_requests=1, slack_handler=slack)
    await _spend(rest, 1)
    await _refused(rest)

    for method, path in [
        ("GET", "/health"),
        ("HEAD", "/health"),
        ("GET", "/ready"),
        ("POST", "/slack/events"),
    ]:
        for _ in range(3):
            answer = await rest.http.request(method, path)
            assert answer.status_code in {200, 503}
            assert _untold(answer)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
async def test_the_description_is_limited_by_address(build, path):
    rest = await build(api_keys=KEYS, rate_limit_max_requests=2)
    await _spend(rest, 2, path)
    await _refused(rest, path)

    assert (await rest.http.get("/api/instances", headers=FIRST)).status_code == 200


async def test_errors_tell_what_remains(rest):
    answers = [
        await rest.create(name="a b"),
        await rest.create(name="x" * 2_000),
        await rest.http.get("/api/instances/nothing"),
        await rest.http.get("/nothing"),
        await rest.http.put("/api/instances"),
    ]
    rest.operations.failure = ValueError("broken")
    with capture_logs():
        answers.append(await rest.http.get("/api/instances"))
    rest.health.stopping = True
    answers.append(await rest.create())

    assert [answer.status_code for answer in answers] == [400, 413, 404, 404, 405, 500, 503]
    assert [_told(answer)[1] for answer in answers] == [9, 8, 97, 96, 95, 94, 7]


async def test_pages_of_a_named_origin_may_read_what_remains(build):
    rest = await build(cors_origin=("https://app.example.com",))

    answer = await rest.http.get("/api/instances", headers={"Origin": "https://app.example.com"})

    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= exposed


async def test_ten_wrong_keys_a_minute_are_answered_401_and_then_429(build):
    rest = await build(api_keys=KEYS)
    for remaining in range(9, -1, -1):
        answer = await rest.http.get("/api/instances", headers={"X-API-Key": f"guess-{remaining}"})
        assert (answer.status_code, _told(answer)) == (401, (10, remaining, 60))
    rest.now += seconds(20)

    answer = await _refused(rest, headers={"X-API-Key": "guess"})

    assert (answer.headers["retry-after"], _told(answer)) == ("40", (10, 0, 60))
    assert "Send one of the keys of API_KEYS" in answer.json()["error"]["message"]
    rest.now += seconds(40)
    assert (await rest.http.get("/api/instances")).status_code == 401


async def test_a_right_key_gets_in_from_an_address_that_has_failed_too_often(build):
    rest = await build(api_keys=KEYS)
    await _spend(rest, 10)
    await _refused(rest)

    answer = await rest.http.get("/api/instances", headers=FIRST)

    assert (answer.status_code, _told(answer)) == (200, (100, 99, 60))
    await _refused(rest)


async def test_whoever_is_not_let_in_takes_nothing_from_those_who_are(build):
    rest = await build(api_keys=KEYS, rate_limit_max_requests=10)
    await _spend(rest, 10)
    for _ in range(5):
        await _refused(rest, headers={"X-API-Key": "wrong"})

    assert _told(await rest.http.get("/api/instances", headers=FIRST))[1] == 9
    assert _told(await rest.http.get("/docs"))[1] == 9


async def test_failures_are_counted_by_address(build):
    rest = await build(api_keys=KEYS)
    hosts = ["203.0.113.1"] * 11 + ["203.0.113.2"]

    answers = [await _get_from(rest, host) for host in hosts]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429, 401]


async def test_refusals_without_keys_are_counted_too_and_this_machine_still_gets_in(build):
    rest = await build()
    await _spend(rest, 10, headers={"Host": "evil.example.com"})

    assert "Set API_KEYS" in (await _refused(rest, headers={"Host": "evil.example.com"})).text
    assert (await rest.http.get("/api/instances")).status_code == 200


async def test_many_keys_in_one_request_are_not_many_guesses(build):
    rest = await build(api_keys=KEYS)
    guesses = [("X-API-Key", f"guess-{number}") for number in range(4)]

    assert (await rest.http.get("/api/instances", headers=[*guesses[:3], *FIRST.items()])).status_code == 200
    assert (await rest.http.get("/api/instances", headers=[*guesses, *FIRST.items()])).status_code == 401


@pytest.mark.parametrize(
    ("headers", "path", "caller"),
    [
        (FIRST, "/api/instances", "key-1"),
        (SECOND, "/api/instances", "key-2"),
        ({**SECOND, "Authorization": "Bearer first-key"}, "/api/instances", "key-2"),
        (FIRST, "/docs", "203.0.113.9"),
        ({}, "/health", "203.0.113.9"),
    ],
)
async def test_later_layers_are_told_who_calls_and_never_a_key(headers, path, caller):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["state"])

    inbound = Inbound(api_keys=KEYS, request_size_limit=1)
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "method": "GET", "headers": raw, "state": {}}
    gate = Gate(app, inbound=inbound, exposed=False, clock=lambda: NOW)
    await gate({**scope, "client": ("203.0.113.9", 1)}, None, None)

    assert seen == [{"caller": caller}]


def test_the_limits_are_those_of_the_settings():
    settings = load(
        {"NOVITA_API_KEY": "nv", "RATE_LIMIT_WINDOW_MS": "900000", "RATE_LIMIT_MAX_REQUESTS": "250"}
    )

    inbound = parts.inbound(settings)

    assert (inbound.rate_limit_window, inbound.rate_limit_max_requests) == (timedelta(minutes=15), 250)


ONE = Quota(name="one", most=1, within=MINUTE)


def test_the_memory_of_callers_is_bounded_and_the_oldest_are_forgotten_first():
    limiter = Limiter(most_callers=3)
    for number in range(4):
        assert limiter.take(f"c{number}", [ONE], NOW + seconds(number)).allowed

    later = NOW + seconds(4)
    assert [limiter.take(f"c{number}", [ONE], later).allowed for number in (3, 2, 1)] == [False] * 3
    assert limiter.take("c0", [ONE], later).allowed


def test_callers_whose_window_is_over_are_forgotten():
    limiter = Limiter()
    for number in range(100):
        limiter.take(f"c{number}", [ONE], NOW)
    limiter.take("one", [ONE], NOW + seconds(60))

    [count] = limiter._counts.values()
    assert len(count._windows._windows) == 1


def test_a_clock_that_is_set_back_keeps_nobody_out():
    limiter = Limiter()
    limiter.take("one", [ONE], NOW + timedelta(hours=5))

    standing = limiter.take("one", [ONE], NOW)

    assert (standing.allowed, standing.resets_at) == (True, NOW + MINUTE)


def test_a_window_is_told_apart_from_one_of_another_quota():
    limiter = Limiter()
    other = Quota(name="other", most=1, within=MINUTE)
    limiter.take("one", [ONE], NOW)

    assert limiter.take("one", [other], NOW).allowed
    assert not limiter.take("one", [other, ONE], NOW).allowed


def test_what_is_counted_can_be_cleared_for_one_and_for_all():
    [count] = _counted("one")._counts.values()
    windows, key = count._windows, count._item.key_for("one")

    assert (windows.get(key), windows.clear(key), windows.get(key)) == (1, None, 0)
    count.take("one", windows.now)
    assert (windows.reset(), windows.reset()) == (1, 0)
    assert windows.get_expiry(key) == windows.now
    assert windows.check()


def _counted(caller):
    limiter = Limiter()
    limiter.take(caller, [ONE], NOW)
    return limiter


def test_counting_starts_no_thread():
    before = set(threading.enumerate())
    _counted("one")

    assert set(threading.enumerate()) == before


def test_the_library_is_not_imported_before_the_first_request_that_counts():
    command = [sys.executable, "-c", "import sys, bot.app; sys.exit('limits' in sys.modules)"]

    assert subprocess.run(command, check=False).returncode == 0


def test_an_address_is_told_as_it_is_counted():
    assert address_of(("2001:DB8::1", 1)) == "2001:db8::/64"
    assert address_of(("127.0.0.1", 1)) == "127.0.0.1"
    assert address_of(None) == "unknown"
