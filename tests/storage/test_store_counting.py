"""How many instances there are, and what they cost an hour."""

from dataclasses import replace
from decimal import Decimal

from storage_samples import NOW, OFFER
from storage_world import World

from storage.records import State


async def test_an_empty_store_counts_nothing_in_every_state(world: World) -> None:
    counts = await world.store.instances.counts()
    assert counts.by_state == dict.fromkeys(State, 0)
    assert (counts.due, counts.usd_per_hour) == (0, Decimal(0))


async def test_instances_are_counted_by_state_and_those_that_are_due(world: World) -> None:
    for number, state in enumerate((State.RUNNING, State.RUNNING, State.CREATING, State.DELETED), 1):
        await world.add(number, state=state)
    assert await world.store.instances.settle(await world.lease(), await world.get(1), due_at=None)
    counts = await world.store.instances.counts()
    assert counts.by_state == dict.fromkeys(State, 0) | {
        State.RUNNING: 2,
        State.CREATING: 1,
        State.DELETED: 1,
    }
    assert counts.due == 3


async def test_what_is_billed_is_added_exactly_and_nothing_else_is(world: World) -> None:
    dear = replace(OFFER, usd_per_gpu_hour=Decimal("0.1"), gpu_count=3)
    await world.add(1, state=State.RUNNING, billing_since=NOW, offer=dear)
    await world.add(2, state=State.STARTING, billing_since=NOW, offer=dear)
    await world.add(3, state=State.FAILED, billing_since=NOW, offer=replace(dear, gpu_count=2))
    await world.add(4, state=State.STOPPED, billing_since=None, offer=dear)
    await world.add(5, state=State.RUNNING, billing_since=NOW, offer=None)
    await world.add(6, state=State.DELETED, billing_since=None, offer=dear)
    assert (await world.store.instances.counts()).usd_per_hour == Decimal("0.8")
