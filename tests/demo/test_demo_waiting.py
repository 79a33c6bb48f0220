from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from clocks import Clock

from bot.sandbox.terminal.waiting import Patience, Settling

PATIENCE = Patience(
    quiet_for=timedelta(seconds=1), outage=timedelta(seconds=10), longest=timedelta(seconds=100)
)


@dataclass
class World:
    """The bot, the cloud and time: each look takes a tenth of a second, and `later` may change anything."""

    clock: Clock = field(default_factory=Clock)
    still: tuple[str, ...] = ()
    seen_at: datetime | None = None
    blind: bool = False
    is_down: bool = False
    later: dict[int, tuple[str, object]] = field(default_factory=dict)
    looks: int = 0

    def __post_init__(self) -> None:
        self.changed_at = self.rests_at = self.clock()

    async def under_way(self) -> tuple[str, ...]:
        self.looks += 1
        name, value = self.later.get(self.looks, ("looks", self.looks))
        setattr(self, name, value)
        return self.still

    async def looked_at(self) -> datetime | None:
        return None if self.blind else self.clock()

    def busy_until(self) -> datetime:
        return self.rests_at


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    async def sleep(_seconds: float) -> None:
        world.clock.advance(0.1)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return world


async def settled(world: World) -> str:
    return await Settling(world, world, clock=world.clock, patience=PATIENCE).settled()


def waited(world: World) -> float:
    return round((world.clock() - world.changed_at).total_seconds(), 1)


async def test_quiet_must_last_before_it_counts(world: World) -> None:
    world.clock.advance(0.1)
    assert await settled(world) == ""
    assert waited(world) == pytest.approx(1.1)


async def test_what_is_under_way_in_the_bot_is_waited_for(world: World) -> None:
    world.still = ("a is creating",)
    world.later = {50: ("still", ())}
    assert await settled(world) == ""
    assert waited(world) >= 5


async def test_quiet_that_is_broken_begins_anew(world: World) -> None:
    world.clock.advance(0.1)
    world.later = {8: ("still", ("a notice is on its way",)), 9: ("still", ())}
    assert await settled(world) == ""
    assert waited(world) >= 1.7


async def test_what_happens_at_the_cloud_must_be_seen_by_the_bot(world: World) -> None:
    world.rests_at = world.clock() + timedelta(seconds=6)
    assert await settled(world) == ""
    assert waited(world) >= 7


async def test_who_never_looks_is_not_waited_for_for_ever(world: World) -> None:
    world.blind = True
    assert await settled(world) == "Waited long enough. Still under way: what Novita does."
    assert 100 < waited(world) < 101


async def test_in_an_outage_what_waits_for_its_end_is_said(world: World) -> None:
    world.is_down, world.still = True, ("a is creating", "b is starting")
    assert await settled(world) == "Novita is down, so this has to wait: a is creating, b is starting."
    assert waited(world) < 11


async def test_an_outage_that_delays_nothing_is_quiet(world: World) -> None:
    world.is_down = world.blind = True
    assert await settled(world) == ""
    assert waited(world) < 2
