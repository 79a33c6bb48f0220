"""Leases by name."""

import asyncio
from datetime import timedelta

from storage_world import World

TTL = timedelta(seconds=10)


async def test_one_of_several_gets_it(world: World) -> None:
    acquire = world.store.leases.acquire
    got = await asyncio.gather(*(acquire("poll", f"replica-{n}", TTL) for n in range(8)))
    assert sum(got) == 1


async def test_its_owner_renews_it_and_others_wait_for_its_end(world: World) -> None:
    acquire = world.store.leases.acquire
    assert await acquire("poll", "a", TTL)
    world.clock.advance(9)
    assert await acquire("poll", "a", TTL)
    world.clock.advance(9)
    assert not await acquire("poll", "b", TTL)
    world.clock.advance(1)
    assert await acquire("poll", "b", TTL)
    assert not await acquire("poll", "a", TTL)


async def test_names_are_apart(world: World) -> None:
    assert await world.store.leases.acquire("poll", "a", TTL)
    assert await world.store.leases.acquire("purge", "b", TTL)


async def test_only_its_owner_releases_it(world: World) -> None:
    leases = world.store.leases
    await leases.acquire("poll", "a", TTL)
    await leases.release("poll", "b")
    assert not await leases.acquire("poll", "b", TTL)
    await leases.release("poll", "a")
    await leases.release("poll", "a")
    assert await leases.acquire("poll", "b", TTL)
