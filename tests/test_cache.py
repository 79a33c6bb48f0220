"""A value looked up once for all, kept for a while, and served stale while Novita is away."""

from __future__ import annotations

import asyncio

import pytest
from clocks import Clock
from samples import seconds

from bot.cache import Cached
from bot.errors import BadCredentials, NovitaUnavailable
from bot.metrics import Metrics


class Lookup:
    def __init__(self) -> None:
        self.count = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.count += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.count


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lookup() -> Lookup:
    return Lookup()


@pytest.fixture
def cached(lookup: Lookup, clock: Clock) -> Cached[int]:
    return Cached(lookup, ttl=seconds(60), clock=clock)


async def test_it_is_looked_up_anew_when_it_is_old(cached: Cached[int], clock: Clock):
    assert (cached.value, cached.fetched_at) == (None, None)
    assert [await cached.get(), await cached.get()] == [1, 1]
    clock.advance(59)
    assert await cached.get() == 1
    clock.advance(1)
    assert await cached.get() == 2
    assert (cached.value, cached.fetched_at) == (2, clock.now)


async def test_who_needs_it_fresher_gets_it_fresher_and_never_older(cached: Cached[int], clock: Clock):
    await cached.get()
    clock.advance(10)
    assert await cached.get(no_older_than=seconds(10)) == 2
    clock.advance(60)
    assert await cached.get(no_older_than=seconds(3600)) == 3


async def test_all_who_ask_at_once_share_one_look_up(cached: Cached[int], lookup: Lookup):
    lookup.gate.clear()
    asking = [asyncio.create_task(cached.get()) for _ in range(3)]
    await asyncio.sleep(0)
    lookup.gate.set()
    assert await asyncio.gather(*asking) == [1, 1, 1]


async def test_one_who_no_longer_waits_does_not_end_it_for_the_others(cached: Cached[int], lookup: Lookup):
    lookup.gate.clear()
    impatient, patient = asyncio.create_task(cached.get()), asyncio.create_task(cached.get())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait({impatient})
    lookup.gate.set()
    assert (impatient.cancelled(), await patient, lookup.count) == (True, 1, 1)


async def test_it_is_served_stale_while_novita_is_away(cached: Cached[int], lookup: Lookup, clock: Clock):
    await cached.get()
    clock.advance(60)
    lookup.error = NovitaUnavailable("away")
    assert await cached.get() == 1
    lookup.error = None
    assert await cached.get() == 3


async def test_where_there_is_nothing_stale_the_error_is_told(cached: Cached[int], lookup: Lookup):
    lookup.error = NovitaUnavailable("away")
    with pytest.raises(NovitaUnavailable):
        await cached.get()
    lookup.error = None
    assert await cached.get() == 2


async def test_a_definite_error_is_told_whatever_is_in_memory(
    cached: Cached[int], lookup: Lookup, clock: Clock
):
    await cached.get()
    clock.advance(60)
    lookup.error = BadCredentials("wrong key")
    with pytest.raises(BadCredentials):
        await cached.get()
    assert cached.value == 1


async def test_closing_ends_a_look_up_that_nobody_waits_for(cached: Cached[int], lookup: Lookup) -> None:
    await cached.aclose()
    lookup.gate.clear()
    waiting = asyncio.create_task(cached.get())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.wait_for(cached.aclose(), 5)
    assert lookup.count == 1


async def test_an_error_that_nobody_waits_for_is_no_news(cached: Cached[int], lookup: Lookup) -> None:
    lookup.gate.clear()
    lookup.error = NovitaUnavailable("Down.")
    waiting = asyncio.create_task(cached.get())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    lookup.gate.set()
    with pytest.raises(NovitaUnavailable):
        await cached.get()


async def test_who_had_to_wait_is_a_miss_and_what_is_warmed_is_neither(lookup: Lookup, clock: Clock) -> None:
    metrics = Metrics()
    cached = Cached(lookup, ttl=seconds(60), clock=clock, metrics=metrics)
    assert metrics.cache_hits() == (0, 0)
    assert [await cached.get(), await cached.get(), await cached.get()] == [1, 1, 1]
    clock.advance(60)
    assert [await cached.warm(), await cached.warm(), await cached.get()] == [2, 2, 2]
    assert metrics.cache_hits() == (3, 1)
