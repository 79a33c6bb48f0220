"""Two replicas as processes of their own on one PostgreSQL, their machines' clocks five minutes apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bot.sandbox.novita.faults import Slow
from tests.e2e.lives import Service
from tests.e2e.replicas import Replicas
from tests.e2e.stage import GPU, PATIENCE, Stage
from tests.storage.storage_postgres import PostgresServer, clone, running_server

pytestmark = pytest.mark.slow

AS_IN_LIFE = {"lease": 20.0, "renew_every": 7.0}
TAKEN_OVER_WITHIN = 30.0
FIVE_MINUTES = 300.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    with clone(server, "replicas") as url:
        yield url


@pytest.fixture
def replicas(url: str, stage: Stage) -> Replicas:
    """The stage ends first, and with it whoever uses the database."""
    return Replicas(stage=stage, url=url)


async def idle(replicas: Replicas, within: float = PATIENCE) -> None:
    async with asyncio.timeout(within):
        while not replicas.is_idle():
            await replicas.stage.later(0.1)


async def test_what_a_killed_replica_was_at_is_taken_over_within_30_seconds(replicas: Replicas) -> None:
    stage = replicas.stage
    stage.novita.faults.add("create", Slow(1.5), times=None)
    names = [f"train-{n}" for n in range(6)]
    first = await replicas.start(timings=AS_IN_LIFE, ahead=FIVE_MINUTES)  # alone at first: it has the polling
    second = await replicas.start(timings=AS_IN_LIFE)
    replies = [await stage.create(name) for name in names]
    assert all(reply.ok for reply in replies)
    await stage.novita.journal.wait_for("create", 3, timeout=PATIENCE)
    lists = stage.novita.journal.count("list")
    await replicas.kill(first)
    killed_at = asyncio.get_running_loop().time()
    await stage.novita.journal.wait_for("list", lists + 3, timeout=TAKEN_OVER_WITHIN)
    await idle(replicas, within=TAKEN_OVER_WITHIN)
    print(f"taken over within {asyncio.get_running_loop().time() - killed_at:.1f} s")
    await idle(replicas)
    audit = replicas.audit()
    assert audit.is_sound, audit
    running, failed = replicas.instances_in("running"), replicas.instances_in("failed")
    assert {*running.values(), *failed.values()} == set(names)
    assert not failed.keys() & replicas.creates().keys(), "only what never reached Novita may fail"
    second.terminate()
    assert await second.over(10) == 0


async def test_any_replica_takes_any_request_and_each_acts_once(replicas: Replicas) -> None:
    stage = replicas.stage
    both = [await replicas.start(LOG_LEVEL="debug", ahead=ahead) for ahead in (0, -FIVE_MINUTES)]
    await stage.running("my-train")
    for _ in range(12):
        assert (await stage.ada.command("/gpu list", channel=GPU)).ok
    for verb, event in (("stop", "stopped"), ("start", "started"), ("delete", "deleted")):
        assert (await stage.ada.command(f"/gpu {verb} my-train", channel=GPU)).ok
        await stage.told("my-train", f"instance.{event}")
    await idle(replicas)
    heard = [len(service.logged("slack.answered")) for service in both]
    assert sum(heard) == 1 + 12 + 3
    assert min(heard) > 0
    assert replicas.audit().is_sound
    assert replicas.audit().repeated == []
    assert stage.created() == 1


async def test_what_slack_delivers_again_to_another_replica_acts_once(replicas: Replicas) -> None:
    stage = replicas.stage
    both = [await replicas.start(http_mode=True) for _ in range(2)]
    for number in range(4):
        _address(stage, both[number % 2])
        reply = await stage.create(f"train-{number}")
        assert reply.ok
        _address(stage, both[(number + 1) % 2])
        await stage.slack.redeliver(reply.envelope_id, new_envelope=True)
    for number in range(4):
        await stage.told(f"train-{number}", "instance.ready")
    await idle(replicas)
    assert stage.created() == 4
    assert replicas.audit().is_sound
    assert replicas.audit().repeated == []


def _address(stage: Stage, service: Service) -> None:
    """As a load balancer in front of both."""
    stage.slack.events_url = f"http://127.0.0.1:{service.port}/slack/events"
