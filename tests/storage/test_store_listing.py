"""Lists, names, purging."""

from dataclasses import replace
from datetime import timedelta

import pytest
from storage_samples import HOOK, NOW, event, id_of, instance
from storage_world import World

from storage.errors import NoSuchInstance
from storage.records import EventKind, Fate, NewCard, State, Wish
from storage.store.finding import Find
from storage.store.keys import RequestKey
from storage.tables import attempts, cards, deliveries, events, instances, requests

LATER = NOW + timedelta(days=1)


async def test_a_list_is_newest_first_and_knows_how_many_there_are(world: World) -> None:
    for number in (2, 1, 3):
        await world.add(number)
    rows, total = await world.store.instances.list_instances(limit=2)
    assert [row.id for row in rows] == [id_of(3), id_of(2)]
    assert total == 3
    rows, total = await world.store.instances.list_instances(limit=2, offset=2)
    assert [row.id for row in rows] == [id_of(1)]
    assert await world.store.instances.list_instances(offset=9) == ((), 3)


async def test_deleted_ones_are_listed_only_when_asked_for(world: World) -> None:
    await world.add(1)
    await world.add(2, state=State.DELETED)
    await world.add(3, state=State.RUNNING)
    listed = world.store.instances.list_instances
    assert (await listed())[1] == 2
    assert (await listed(include_deleted=True))[1] == 3
    assert [row.id for row in (await listed(states=[State.DELETED]))[0]] == [id_of(2)]
    assert (await listed(states=[State.DELETED, State.RUNNING]))[1] == 2
    assert (await listed(states=[]))[1] == 0


async def test_a_list_may_be_of_one_persons(world: World) -> None:
    await world.add(1, requester="U1")
    await world.add(2, requester=None)
    rows, total = await world.store.instances.list_instances(requester="U1")
    assert ([row.id for row in rows], total) == ([id_of(1)], 1)


async def test_names_are_newest_first_none_twice_and_not_of_deleted_ones(world: World) -> None:
    await world.add(1, name="a", requester="U2")
    await world.add(2, name="b")
    await world.add(3, name="a")
    await world.add(4, name="c", state=State.DELETED)
    assert await world.store.instances.names() == ("a", "b")
    assert await world.store.instances.names("U2") == ("a",)


async def test_purging_forgets_all_but_the_attempts(world: World) -> None:
    add = world.store.instances.add
    await add(
        instance(1), key=RequestKey(text="k"), event=event(), card=NewCard(channel="C1"), unique_name=True
    )
    begun = await world.store.instances.begin(await world.lease(), call=Wish.CREATE)
    assert begun
    failed = replace(begun.instance, state=State.FAILED, wish=None)
    await world.store.instances.settle(
        begun, failed, event=event(EventKind.FAILED), targets=(HOOK,), due_at=None
    )
    (leased,) = await world.store.deliveries.lease_due(1)
    await world.store.deliveries.settle_dead(leased)
    assert await world.store.instances.purge(LATER) == 1
    tables = (instances, events, deliveries, cards, requests)
    assert [await world.count(table) for table in tables] == [0, 0, 0, 0, 0]
    assert (await world.attempt()).fate is Fate.UNCONFIRMED
    with pytest.raises(NoSuchInstance):
        await world.store.instances.get(Find(ref=id_of(1)))


@pytest.mark.parametrize(
    "changes",
    [
        {"state": State.STOPPED, "wish": None},
        {"state": State.FAILED, "wish": Wish.REMOVE},
        {"state": State.DELETED, "wish": None, "updated_at": LATER},
    ],
)
async def test_what_is_not_over_or_too_new_stays(world: World, changes: dict[str, object]) -> None:
    await world.add(1, **changes)
    assert await world.store.instances.purge(LATER) == 0
    assert await world.count(instances) == 1


async def test_what_is_still_to_be_told_stays(world: World) -> None:
    await world.add(1, state=State.DELETED, wish=None, targets=(HOOK,))
    assert await world.store.instances.purge(LATER) == 0
    (told,) = await world.store.deliveries.lease_due(1)
    await world.store.deliveries.settle_delivered(told, 200)
    assert await world.store.instances.purge(LATER) == 1
    assert await world.count(attempts) == 0
