from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.errors import NotSent
from bot.novita.budget import Budget, Priority

PERSON, POLL = Priority.PERSON, Priority.POLL


@pytest.fixture
def budget(clock) -> Budget:
    return make(clock, calls_per_minute=4)


def make(clock, *, calls_per_minute: int, wait: float = 120) -> Budget:
    waits = {PERSON: timedelta(seconds=wait), POLL: timedelta(seconds=wait)}
    return Budget(calls_per_minute=calls_per_minute, max_wait=waits, clock=clock, sleep=clock.sleep)


def start(budget: Budget, priority: Priority, done: list[str], name: str) -> asyncio.Task[None]:
    async def run() -> None:
        await budget.acquire(priority)
        done.append(name)

    return asyncio.create_task(run())


async def take(budget: Budget, priority: Priority, times: int) -> None:
    for _ in range(times):
        await asyncio.wait_for(budget.acquire(priority), 1)


async def test_no_more_than_the_limit_in_any_minute(budget, clock) -> None:
    granted = []

    async def call() -> None:
        await budget.acquire(PERSON)
        granted.append(clock.now)

    tasks = [asyncio.create_task(call()) for _ in range(8)]
    for _ in range(200):
        await clock.advance(1)
    await asyncio.gather(*tasks)
    assert len(granted) == 8
    assert all(
        later - earlier >= timedelta(seconds=60) for earlier, later in zip(granted, granted[4:], strict=False)
    )


async def test_room_comes_back_one_call_at_a_time(budget, clock) -> None:
    for _ in range(4):
        await take(budget, PERSON, 1)
        await clock.advance(10)
    done: list[str] = []
    task = start(budget, PERSON, done, "fifth")
    await clock.advance(19.9)
    assert not done
    await clock.advance(0.1)
    await task
    assert done == ["fifth"]


async def test_polling_takes_at_most_half(budget, clock) -> None:
    await take(budget, POLL, 2)
    assert budget.polls_left == 0
    done: list[str] = []
    poll = start(budget, POLL, done, "third poll")
    await clock.advance(59)
    assert not done
    await take(budget, PERSON, 2)
    await clock.advance(1)
    await poll
    assert done == ["third poll"]


async def test_a_person_goes_before_a_poll_that_came_first(budget, clock) -> None:
    await take(budget, PERSON, 3)
    await clock.advance(30)
    await take(budget, PERSON, 1)
    done: list[str] = []
    tasks = [start(budget, POLL, done, "poll")]
    await clock.settle()
    tasks += [start(budget, PERSON, done, f"person {n}") for n in range(3)]
    await clock.advance(30)
    assert done == ["person 0", "person 1", "person 2"]
    assert budget.polls_left == 0
    await clock.advance(30)
    await asyncio.gather(*tasks)
    assert done[-1] == "poll"


async def test_equals_are_served_in_the_order_they_came(clock) -> None:
    budget = make(clock, calls_per_minute=1, wait=1000)
    done: list[str] = []
    tasks = [start(budget, PERSON, done, str(n)) for n in range(4)]
    await clock.advance(200)
    await asyncio.gather(*tasks)
    assert done == ["0", "1", "2", "3"]


async def test_who_would_wait_too_long_is_refused_at_once(clock) -> None:
    budget = make(clock, calls_per_minute=2, wait=10)
    await take(budget, PERSON, 2)
    with pytest.raises(NotSent) as caught:
        await budget.acquire(PERSON)
    assert caught.value.retry_after == timedelta(seconds=60)
    await clock.advance(50)
    task = start(budget, PERSON, [], "in time")
    await clock.advance(10)
    await task


async def test_a_cancelled_wait_takes_no_room(budget, clock) -> None:
    await take(budget, PERSON, 4)
    gone = start(budget, PERSON, [], "gone")
    await clock.settle()
    gone.cancel()
    await clock.advance(60)
    await take(budget, PERSON, 4)


async def test_a_pause_stops_everybody(budget, clock) -> None:
    budget.pause(timedelta(seconds=20))
    budget.pause(timedelta(seconds=5))
    done: list[str] = []
    tasks = [start(budget, PERSON, done, "person"), start(budget, POLL, done, "poll")]
    assert budget.polls_left == 0
    await clock.advance(19)
    assert not done
    await clock.advance(1)
    await asyncio.gather(*tasks)
    assert set(done) == {"person", "poll"}


async def test_polls_left_counts_both_limits(budget, clock) -> None:
    assert budget.polls_left == 2
    await take(budget, PERSON, 3)
    assert budget.polls_left == 1
    await clock.advance(60)
    assert budget.polls_left == 2


async def test_one_call_a_minute_may_still_be_a_poll(clock) -> None:
    budget = make(clock, calls_per_minute=1)
    await take(budget, POLL, 1)
    assert budget.polls_left == 0


async def test_a_clock_set_back_blocks_nobody(budget, clock) -> None:
    await take(budget, PERSON, 4)
    budget.pause(timedelta(seconds=60))
    clock.now -= timedelta(hours=1)
    await take(budget, PERSON, 4)


async def test_it_says_who_would_be_refused_without_counting_a_call(clock) -> None:
    budget = make(clock, calls_per_minute=4, wait=15)
    await take(budget, PERSON, 4)
    assert budget.refusal(PERSON).retry_after == timedelta(seconds=60)
    await clock.advance(45)
    assert budget.refusal(PERSON) is None  # it would wait its 15 seconds
    done: list[str] = []
    waiting = [start(budget, PERSON, done, str(n)) for n in range(4)]
    await asyncio.sleep(0)
    assert budget.refusal(PERSON) is not None  # behind those
    await clock.advance(15)
    await asyncio.gather(*waiting)
