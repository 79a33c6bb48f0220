"""People: how they want to be told, and Home tabs that are due like cards."""

from dataclasses import replace
from datetime import timedelta

import pytest
from storage_samples import HOOK, NOTICE, NOW, OFFER, REQUEST, event
from storage_world import World

from storage.records import EventKind, NewCard, Notify, State, Target, TargetKind
from storage.store.people import LeasedHome
from storage.tables import people

CARD = NewCard(channel="C1")
GAP = timedelta(seconds=3)


async def lease(world: World) -> LeasedHome:
    (leased,) = await world.store.people.lease_homes(5)
    return leased


async def show(world: World) -> None:
    assert await world.store.people.settle(await lease(world))


async def is_due(world: World) -> bool:
    leased = await world.store.people.lease_homes(5)
    for home in leased:
        await world.store.people.later(home, world.clock.now)
    return bool(leased)


async def test_who_never_chose_is_told_in_the_thread(world: World) -> None:
    assert await world.store.people.notify(["U1", "U2", "U1"]) == {"U1": Notify.THREAD, "U2": Notify.THREAD}
    assert await world.store.people.notify([]) == {}


async def test_a_choice_stays_until_another_one(world: World) -> None:
    for choice in (Notify.QUIET, Notify.BOTH):
        await world.store.people.choose("U1", choice)
    await world.store.people.open_home("U1")
    assert await world.store.people.notify(["U1", "U2"]) == {"U1": Notify.BOTH, "U2": Notify.THREAD}


async def test_a_home_is_due_when_it_is_opened_and_not_before(world: World) -> None:
    await world.store.people.choose("U1", Notify.QUIET)
    await world.add(1, card=CARD)
    assert await world.store.people.lease_homes(5) == ()
    await world.store.people.open_home("U1")
    leased = await lease(world)
    assert (leased.user_id, leased.notify, leased.attempts) == ("U1", Notify.QUIET, 0)
    assert await world.store.people.lease_homes(5) == ()


async def test_a_shown_home_is_due_again_when_an_instance_of_its_person_changes(world: World) -> None:
    for user in ("U1", "U2"):
        await world.store.people.open_home(user)
        await show(world)
    world.clock.advance(10)
    await world.add(1, card=CARD)
    assert (await lease(world)).user_id == "U1"


async def test_every_way_to_change_an_instance_makes_the_home_due(world: World) -> None:
    await world.add(1, card=CARD)
    await world.store.people.open_home("U1")
    await show(world)
    world.clock.advance(10)
    await world.change(1, state=State.STOPPING)
    assert await is_due(world)


async def test_many_changes_at_once_are_shown_together_and_three_seconds_apart(world: World) -> None:
    await world.add(1, card=CARD)
    await world.store.people.open_home("U1")
    await show(world)
    for state in (State.STARTING, State.RUNNING, State.STOPPING):
        await world.change(1, state=state)
    assert not await is_due(world)
    world.clock.advance(3)
    await show(world)
    assert not await is_due(world)


async def test_what_changes_while_a_home_is_shown_is_shown_after_it(world: World) -> None:
    await world.add(1, card=CARD)
    await world.store.people.open_home("U1")
    leased = await lease(world)
    await world.change(1, state=State.RUNNING)
    assert await world.store.people.settle(leased)
    due_at = await world.value(people.select().with_only_columns(people.c.due_at))
    assert due_at == NOW + GAP


async def test_a_home_that_failed_waits_and_counts(world: World) -> None:
    await world.store.people.open_home("U1")
    assert await world.store.people.later(await lease(world), NOW + timedelta(seconds=30))
    await world.store.people.choose("U1", Notify.BOTH)
    assert await world.store.people.lease_homes(5) == ()
    world.clock.advance(30)
    assert (await lease(world)).attempts == 1


async def test_a_lost_lease_of_a_home_settles_nothing(world: World) -> None:
    await world.store.people.open_home("U1")
    late = await lease(world)
    world.clock.advance(21)
    again = await lease(world)
    assert not await world.store.people.settle(late)
    assert not await world.store.people.later(late, NOW)
    assert await world.store.people.renew([late.token, again.token]) == 1
    assert await world.store.people.settle(again)


@pytest.mark.parametrize("failed", [False, True])
async def test_a_home_shown_after_the_lease_was_lost_is_shown_once_more(
    world: World, *, failed: bool
) -> None:
    await world.store.people.open_home("U1")
    slept = await lease(world)
    world.clock.advance(21)
    assert await world.store.people.settle(await lease(world))
    people = world.store.people
    assert not await (people.later(slept, NOW) if failed else people.settle(slept))
    world.clock.advance(3)
    await lease(world)


DIRECT = Target(kind=TargetKind.DIRECT, address="U1")


@pytest.mark.parametrize(
    ("notify", "expected"),
    [
        (Notify.THREAD, [NOTICE]),
        (Notify.QUIET, [NOTICE]),
        (Notify.DIRECT, [DIRECT, NOTICE]),
        (Notify.BOTH, [DIRECT, NOTICE]),
    ],
)
async def test_who_wants_direct_messages_gets_each_notice_there_too(
    world: World, notify: Notify, expected: list[Target]
) -> None:
    await world.store.people.choose("U1", notify)
    await world.add(1, targets=(NOTICE,))
    rows, _ = await world.store.deliveries.list_deliveries()
    assert sorted((row.target for row in rows), key=lambda target: target.kind) == expected


async def test_nobody_is_told_directly_of_what_is_no_notice(world: World) -> None:
    await world.store.people.choose("U1", Notify.DIRECT)
    await world.add(1, targets=(HOOK,))
    await world.add(2, targets=(NOTICE,), requester=None)
    rows, _ = await world.store.deliveries.list_deliveries()
    assert {row.target for row in rows} == {HOOK, NOTICE}


async def test_the_history_of_an_instance_begins_with_its_latest_event(world: World) -> None:
    await world.add(1)
    leased = await world.lease(1)
    await world.store.instances.settle(leased, leased.instance, event=event(EventKind.READY), due_at=None)
    kinds = [fact.kind for fact in await world.store.instances.history(leased.instance.id, 5)]
    assert kinds == [EventKind.READY, EventKind.REQUESTED]
    assert len(await world.store.instances.history(leased.instance.id, 1)) == 1


async def test_a_message_is_known_by_the_card_that_it_is(world: World) -> None:
    added = await world.add(1, card=CARD)
    (leased,) = await world.store.cards.lease_due(1)
    await world.store.cards.settle(leased, shown_version=1, ts="1.2")
    assert await world.store.cards.instance_at("C1", "1.2") == added.id
    assert await world.store.cards.instance_at("C1", "1.3") is None
    assert await world.store.cards.instance_at("C2", "1.2") is None


async def test_the_team_is_summed_up_for_people(world: World) -> None:
    billed = {"billing_since": NOW, "offer": OFFER}
    await world.add(1, state=State.RUNNING, **billed)
    await world.add(2, state=State.STARTING, **billed)
    for number, state in enumerate((State.STOPPED, State.DELETING, State.FAILED, State.DELETED), 3):
        await world.add(number, state=state)
    totals = await world.store.instances.totals()
    assert (totals.running, totals.under_way, totals.stopped) == (1, 2, 1)
    assert totals.usd_per_hour == OFFER.usd_per_hour * 2


async def test_launches_are_those_that_got_ready_newest_first(world: World) -> None:
    await world.add(1, offer=OFFER, created_at=NOW, ready_at=NOW + timedelta(seconds=90))
    world.clock.advance(60)
    image = replace(REQUEST, template=None, image="me/mine:1")
    later = {"created_at": world.clock.now, "ready_at": world.clock.now + timedelta(seconds=30)}
    await world.add(2, offer=OFFER, request=image, **later)
    await world.add(3, offer=OFFER)
    launches = await world.store.instances.launches(5)
    assert [(each.source, each.took.seconds) for each in launches] == [("me/mine:1", 30), ("t-1", 90)]
    assert {each.product_name for each in launches} == {"RTX 4090 24GB"}
    assert len(await world.store.instances.launches(1)) == 1
