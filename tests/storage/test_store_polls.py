"""The state of polling: lists, failures, the pace."""

from dataclasses import replace
from datetime import timedelta

from storage_samples import NOW, id_of, listing, observation
from storage_world import World

from storage.cloud import Phase
from storage.records import NewCard, State, Wish
from storage.store.polls import Pace, PollState

SINCE = NOW + timedelta(minutes=1)


async def test_the_time_between_lists_counts_only_if_none_failed_between(world: World) -> None:
    polls = world.store.polls
    assert await polls.last() == PollState(listed_at=None, broken=False)
    await polls.observe(listing(SINCE), previous=None)
    assert (await polls.last()).previous == SINCE
    await polls.broken()
    await polls.broken()
    assert await polls.last() == PollState(listed_at=SINCE, broken=True)
    assert (await polls.last()).previous is None
    await polls.observe(listing(SINCE), previous=None)
    assert (await polls.last()).previous == SINCE


async def test_a_delay_is_said_once_by_what_waits_for_novita(world: World) -> None:
    waiting = [State.CREATING, State.STARTING, State.STOPPING, State.DELETING]
    for number, state in enumerate(waiting, 1):
        await world.add(number, state=state, wish=None, card=NewCard(channel="C1"))
    await world.add(5, state=State.FAILED, wish=Wish.REMOVE)
    await world.add(6, state=State.RUNNING, wish=None, card=NewCard(channel="C1"))
    assert await world.store.polls.delay(SINCE) == 5
    assert await world.store.polls.delay(SINCE + timedelta(seconds=9)) == 0
    assert [(await world.get(number)).delayed_since for number in range(1, 7)] == [SINCE] * 5 + [None]
    assert [(await world.card(number)).wanted_version for number in (1, 2, 3, 4, 6)] == [2, 2, 2, 2, 1]
    assert (await world.store.polls.last()).broken


async def test_a_delay_voids_no_lease_and_no_decision(world: World) -> None:
    await world.add()
    leased = await world.lease()
    await world.store.polls.delay(SINCE)
    assert await world.store.instances.settle(leased, replace(leased.instance, tries=1), due_at=None)
    after = await world.get()
    assert (after.delayed_since, after.tries) == (SINCE, 1)


async def test_a_delay_is_over_with_the_next_list(world: World) -> None:
    await world.add(1, card=NewCard(channel="C1"))
    await world.store.polls.delay(SINCE)
    assert (await world.store.polls.observe(listing(SINCE), previous=None)).changed == 1
    assert (await world.get()).delayed_since is None
    assert (await world.card()).wanted_version == 3


async def test_the_pace_counts_what_is_under_way_and_what_novita_has(world: World) -> None:
    assert await world.store.polls.pace() == Pace(under_way=0, acknowledged=0, acted_at=None)
    await world.add(1)
    await world.add_bound(2, state=State.RUNNING, wish=None, acted_at=SINCE)
    await world.add_bound(3, state=State.STOPPED, wish=None)
    await world.add_bound(4, state=State.FAILED, wish=Wish.REMOVE)
    await world.add_bound(5, state=State.FAILED, wish=None, acted_at=SINCE + timedelta(hours=1))
    await world.add(6, state=State.DELETED, wish=None)
    assert await world.store.polls.pace() == Pace(under_way=2, acknowledged=3, acted_at=SINCE)


async def test_lists_at_the_same_time_count_one_after_the_other(world: World) -> None:
    await world.add_bound(1, state=State.RUNNING, wish=None)
    seen = listing(SINCE, observation("nv-1", phase=Phase.STOPPED, status="exited"))
    first = await world.store.polls.observe(seen, previous=None)
    second = await world.store.polls.observe(seen, previous=None)
    assert (first.changed, second.changed) == (1, 0)
    assert (await world.get()).id == id_of(1)


async def test_a_list_of_a_clock_that_was_ahead_holds_up_no_later_one(world: World) -> None:
    await world.add_bound(1, state=State.RUNNING, wish=None)
    await world.store.polls.observe(listing(NOW + timedelta(minutes=5)), previous=None)
    began = world.clock.advance(3)
    seen = listing(began, observation("nv-1", phase=Phase.STOPPED, status="exited"))
    world.clock.advance(1)
    assert (await world.store.polls.observe(seen, previous=None)).changed == 1
    assert (await world.store.polls.last()).listed_at == began
