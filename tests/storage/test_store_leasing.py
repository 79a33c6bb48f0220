"""Rows are leased to one worker at a time."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from storage_samples import NOW, id_of, listing
from storage_world import World

from storage.store.steps import Leased
from storage.store.store import make_store

LATER = NOW + timedelta(minutes=5)


async def settle(world: World, leased: Leased, **changes: object) -> bool:
    due_at = changes.pop("due_at", None)
    decided = changes.pop("decided", True)
    after = replace(leased.instance, **changes)
    return await world.store.instances.settle(leased, after, due_at=due_at, decided=decided)


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
