"""Wishes: whom they find, what they write, once per request key."""

import asyncio
from dataclasses import replace

import pytest
from storage_samples import NOW, OFFER, event, id_of
from storage_world import World

from storage.errors import Ambiguous, KeyReused, NoSuchInstance
from storage.records import EventKind, Instance, NewCard, NewEvent, State, Wish
from storage.store.finding import Find
from storage.store.keys import RequestKey
from storage.store.wishes import Wished
from storage.tables import events, requests

STOP = event(verb=Wish.STOP)


def stop(before: Instance) -> tuple[Instance, NewEvent | None]:
    return replace(before, state=State.STOPPING, wish=Wish.STOP, wished_at=before.wished_at), STOP


def nothing(before: Instance) -> tuple[Instance, NewEvent | None]:
    return before, None


async def wish(world: World, ref: str | None, **changes: object) -> Wished:
    arguments = {"key": None, "decide": stop} | changes
    find = Find(ref=ref, requester=arguments.pop("requester", None))
    return await world.store.instances.wish(find, **arguments)


async def test_an_id_wins_over_a_name(world: World) -> None:
    await world.add(1)
    await world.add(2, name=id_of(1))
    assert (await wish(world, id_of(1))).instance.id == id_of(1)


@pytest.mark.parametrize("name", ["train", "Train"])
async def test_a_name_means_the_newest_that_is_not_deleted(world: World, name: str) -> None:
    await world.add(1, name="Train")
    await world.add(2, name="train")
    await world.add(3, name="train", state=State.DELETED)
    assert (await wish(world, name)).instance.id == id_of(2)


async def test_a_deleted_one_is_found_by_its_id_only(world: World) -> None:
    await world.add(1, state=State.DELETED)
    assert (await world.store.instances.get(Find(ref=id_of(1)))).state is State.DELETED
    with pytest.raises(NoSuchInstance):
        await world.store.instances.get(Find(ref="train-1"))


async def test_a_miss_names_what_is_near(world: World) -> None:
    await world.add(1, name="my-train")
    await world.add(2, name="other")
    with pytest.raises(NoSuchInstance) as missed:
        await wish(world, "my-trian")
    assert (missed.value.ref, missed.value.near) == ("my-trian", ("my-train",))


async def test_the_name_may_be_left_out_by_who_has_just_one(world: World) -> None:
    await world.add(1, requester="U1")
    await world.add(2, requester="U2")
    await world.add(3, requester="U1", state=State.DELETED)
    assert (await wish(world, None, requester="U1")).instance.id == id_of(1)
    assert (await world.store.instances.get(Find(ref=None, requester="U2"))).id == id_of(2)


async def test_who_has_several_is_asked_which(world: World) -> None:
    await world.add(1)
    await world.add(2)
    with pytest.raises(Ambiguous) as asked:
        await wish(world, None, requester="U1")
    assert asked.value.names == ("train-2", "train-1")


async def test_who_has_none_is_told(world: World) -> None:
    await world.add(1, requester=None)
    for requester in ("U9", None):
        with pytest.raises(NoSuchInstance) as told:
            await wish(world, None, requester=requester)
        assert told.value.ref is None


async def test_a_wish_is_written_with_its_event_and_makes_the_instance_due(world: World) -> None:
    before = await world.add(1, state=State.RUNNING, wish=None)
    await world.set_idle()
    now = world.clock.advance(60)
    wished = await wish(world, "train-1")
    assert not wished.repeated
    assert wished.instance == replace(
        before,
        state=State.STOPPING,
        wish=Wish.STOP,
        version=before.version + 1,
        sequence=2,
        acted_at=now,
        updated_at=now,
    )
    assert await world.get() == wished.instance
    assert await world.due_at() == now
    assert await world.kinds() == [EventKind.REQUESTED, EventKind.REQUESTED]
    told = max(await world.rows(events), key=lambda row: row["sequence"])
    assert (told["fact"], told["instance"]) == (STOP, wished.instance)


async def test_a_known_key_acts_once(world: World) -> None:
    await world.add(1, state=State.RUNNING)
    first = await wish(world, "train-1", key=RequestKey(text="k"))
    again = await wish(world, "train-1", key=RequestKey(text="k"))
    assert (first.repeated, again.repeated) == (False, True)
    assert again.instance == first.instance == await world.get()


async def test_a_known_key_is_answered_even_where_the_name_finds_nothing_now(world: World) -> None:
    await world.add(1)
    await wish(
        world,
        "train-1",
        key=RequestKey(text="k"),
        decide=lambda before: (replace(before, state=State.DELETED), None),
    )
    assert (await wish(world, "train-1", key=RequestKey(text="k"))).repeated


async def test_one_key_at_the_same_time_acts_once(world: World) -> None:
    await world.add(1)
    wished = await asyncio.gather(*(wish(world, "train-1", key=RequestKey(text="k")) for _ in range(8)))
    assert sum(not each.repeated for each in wished) == 1
    assert (await world.get()).version == 1


async def test_a_program_gets_the_same_answer_though_the_instance_has_changed(world: World) -> None:
    await world.add(1, state=State.RUNNING)
    key = RequestKey(text="k", fingerprint="stop it")
    first = await wish(world, "train-1", key=key)
    await wish(world, "train-1", key=None, decide=lambda i: (replace(i, state=State.DELETED), None))
    again = await wish(world, "train-1", key=key)
    assert (again.instance, again.repeated) == (first.instance, True)


@pytest.mark.parametrize("other", ["start it", None])
async def test_a_key_is_refused_with_another_request(world: World, other: str | None) -> None:
    await world.add(1, state=State.RUNNING)
    await wish(world, "train-1", key=RequestKey(text="k", fingerprint="stop it"))
    before = await world.get()
    with pytest.raises(KeyReused):
        await wish(world, "train-1", key=RequestKey(text="k", fingerprint=other))
    assert await world.get() == before


async def test_a_key_is_known_for_a_day(world: World) -> None:
    await world.add(1, state=State.RUNNING)
    await wish(world, "train-1", key=RequestKey(text="k", fingerprint="stop it"))
    world.clock.advance(24 * 3600 - 1)
    assert (await wish(world, "train-1", key=RequestKey(text="k", fingerprint="stop it"))).repeated
    world.clock.advance(1)
    assert not (await wish(world, "train-1", key=RequestKey(text="k", fingerprint="another"))).repeated


async def test_a_purge_forgets_old_keys(world: World) -> None:
    await world.add(1, state=State.RUNNING)
    await wish(world, "train-1", key=RequestKey(text="old"))
    world.clock.advance(24 * 3600)
    await wish(world, "train-1", key=RequestKey(text="new"))
    await world.store.instances.purge(NOW)
    assert [row["key"] for row in await world.rows(requests)] == ["new"]


async def test_wishes_at_the_same_time_follow_each_other(world: World) -> None:
    await world.add(1)
    await asyncio.gather(*(wish(world, "train-1", key=RequestKey(text=f"k{n}")) for n in range(8)))
    after = await world.get()
    assert (after.version, after.sequence) == (8, 9)


async def test_what_decide_raises_rolls_back_and_goes_on(world: World) -> None:
    def refuse(_: Instance) -> tuple[Instance, NewEvent | None]:
        raise ValueError("not so")

    before = await world.add(1)
    with pytest.raises(ValueError, match="not so"):
        await wish(world, "train-1", key=RequestKey(text="k"), decide=refuse)
    assert await world.get() == before
    assert await world.count(requests) == 0


async def test_where_nothing_is_to_be_done_only_the_key_is_written(world: World) -> None:
    before = await world.add(1)
    world.clock.advance(60)
    assert await wish(world, "train-1", key=RequestKey(text="k"), decide=nothing) == Wished(
        instance=before, repeated=False
    )
    assert await world.get() == before
    assert await world.count(requests) == 1


async def test_an_event_alone_is_written(world: World) -> None:
    await world.add(1)
    told = await wish(world, "train-1", decide=lambda before: (before, STOP))
    assert told.instance.sequence == 2


async def test_decide_cannot_write_what_is_the_stores(world: World) -> None:
    await world.add(1)

    def forge(before: Instance) -> tuple[Instance, NewEvent | None]:
        return replace(
            before, tries=1, id="x", version=99, sequence=99, updated_at=NOW.replace(year=2000)
        ), None

    assert (await wish(world, "train-1", decide=forge)).instance == replace(
        await world.get(), tries=1, version=1, sequence=1, updated_at=NOW
    )


async def test_a_wish_voids_the_lease(world: World) -> None:
    await world.add(1)
    leased = await world.lease()
    wished = await wish(world, "train-1")
    assert (await world.lease()).instance == wished.instance
    assert await world.store.instances.renew([leased.token]) == 0
    assert not await world.store.instances.settle(leased, replace(leased.instance, tries=5), due_at=None)
    assert await world.store.instances.begin(leased, call=Wish.CREATE, offer=OFFER) is None
    assert await world.get() == wished.instance


async def test_a_wish_makes_the_card_due_only_where_something_is_seen(world: World) -> None:
    await world.add(1, card=NewCard(channel="C1"))
    await wish(world, "train-1", decide=lambda before: (replace(before, tries=1), None))
    assert (await world.card()).wanted_version == 1
    await wish(world, "train-1")
    assert (await world.card()).wanted_version == 2
