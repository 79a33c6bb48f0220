"""Workers: rows are leased to one of them, calls are begun before they are made, stale work writes nothing."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from storage_samples import CONNECTION, FAILURE, HOOK, NOTICE, NOW, OFFER, event, id_of, listing, observation
from storage_world import World

from storage.cloud import Phase
from storage.records import DeliveryState, EventKind, Fate, NewCard, Outcome, State, Wish
from storage.store.steps import Leased
from storage.store.store import make_store
from storage.tables import attempts, deliveries

LATER = NOW + timedelta(minutes=5)


async def settle(world: World, leased: Leased, **changes: object) -> bool:
    due_at = changes.pop("due_at", None)
    decided = changes.pop("decided", True)
    after = replace(leased.instance, **changes)
    return await world.store.instances.settle(leased, after, due_at=due_at, decided=decided)


# leases


async def test_only_due_rows_are_leased_longest_due_first(world: World) -> None:
    for number in (1, 2, 3):
        await world.add(number)
        world.clock.advance(1)
    await settle(world, (await world.store.instances.lease_due(1))[0], due_at=LATER)
    leased = await world.store.instances.lease_due(10)
    assert [each.instance.id for each in leased] == [id_of(2), id_of(3)]
    assert await world.store.instances.lease_due(10) == ()


async def test_each_row_goes_to_one_of_several_workers(world: World) -> None:
    for number in range(1, 61):
        await world.add(number)
    claims = await asyncio.gather(*(world.store.instances.lease_due(7) for _ in range(12)))
    leased = [each for claim in claims for each in claim]
    while more := await world.store.instances.lease_due(7):
        leased.extend(more)
    assert sorted(each.instance.id for each in leased) == [id_of(number) for number in range(1, 61)]
    assert len({each.token for each in leased}) == 60


async def test_a_lease_that_is_not_renewed_ends_after_20_seconds(world: World) -> None:
    await world.add()
    first = await world.lease()
    world.clock.advance(19)
    assert await world.store.instances.lease_due(1) == ()
    world.clock.advance(1)
    second = await world.lease()
    assert second.token != first.token
    assert not await settle(world, first, tries=9)
    assert await settle(world, second, tries=1)


async def test_a_lease_lasts_as_long_as_it_is_renewed(world: World) -> None:
    for number in (1, 2, 3):
        await world.add(number)
    leased = await world.store.instances.lease_due(3)
    world.clock.advance(15)
    await world.change(3, tries=1)
    assert await world.store.instances.renew([each.token for each in leased]) == 2
    world.clock.advance(15)
    assert [each.instance.id for each in await world.store.instances.lease_due(3)] == [id_of(3)]
    assert await world.store.instances.renew([]) == 0


async def test_the_length_of_a_lease_can_be_chosen(world: World) -> None:
    store = make_store(world.database, world.clock, lease=timedelta(seconds=2))
    await world.add()
    await store.instances.lease_due(1)
    world.clock.advance(2)
    assert len(await store.instances.lease_due(1)) == 1


async def test_a_leased_row_says_as_of_which_list_it_is(world: World) -> None:
    await world.add(1)
    assert (await world.lease(1)).listed_at is None
    await world.store.polls.observe(listing(LATER), previous=None)
    await world.add(2)
    assert (await world.lease(2)).listed_at == LATER


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


@pytest.mark.parametrize("state", list(State))
async def test_a_binding_is_kept_in_every_state(world: World, state: State) -> None:
    await world.add_begun()
    await world.change(state=state)
    assert await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    after = await world.get()
    assert (after.novita_id, after.state) == ("nv-1", state)
    assert (await world.attempt()).fate is Fate.BOUND


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


# settle


async def test_settling_writes_what_differs_its_event_and_its_deliveries(world: World) -> None:
    await world.add(1, card=NewCard(channel="C1"))
    leased = await world.lease()
    now = world.clock.advance(2)
    after = replace(leased.instance, state=State.RUNNING, wish=None, connection=CONNECTION, ready_at=NOW)
    ready = event(EventKind.READY)
    assert await world.store.instances.settle(
        leased, after, event=ready, targets=(NOTICE, HOOK), due_at=LATER
    )
    assert await world.get() == replace(after, sequence=2, updated_at=now)
    assert await world.due_at() == LATER
    assert await world.kinds() == [EventKind.REQUESTED, EventKind.READY]
    rows = await world.rows(deliveries)
    assert {(row["target_kind"], row["target_address"]) for row in rows} == {
        (NOTICE.kind, NOTICE.address),
        (HOOK.kind, HOOK.address),
    }
    assert {(row["state"], row["due_at"], row["sequence"]) for row in rows} == {
        (DeliveryState.PENDING, now, 2)
    }
    assert (await world.card()).wanted_version == 2


async def test_a_settled_row_is_free_and_may_be_due_never(world: World) -> None:
    await world.add()
    assert await settle(world, await world.lease())
    assert await world.due_at() is None
    await world.change(tries=1)
    assert await world.lease()


async def test_a_settled_call_moves_acted_at_and_nothing_else_does(world: World) -> None:
    await world.add()
    now = world.clock.advance(5)
    await settle(world, await world.lease(), status_error="x", due_at=now)
    assert (await world.get()).acted_at == NOW
    await settle(world, await world.lease(), outcome=Outcome.ACCEPTED)
    assert (await world.get()).acted_at == now


async def test_a_card_is_not_edited_for_what_it_does_not_show(world: World) -> None:
    await world.add(1, card=NewCard(channel="C1"))
    await settle(world, await world.lease(), probe_began_at=NOW, tries=3)
    assert (await world.card()).wanted_version == 1


async def test_a_lost_lease_writes_nothing(world: World) -> None:
    await world.add(1)
    leased = await world.lease()
    world.clock.advance(20)
    second = await world.lease()
    stale = replace(leased.instance, state=State.FAILED, error=FAILURE)
    for decided in (True, False):
        assert not await world.store.instances.settle(
            leased, stale, event=event(), targets=(HOOK,), due_at=None, decided=decided
        )
    assert await world.get() == second.instance
    assert await world.kinds() == [EventKind.REQUESTED]
    assert await world.count(deliveries) == 0


async def test_nothing_is_decided_past_an_observation(world: World) -> None:
    await world.add_bound(1, state=State.RUNNING, wish=None)
    leased = await world.lease()
    now = world.clock.advance(5)
    await world.store.polls.observe(listing(now, observation("nv-1")), previous=None)
    seen = await world.get()
    assert not await settle(world, leased, state=State.FAILED, due_at=LATER)
    assert await world.get() == seen
    assert await world.due_at() == now
    assert (await world.lease()).instance == seen


async def test_what_a_call_taught_is_written_past_an_observation(world: World) -> None:
    await world.add_bound(1, state=State.STOPPING, wish=Wish.STOP)
    begun = await world.store.instances.begin(await world.lease(), call=Wish.STOP)
    assert begun
    now = world.clock.advance(5)
    await world.store.polls.observe(listing(now, observation("nv-1", phase=Phase.STOPPING)), previous=None)
    assert await settle(world, begun, outcome=Outcome.ACCEPTED, due_at=LATER, decided=False)
    after = await world.get()
    assert (after.outcome, after.phase) == (Outcome.ACCEPTED, Phase.STOPPING)
    assert await world.due_at() == now


async def test_what_a_call_taught_is_written_past_its_own_binding(world: World) -> None:
    begun = await world.add_begun()
    await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    assert await settle(world, begun, outcome=Outcome.ACCEPTED, refusal=None, decided=False)
    assert (await world.get()).novita_id == "nv-1"


async def test_an_overtaken_worker_never_takes_a_binding_away(world: World) -> None:
    begun = await world.add_begun()
    await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    assert await settle(world, begun, novita_id="nv-2", bound_at=LATER, tries=7, decided=False)
    after = await world.get()
    assert (after.novita_id, after.bound_at, after.tries) == ("nv-1", NOW, 7)


@pytest.mark.parametrize(
    "wished", [{"wished_at": LATER}, {"wish": Wish.DELETE}, {"state": State.DELETING}, {"tries": 9}]
)
async def test_a_newer_wish_is_never_written_over(world: World, wished: dict[str, object]) -> None:
    begun = await world.add_begun()
    newer = await world.change(**wished)
    taken = await world.store.instances.lease_due(1)
    assert not await settle(world, begun, outcome=Outcome.ACCEPTED, decided=False)
    assert await world.get() == newer
    assert taken[0].instance == newer


async def test_facts_that_meet_a_newer_wish_under_one_lease_are_dropped(world: World) -> None:
    begun = await world.add_begun()
    other = replace(begun, instance=replace(begun.instance, wished_at=LATER, version=99))
    assert not await settle(world, other, outcome=Outcome.ACCEPTED, decided=False)
    assert (await world.get()).outcome is Outcome.BEGUN
    assert (await world.lease()).instance == begun.instance


@pytest.mark.parametrize("state", [State.FAILED, State.DELETED])
async def test_an_attempt_that_was_never_seen_is_unconfirmed_when_the_row_ends(
    world: World, state: State
) -> None:
    begun = await world.add_begun()
    await settle(world, begun, state=state, wish=None)
    assert (await world.attempt()).fate is Fate.UNCONFIRMED


async def test_the_end_of_a_row_changes_no_attempt_that_ended(world: World) -> None:
    begun = await world.add_begun(1)
    await world.store.instances.bind(id_of(1), 1, "nv-1", at=NOW)
    await settle(world, begun, state=State.FAILED, decided=False)
    assert (await world.attempt(1)).fate is Fate.BOUND
