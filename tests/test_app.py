"""The whole service in this process, between a simulated Slack and a simulated Novita."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from measured import Series, series
from samples import creating, seconds
from structlog.testing import capture_logs

from bot import app, parts
from bot.app import running, utc_now
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.faults import Hang, Slow
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.novita.timeline import Timeline
from bot.sandbox.slack.faults import ErrorCode
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from bot.settings import Settings, load
from bot.sinks import guard
from bot.sinks.slack import SlackSink
from bot.sinks.webhook import WebhookSink
from bot.slack import assembly, connection
from bot.slack.listeners import Listeners
from bot.timings import Timings
from bot.web.server import ListenError
from storage.database import migrate, open_database
from storage.errors import DatabaseBusy
from storage.records import EventKind, Instance, NewEvent, State, Wish
from storage.store.finding import Find
from storage.store.store import Store, make_store

ROOT = Path(__file__).parents[1]
GPU = "C0GPU"
SHORT = replace(
    Timings(),
    fast_poll=seconds(0.05),
    slow_poll=seconds(0.1),
    delayed_after=seconds(0.3),
    look_every=seconds(0.05),
    probe_every=seconds(0.05),
    retry_first=seconds(0.05),
    retry_longest=seconds(0.2),
    lease=seconds(0.8),
    renew_every=seconds(0.1),
    card_gap=seconds(0.05),
    tick=seconds(0.05),
    watchdog_every=seconds(0.05),
    stop_within=seconds(5),
)
MEASURED = {
    f"gpu_bot_{name}"
    for name in (
        "build_info",
        "cache_requests_total",
        "delivery_attempts_total",
        "delivery_lag_seconds_count",
        "dependency_up",
        "event_loop_lag_seconds_count",
        "instances",
        "novita_call_duration_seconds_count",
        "novita_calls_left",
        "poll_duration_seconds_count",
        "ready_notice_lag_seconds_count",
        "reconciler_steps_total",
        "rest_request_duration_seconds_count",
        "slack_ack_duration_seconds_count",
        "slack_connections",
        "spend_usd_per_hour",
    )
}
ASKED = {"name": "my-train", "productName": "RTX 4090 24GB", "templateId": "pytorch-jupyter"}


@dataclass(kw_only=True)
class Service:
    """The service as its callers see it."""

    http: httpx.AsyncClient

    async def health(self) -> dict[str, Any]:
        return {**(answer := await self.http.get("/health")).json(), "code": answer.status_code}

    async def ready(self) -> tuple[int, str]:
        answer = await self.http.get("/ready")
        return answer.status_code, answer.json()["status"]

    async def create(self, **changes: Any) -> str:
        answer = await self.http.post("/api/instances", json={**ASKED, **changes})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["instanceId"])

    async def status(self, instance_id: str) -> str:
        return str((await self.http.get(f"/api/instances/{instance_id}")).json()["status"])

    async def says(self, dependency: str, word: str) -> dict[str, Any]:
        """Health, once it says so."""
        return await eventually(self.health, lambda shown: shown["dependencies"].get(dependency) == word)


async def eventually(look: Callable[[], Awaitable[Any]], good: Callable[[Any], object]) -> Any:
    """What is seen from outside, once it is so."""
    async with asyncio.timeout(5):
        while True:
            if good(seen := await look()):
                return seen
            await asyncio.sleep(0.02)


@dataclass(kw_only=True)
class World:
    slack: SlackServer
    novita: NovitaServer
    database: Path
    parts: dict[str, Any] = field(default_factory=dict)
    """What the service is made of, by name."""

    def settings(self, **changes: str | None) -> Settings:
        given = {
            "NOVITA_API_KEY": self.novita.api_key,
            "NOVITA_API_BASE_URL": self.novita.base_url,
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API_BASE_URL": self.slack.api_url,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "PORT": "0",
            **changes,
        }
        read = load({name: value for name, value in given.items() if value is not None}, env_file=None)
        hurried = {"api_timeout": 2, "retry_delay": 0.05, "circuit_breaker_timeout": 0.2}
        return read.model_copy(update={name: seconds(each) for name, each in hurried.items()})

    @asynccontextmanager
    async def service(
        self,
        timings: Timings = SHORT,
        *,
        wrap: Callable[[str, Any], Any] | None = None,
        **changes: str | None,
    ) -> AsyncIterator[Service]:
        async with running(self.settings(**changes), timings=timings, wrap=wrap or self.keep) as port:
            base_url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=base_url, trust_env=False, verify=False) as http:
                yield Service(http=http)

    def keep(self, name: str, part: Any) -> Any:
        self.parts[name] = part
        return part

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """Beside no service."""
        database = await open_database(f"sqlite:///{self.database}")
        try:
            yield make_store(database, utc_now)
        finally:
            await database.close()

    async def instance(self, instance_id: str) -> Instance:
        async with self.store() as store:
            return await store.instances.get(Find(ref=instance_id))


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: to make one takes longer than most of what is tested with it."""
    path = tmp_path_factory.mktemp("migrated") / "bot.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture
async def world(tmp_path: Path, migrated: Path, monkeypatch) -> AsyncIterator[World]:
    shutil.copy(migrated, tmp_path / "bot.db")
    monkeypatch.setattr(assembly, "_CONNECT_WITHIN", seconds(0.2))
    monkeypatch.setattr(connection, "_PING_EVERY", 0.3)
    novita = NovitaServer(Cloud(clock=utc_now, timeline=Timeline.immediate()))
    async with SlackServer(Workspace(clock=utc_now, seed=1)) as slack, novita:
        yield World(slack=slack, novita=novita, database=tmp_path / "bot.db")
    assert slack.violations == []


# --- up -----------------------------------------------------------------------------------------------------


async def test_it_comes_up_healthy_and_does_its_work(world: World):
    async with world.service(SLACK_CHANNEL=GPU) as service:
        assert await service.ready() == (200, "ready")
        shown = await service.says("slack", "healthy")
        assert (shown["code"], shown["status"]) == (200, "healthy")
        assert set(shown["dependencies"]) == {"novitaApi", "database", "scheduler", "slack", "eventLoop"}
        instance_id = await service.create()
        await eventually(lambda: service.status(instance_id), lambda status: status == "running")
        ben = world.slack.person("U0BEN")
        await world.slack.wait_for(lambda: any("is ready" in m.words for m in ben.sees(GPU)))
        assert (await ben.command("/gpu list all", channel=GPU)).ok
    assert set(world.parts) == {"store", "novita", "slack", "webhook"}
    assert isinstance(world.parts["slack"], SlackSink)
    assert isinstance(world.parts["webhook"], WebhookSink)
    assert world.slack.connections == 0


async def test_what_it_does_is_measured_where_it_is_done(world: World):
    async with world.service(SLACK_CHANNEL=GPU) as service:
        instance_id = await service.create()
        await eventually(lambda: service.status(instance_id), lambda status: status == "running")
        assert (await world.slack.person("U0BEN").command("/gpu list all", channel=GPU)).ok

        async def scrape() -> Series:
            return series((await service.http.get("/metrics")).text)

        # Counted when the acknowledgement is out, and when a timer has gone off.
        seen = await eventually(
            scrape, lambda seen: MEASURED.issubset(name for (name, _), value in seen.items() if value)
        )
        of = {
            (name.removeprefix("gpu_bot_"), *sorted(labels)): value for (name, labels), value in seen.items()
        }
        assert of["novita_calls_total", ("call", "create_instance"), ("outcome", "ok")] == 1
        assert of["novita_breaker_open",] == 0
        assert of["slack_calls_total", ("method", "chat.postMessage"), ("outcome", "ok")] >= 1
        assert 0 <= of["list_age_seconds",] < 5
        figures = (await service.http.get("/api/metrics")).json()
        assert figures["instances"] == {"total": 1, "creating": 0, "running": 1, "failed": 0}
        assert figures["cache"]["hits"] + figures["cache"]["misses"] > 0
        assert figures["jobs"]["completed"] > 0


async def test_only_the_first_start_migrates(world: World):
    world.database = world.database.with_name("new") / "bot.db"
    for told in (["database.migrated"], []):
        with capture_logs() as logs:
            async with world.service():
                pass
        assert [line["event"] for line in logs if line["event"] == "database.migrated"] == told


async def test_slack_may_be_down_at_the_start(world: World):
    await world.slack.close()
    async with world.service() as service:
        assert await service.ready() == (200, "ready")
        shown = await service.health()
        assert (shown["code"], shown["status"], shown["dependencies"]["slack"]) == (
            200,
            "healthy",
            "unhealthy",
        )
        assert "slack" in shown["unhealthySince"]
        port = int(world.slack.url.rpartition(":")[2])
        async with SlackServer(Workspace(clock=utc_now), port=port) as back:
            await service.says("slack", "healthy")
            assert (await back.person("U0ADA").command("/gpu", channel=GPU)).ok


async def test_novita_may_be_down_at_the_start(world: World):
    await world.novita.refuse()
    async with world.service() as service:
        shown = await service.says("novitaApi", "unhealthy")
        assert (shown["code"], await service.ready()) == (200, (200, "ready"))
        instance_id = await service.create()
        assert await service.status(instance_id) == "creating"
        await world.novita.accept()
        await service.says("novitaApi", "healthy")
        await eventually(lambda: service.status(instance_id), lambda status: status == "running")


async def test_without_slack_it_is_rest_and_webhooks(world: World):
    with capture_logs() as logs:
        async with world.service(SLACK_BOT_TOKEN=None, SLACK_APP_TOKEN=None, SLACK_CHANNEL=GPU) as service:
            assert "slack" not in (await service.health())["dependencies"]
            assert (await service.http.post("/slack/events")).status_code == 404
            instance_id = await service.create()
            await eventually(lambda: service.status(instance_id), lambda status: status == "running")
    assert "slack.off" in [line["event"] for line in logs]
    assert "slack" not in world.parts
    assert world.slack.journal.calls() == []


async def test_a_guard_of_webhooks_that_fails_its_test_stops_nothing_else(world: World, monkeypatch):
    async def answers(*_: Any) -> httpx.Response:
        return httpx.Response(200)

    for broken in (False, True):
        if broken:
            monkeypatch.setattr(guard.GuardedTransport, "handle_async_request", answers)
        with capture_logs() as logs:
            async with world.service() as service:
                assert await service.ready() == (200, "ready")
        assert ("webhook.guard_failed" in [line["event"] for line in logs]) is broken


async def test_http_mode_needs_no_connection(world: World):
    changes = {"SLACK_APP_TOKEN": None, "SLACK_SIGNING_SECRET": world.slack.signing_secret}
    async with world.service(**changes) as service:
        world.slack.events_url = str(service.http.base_url.join("/slack/events"))
        ada = world.slack.person("U0ADA")
        reply = await ada.command("/gpu create 4090 my-train --template pytorch-jupyter", channel=GPU)
        assert "Creating *my-train*" in reply.words
        assert (await service.health())["dependencies"]["slack"] == "healthy"
        assert (await service.http.get("/api/instances")).status_code == 401
    assert world.slack.journal.count("apps.connections.open") == 0


async def test_slack_is_unhealthy_when_it_hears_but_takes_nothing(world: World):
    world.slack.fail("chat.postMessage", ErrorCode("token_revoked"), times=100)
    async with world.service(SLACK_CHANNEL=GPU) as service:
        await service.says("slack", "healthy")
        await service.create()
        await service.says("slack", "unhealthy")


async def test_what_is_old_and_over_is_forgotten(world: World):
    long_ago = utc_now() - timedelta(days=3)
    over = creating(
        state=State.DELETED,
        wish=None,
        created_at=long_ago,
        updated_at=long_ago,
        acted_at=long_ago,
        channel=None,
    )
    async with world.store() as store:
        requested = NewEvent(kind=EventKind.REQUESTED, at=long_ago, actor=None, verb=Wish.CREATE)
        await store.instances.add(over, key=None, event=requested, card=None, unique_name=False)
    with capture_logs() as logs:
        async with world.service(RETENTION_DAYS="1") as service:

            async def found() -> int:
                return (await service.http.get(f"/api/instances/{over.id}")).status_code

            await eventually(found, lambda status_code: status_code == 404)
    assert [line["instances"] for line in logs if line["event"] == "instances.purged"] == [1]


# --- not up -------------------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_ends_the_start_and_leaves_nothing(world: World):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with pytest.raises(ListenError, match=f"port {port}"):
            async with world.service(PORT=port):
                pass
    await world.slack.wait_for(lambda: world.slack.connections == 0)
    async with world.service() as service:
        assert await service.ready() == (200, "ready")


async def test_a_database_that_another_process_has_ends_the_start(world: World):
    async with world.store():
        pass
    lock = f"import fcntl, sys; f = open({str(world.database) + '.lock'!r}, 'ab')"
    hold = "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", f"{lock}; {hold}", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"held\n"
    with pytest.raises(DatabaseBusy, match=str(world.database)):
        async with world.service():
            pass
    await other.communicate(b"")
    async with world.service() as service:
        assert await service.ready() == (200, "ready")


class Broken:
    """Instances that cannot be leased while `trouble` is set."""

    def __init__(self, instances: Any) -> None:
        self._instances = instances
        self.trouble: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instances, name)

    async def lease_due(self, most: int, at_work: Any) -> Any:
        if self.trouble is not None:
            raise self.trouble
        return await self._instances.lease_due(most, at_work)


async def test_without_its_database_it_is_neither_healthy_nor_ready(world: World):
    broken: list[Broken] = []

    def wrap(name: str, part: Any) -> Any:
        if name != "store":
            return part
        broken.append(Broken(part.instances))
        return replace(part, instances=broken[0])

    async with world.service(wrap=wrap) as service:
        assert await service.ready() == (200, "ready")
        broken[0].trouble = OSError("disk full")
        shown = await service.says("database", "unhealthy")
        assert (shown["code"], shown["status"]) == (503, "unhealthy")
        assert await service.ready() == (503, "database")
        broken[0].trouble = None
        await service.says("database", "healthy")
        assert await service.ready() == (200, "ready")


# --- down ---------------------------------------------------------------------------------------------------


async def test_a_create_that_is_under_way_ends_before_the_service_does(world: World):
    world.novita.faults.add("create", Slow(0.3))
    async with world.service() as service:
        instance_id = await service.create()
        await world.novita.journal.wait_for("create")
    bound = await world.instance(instance_id)
    (made,) = world.novita.cloud.instances()
    assert bound.novita_id == made.id
    assert world.novita.journal.count("create") == 1


async def test_while_it_stops_it_says_so_and_takes_nothing_new(world: World):
    world.novita.faults.add("create", Slow(0.5))
    leave, up = asyncio.Event(), asyncio.Event()
    services: list[Service] = []

    async def live() -> None:
        async with world.service() as service:
            services.append(service)
            up.set()
            await leave.wait()

    living = asyncio.create_task(live())
    await up.wait()
    base_url = services[0].http.base_url
    async with httpx.AsyncClient(base_url=base_url, trust_env=False, verify=False) as http:
        service = Service(http=http)
        await service.create()
        await world.novita.journal.wait_for("create")
        leave.set()
        await eventually(service.ready, lambda ready: ready == (503, "stopping"))
        assert (await http.post("/api/instances", json=ASKED)).status_code == 503
        assert (await service.health())["status"] == "healthy"
    await living


async def test_what_takes_too_long_is_cut_off_and_found_again_after_the_next_start(world: World):
    world.novita.faults.add("create", Hang(after_effect=True))
    async with world.service(replace(SHORT, stop_within=seconds(0.1))) as service:
        instance_id = await service.create()
        await world.novita.journal.wait_for("create")
    begun = await world.instance(instance_id)
    assert (begun.attempt, begun.novita_id) == (1, None)
    async with world.service() as service:
        await eventually(lambda: service.status(instance_id), lambda status: status == "running")
    assert world.novita.journal.count("create") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_exit_code_0(world: World, number: signal.Signals):
    with capture_logs() as logs:
        living = asyncio.create_task(app.run(world.settings(), timings=SHORT))

        async def ready() -> list[str]:
            return [line["event"] for line in logs]

        await eventually(ready, lambda events: "service.ready" in events)
        os.kill(os.getpid(), number)
        assert await asyncio.wait_for(living, 10) == 0
    assert [event for event in await ready() if event.startswith("service.")] == [
        "service.ready",
        "service.stopping",
        "service.stopped",
    ]


# --- made of ------------------------------------------------------------------------------------------------


def test_the_settings_set_the_two_times_that_they_may(world: World):
    settings = world.settings(INSTANCE_POLL_INTERVAL="60000", INSTANCE_STARTUP_TIMEOUT="120000")
    timings = parts.timings_of(settings)
    assert timings == replace(Timings(), slow_poll=seconds(60), startup_timeout=seconds(120))


async def test_the_clock_of_the_service_is_utc():
    assert utc_now().tzinfo is UTC
    assert abs(utc_now() - datetime.now(UTC)) < seconds(5)


class Registry:
    """Bolt's side of registering listeners, which remembers what is listened to."""

    def __init__(self) -> None:
        self.heard: dict[str, list[Any]] = {}

    def __getattr__(self, kind: str) -> Callable[[Any], Any]:
        def register(what: Any) -> Callable[[Any], Any]:
            self.heard.setdefault(kind, []).append(what)
            return lambda listener: listener

        return register


class Mute:
    """Has every listener, and none of them does anything."""

    def __getattr__(self, name: str) -> None:
        return None


def test_what_the_manifest_offers_is_listened_to_and_nothing_else():
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    features, registry = manifest["features"], Registry()
    parts = inspect.signature(Listeners).parameters
    Listeners(**dict.fromkeys(parts, Mute())).register(registry)
    heard = registry.heard
    assert heard.pop("command") == [each["command"] for each in features["slash_commands"]]
    assert heard.pop("shortcut", []) == [each["callback_id"] for each in features.get("shortcuts", ())]
    events = manifest["settings"].get("event_subscriptions", {}).get("bot_events", [])
    assert heard.pop("event", []) == [event.partition(".")[0] for event in events]
    # Buttons and forms are ours, and arrive where interactivity is on.
    assert set(heard) == {"action", "options", "view", "error"}
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
