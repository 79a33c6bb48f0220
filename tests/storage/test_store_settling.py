"""Stale work writes nothing; what a call taught is not lost."""

from dataclasses import replace
from datetime import timedelta

import pytest
from storage_samples import CONNECTION, FAILURE, HOOK, NOTICE, NOW, event, id_of, listing, observation
from storage_world import World

from storage.cloud import Phase
from storage.records import DeliveryState, EventKind, Fate, NewCard, Outcome, State, Wish
from storage.store.steps import Leased
from storage.tables import deliveries

LATER = NOW + timedelta(minutes=5)


async def settle(world: World, leased: Leased, **changes: object) -> bool:
    due_at = changes.pop("due_at", None)
    decided = changes.pop("decided", True)
    after = replace(leased.instance, **changes)
    return await world.store.instances.settle(leased, after, due_at=due_at, decided=decided)


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
