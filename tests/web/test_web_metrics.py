"""GET /metrics and GET /api/metrics."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from measured import series, tally, told
from pydantic import SecretStr
from samples import NOW, running
from starlette.responses import PlainTextResponse
from structlog.testing import capture_logs

from bot.census import Census
from bot.metrics import Metrics
from bot.web import metrics as routes

CENSUS = Census(
    instances={"creating": 1, "running": 3, "failed": 2, "deleted": 40},
    due=2,
    usd_per_hour=Decimal("1.08"),
    pending=4,
    dead=5,
    oldest_pending_at=NOW - timedelta(seconds=90),
    listed_at=NOW - timedelta(seconds=7),
)

DOCUMENTED = [
    *(f"requests.{name}" for name in ("total", "successful", "failed", "averageResponseTime")),
    *(f"instances.{name}" for name in ("total", "creating", "running", "failed")),
    *(f"jobs.{name}" for name in ("pending", "processing", "completed", "failed")),
    *(f"cache.{name}" for name in ("hits", "misses", "hitRate")),
    "system.uptime",
    *(f"system.memoryUsage.{name}" for name in ("used", "total", "percentage")),
]


async def _counted() -> Census:
    return CENSUS


async def _scrape(rest):
    answer = await rest.http.get("/metrics")
    assert answer.status_code == 200
    return series(answer.text)


async def _figures(rest):
    answer = await rest.http.get("/api/metrics")
    assert answer.status_code == 200
    return answer.json()


def _at(figures, path):
    for name in path.split("."):
        figures = figures[name]
    return figures


@pytest.mark.parametrize("path", DOCUMENTED)
async def test_every_documented_path_is_a_number_before_anything_has_happened(rest, path):
    found = _at(await _figures(rest), path)

    assert isinstance(found, int | float)
    assert not isinstance(found, bool)


async def test_there_is_nothing_but_the_documented_paths(rest):
    def paths(value, at=""):
        if not isinstance(value, dict):
            return {at[1:]}
        return {path for name, inner in value.items() for path in paths(inner, f"{at}.{name}")}

    assert paths(await _figures(rest)) == set(DOCUMENTED)


async def test_requests_are_counted_by_whether_they_succeeded(build):
    ticks = iter(range(1_000))
    rest = await build(metrics=Metrics(monotonic=lambda: next(ticks) / 4))
    await rest.create()
    await rest.http.get("/health")
    await rest.http.get("/api/instances/nothing")

    shown = (await _figures(rest))["requests"]

    # Each took one tick of a quarter of a second; this one is not answered yet.
    assert shown == {"total": 3, "successful": 2, "failed": 1, "averageResponseTime": 250}


async def test_instances_are_those_of_the_database_and_the_total_has_no_deleted_ones(build):
    rest = await build(census=_counted)

    shown = (await _figures(rest))["instances"]

    assert shown == {"total": 6, "creating": 1, "running": 3, "failed": 2}


async def test_jobs_are_steps_and_deliveries(build):
    rest = await build(census=_counted)
    rest.metrics.read("in_flight", lambda: {"step": 1, "delivery": 2, "card": 9})
    for outcome in ("done", "done", "failed"):
        rest.metrics.stepped(outcome)
    for kind, outcome in (("webhook", "delivered"), ("notice", "later"), ("card", "delivered")):
        rest.metrics.attempted(kind, outcome)

    shown = (await _figures(rest))["jobs"]

    assert shown == {"pending": 3, "processing": 3, "completed": 3, "failed": 5}


async def test_the_hit_rate_is_between_nothing_and_one(rest):
    assert (await _figures(rest))["cache"] == {"hits": 0, "misses": 0, "hitRate": 0}
    for hit in (True, True, True, False):
        rest.metrics.cache_asked(hit=hit)

    assert (await _figures(rest))["cache"] == {"hits": 3, "misses": 1, "hitRate": 0.75}


async def test_memory_is_in_megabytes_and_uptime_in_seconds(rest, monkeypatch):
    monkeypatch.setattr(routes, "used_bytes", lambda: 128 * 2**20)
    monkeypatch.setattr(routes, "total_bytes", lambda: 512 * 2**20)
    rest.now = NOW + timedelta(minutes=2, milliseconds=5)

    assert (await _figures(rest))["system"] == {
        "uptime": 120.005,
        "memoryUsage": {"used": 128, "total": 512, "percentage": 25},
    }


async def test_prometheus_is_told_the_same_in_its_own_words(build):
    rest = await build(census=_counted)
    rest.health.dependencies = {"novitaApi": lambda: None, "slack": lambda: NOW}
    answer = await rest.http.get("/metrics")
    text = answer.text

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    ours = {
        (name.removeprefix("gpu_bot_"), *(value for _, value in sorted(labels))): value
        for (name, labels), value in series(text).items()
    }
    assert ours["instances", "running"] == 3
    assert ours["instances_due",] == 2
    assert ours["spend_usd_per_hour",] == 1.08
    assert ours["list_age_seconds",] == 7
    assert ours["deliveries_pending",] == 4
    assert ours["deliveries_dead",] == 5
    assert ours["delivery_oldest_age_seconds",] == 90
    assert ours["dependency_up", "novitaApi"] == 1
    assert ours["dependency_up", "slack"] == 0
    assert ours["build_info", "1.2.3"] == 1
    assert ours["process_resident_memory_bytes",] > 1_000_000


async def test_nothing_pending_has_no_age_and_no_list_yet_is_left_out(rest):
    shown = await _scrape(rest)

    assert shown["gpu_bot_delivery_oldest_age_seconds", frozenset()] == 0
    assert ("gpu_bot_list_age_seconds", frozenset()) not in shown


async def test_without_its_database_the_rest_is_told_and_the_log_says_so_once(build):
    broken = True

    async def census():
        if broken:
            raise OSError("no database")
        return CENSUS

    rest = await build(census=census)
    with capture_logs() as logs:
        first, second = await _scrape(rest), await _scrape(rest)
    assert not any(name == "gpu_bot_instances" for name, _ in first)
    assert any(name == "gpu_bot_rest_requests_total" for name, _ in second)
    assert [(line["event"], line["why"]) for line in logs] == [("census.failing", "OSError")]

    broken = False
    assert ("gpu_bot_spend_usd_per_hour", frozenset()) in await _scrape(rest)
    broken = True
    assert ("gpu_bot_spend_usd_per_hour", frozenset()) not in await _scrape(rest)


async def test_a_database_that_is_silent_does_not_keep_prometheus_waiting(build, monkeypatch):
    monkeypatch.setattr(routes, "_CENSUS_WITHIN", timedelta(seconds=0.01))

    async def census():
        await asyncio.Event().wait()

    rest = await build(census=census)
    with capture_logs() as logs:
        assert ("process_cpu_seconds_total", frozenset()) in await _scrape(rest)
    assert [line["why"] for line in logs] == ["TimeoutError"]


async def test_without_its_database_the_figures_are_an_error_and_not_zero(build):
    async def census():
        raise OSError("no database")

    rest = await build(census=census)
    with capture_logs():
        assert (await rest.http.get("/api/metrics")).status_code == 500


@pytest.mark.parametrize("path", ["/metrics", "/api/metrics"])
async def test_both_need_a_key(build, path):
    rest = await build(api_keys=(SecretStr("k" * 20),), caller=("10.0.0.9", 5))

    assert (await rest.http.get(path)).status_code == 401


async def test_requests_are_counted_by_template_and_never_by_address(build):
    async def slack(request):
        return PlainTextResponse("")

    rest = await build(slack_handler=slack, api_keys="none")
    rest.operations.instances.append(running())
    await rest.http.get("/api/instances/my-train")
    await rest.http.get("/api/instances/nothing")
    await rest.create(templateId="")
    await rest.http.post("/slack/events")
    await rest.http.get("/docs")
    for number in range(3):
        await rest.http.get(f"/nothing/{number}")
        await rest.http.request(f"BREW{number}", "/health")

    # In the order of the labels' names: code, method, route.
    assert tally(rest.metrics, "rest_requests") == {
        ("200", "GET", "/api/instances/{id}"): 1,
        ("404", "GET", "/api/instances/{id}"): 1,
        ("400", "POST", "/api/instances"): 1,
        ("200", "POST", "/slack/events"): 1,
        ("200", "GET", "/docs"): 1,
        ("404", "GET", "unrouted"): 3,
        ("405", "other", "/health"): 3,
    }
    assert tally(rest.metrics, "rest_request_duration_seconds")["GET", "/api/instances/{id}"] == 2


async def test_what_was_refused_before_its_route_is_counted(build):
    rest = await build(api_keys=(SecretStr("k" * 20),))
    await rest.http.get("/api/instances")

    assert tally(rest.metrics, "rest_requests") == {("401", "GET", "unrouted"): 1}


async def test_an_unexpected_error_and_a_cut_off_request_are_failures(build):
    begun = asyncio.Event()

    async def slack(request):
        begun.set()
        await asyncio.Event().wait()

    rest = await build(slack_handler=slack, api_keys="none")
    rest.operations.failure = ValueError()
    with capture_logs():
        assert (await rest.http.get("/api/instances")).status_code == 500
    waiting = asyncio.create_task(rest.http.post("/slack/events"))
    await begun.wait()
    waiting.cancel()
    await asyncio.wait({waiting})

    assert rest.metrics.requests().total == rest.metrics.requests().failed == 2
    assert told(rest.metrics, "rest_requests_total", method="POST", route="/slack/events", code="none") == 1


async def test_nothing_of_the_caller_gets_into_a_label(build):
    secret = "sk_very_secret_key_1"
    rest = await build(api_keys=(SecretStr(secret),))
    headers = {"Authorization": f"Bearer {secret}", "X-Request-ID": "req-canary", "User-Agent": "ua-canary"}
    await rest.http.get("/api/instances/id-canary?limit=query-canary", headers=headers)

    text = (await rest.http.get("/metrics", headers=headers)).text
    assert "canary" not in text
    assert secret not in text
