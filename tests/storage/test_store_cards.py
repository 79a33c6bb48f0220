"""Cards: one message per instance, edited with pauses, urgent ones first."""

import asyncio
from datetime import timedelta

import pytest
from storage_samples import NOW, SECOND, event, id_of
from storage_world import World

from storage.records import EventKind, NewCard, State
from storage.store.cards import LeasedCard
from storage.store.store import make_store
from storage.tables import cards

CARD = NewCard(channel="C1", response_url="https://slack.example.com/r")


async def lease(world: World) -> LeasedCard:
    (leased,) = await world.store.cards.lease_due(1)
    return leased


async def show(world: World) -> None:
    """Posts it or edits it as it is wanted."""
    leased = await lease(world)
    assert await world.store.cards.settle(leased, shown_version=leased.card.wanted_version, ts="1.2")


async def test_a_card_is_leased_with_its_instance(world: World) -> None:
    added = await world.add(1, card=CARD)
    leased = await lease(world)
    assert (leased.instance, leased.card) == (added, await world.card())
    assert await world.store.cards.lease_due(1) == ()


async def test_there_is_no_card_where_none_was_asked_for(world: World) -> None:
    await world.add(1)
    assert await world.store.cards.get(id_of(1)) is None
    assert await world.store.cards.lease_due(1) == ()


async def test_each_card_goes_to_one_of_several_workers(world: World) -> None:
    for number in range(1, 31):
        await world.add(number, card=CARD)
    claims = await asyncio.gather(*(world.store.cards.lease_due(5) for _ in range(8)))
    leased = [each.card.instance_id for claim in claims for each in claim]
    while more := await world.store.cards.lease_due(5):
        leased.extend(each.card.instance_id for each in more)
    assert sorted(leased) == [id_of(number) for number in range(1, 31)]


async def test_instances_that_came_to_rest_are_shown_first_then_the_longest_due(world: World) -> None:
    states = (State.STARTING, State.CREATING, State.RUNNING, State.STOPPED, State.FAILED, State.DELETED)
    for number, state in enumerate(states, 1):
        await world.add(number, state=state, card=CARD)
        world.clock.advance(1)
    leased = await world.store.cards.lease_due(6)
    assert [each.card.instance_id for each in leased] == [id_of(number) for number in (3, 4, 5, 6, 1, 2)]


async def test_a_shown_card_is_not_due(world: World) -> None:
    await world.add(1, card=CARD)
    await show(world)
    card = await world.card()
    assert (card.ts, card.channel, card.shown_version, card.edited_at) == ("1.2", "C1", 1, NOW)
    assert card.response_url is None
    assert await world.due_at(1, cards) is None


async def test_settling_keeps_what_it_is_not_told(world: World) -> None:
    await world.add(1, card=CARD)
    leased = await lease(world)
    settled = world.store.cards.settle(leased, shown_version=1, channel="D1", forget_response_url=False)
    assert await settled
    card = await world.card()
    assert (card.ts, card.channel, card.response_url) == (None, "D1", CARD.response_url)


async def test_edits_of_one_card_are_three_seconds_apart(world: World) -> None:
    await world.add(1, card=CARD)
    await show(world)
    world.clock.advance(1)
    await world.change(state=State.STARTING)
    assert await world.due_at(1, cards) == NOW + 3 * SECOND
    world.clock.advance(9)
    await world.change(state=State.STOPPING)
    assert await world.due_at(1, cards) == NOW + 10 * SECOND


async def test_the_pause_between_edits_can_be_chosen(world: World) -> None:
    world.store = make_store(world.database, world.clock, card_gap=timedelta(seconds=7))
    await world.add(1, card=CARD)
    await show(world)
    await world.change(state=State.STARTING)
    assert await world.due_at(1, cards) == NOW + 7 * SECOND


@pytest.mark.parametrize("state", [State.RUNNING, State.STOPPED, State.FAILED, State.DELETED])
async def test_the_end_of_a_wait_is_shown_at_once(world: World, state: State) -> None:
    await world.add(1, card=CARD)
    await show(world)
    await world.change(state=state)
    assert await world.due_at(1, cards) == NOW


@pytest.mark.parametrize(("state", "pause"), [(State.STARTING, 3), (State.RUNNING, 0)])
async def test_what_changed_while_it_was_shown_is_shown_next(world: World, state: State, pause: int) -> None:
    await world.add(1, card=CARD)
    leased = await lease(world)
    await world.change(state=state)
    assert await world.store.cards.settle(leased, shown_version=1, ts="1.2")
    assert await world.due_at(1, cards) == NOW + pause * SECOND
    world.clock.advance(pause)
    assert (await lease(world)).card.wanted_version == 2


async def test_a_failed_card_waits_as_long_as_it_was_told_whatever_is_new(world: World) -> None:
    await world.add(1, card=CARD)
    later = NOW + 60 * SECOND
    assert await world.store.cards.later(await lease(world), later)
    assert (await world.card()).attempts == 1
    await world.change(state=State.FAILED)
    assert await world.due_at(1, cards) == later
    world.clock.advance(60)
    await show(world)
    assert (await world.card()).attempts == 0


async def test_a_card_may_move_and_is_posted_anew_there(world: World) -> None:
    await world.add(1, card=CARD)
    await show(world)
    await world.change(state=State.FAILED)
    assert await world.store.cards.move(await lease(world), "D1")
    leased = await lease(world)
    assert (leased.card.channel, leased.card.ts) == ("D1", None)


async def test_a_lost_message_is_posted_anew(world: World) -> None:
    await world.add(1, card=CARD)
    await show(world)
    await world.change(state=State.FAILED)
    assert await world.store.cards.lost(await lease(world))
    assert (await lease(world)).card.ts is None


async def test_a_lost_lease_writes_nothing(world: World) -> None:
    await world.add(1, card=CARD)
    stale = await lease(world)
    world.clock.advance(20)
    await lease(world)
    before = await world.rows(cards)
    assert not await world.store.cards.settle(stale, shown_version=1, ts="9.9")
    assert not await world.store.cards.later(stale, NOW)
    assert not await world.store.cards.move(stale, "D1")
    assert not await world.store.cards.lost(stale)
    assert await world.rows(cards) == before


@pytest.mark.parametrize("failed", [False, True])
async def test_an_edit_after_the_lease_was_lost_is_followed_by_another_one(
    world: World, *, failed: bool
) -> None:
    await world.add(1, card=CARD)
    await show(world)
    await world.change(state=State.RUNNING)
    slept = await lease(world)
    world.clock.advance(30)
    await world.change(state=State.STOPPED)
    await show(world)
    late = world.store.cards.later(slept, NOW) if failed else world.store.cards.settle(slept, shown_version=2)
    assert not await late
    assert (await lease(world)).instance.state is State.STOPPED


async def test_a_card_stays_leased_as_long_as_it_is_renewed(world: World) -> None:
    await world.add(1, card=CARD)
    leased = await lease(world)
    world.clock.advance(15)
    assert await world.store.cards.renew([leased.token]) == 1
    world.clock.advance(15)
    assert await world.store.cards.lease_due(1) == ()


async def test_an_event_alone_changes_no_card(world: World) -> None:
    await world.add(1, card=CARD)
    await world.tell(1, event(EventKind.REFUSED))
    assert (await world.card()).wanted_version == 1
