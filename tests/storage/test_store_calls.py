"""Calls are begun before they are made, and what became of them is kept whoever has the lease."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from storage_samples import NOW, OFFER, id_of, listing, observation
from storage_world import World

from storage.cloud import Phase
from storage.records import Fate, Outcome, State, Wish
from storage.tables import attempts

LATER = NOW + timedelta(minutes=5)


# begin


async def test_a_create_is_committed_with_its_attempt_before_the_call(world: World) -> None:
    await world.add(1, absent_lists=2, absent_for=timedelta(5), not_found_at=NOW, retry_at=NOW, underway=True)
    leased = await world.lease()
    now = world.clock.advance(3)
    begun = await world.store.instances.begin(leased, call=Wish.CREATE, offer=OFFER)
    assert begun
    assert begun.token == leased.token
    assert begun.instance == await world.get()
    assert begun.instance == replace(
        leased.instance,
        call=Wish.CREATE,
        called_at=now,
        outcome=Outcome.BEGUN,
        tries=1,
        retry_at=None,
        underway=False,
        attempt=1,
        offer=OFFER,
        first_usd_per_hour=Decimal("0.70"),
        absent_lists=0,
        absent_for=timedelta(0),
        not_found_at=None,
        updated_at=now,
    )
    attempt = await world.attempt()
    assert (attempt.fate, attempt.begun_at, attempt.offer, attempt.novita_id) == (
        Fate.BEGUN,
        now,
        OFFER,
        None,
    )


async def test_the_price_of_the_first_attempt_is_kept(world: World) -> None:
    begun = await world.add_begun()
    assert begun.instance.first_usd_per_hour is None
    for usd, first in ((Decimal("0.35"), "0.70"), (Decimal("0.50"), "0.70")):
        offer = replace(OFFER, usd_per_gpu_hour=usd)
        begun = await world.store.instances.begin(begun, call=Wish.CREATE, offer=offer)
        assert begun
        assert begun.instance.first_usd_per_hour == Decimal(first)
    assert begun.instance.attempt == 3
    assert await world.count(attempts) == 3


async def test_another_call_leaves_the_attempts_alone(world: World) -> None:
    before = await world.add_bound(1, state=State.STOPPING, wish=Wish.STOP, absent_lists=1, offer=OFFER)
    begun = await world.store.instances.begin(await world.lease(), call=Wish.STOP)
    assert begun
    after = begun.instance
    assert (after.call, after.outcome, after.tries) == (Wish.STOP, Outcome.BEGUN, 1)
    assert (after.attempt, after.absent_lists, after.offer) == (before.attempt, 1, OFFER)
    assert await world.count(attempts) == 0


async def test_begin_gives_the_work_the_whole_lease(world: World) -> None:
    await world.add()
    leased = await world.lease()
    world.clock.advance(19)
    assert await world.store.instances.begin(leased, call=Wish.CREATE)
    world.clock.advance(19)
    assert await world.store.instances.lease_due(1) == ()


async def test_nothing_is_begun_past_an_observation_and_the_row_is_due(world: World) -> None:
    await world.add_bound(1, state=State.RUNNING)
    leased = await world.lease()
    now = world.clock.advance(5)
    await world.store.polls.observe(listing(now, observation("nv-1")), previous=None)
    assert await world.store.instances.begin(leased, call=Wish.STOP) is None
    assert (await world.get()).call is Wish.CREATE
    assert (await world.lease()).instance.phase is Phase.RUNNING


async def test_nothing_is_begun_under_a_lost_lease(world: World) -> None:
    await world.add()
    leased = await world.lease()
    world.clock.advance(20)
    await world.lease()
    assert await world.store.instances.begin(leased, call=Wish.CREATE, offer=OFFER) is None
    assert await world.count(attempts) == 0


# bind


async def test_a_binding_is_kept_whoever_has_the_lease(world: World) -> None:
    begun = await world.add_begun(absent_lists=1)
    world.clock.advance(20)
    await world.lease()  # another worker
    now = world.clock.advance(1)
    at = now - timedelta(seconds=1)
    assert await world.store.instances.bind(id_of(1), 1, "nv-1", at=at)
    assert await world.get() == replace(
        begun.instance,
        novita_id="nv-1",
        bound_at=at,
        billing_since=at,
        outcome=Outcome.ACCEPTED,
        absent_lists=0,
        version=begun.instance.version + 1,
        acted_at=now,
        updated_at=now,
    )
    attempt = await world.attempt()
    assert (attempt.fate, attempt.novita_id) == (Fate.BOUND, "nv-1")
    assert await world.due_at() == now


OVER = (State.FAILED, State.DELETED)


@pytest.mark.parametrize("state", [state for state in State if state not in OVER])
async def test_a_binding_is_kept_in_every_state(world: World, state: State) -> None:
    await world.add_begun()
    await world.change(state=state)
    assert await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    after = await world.get()
    assert (after.novita_id, after.state) == ("nv-1", state)
    assert (await world.attempt()).fate is Fate.BOUND


@pytest.mark.parametrize("state", OVER)
async def test_the_gpu_of_an_instance_that_is_over_is_late_and_not_billed_to_it(
    world: World, state: State
) -> None:
    await world.add_begun()
    await world.change(state=state, wish=None)
    assert not await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    after, attempt = await world.get(), await world.attempt()
    assert (after.novita_id, after.billing_since) == (None, None)
    assert (attempt.fate, attempt.novita_id) == (Fate.LATE, "nv-1")


async def test_binding_the_same_again_is_true_and_writes_nothing(world: World) -> None:
    await world.add_begun()
    await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    before = await world.get()
    world.clock.advance(1)
    assert await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    assert await world.get() == before


async def test_a_second_gpu_of_an_attempt_is_late(world: World) -> None:
    await world.add_begun()
    await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    assert not await world.store.instances.bind(id_of(1), 1, "nv-2", at=NOW)
    assert (await world.get()).novita_id == "nv-1"
    attempt = await world.attempt()
    assert (attempt.fate, attempt.novita_id) == (Fate.LATE, "nv-2")


async def test_the_gpu_of_an_earlier_attempt_is_late(world: World) -> None:
    begun = await world.add_begun()
    await world.store.instances.not_made(id_of(1), 1)
    world.clock.advance(20)
    assert await world.store.instances.begin(await world.lease(), call=Wish.CREATE)
    assert not await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    assert (await world.get()).novita_id is None
    assert (await world.attempt(1, 1)).fate is Fate.LATE
    assert (await world.attempt(1, 2)).fate is Fate.BEGUN
    assert begun.instance.attempt == 1


async def test_the_gpu_of_a_purged_instance_is_late(world: World) -> None:
    await world.add_begun()
    await world.change(state=State.FAILED, wish=None)
    await world.store.instances.purge(LATER)
    assert not await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    assert (await world.attempt()).fate is Fate.LATE


async def test_two_rows_never_have_one_gpu(world: World) -> None:
    await world.add_begun(1)
    await world.add_begun(2)
    await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    with pytest.raises(Exception, match="novita_id"):
        await world.store.instances.bind(id_of(2), 1, "nv-1", at=NOW)
    assert (await world.attempt(2)).fate is Fate.BEGUN


# not made


async def test_not_made_is_known_whoever_has_the_lease(world: World) -> None:
    begun = await world.add_begun()
    now = world.clock.advance(25)
    await world.lease()
    await world.store.instances.not_made(id_of(1), 1)
    after = await world.get()
    assert after == replace(
        begun.instance,
        outcome=Outcome.NOT_MADE,
        version=begun.instance.version + 1,
        acted_at=now,
        updated_at=now,
    )
    assert (await world.attempt()).fate is Fate.NOT_MADE
    await world.store.instances.not_made(id_of(1), 1)
    assert await world.get() == after


async def test_why_it_was_not_made_is_kept_with_the_attempt(world: World) -> None:
    await world.add_begun()
    await world.store.instances.not_made(id_of(1), 1, fate=Fate.NO_CAPACITY)
    assert [each.fate for each in await world.store.instances.attempts(id_of(1))] == [Fate.NO_CAPACITY]
    assert await world.store.instances.attempts(id_of(2)) == ()


async def test_not_made_says_nothing_about_a_bound_row_another_call_or_a_later_attempt(world: World) -> None:
    await world.add_begun(1)
    await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    await world.add_begun(2)
    await world.change(2, call=None, outcome=None)
    await world.add_begun(3)
    await world.change(3, attempt=2)
    before = [await world.get(number) for number in (1, 2, 3)]
    for number in (1, 2, 3, 4):
        await world.store.instances.not_made(id_of(number), 1)
    assert [await world.get(number) for number in (1, 2, 3)] == before
    assert (await world.attempt(1)).fate is Fate.BOUND
