"""Deliveries: in order, at most one at a time per instance and target, few per target."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.engine import Connection
from sqlalchemy.event import listen
from storage_samples import HOOK, NOTICE, NOW, OTHER_HOOK, event, id_of
from storage_world import World

from storage.database import open_database
from storage.records import DeliveryAttempt, DeliveryState, EventKind, NewCard, Target, TargetKind
from storage.store.deliveries import Backlog, LeasedDelivery, Wanted
from storage.store.deliveryrows import select_ready
from storage.store.store import make_store
from storage.tables import deliveries

READY = event(EventKind.READY)
STOPPED = event(EventKind.STOPPED)


async def lease(world: World, limit: int = 100) -> tuple[LeasedDelivery, ...]:
    return await world.store.deliveries.lease_due(limit)


async def only(world: World) -> LeasedDelivery:
    (leased,) = await lease(world)
    return leased


async def fail(world: World, leased: LeasedDelivery, seconds: float = 0) -> None:
    at = world.clock.now + timedelta(seconds=seconds)
    assert await world.store.deliveries.settle_later(leased, at, 500, "no")


def shape(leased: tuple[LeasedDelivery, ...]) -> list[tuple[str, int]]:
    return [(each.delivery.target.address, each.delivery.event.sequence) for each in leased]


async def test_a_delivery_is_leased_with_its_event(world: World) -> None:
    added = await world.add(1, targets=(HOOK,))
    leased = await only(world)
    delivery = leased.delivery
    assert delivery.event.instance == added
    assert (delivery.event.fact, delivery.event.sequence) == (event(), 1)
    assert (delivery.target, delivery.state, delivery.attempts) == (HOOK, DeliveryState.PENDING, 0)
    assert (leased.card, leased.failing_since) == (None, None)
    assert await lease(world) == ()


async def test_one_event_has_one_id_for_all_targets_and_attempts(world: World) -> None:
    await world.add(1, targets=(HOOK, OTHER_HOOK))
    first, second = await lease(world)
    assert first.delivery.event.id == second.delivery.event.id
    assert first.delivery.id != second.delivery.id
    await fail(world, first)
    assert (await only(world)).delivery.event.id == first.delivery.event.id


async def test_each_delivery_goes_to_one_of_several_workers(world: World) -> None:
    targets = tuple(Target(kind=TargetKind.WEBHOOK, address=f"https://{n}.example.com") for n in range(40))
    await world.add(1, targets=targets)
    claims = await asyncio.gather(*(lease(world, 7) for _ in range(8)))
    leased = [each.delivery.id for claim in claims for each in claim]
    assert len(leased) == len(set(leased)) == 40


async def test_delivered_is_over(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    leased = await only(world)
    world.clock.advance(1)
    assert await world.store.deliveries.settle_delivered(leased, 200)
    ((delivery,), total) = await world.store.deliveries.list_deliveries()
    assert total == 1
    assert (delivery.state, delivery.attempts, delivery.last_status_code) == (DeliveryState.DELIVERED, 1, 200)
    assert (delivery.due_at, delivery.delivered_at) == (None, world.clock.now)
    assert await lease(world) == ()


async def test_a_failed_one_is_due_again_at_its_time(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await fail(world, await only(world), 5)
    world.clock.advance(4)
    assert await lease(world) == ()
    world.clock.advance(1)
    again = await only(world)
    assert (again.delivery.attempts, again.delivery.last_status_code) == (1, 500)
    assert (again.delivery.last_error, again.failing_since) == ("no", NOW)


async def test_a_dead_one_is_not_tried_again(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    assert await world.store.deliveries.settle_dead(await only(world), 410, "gone")
    ((delivery,), _) = await world.store.deliveries.list_deliveries(Wanted(state=DeliveryState.DEAD))
    assert (delivery.attempts, delivery.last_error, delivery.due_at) == (1, "gone", None)
    assert await lease(world) == ()


async def test_a_lost_lease_writes_nothing(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    stale = await only(world)
    world.clock.advance(20)
    await only(world)
    before = await world.rows(deliveries)
    assert not await world.store.deliveries.settle_delivered(stale, 200)
    assert not await world.store.deliveries.settle_later(stale, NOW, 500, "no")
    assert not await world.store.deliveries.settle_dead(stale, 500, "no")
    assert await world.rows(deliveries) == before


async def test_a_delivery_stays_leased_as_long_as_it_is_renewed(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    leased = await only(world)
    world.clock.advance(15)
    assert await world.store.deliveries.renew([leased.token]) == 1
    world.clock.advance(15)
    assert await lease(world) == ()


# order


async def test_events_of_one_instance_reach_a_target_in_order(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await world.tell(1, READY, HOOK)
    first = await only(world)
    assert first.delivery.event.sequence == 1
    assert await lease(world) == ()
    await world.store.deliveries.settle_delivered(first, 200)
    assert (await only(world)).delivery.event.sequence == 2


async def test_a_later_event_waits_for_three_failures_of_an_earlier_one_and_no_longer(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await world.tell(1, READY, HOOK)
    for _ in range(3):
        leased = await only(world)
        assert leased.delivery.event.sequence == 1
        await fail(world, leased, 1)
        assert await lease(world) == () or leased.delivery.attempts == 2
        world.clock.advance(1)
    world.clock.advance(-1)
    sequences = [each["sequence"] for each in await world.rows(deliveries) if each["lease_token"]]
    assert sequences == [2]


async def test_an_earlier_one_that_is_due_goes_first_though_it_failed_often(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await world.tell(1, READY, HOOK)
    for _ in range(3):
        await fail(world, await only(world))
    assert (await only(world)).delivery.event.sequence == 1
    assert await lease(world) == ()


async def test_an_earlier_one_waits_while_a_later_one_is_in_flight(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await world.tell(1, READY, HOOK)
    for _ in range(3):
        await fail(world, await only(world), 1)
        if not (later := await lease(world)):
            world.clock.advance(1)
    (second,) = later
    assert second.delivery.event.sequence == 2
    world.clock.advance(1)
    assert await lease(world) == ()
    await world.store.deliveries.settle_delivered(second, 200)
    assert (await only(world)).delivery.event.sequence == 1


async def test_dead_and_delivered_ones_hold_nothing_back(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await world.tell(1, READY, HOOK)
    await world.store.deliveries.settle_dead(await only(world), 500, "no")
    assert (await only(world)).delivery.event.sequence == 2


async def test_other_targets_and_other_instances_do_not_wait(world: World) -> None:
    await world.add(1, targets=(HOOK, OTHER_HOOK))
    await world.add(2, targets=(HOOK,))
    leased = await lease(world)
    assert sorted(shape(leased)) == [(HOOK.address, 1), (HOOK.address, 1), (OTHER_HOOK.address, 1)]


# one slow receiver


async def test_one_target_never_occupies_all_workers(world: World) -> None:
    for number in range(1, 11):
        await world.add(number, targets=(HOOK,))
        world.clock.advance(1)
    await world.add(11, targets=(OTHER_HOOK,))
    leased = await lease(world)
    assert [each.delivery.event.instance_id for each in leased] == [id_of(n) for n in (1, 2, 3, 4, 11)]
    assert await lease(world) == ()
    await world.store.deliveries.settle_delivered(leased[0], 200)
    assert [each.delivery.event.instance_id for each in await lease(world)] == [id_of(5)]


async def test_several_workers_together_keep_to_the_number_per_target(world: World) -> None:
    for number in range(1, 21):
        await world.add(number, targets=(HOOK,))
    claims = await asyncio.gather(*(lease(world, 3) for _ in range(8)))
    assert sum(len(claim) for claim in claims) == 4


async def test_a_lease_that_ended_counts_no_more(world: World) -> None:
    for number in range(1, 6):
        await world.add(number, targets=(HOOK,))
    await lease(world)
    world.clock.advance(20)
    assert len(await lease(world)) == 4


async def test_a_look_reads_neither_all_that_waits_nor_what_has_been_delivered(sqlite_url: str) -> None:
    database = await open_database(sqlite_url)
    plan = await database.read(plan_of_a_look)
    await database.close()
    assert not [step for step in plan if step.startswith("SCAN deliveries")]
    assert [step for step in plan if step.startswith("SCAN due")] == [
        "SCAN due USING COVERING INDEX ix_deliveries_target_due_at"
    ]


NOBODY: dict[str, list[str]] = {"left": [], "passed": []}


def plan_of_a_look(connection: Connection) -> list[str]:
    found: list[str] = []

    def explain(_connection, cursor, statement, parameters, *_):
        found.extend(
            row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        )

    listen(connection, "before_cursor_execute", explain)
    connection.execute(select_ready(lateral=False), {"now": NOW, "most": 9, "per_target": 4, **NOBODY})
    return found


async def test_the_number_per_target_can_be_chosen(world: World) -> None:
    store = make_store(world.database, world.clock, per_target=1)
    for number in (1, 2):
        await world.add(number, targets=(HOOK,))
    assert len(await store.deliveries.lease_due(9)) == 1


async def test_no_more_are_leased_than_asked_for_longest_due_first(world: World) -> None:
    for number in (1, 2, 3):
        await world.add(number, targets=(HOOK,))
        world.clock.advance(1)
    assert [each.delivery.event.instance_id for each in await lease(world, 2)] == [id_of(1), id_of(2)]


# notices


async def test_a_notice_waits_until_its_card_is_posted(world: World) -> None:
    await world.add(1, card=NewCard(channel="C1"), targets=(NOTICE, HOOK))
    assert (await only(world)).delivery.target == HOOK
    (card,) = await world.store.cards.lease_due(1)
    await world.store.cards.settle(card, shown_version=1, ts="1.2")
    notice = await only(world)
    assert notice.delivery.target == NOTICE
    assert notice.card == await world.card()


async def test_a_notice_does_not_wait_for_a_card_that_was_given_up(world: World) -> None:
    await world.add(1, card=NewCard(channel="C1"), targets=(NOTICE,))
    (card,) = await world.store.cards.lease_due(1)
    await world.store.cards.settle(card, shown_version=card.card.wanted_version)
    assert (await only(world)).card is not None


async def test_a_notice_without_a_card_does_not_wait(world: World) -> None:
    await world.add(1, targets=(NOTICE,))
    assert (await only(world)).card is None


async def test_a_failing_notice_is_no_failing_target(world: World) -> None:
    await world.add(1, targets=(NOTICE,))
    await fail(world, await only(world))
    assert (await only(world)).failing_since is None


# looking and replaying


async def test_the_list_is_newest_first_by_state(world: World) -> None:
    for number in (1, 2, 3):
        await world.add(number, targets=(HOOK,))
        world.clock.advance(1)
    (first, *_) = await lease(world)
    await world.store.deliveries.settle_delivered(first, 200)
    listed = world.store.deliveries.list_deliveries
    rows, total = await listed(limit=2)
    assert ([row.event.instance_id for row in rows], total) == ([id_of(3), id_of(2)], 3)
    rows, total = await listed(offset=2)
    assert ([row.event.instance_id for row in rows], total) == ([id_of(1)], 3)
    assert (await listed(Wanted(state=DeliveryState.PENDING)))[1] == 2


async def test_the_list_can_be_of_one_instance_and_of_one_kind(world: World) -> None:
    for number in (1, 2):
        await world.add(number, targets=(HOOK, NOTICE))
    listed = world.store.deliveries.list_deliveries
    assert (await listed(Wanted(instance_id=id_of(1))))[1] == 2
    rows, total = await listed(Wanted(kind=TargetKind.NOTICE, instance_id=id_of(2)))
    assert ([row.target for row in rows], total) == ([NOTICE], 1)


async def test_the_backlog_counts_what_is_not_delivered(world: World) -> None:
    assert await world.store.deliveries.backlog() == Backlog(pending=0, dead=0, oldest_at=None)
    for number in (1, 2, 3, 4):
        await world.add(number, targets=(HOOK,))
        world.clock.advance(1)
    first, second, *_ = await lease(world)
    await world.store.deliveries.settle_delivered(first, 200)
    await world.store.deliveries.settle_dead(second, 500, "no")
    oldest = NOW + timedelta(seconds=2)
    assert await world.store.deliveries.backlog() == Backlog(pending=2, dead=1, oldest_at=oldest)


@pytest.mark.parametrize("dead", [True, False])
async def test_a_replay_sends_the_same_event_again(world: World, *, dead: bool) -> None:
    await world.add(1, targets=(HOOK,))
    leased = await only(world)
    settle = world.store.deliveries.settle_dead if dead else world.store.deliveries.settle_delivered
    await settle(leased, 200)
    replayed = await world.store.deliveries.replay(leased.delivery.id)
    assert replayed
    assert (replayed.state, replayed.delivered_at) == (DeliveryState.PENDING, None)
    again = await only(world)
    assert again.delivery.event.id == leased.delivery.event.id
    assert again.delivery.attempts == 0  # with all its tries before it


async def test_what_is_in_flight_is_not_replayed_beside_itself(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    leased = await only(world)
    assert await world.store.deliveries.replay(leased.delivery.id)
    assert await lease(world) == ()
    assert await world.store.deliveries.settle_delivered(leased, 200)
    assert await lease(world) == ()


async def test_all_that_died_since_a_time_are_replayed(world: World) -> None:
    for number in (1, 2, 3):
        await world.add(number, targets=(HOOK,))
        world.clock.advance(60)
    for leased in await lease(world):
        await world.store.deliveries.settle_dead(leased, 500, "no")
    await world.add(4, targets=(HOOK,))
    assert await world.store.deliveries.replay_dead(NOW + timedelta(seconds=60)) == 2
    assert await world.store.deliveries.replay_dead(NOW + timedelta(seconds=60)) == 0
    assert {each.delivery.event.instance_id for each in await lease(world)} == {id_of(2), id_of(3), id_of(4)}


async def test_every_try_is_kept_with_its_outcome(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    leased = await only(world)
    assert await world.store.deliveries.attempts([leased.delivery.id]) == {}
    await fail(world, leased)
    world.clock.advance(60)
    await world.store.deliveries.settle_dead(await only(world), None, "no answer")
    await world.store.deliveries.replay(leased.delivery.id)
    await world.store.deliveries.settle_delivered(await only(world), 204)
    later = NOW + timedelta(seconds=60)
    assert await world.store.deliveries.attempts([leased.delivery.id, "nothing"]) == {
        leased.delivery.id: (
            DeliveryAttempt(number=1, at=NOW, status_code=500, error="no"),
            DeliveryAttempt(number=2, at=later, error="no answer"),
            DeliveryAttempt(number=3, at=later, status_code=204),
        )
    }


async def test_a_lost_lease_writes_no_try(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    leased = await only(world)
    world.clock.advance(3600)
    await only(world)
    assert not await world.store.deliveries.settle_dead(leased, 500, "no")
    assert await world.store.deliveries.attempts([leased.delivery.id]) == {}


async def test_there_is_no_replay_of_what_is_not_there(world: World) -> None:
    assert await world.store.deliveries.replay("nothing") is None
