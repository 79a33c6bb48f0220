"""Replicas whose machines disagree about the time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from storage_samples import HOOK, Clock, listing
from storage_world import World

from storage.database import Database, open_database
from storage.shared_clock import SharedClock
from storage.store.store import Store, make_store

FAST, SLOW = timedelta(minutes=5), timedelta(minutes=-5)
CLOSE = timedelta(seconds=5)
SHORT = timedelta(seconds=0.4)


class Machine:
    """Its clock goes on, and is off."""

    def __init__(self, off_by: timedelta) -> None:
        self.off_by = off_by

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.off_by


class Delayed:
    """A database that answers late, or says another time."""

    def __init__(self, clock: Clock, there: datetime, takes: float) -> None:
        self.clock, self.there, self.takes = clock, there, takes

    async def read(self, _work: object) -> datetime:
        self.clock.advance(self.takes)
        return self.there


async def test_sqlite_leaves_the_machines_clock_as_it_is(sqlite_url: str, clock: Clock) -> None:
    database = await open_database(sqlite_url)
    shared = SharedClock(clock)
    await shared.follow(database)
    assert shared() == clock.now
    await database.close()


async def test_a_clock_that_follows_nobody_is_the_machines(clock: Clock) -> None:
    shared = SharedClock(clock)
    await shared.set()
    assert shared() == clock.now


async def test_it_is_set_to_the_middle_of_what_may_be_true_and_then_kept(clock: Clock) -> None:
    began = clock.now
    server = Delayed(clock, began + FAST, takes=2)
    shared = SharedClock(clock)
    await shared.follow(server)
    assert shared() - clock.now == FAST - timedelta(seconds=1)
    server.there = clock.now + FAST - timedelta(seconds=0.5)
    await shared.set()
    assert shared() - clock.now == FAST - timedelta(seconds=1)
    server.there = clock.now
    server.takes = 0
    await shared.set()
    assert shared() == clock.now


async def test_a_machine_that_is_off_is_told_once(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    server = Delayed(clock, clock.now + FAST, takes=0)
    shared = SharedClock(clock)
    for _ in range(3):
        await shared.follow(server)
    assert capsys.readouterr().out.splitlines() == ["seconds=-300.0 event='clock.off'"]


@pytest.fixture
async def replicas(postgres_url: str) -> AsyncIterator[tuple[World, World]]:
    """Two on one database, ten minutes apart."""
    async with AsyncExitStack() as stack:
        worlds = []
        for off_by in (FAST, SLOW):
            database = await open_database(postgres_url)
            stack.push_async_callback(database.close)
            worlds.append(await _world(database, off_by))
        yield worlds[0], worlds[1]


async def _world(database: Database, off_by: timedelta) -> World:
    shared = SharedClock(Machine(off_by))
    await shared.follow(database)
    store: Store = make_store(database, shared, lease=SHORT)
    return World(store, database, shared)  # type: ignore[arg-type]  # it only asks for the time


@pytest.mark.slow
async def test_both_machines_come_to_one_time(replicas: tuple[World, World]) -> None:
    ahead, behind = replicas
    assert abs(ahead.store.instances._ledger.clock() - behind.store.instances._ledger.clock()) < CLOSE


@pytest.mark.slow
async def test_what_one_adds_the_other_finds_due_at_once_and_each_row_goes_to_one(
    replicas: tuple[World, World],
) -> None:
    for number in range(1, 21):
        await replicas[number % 2].add(number, targets=(HOOK,))
    leased = await asyncio.gather(*(each.store.instances.lease_due(10) for each in replicas))
    ids = [row.instance.id for rows in leased for row in rows]
    assert len(ids) == len(set(ids)) == 20
    sends = [row.delivery.id for each in replicas for row in await each.store.deliveries.lease_due(2)]
    assert len(sends) == len(set(sends)) == 4


@pytest.mark.slow
async def test_no_lease_is_taken_before_its_time_and_every_one_soon_after(
    replicas: tuple[World, World],
) -> None:
    for number, (holder, other) in enumerate((replicas, replicas[::-1]), 1):
        await holder.add(number)
        (leased,) = await holder.store.instances.lease_due(1)
        assert await other.store.instances.lease_due(1) == ()
        await asyncio.sleep(SHORT.total_seconds())  # the server's clock can only be waited for
        (taken,) = await other.store.instances.lease_due(1)
        assert taken.instance.id == leased.instance.id
        assert not await holder.store.instances.settle(leased, leased.instance, due_at=None)
        assert await other.store.instances.settle(taken, taken.instance, due_at=None)


@pytest.mark.slow
async def test_a_name_that_one_has_the_other_gets_when_it_lapses(replicas: tuple[World, World]) -> None:
    ahead, behind = replicas
    assert await ahead.store.leases.acquire("poll", "ahead", SHORT)
    assert not await behind.store.leases.acquire("poll", "behind", SHORT)
    await asyncio.sleep(SHORT.total_seconds())
    assert await behind.store.leases.acquire("poll", "behind", SHORT)


@pytest.mark.slow
async def test_lists_of_both_count_in_the_order_in_which_they_began(replicas: tuple[World, World]) -> None:
    began = []
    for each in (*replicas, *replicas):
        began.append(each.store.instances._ledger.clock())
        await each.store.polls.observe(listing(began[-1]), previous=None)
        assert (await each.store.polls.last()).listed_at == began[-1]
    assert began == sorted(began)
