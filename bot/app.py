"""The composition root: opens everything in order, closes it in reverse.

The demo and the crash tests start this same code with other addresses, shorter timings, and wrapped parts.
"""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import structlog
from fastapi import FastAPI

from bot import parts
from bot.census import take_census
from bot.deliveries import Deliveries, Sinks
from bot.jobs import Job, Jobs
from bot.metrics import Metrics
from bot.operations import Operations
from bot.poller import Poller
from bot.probe import EndpointProbe
from bot.reconciler import Reconciler
from bot.redelivery import Redelivery
from bot.settings import Settings
from bot.sinks.slack import SlackSink
from bot.systemd import ALIVE, READY, STOPPING, Notify, nobody
from bot.timings import Timings
from bot.usual import UsualStarts
from bot.web.api import build_api
from bot.web.health import DATABASE, SCHEDULER, Health, can_work
from bot.web.server import WebServer
from storage.shared_clock import SharedClock
from storage.store.store import Store

log = structlog.get_logger(__name__)

Wrap = Callable[[str, Any], Any]
"""Name and part -> the part to use: where crash tests put their crash points in."""

_BEAT_EVERY = timedelta(seconds=5)
_TIMER = 0.5
"""Seconds. How late it goes off says how long others have kept the loop."""


def utc_now() -> datetime:
    """The one clock of this process; everything else is handed it."""
    return datetime.now(UTC)


def as_it_is(_name: str, part: Any) -> Any:
    return part


async def run(
    settings: Settings, *, timings: Timings | None = None, wrap: Wrap = as_it_is, notify: Notify = nobody
) -> int:
    """Until SIGTERM or SIGINT; then calls in flight finish. The exit code. `notify`: the service manager."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    timings = timings or parts.timings_of(settings)
    async with running(settings, timings=timings, wrap=wrap, notify=notify) as port:
        log.info("service.ready", port=port, version=parts.bot_version())
        await stop.wait()
        log.info("service.stopping")
    log.info("service.stopped")
    return 0


@asynccontextmanager
async def running(
    settings: Settings, *, timings: Timings, wrap: Wrap = as_it_is, notify: Notify = nobody
) -> AsyncIterator[int]:
    """The whole service; gives the port of its REST API. Leaving it stops everything in reverse order.

    Raises storage.errors.StorageError and bot.web.server.ListenError. Slack and Novita may be down.
    """
    async with AsyncExitStack() as stack:
        clock = SharedClock(utc_now)
        store = wrap("store", await parts.open_store(settings, timings, clock, stack))
        service = _Service(settings, timings, store, wrap, stack, clock=clock)
        service.notify = notify
        # Stopped last of these: until then /ready says that we are stopping, and what changes is refused.
        stack.push_async_callback(service.web.stop, timings.stop_within)
        stack.push_async_callback(service.drain)
        await service.connect_slack(stack)
        await service.webhook.start()
        service.start_jobs(stack)
        await service.web.start()
        stack.callback(service.no_longer_ready)
        service.health.ready = True
        notify(READY)
        yield service.web.port


class _Service:
    """All parts, wired; nothing runs yet."""

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        settings: Settings,
        timings: Timings,
        store: Store,
        wrap: Wrap,
        stack: AsyncExitStack,
        *,
        clock: SharedClock,
    ) -> None:
        """`clock`: for what others read, replicas or receivers. What stays in here goes by its own."""
        self.notify: Notify = nobody
        self._clock = clock
        self._settings = settings
        self._timings = timings
        self._store = store
        self._metrics = Metrics()
        self._jobs = Jobs(clock=utc_now)
        self._novita_client = parts.novita_client(settings, clock, self._metrics)
        stack.push_async_callback(self._novita_client.aclose)
        novita = wrap("novita", self._novita_client)
        self._catalog = parts.catalog(settings, novita, utc_now, self._metrics)
        stack.push_async_callback(self._catalog.aclose)
        operations = self._make_operations(novita)
        self._slack = parts.slack_side(settings, operations, self._catalog, clock, self._metrics)
        self._slack_sink = None if self._slack is None else SlackSink(self._slack.client, clock=utc_now)
        self.webhook = parts.webhook_sink(settings, clock)
        stack.push_async_callback(self.webhook.aclose)
        slack_sink = None if self._slack_sink is None else wrap("slack", self._slack_sink)
        self._deliveries = self._make_deliveries(wrap, slack_sink, operations.usual)
        self._unknowns = parts.unknowns(settings, timings, store, slack_sink)
        self._reconciler = self._make_reconciler(novita, stack)
        self._poller = self._make_poller(novita)
        self.health = self._make_health()
        api = self._make_api(operations)
        self._read_gauges()
        self.web = WebServer(api, settings.host, settings.port)

    async def connect_slack(self, stack: AsyncExitStack) -> None:
        if self._slack is None:
            log.warning("slack.off", why="SLACK_BOT_TOKEN is not set: REST and webhooks only")
            return
        stack.push_async_callback(self._slack.close)
        await self._slack.start()

    def start_jobs(self, stack: AsyncExitStack) -> None:
        stack.callback(self._jobs.stop)
        self._jobs.start(self._table())

    async def drain(self) -> None:
        """What is under way ends; nothing new is begun, since the jobs are stopped by then."""
        within = self._timings.stop_within
        await asyncio.gather(self._reconciler.workers.drain(within), self._deliveries.drain(within))
        await self._poller.release()

    def no_longer_ready(self) -> None:
        self.health.stopping = True
        self.notify(STOPPING)

    def _table(self) -> list[Job]:
        """The periodic jobs. Each is its own; what one takes does not delay another."""
        t = self._timings
        jobs = [
            Job(name="poll", every=t.fast_poll, work=self._poller.poll_if_due),
            Job(name="reconcile", every=t.tick, work=self._reconciler.reconcile, woken=True),
            Job(name="deliver", every=t.tick, work=self._deliveries.deliver_once, woken=True),
            Job(name="renew", every=t.renew_every, work=self._renew),
            Job(name="alive", every=_BEAT_EVERY, work=self._tell_alive),
            Job(name="clock", every=t.clock_check, work=self._clock.set),
            Job(name="catalog", every=t.catalog_check, work=self._catalog.warm),
            Job(name="purge", every=t.purge_every, work=self._purge),
            Job(name="beat", every=_BEAT_EVERY, work=self._beat),
        ]
        if self._slack is not None:
            jobs.append(Job(name="watchdog", every=t.watchdog_every, work=self._slack.watch))
            jobs.append(Job(name="unknowns", every=t.admins_told_every, work=self._unknowns.tell_admins))
        return jobs

    async def _tell_alive(self) -> None:
        """Silence makes the service manager start it anew: only what a restart may mend is worth that."""
        if can_work(self.health.unhealthy_since(utc_now())):
            self.notify(ALIVE)

    async def _renew(self) -> None:
        if tokens := self._reconciler.workers.tokens():
            await self._store.instances.renew(tokens)
        await self._deliveries.renew()

    async def _purge(self) -> None:
        purged = await self._store.instances.purge(
            self._clock() - timedelta(days=self._settings.retention_days)
        )
        if purged:
            log.info("instances.purged", instances=purged)

    async def _beat(self) -> None:
        self.health.beat(utc_now())
        began = self._metrics.start()
        await asyncio.sleep(_TIMER)
        self._metrics.loop_late(self._metrics.start() - began - _TIMER)

    def _read_gauges(self) -> None:
        novita, slack = self._novita_client, self._slack
        self._metrics.read("novita_calls_left", lambda: novita.calls_left)
        self._metrics.read("novita_breaker_open", lambda: novita.is_held_back)
        self._metrics.read("in_flight", self._in_flight)
        if slack is not None:
            self._metrics.read("slack_connections", slack.connections)

    def _in_flight(self) -> dict[str, float]:
        return {"step": len(self._reconciler.workers.tokens()), **self._deliveries.in_flight()}

    def _make_operations(self, novita: Any) -> Operations:
        return parts.operations(
            self._settings,
            store=self._store,
            catalog=self._catalog,
            novita=novita,
            clock=self._clock,
            wake=self._jobs.wake,
        )

    def _make_deliveries(self, wrap: Wrap, slack: SlackSink | None, usual: UsualStarts) -> Deliveries:
        return Deliveries(
            store=self._store,
            sinks=Sinks(webhook=wrap("webhook", self.webhook), slack=slack),
            clock=self._clock,
            rng=Random(),  # noqa: S311 - jitter
            retries=self._settings.webhook_retries,
            usual=usual,
            metrics=self._metrics,
        )

    def _make_reconciler(self, novita: Any, stack: AsyncExitStack) -> Reconciler:
        probe = EndpointProbe(timeout=self._timings.probe_timeout)
        stack.push_async_callback(probe.aclose)
        return Reconciler(
            store=self._store,
            novita=novita,
            catalog=self._catalog,
            probe=probe,
            clock=self._clock,
            timings=self._timings,
            webhook_url=parts.plain(self._settings.webhook_url),
            wake=self._jobs.wake,
            metrics=self._metrics,
        )

    def _make_poller(self, novita: Any) -> Poller:
        return Poller(
            store=self._store,
            novita=novita,
            clock=self._clock,
            timings=self._timings,
            webhook_url=parts.plain(self._settings.webhook_url),
            owner=uuid.uuid4().hex,
            wake=self._jobs.wake,
            metrics=self._metrics,
        )

    def _make_api(self, operations: Operations) -> FastAPI:
        return build_api(
            operations,
            self.health,
            redelivery=Redelivery(self._store, wake=self._jobs.wake),
            catalog=self._catalog,
            clock=utc_now,
            inbound=parts.inbound(self._settings),
            generation=self._store.generation,
            slack_channel=None if self._slack is None else self._settings.slack_channel,
            slack_handler=None if self._slack is None else self._slack.handle_http,
            metrics=self._metrics,
            census=partial(take_census, self._store),
        )

    def _make_health(self) -> Health:
        health = Health(version=parts.bot_version(), started_at=utc_now())
        health.dependencies = {
            "novitaApi": lambda: self._novita_client.health.unhealthy_since,
            DATABASE: lambda: self._jobs.failing_since("reconcile"),
            SCHEDULER: self._jobs.unhealthy_since,
        }
        if self._slack is not None:
            health.dependencies["slack"] = self._slack_unhealthy_since
        return health

    def _slack_unhealthy_since(self) -> datetime | None:
        listening = None if self._slack is None else self._slack.unhealthy_since()
        speaking = None if self._slack_sink is None else self._slack_sink.unhealthy_since
        return min((since for since in (listening, speaking) if since is not None), default=None)
