"""One complete list against the table."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy import event as listening
from storage_samples import HOOK, NOW, SECOND, event, id_of, listing, observation
from storage_world import World

from storage.cloud import Observation, Phase
from storage.records import EventKind, Fate, NewCard, Outcome, State, Wish
from storage.store.observing import Observed
from storage.store.tokens import Token, read_token
from storage.tables import deliveries

RUNS = {"state": State.RUNNING, "wish": None}
LATE = event(EventKind.LATE_REMOVED)


async def observe(
    world: World, *observations: Observation, previous: datetime | None = None, seconds: float = 3
) -> Observed:
    """A list that begins and ends now, `seconds` after the present."""
    began_at = world.clock.advance(seconds)
    return await world.store.polls.observe(listing(began_at, *observations), previous=previous)


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is sent to any database meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement.strip())

    listening.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        listening.remove(Engine, "before_cursor_execute", note)


async def test_what_is_seen_is_written_and_makes_the_row_due(world: World) -> None:
    before = await world.add_bound(1, **RUNS, card=NewCard(channel="C1"))
    await world.set_idle()
    seen = await observe(world, observation("nv-1", status="running"))
    now = world.clock.now
    assert (seen.changed, seen.bound) == (1, 0)
    assert await world.get() == replace(
        before, status="running", phase=Phase.RUNNING, seen_at=now, version=1, updated_at=now
    )
    assert await world.due_at() == now
    assert (await world.card()).wanted_version == 2


async def test_an_observation_leaves_a_lease_alone(world: World) -> None:
    await world.add_bound(1, **RUNS)
    leased = await world.lease()
    await observe(world, observation("nv-1"))
    assert await world.store.instances.renew([leased.token]) == 1


async def test_a_card_is_edited_only_for_what_it_shows(world: World) -> None:
    await world.add_bound(1, **RUNS, card=NewCard(channel="C1"), status="running", phase=Phase.RUNNING)
    await observe(world, observation("nv-1", last_started_at=NOW))
    assert (await world.card()).wanted_version == 1
    await observe(world, observation("nv-1", last_started_at=NOW, reclaim_at=NOW))
    assert (await world.card()).wanted_version == 2


async def test_a_finished_row_is_watched_while_its_gpu_is_in_the_list(world: World) -> None:
    await world.add_bound(1, state=State.DELETED, wish=None)
    seen = observation("nv-1", world.token(1))
    assert (await observe(world, seen)).changed == 1
    assert (await world.get()).phase is Phase.RUNNING
    assert await observe(world, seen) == await observe(world) == Observed(changed=0, bound=0)


async def test_observing_1000_unchanged_instances_writes_no_row(world: World) -> None:
    shown = {"status": "running", "phase": Phase.RUNNING, "seen_at": NOW}
    await asyncio.gather(*(world.add_bound(number, **RUNS, **shown) for number in range(1, 1001)))
    account = [observation(f"nv-{number}") for number in range(1, 1001)]
    with statements() as sent:
        assert (await observe(world, *account)).changed == 0
    sent = [each for each in sent if not each.startswith(("BEGIN", "SET LOCAL"))]
    (written,) = [each for each in sent if not each.startswith("SELECT")]
    assert written.startswith("UPDATE meta")
    assert len(sent) <= 4


async def test_the_number_of_statements_does_not_grow_with_what_changed(world: World) -> None:
    for number in range(1, 41):
        await world.add_bound(number, **RUNS, card=NewCard(channel="C1"))
    counts = []
    for size in (1, 40):
        with statements() as sent:
            await observe(world, *(observation(f"nv-{n}", status=f"s{size}") for n in range(1, size + 1)))
        counts.append(len(sent))
    assert counts[0] == counts[1]


async def test_a_bound_row_is_missed_three_times_and_no_more(world: World) -> None:
    await world.add_bound(1, **RUNS)
    await world.set_idle()
    missed = [(await observe(world)).changed for _ in range(5)]
    assert missed == [1, 1, 1, 0, 0]
    assert (await world.get()).absent_lists == 3
    assert await world.due_at() == world.clock.now - 6 * SECOND


async def test_an_empty_list_makes_nothing_gone(world: World) -> None:
    await world.add_bound(1, **RUNS)
    for _ in range(9):
        await observe(world)
    assert (await world.get()).state is State.RUNNING


async def test_an_unknown_create_is_missed_in_lists_and_in_time(world: World) -> None:
    await world.add_begun()
    await observe(world)
    previous = world.clock.now
    await observe(world, previous=previous)
    await observe(world, previous=None)
    after = await world.get()
    assert (after.absent_lists, after.absent_for) == (3, 3 * SECOND)
    assert await world.due_at() == world.clock.now


async def test_an_unknown_create_that_shows_up_is_adopted(world: World) -> None:
    begun = await world.add_begun()
    seen = await observe(world, observation("nv-5", world.token(), phase=Phase.PROVISIONING))
    assert (seen.changed, seen.bound, seen.strays) == (1, 1, ())
    after = await world.get()
    assert (after.novita_id, after.outcome, after.phase) == ("nv-5", Outcome.ACCEPTED, Phase.PROVISIONING)
    assert after.billing_since == begun.instance.called_at
    assert (after.bound_at, after.acted_at) == (world.clock.now, world.clock.now)
    attempt = await world.attempt()
    assert (attempt.fate, attempt.novita_id) == (Fate.BOUND, "nv-5")
    assert await world.store.instances.bind(id_of(1), 1, "nv-5", at=NOW)


async def test_a_create_that_was_called_after_the_list_began_is_let_alone(world: World) -> None:
    began_at = world.clock.advance(1)
    world.clock.advance(1)
    begun = await world.add_begun()
    for observations in ((), (observation("nv-5", world.token()),)):
        account = listing(began_at, *observations)
        seen = await world.store.polls.observe(account, previous=None)
        assert (seen.changed, seen.strays, seen.unknown) == (0, (), ())
    assert await world.get() == begun.instance


async def test_what_is_ending_never_wins_a_row_that_something_living_may_have(world: World) -> None:
    await world.add_begun()
    ended = observation("nv-1", world.token(), phase=Phase.GONE)
    seen = await observe(world, ended, observation("nv-2", world.token()))
    assert (await world.get()).novita_id == "nv-2"
    assert seen.strays == ()


async def test_a_second_gpu_of_one_token_is_a_stray(world: World) -> None:
    await world.add_begun()
    account = [observation("nv-1", world.token()), observation("nv-2", world.token())]
    for _ in range(2):
        (stray,) = (await observe(world, *account)).strays
        assert stray.observation.novita_id == "nv-2"
        assert stray.instance == await world.get()
        assert (stray.attempt.fate, stray.attempt.novita_id) == (Fate.LATE, "nv-2")
    assert (await world.get()).novita_id == "nv-1"


async def end(world: World, state: State) -> None:
    leased = await world.lease()
    after = replace(leased.instance, state=state, wish=None)
    assert await world.store.instances.settle(leased, after, due_at=None)


@pytest.mark.parametrize("state", [State.FAILED, State.DELETED])
async def test_the_gpu_of_a_given_up_attempt_is_a_stray(world: World, state: State) -> None:
    await world.add_begun()
    world.clock.advance(20)
    await end(world, state)
    (stray,) = (await observe(world, observation("nv-1", world.token()))).strays
    assert (stray.attempt.fate, stray.attempt.number) == (Fate.LATE, 1)
    assert await world.attempt() == stray.attempt
    assert (await world.get()).novita_id is None


async def test_the_gpu_of_an_attempt_that_was_not_made_is_a_stray_beside_the_next_one(world: World) -> None:
    await world.add_begun()
    await world.store.instances.not_made(id_of(1), 1)
    world.clock.advance(20)
    await world.store.instances.begin(await world.lease(), call=Wish.CREATE)
    account = [observation("nv-1", world.token(1, 1)), observation("nv-2", world.token(1, 2))]
    (stray,) = (await observe(world, *account)).strays
    assert (stray.attempt.number, stray.observation.novita_id) == (1, "nv-1")
    assert (await world.get()).novita_id == "nv-2"


@pytest.mark.parametrize("phase", [Phase.REMOVING, Phase.GONE])
async def test_a_stray_that_is_ending_is_nobodys_work(world: World, phase: Phase) -> None:
    await world.add_begun()
    await world.change(state=State.FAILED, wish=None)
    assert await observe(world, observation("nv-1", world.token(), phase=phase)) == Observed(
        changed=0, bound=0
    )
    assert (await world.attempt()).fate is Fate.UNCONFIRMED


async def test_a_stray_is_known_after_its_record_was_purged(world: World) -> None:
    await world.add_begun()
    await world.change(state=State.FAILED, wish=None)
    await world.store.instances.purge(NOW + timedelta(days=1))
    (stray,) = (await observe(world, observation("nv-1", world.token()))).strays
    assert stray.instance is None
    assert await world.store.instances.settle_stray(stray.attempt, "nv-1", event=LATE)
    assert (await world.attempt()).fate is Fate.REMOVED


async def test_a_removed_stray_is_told_once(world: World) -> None:
    await world.add_begun()
    await world.change(state=State.FAILED, wish=None)
    account = observation("nv-1", world.token())
    for told in (True, False):
        (stray,) = (await observe(world, account)).strays
        settled = world.store.instances.settle_stray(stray.attempt, "nv-1", event=LATE, targets=(HOOK,))
        assert await settled is told
    assert await world.kinds() == [EventKind.REQUESTED, EventKind.LATE_REMOVED]
    assert await world.count(deliveries) == 1
    assert (await world.attempt()).fate is Fate.REMOVED


async def test_our_token_of_no_known_attempt_is_never_touched(world: World) -> None:
    await world.add_begun()
    strange = [
        observation("nv-1", world.token(1, 2)),
        observation("nv-2", world.token(9)),
        observation("nv-3", f"gb-{world.store.deployment}-oddity"),
    ]
    seen = await observe(world, *strange)
    assert (set(seen.unknown), seen.strays, seen.bound) == (set(strange), (), 0)


async def test_other_peoples_gpus_are_ignored(world: World) -> None:
    await world.add_begun()
    before = await world.get()
    account = [observation("nv-1", "somebodys"), observation("nv-2", world.token(deployment="otherone"))]
    seen = await observe(world, *account)
    assert (seen.unknown, seen.strays, seen.bound) == ((), (), 0)
    assert (await world.get()).novita_id is before.novita_id is None


async def test_an_older_list_is_dropped(world: World) -> None:
    await world.add_bound(1, **RUNS)
    await observe(world, observation("nv-1"))
    before = await world.get()
    old = listing(world.clock.now - SECOND, observation("nv-1", status="exited", phase=Phase.STOPPED))
    assert await world.store.polls.observe(old, previous=None) == Observed(changed=0, bound=0)
    assert await world.get() == before


def test_a_token_is_read_as_it_was_written() -> None:
    token = Token(deployment="abcd1234", instance_id=id_of(1), attempt=12)
    assert read_token(str(token)) == token
    assert len(str(token)) <= 40


@pytest.mark.parametrize(
    "name",
    [
        "",
        "gb-abcd1234-" + id_of(1),
        "gb-abcd1234-" + id_of(1) + "-a0",
        "gb-abcd1234-" + id_of(1) + "-a1-x",
        "gb-abcd1234-" + id_of(1) + "-a1\n",
        "GB-abcd1234-" + id_of(1) + "-a1",
        "gb-abcd123-" + id_of(1) + "-a1",
    ],
)
def test_what_is_not_exactly_a_token_is_none(name: str) -> None:
    assert read_token(name) is None
