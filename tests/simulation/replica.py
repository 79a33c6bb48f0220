"""One process of the service: the real parts on one database, put together as `bot.app` does it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import cast

from slack_sdk.web.async_client import AsyncWebClient

from bot.asking import Defaults
from bot.catalog import Catalog
from bot.deliveries import Deliveries, Sinks
from bot.operations import Operations
from bot.poller import Poller
from bot.probe import EndpointProbe
from bot.reconciler import Reconciler
from bot.sinks.webhook import WebhookSink
from storage.cloud import BillingMode
from storage.errors import DatabaseUnavailable
from tests.simulation.disk import TOLD, Disk, DiskAccess
from tests.simulation.job import Job
from tests.simulation.listeners import CountingSlackSink, Hooks, HookSink, SlackWeb, Workspace
from tests.simulation.novita import Door, SimulatedCloud, SimulatedNovita, SimulatedProbe, Witness, metrics
from tests.simulation.plan import Pace
from tests.simulation.process import Process
from tests.simulation.stores import quick_store

CONFIGURED_HOOK = "https://hooks.example/all"

DEFAULTS = Defaults(
    region="CN-HK-01",
    gpu_count=1,
    disk_gb=60,
    template="pytorch-jupyter",
    billing_mode=BillingMode.SPOT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all processes share."""

    disk: Disk
    cloud: SimulatedCloud
    door: Door
    hooks: Hooks
    workspace: Workspace
    witness: Witness
    clock: Callable[[], datetime]
    dice: Random
    pace: Pace
    database_is_away: Callable[[], bool]
    failed: Callable[[BaseException], None]


class Replica:
    def __init__(self, name: str, around: Surroundings) -> None:
        self.process = Process(name, failed=around.failed)
        self.name = name
        self._around = around
        self._timings = around.pace.timings
        access = DiskAccess(around.disk, self.process, around.dice, around.database_is_away)
        self.store = quick_store(access, around.disk, around.clock, self._timings, around.witness)
        self._novita = self._make_client()
        self._catalog = Catalog(
            self._novita,
            clock=around.clock,
            product_ttl=timedelta(minutes=30),
            template_ttl=timedelta(hours=1),
            metrics=metrics(),
        )
        self.operations = self._make_operations()
        self.reconciler = self._make_reconciler()
        self.poller = self._make_poller()
        self.deliveries = self._make_deliveries()
        self._jobs = self._make_jobs()
        self.process.spawn(self._start())

    async def _start(self) -> None:
        try:
            await self.store.targets.enable_all()
        except DatabaseUnavailable:
            self.process.kill()  # it would end with an error, and be started again

    def tick(self) -> None:
        """Jobs whose time has come begin. Called every second or so."""
        if self.process.is_dead or self.process.is_stalled:
            return
        for job in self._jobs:
            job.tick()

    def wake(self) -> None:
        for job in self._jobs:
            if job.woken:
                job.wake()

    def kill(self) -> None:
        self.process.kill()

    async def stop(self) -> None:
        """As after SIGTERM: nothing is begun, what is under way ends."""
        for job in self._jobs:
            job.is_over = True
        within = timedelta(seconds=12)
        await asyncio.gather(self.reconciler.workers.drain(within), self.deliveries.drain(within))
        with suppress(DatabaseUnavailable):
            await self.poller.release()
        self.kill()

    async def purge(self, before: datetime) -> None:
        with suppress(DatabaseUnavailable):
            await self.store.instances.purge(before)

    async def renew(self) -> None:
        if tokens := self.reconciler.workers.tokens():
            await self.store.instances.renew(tokens)
        await self.deliveries.renew()

    def _make_client(self) -> SimulatedNovita:
        return SimulatedNovita(
            self._around.door,
            self.process,
            self._around.witness,
            clock=self._around.clock,
            limits=self._around.pace.limits,
            metrics=metrics(),
        )

    def _make_operations(self) -> Operations:
        return Operations(
            store=self.store,
            catalog=self._catalog,
            novita=self._novita,
            clock=self._around.clock,
            defaults=DEFAULTS,
            admins=frozenset({"UADMIN"}),
            wake=self.wake,
        )

    def _make_reconciler(self) -> Reconciler:
        return Reconciler(
            store=self.store,
            novita=self._novita,
            catalog=self._catalog,
            probe=cast("EndpointProbe", SimulatedProbe(self._around.cloud, self.process)),
            clock=self._around.clock,
            timings=self._timings,
            webhook_url=CONFIGURED_HOOK,
            wake=self.wake,
            metrics=metrics(),
        )

    def _make_poller(self) -> Poller:
        return Poller(
            store=self.store,
            novita=self._novita,
            clock=self._around.clock,
            timings=self._timings,
            webhook_url=CONFIGURED_HOOK,
            owner=self.name,
            wake=self.wake,
            metrics=metrics(),
        )

    def _make_deliveries(self) -> Deliveries:
        client = cast("AsyncWebClient", SlackWeb(self._around.workspace, self.process))
        return Deliveries(
            store=self.store,
            sinks=Sinks(
                webhook=cast("WebhookSink", HookSink(self._around.hooks, self.process)),
                slack=CountingSlackSink(self._around.workspace, client, clock=self._around.clock),
            ),
            clock=self._around.clock,
            rng=Random(f"{self.name} {self._around.dice.random()}"),
            retries=9,
            metrics=metrics(),
        )

    def _make_jobs(self) -> tuple[Job, ...]:
        t, disk, clock = self._timings, self._around.disk, self._around.clock

        def job(
            every: timedelta, work: Callable[[], Awaitable[object]], *tables: str, woken: bool = False
        ) -> Job:
            return Job(
                process=self.process,
                every=every.total_seconds(),
                work=work,
                anything=(lambda: disk.has_due(clock(), *tables)) if tables else None,
                woken=woken,
            )

        return (
            job(t.fast_poll, self.poller.poll_if_due),
            job(t.tick, self.reconciler.reconcile, "instances", woken=True),
            job(t.tick, self.deliveries.deliver_once, *TOLD, woken=True),
            job(t.renew_every, self.renew),
            job(t.catalog_check, self._catalog.warm),
        )
