"""GET /health and GET /ready."""

from __future__ import annotations

from datetime import timedelta

import pytest
from samples import NOW


def _fill(health, **since):
    parts = {"novitaApi": None, "slack": None, "database": None, "scheduler": None, **since}
    health.dependencies = {name: (lambda at=at: at) for name, at in parts.items()}


async def _health(rest):
    answer = await rest.http.get("/health")
    return answer.status_code, answer.json()


async def test_health_shows_every_documented_field(rest):
    _fill(rest.health)
    rest.health.beat(NOW)
    rest.now = NOW + timedelta(seconds=12, microseconds=345_678)

    names = ["novitaApi", "slack", "database", "scheduler", "eventLoop"]
    assert await _health(rest) == (
        200,
        {
            "status": "healthy",
            "timestamp": "2026-11-23T12:00:12.345Z",
            "uptime": 12.346,
            "version": "1.2.3",
            "dependencies": dict.fromkeys(names, "healthy"),
            "services": dict.fromkeys(names, "up"),
            "unhealthySince": {},
        },
    )


async def test_only_what_is_in_use_is_shown(rest):
    rest.health.dependencies = {"novitaApi": lambda: None}

    assert (await _health(rest))[1]["dependencies"] == {"novitaApi": "healthy"}


@pytest.mark.parametrize("name", ["novitaApi", "slack"])
async def test_an_outage_of_others_stays_healthy_and_tells_since_when(rest, name):
    _fill(rest.health, **{name: NOW})

    status_code, shown = await _health(rest)

    assert (status_code, shown["status"]) == (200, "healthy")
    assert (shown["dependencies"][name], shown["services"][name]) == ("unhealthy", "down")
    assert shown["unhealthySince"] == {name: "2026-11-23T12:00:00.000Z"}


@pytest.mark.parametrize("name", ["database", "scheduler"])
async def test_what_this_process_cannot_do_without_is_503(rest, name):
    _fill(rest.health, **{name: NOW})

    status_code, shown = await _health(rest)

    assert (status_code, shown["status"], shown["dependencies"][name]) == (503, "unhealthy", "unhealthy")


async def test_a_loop_that_was_blocked_is_503_until_it_beats_again(rest):
    rest.health.beat(NOW)
    rest.now = NOW + timedelta(seconds=30)
    assert (await _health(rest))[0] == 200

    rest.now = NOW + timedelta(seconds=31)
    status_code, shown = await _health(rest)
    assert (status_code, shown["unhealthySince"]) == (503, {"eventLoop": "2026-11-23T12:00:00.000Z"})

    rest.health.beat(rest.now)
    assert (await _health(rest))[0] == 200


async def test_health_is_answered_while_operations_are_broken(rest):
    rest.operations.failure = OSError("database gone")

    assert (await _health(rest))[0] == 200


async def test_ready_follows_the_life_of_the_service(rest):
    async def ready():
        answer = await rest.http.get("/ready")
        return answer.status_code, answer.json()

    _fill(rest.health)
    assert await ready() == (503, {"status": "starting"})
    rest.health.ready = True
    assert await ready() == (200, {"status": "ready"})
    _fill(rest.health, database=NOW)
    assert await ready() == (503, {"status": "database"})
    rest.health.stopping = True
    assert await ready() == (503, {"status": "stopping"})


async def test_an_outage_of_others_stays_ready(rest):
    _fill(rest.health, novitaApi=NOW, slack=NOW)
    rest.health.ready = True

    assert (await rest.http.get("/ready")).status_code == 200


async def test_without_a_known_database_it_can_be_ready(rest):
    rest.health.ready = True

    assert (await rest.http.get("/ready")).status_code == 200


async def test_a_stopping_process_still_works(rest):
    _fill(rest.health)
    rest.health.stopping = True

    assert (await _health(rest))[0] == 200


@pytest.mark.parametrize(("path", "status_code"), [("/health", 200), ("/ready", 503)])
async def test_a_watcher_may_ask_for_the_status_code_alone(rest, path, status_code):
    assert (await rest.http.head(path)).status_code == status_code


async def test_a_service_that_stops_answers_and_takes_nothing_new(rest):
    rest.health.ready = True
    rest.health.stopping = True

    refused = await rest.create()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert refused.headers["Retry-After"] == "5"
    assert (await rest.http.get("/api/instances")).status_code == 200
    assert (await rest.http.get("/ready")).json() == {"status": "stopping"}
