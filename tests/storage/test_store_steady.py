"""What a list says nothing new about is not looked at; everything else is."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from storage_samples import NOW, SECOND, id_of, listing, observation
from storage_world import World

from storage.cloud import Observation, Phase, Spot
from storage.records import Fate, Outcome, State, Wish
from storage.store import steady
from storage.store.sightings import WATCHED_FIELDS, Pass, Watched, look
from storage.store.steady import News, news

KEPT: dict[str, Any] = {
    "state": State.RUNNING,
    "wish": None,
    "outcome": Outcome.ACCEPTED,
    "underway": True,
    "status": "running",
    "phase": Phase.RUNNING,
    "seen_at": NOW,
    "status_error": "low on disk",
    "spot": Spot.NOTIFIED,
    "reclaim_at": NOW + SECOND,
    "last_started_at": NOW - SECOND,
}
SHOWN = {name: KEPT[name] for name in ("status_error", "spot", "reclaim_at", "last_started_at")}
SEEN = observation("nv-1", **SHOWN)


async def news_of(world: World, *observations: Observation) -> News:
    shown = listing(world.clock.now + SECOND, *observations)
    return await world.database.read(lambda connection: news(connection, shown))


async def test_a_row_that_is_shown_as_it_is_kept_is_no_news(world: World) -> None:
    await world.add_bound(1, **KEPT)
    await world.add_bound(2, **{**KEPT, "state": State.DELETED})
    assert await news_of(world, SEEN) == News(rows=frozenset(), observations=())


@pytest.mark.parametrize(
    "change", [{name: None} for name in SHOWN] + [{"status": "odd"}, {"phase": Phase.GONE}]
)
async def test_whatever_else_is_shown_is_news(world: World, change: dict[str, Any]) -> None:
    await world.add_bound(1, **KEPT)
    seen = replace(SEEN, **change)
    assert await news_of(world, seen) == News(rows=frozenset({id_of(1)}), observations=(seen,))


@pytest.mark.parametrize(
    "kept",
    [
        {"underway": False},
        {"absent_lists": 2},
        {"absent_for": SECOND},
        {"not_found_at": NOW},
        {"delayed_since": NOW},
    ],
)
async def test_a_row_that_was_missed_or_waits_is_looked_at_when_it_is_shown(world: World, kept: Any) -> None:
    await world.add_bound(1, **{**KEPT, **kept})
    assert (await news_of(world, SEEN)).rows == {id_of(1)}


async def test_what_is_not_shown_is_news(world: World) -> None:
    await world.add_bound(1, **KEPT)
    await world.add_begun(2)
    assert await news_of(world) == News(rows=frozenset({id_of(1), id_of(2)}), observations=())


async def test_a_gpu_that_shows_no_row_is_news(world: World) -> None:
    await world.add_bound(1, **KEPT)
    stranger = observation("nv-9", "somebody-elses")
    assert await news_of(world, SEEN, stranger) == News(rows=frozenset(), observations=(stranger,))


async def test_the_word_of_a_later_version_is_not_passed_over(world: World) -> None:
    await world.add_bound(1, **KEPT)
    newer = text("UPDATE instances SET call = 'clone'")
    await world.database.write(lambda connection: connection.execute(newer))
    assert (await news_of(world, SEEN)).rows == {id_of(1)}


async def test_a_second_gpu_of_a_steady_row_goes_and_the_first_one_is_not_missed(world: World) -> None:
    leased = await world.add_begun(1)
    await world.store.instances.bind(id_of(1), 1, "nv-1", at=world.clock.now)
    await world.store.instances.settle(leased, replace(await world.get(), **KEPT), due_at=None)
    await world.add_bound(2, **KEPT)
    first = replace(SEEN, name=world.token(1))
    beside = replace(first, novita_id="nv-9")
    account = (first, beside, replace(SEEN, novita_id="nv-2"))
    world.clock.advance(3)
    await world.store.polls.observe(listing(world.clock.now, *account), previous=None)
    world.clock.advance(3)
    observed = await world.store.polls.observe(listing(world.clock.now, *account), previous=None)
    assert [stray.observation for stray in observed.strays] == [beside]
    assert observed.changed == 0
    assert ((await world.get()).absent_lists, (await world.attempt()).fate) == (0, Fate.LATE)


async def test_more_than_can_be_named_is_read_all_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady, "MOST", 1)
    for number in (1, 2, 3):
        await world.add_bound(number, **KEPT)
    seen = [replace(SEEN, novita_id=f"nv-{number}", status="odd") for number in (1, 2)]
    third = replace(SEEN, novita_id="nv-3")
    assert await news_of(world, *seen, third) == News(rows=None, observations=(*seen, third))
    world.clock.advance(3)
    observed = await world.store.polls.observe(listing(world.clock.now, *seen, third), previous=None)
    assert observed.changed == 2


@pytest.mark.parametrize("wish", [None, Wish.STOP, Wish.DELETE])
@pytest.mark.parametrize("call", [Wish.CREATE, Wish.RESTART, Wish.STOP])
@pytest.mark.parametrize("outcome", list(Outcome))
async def test_what_is_no_news_changes_no_row(
    world: World, wish: Wish | None, call: Wish, outcome: Outcome
) -> None:
    added = await world.add_bound(1, **{**KEPT, "wish": wish, "call": call, "outcome": outcome})
    assert (await news_of(world, SEEN)).rows == frozenset()
    row = Watched(**{name: getattr(added, name, None) for name in WATCHED_FIELDS})
    at = Pass(began_at=NOW + timedelta(hours=1), previous=NOW, now=NOW + timedelta(hours=1))
    assert look(row, SEEN, at) is row
