"""Adding instances: once per request key, names that are free, all or nothing."""

import asyncio
from dataclasses import replace

import pytest
from storage_samples import HOOK, NOTICE, NOW, event, full_instance, id_of, instance
from storage_world import World

from storage.errors import NameInUse
from storage.records import EventKind, Instance, NewCard, State
from storage.store.finding import Find
from storage.store.keys import RequestKey
from storage.tables import cards, deliveries, events, instances, requests


async def add(world: World, new: Instance, **changes: object) -> Instance:
    arguments = {"key": None, "event": event(), "card": None, "unique_name": True} | changes
    return await world.store.instances.add(new, **arguments)


async def test_a_new_instance_is_due_now_with_its_first_event_card_and_deliveries(world: World) -> None:
    card = NewCard(channel="C1", response_url="https://slack.example.com/r")
    added = await add(world, instance(), card=card, targets=(NOTICE, HOOK))
    assert added == replace(instance(), sequence=1)
    assert await world.get() == added
    assert await world.due_at() == NOW
    assert await world.kinds() == [EventKind.REQUESTED]
    assert await world.count(deliveries) == 2
    made = await world.card()
    assert (made.channel, made.ts, made.wanted_version, made.shown_version) == ("C1", None, 1, 0)
    assert made.response_url == card.response_url


async def test_every_field_survives_the_database(world: World) -> None:
    added = await add(world, full_instance())
    assert await world.get(7) == added == replace(full_instance(), sequence=1)


async def test_the_event_keeps_the_instance_as_it_was(world: World) -> None:
    added = await add(world, full_instance())
    (row,) = await world.rows(events)
    assert row["instance"] == added
    assert row["fact"] == event()


async def test_a_known_key_returns_the_earlier_instance_and_writes_nothing(world: World) -> None:
    first = await add(world, instance(1), key=RequestKey(text="k"), card=NewCard(channel="C1"))
    again = await add(world, instance(2), key=RequestKey(text="k"), card=NewCard(channel="C1"))
    assert again == first
    assert [await world.count(table) for table in (instances, events, cards, requests)] == [1, 1, 1, 1]


async def test_one_key_at_the_same_time_makes_one_instance(world: World) -> None:
    key = RequestKey(text="k", fingerprint="f")
    made = await asyncio.gather(*(add(world, instance(n), key=key) for n in range(1, 9)))
    assert len({each.id for each in made}) == 1
    assert await world.count(instances) == 1


async def test_no_key_always_makes_an_instance(world: World) -> None:
    await add(world, instance(1))
    await add(world, instance(2))
    assert await world.count(instances) == 2


@pytest.mark.parametrize("name", ["train", "TRAIN"])
async def test_a_name_in_use_is_refused_with_the_next_free_one(world: World, name: str) -> None:
    await add(world, instance(1, name="train"))
    await add(world, instance(2, name="train-2"))
    with pytest.raises(NameInUse) as refused:
        await add(world, instance(3, name=name))
    assert refused.value.free.lower() == "train-3"


async def test_a_refused_name_leaves_the_key_unused(world: World) -> None:
    await add(world, instance(1, name="train"))
    with pytest.raises(NameInUse):
        await add(world, instance(2, name="train"), key=RequestKey(text="k"))
    made = await add(world, instance(3, name="other"), key=RequestKey(text="k"))
    assert made.id == id_of(3)


async def test_one_name_at_the_same_time_is_given_once(world: World) -> None:
    wanted = (add(world, instance(n, name="train")) for n in range(1, 9))
    made = await asyncio.gather(*wanted, return_exceptions=True)
    assert sum(isinstance(each, Instance) for each in made) == 1
    assert sum(isinstance(each, NameInUse) for each in made) == 7


async def test_the_name_of_a_deleted_instance_is_free(world: World) -> None:
    await add(world, instance(1, name="train", state=State.DELETED))
    assert (await add(world, instance(2, name="train"))).name == "train"


async def test_a_proposed_name_fits_into_40_characters(world: World) -> None:
    long = "a" * 37 + "-bc"
    await add(world, instance(1, name=long))
    with pytest.raises(NameInUse) as refused:
        await add(world, instance(2, name=long))
    assert refused.value.free == "a" * 37 + "-2"


async def test_names_may_repeat_where_they_need_not_be_unique(world: World) -> None:
    await add(world, instance(1, name="train"))
    await add(world, instance(2, name="train"), unique_name=False)
    assert (await world.store.instances.get(Find(ref="train"))).id == id_of(2)


async def test_a_wildcard_in_a_name_is_only_a_letter(world: World) -> None:
    await add(world, instance(1, name="a%"))
    await add(world, instance(2, name="ab-2"))
    with pytest.raises(NameInUse) as refused:
        await add(world, instance(3, name="a%"))
    assert refused.value.free == "a%-2"


async def test_what_cannot_be_written_leaves_nothing(world: World) -> None:
    broken = replace(event(), elapsed="not a duration")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="elapsed"):
        await add(world, instance(1), key=RequestKey(text="k"), event=broken)
    assert [await world.count(table) for table in (instances, events, requests)] == [0, 0, 0]
