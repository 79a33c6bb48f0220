"""Store, poller and reconciler over a real SQLite file and a Novita from memory; time moves by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clocks import Clock
from fakes import FakeNovita, FakeProbe
from samples import REQUEST, creating

from bot.asking import PROGRAM, Actor, Asked, Defaults, Origin
from bot.catalog import Catalog
from bot.metrics import Metrics
from bot.operations import Operations
from bot.poller import Poller
from bot.reconciler import Reconciler
from bot.timings import Timings
from storage.cloud import BillingMode, Phase
from storage.database import Database, migrate, open_database
from storage.records import EventKind, Instance, NewCard, NewEvent, Wish
from storage.store.finding import Find
from storage.store.store import Store, make_store

HOOK = "https://hooks.example.com/gpu"
ADA = Actor(user_id="U1", team_id="T1")
BEN = Actor(user_id="U2", team_id="T1")
ADMIN = Actor(user_id="UADMIN", team_id="T1")
GUEST = Actor(user_id="UGUEST", team_id="T1", full_member=False)
TIMINGS = Timings()


@dataclass(kw_only=True)
class Scene:
    clock: Clock
    database: Database
    store: Store
    novita: FakeNovita
    probe: FakeProbe
    catalog: Catalog
    reconciler: Reconciler
    poller: Poller
    operations: Operations
    metrics: Metrics
    woken: list[None] = field(default_factory=list)

    async def ask(self, **changes: Any) -> Instance:
        """A request as Slack would write it."""
        i = creating(**{"created_at": self.clock(), "wished_at": self.clock(), **changes})
        i = replace(i, acted_at=self.clock(), updated_at=self.clock())
        event = NewEvent(kind=EventKind.REQUESTED, at=self.clock(), actor="U1", verb=Wish.CREATE)
        card = NewCard(channel=i.channel) if i.channel else None
        return await self.store.instances.add(i, key=None, event=event, card=card, unique_name=False)

    async def ready(self, **changes: Any) -> Instance:
        """One that runs and is usable."""
        i = await self.ask(**changes)
        await self.settle()
        self.novita.show(f"n{len(self.novita.orders)}", Phase.RUNNING)
        await self.poll()
        return await self.now(i)

    async def settle(self) -> None:
        """Every step that is due is taken, and those that follow from them."""
        while await self.reconciler.reconcile():
            await self.reconciler.workers.idle()

    async def poll(self, after: float = 3) -> None:
        """A list, some time later, and what follows from it."""
        self.clock.advance(after)
        await self.poller.poll(await self.store.polls.pace())
        await self.settle()

    async def polls(self, count: int, every: float = 3) -> None:
        for _ in range(count):
            await self.poll(every)

    async def now(self, i: Instance) -> Instance:
        return await self.store.instances.get(Find(ref=i.id))

    async def events(self) -> list[tuple[str, str]]:
        """Kind and target of every delivery, oldest first."""
        found, _total = await self.store.deliveries.list_deliveries(limit=1000, offset=0)
        ordered = sorted(found, key=lambda d: (d.event.sequence, d.target.kind))
        return [(d.event.fact.kind.value, d.target.kind.value) for d in ordered]

    async def told(self) -> list[str]:
        return [kind for kind, target in await self.events() if target == "notice"]


_TEMPLATE: list[bytes] = []


async def _migrated() -> bytes:
    """An empty database of today's version; made once, since migrating takes longer than most tests."""
    if not _TEMPLATE:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "template.db"
            await migrate(f"sqlite:///{path}")
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE")
            _TEMPLATE.append(path.read_bytes())
    return _TEMPLATE[0]


@asynccontextmanager
async def scene(folder: Path, timings: Timings = TIMINGS) -> AsyncIterator[Scene]:
    path = folder / "scene.db"
    path.write_bytes(await _migrated())
    database = await open_database(f"sqlite:///{path}")
    clock, woken = Clock(), []
    store = make_store(database, clock)
    novita, probe = FakeNovita(clock), FakeProbe()
    metrics = Metrics()
    catalog = Catalog(
        novita,
        clock=clock,
        product_ttl=timedelta(minutes=30),
        template_ttl=timedelta(hours=1),
        metrics=metrics,
    )

    def wake() -> None:
        woken.append(None)

    reconciler = Reconciler(
        store=store,
        novita=novita,
        catalog=catalog,
        probe=probe,
        clock=clock,
        timings=timings,
        webhook_url=HOOK,
        wake=wake,
        metrics=metrics,
    )
    poller = Poller(
        store=store,
        novita=novita,
        clock=clock,
        timings=timings,
        webhook_url=HOOK,
        owner="replica-1",
        wake=wake,
        metrics=metrics,
    )
    operations = Operations(
        store=store,
        catalog=catalog,
        novita=novita,
        clock=clock,
        defaults=DEFAULTS,
        admins=frozenset({"UADMIN"}),
        wake=wake,
    )
    try:
        yield Scene(
            clock=clock,
            database=database,
            store=store,
            novita=novita,
            probe=probe,
            catalog=catalog,
            reconciler=reconciler,
            poller=poller,
            operations=operations,
            metrics=metrics,
            woken=woken,
        )
    finally:
        await database.close()


DEFAULTS = Defaults(region="CN-HK-01", gpu_count=1, disk_gb=60, template=None, billing_mode=BillingMode.SPOT)
ASKED = Asked(gpu="4090", name="my-train", template="pytorch-jupyter")
__all__ = ["ADA", "ADMIN", "ASKED", "BEN", "GUEST", "HOOK", "PROGRAM", "REQUEST", "Origin", "Scene", "scene"]
