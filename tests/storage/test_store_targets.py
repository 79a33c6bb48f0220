"""Webhooks that fail for long get nothing more until a start or a successful replay."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from storage_samples import HOOK, NOTICE, NOW, OTHER_HOOK, Clock, event, id_of
from storage_world import World

from storage.database import open_database
from storage.records import Delivery, DeliveryState, EventKind, Target, TargetKind
from storage.store.deliveries import LeasedDelivery, Wanted
from storage.store.store import make_store
from storage.store.targets import DisabledTarget, TargetStatistics, Telling
from storage.tables import targets

READY = event(EventKind.READY)


async def only(world: World) -> LeasedDelivery:
    (leased,) = await world.store.deliveries.lease_due(100)
    return leased


async def fail(world: World, leased: LeasedDelivery) -> None:
    assert await world.store.deliveries.settle_later(leased, world.clock.now, 500, "no")


async def delivery_of(world: World, number: int) -> Delivery:
    rows, _ = await world.store.deliveries.list_deliveries()
    return next(row for row in rows if row.event.instance_id == id_of(number))


async def test_the_first_failure_since_a_success_is_remembered(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await fail(world, await only(world))
    world.clock.advance(60)
    await fail(world, await only(world))
    third = await only(world)
    assert third.failing_since == NOW
    assert await world.store.deliveries.settle_delivered(third, 200)
    await world.add(2, targets=(HOOK,))
    assert (await only(world)).failing_since is None
    assert await world.count(targets) == 0


async def test_a_disabled_target_gets_nothing_more(world: World) -> None:
    await world.add(1, targets=(HOOK, OTHER_HOOK))
    assert await world.store.targets.disable_target(HOOK.address, "410")
    await world.add(2, targets=(HOOK, NOTICE))
    dead, total = await world.store.deliveries.list_deliveries(Wanted(state=DeliveryState.DEAD))
    assert total == 2
    assert {(row.target, row.due_at) for row in dead} == {(HOOK, None)}
    leased = await world.store.deliveries.lease_due(100)
    assert {each.delivery.target for each in leased} == {OTHER_HOOK, NOTICE}


async def test_disabling_again_changes_nothing(world: World) -> None:
    assert await world.store.targets.disable_target(HOOK.address, "410")
    world.clock.advance(60)
    assert not await world.store.targets.disable_target(HOOK.address, "another")
    assert await world.store.targets.disabled_targets() == (
        DisabledTarget(address=HOOK.address, disabled_at=NOW, reason="410"),
    )


async def test_a_target_that_only_fails_is_not_disabled(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await fail(world, await only(world))
    assert await world.store.targets.disabled_targets() == ()
    assert await world.store.targets.enable_all() == 0
    assert (await only(world)).failing_since == NOW
    assert await world.store.targets.disable_target(HOOK.address, "for long")


async def test_what_was_in_flight_ends_as_it_ends(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await world.add(2, targets=(HOOK,))
    leased = await world.store.deliveries.lease_due(2)
    first, second = sorted(leased, key=lambda each: each.delivery.event.instance_id)
    await world.store.targets.disable_target(HOOK.address, "410")
    assert await world.store.deliveries.settle_later(first, NOW + timedelta(hours=1), 500, "no")
    dead = await delivery_of(world, 1)
    assert (dead.state, dead.due_at, dead.last_error) == (DeliveryState.DEAD, None, "no")
    assert await world.store.deliveries.settle_delivered(second, 200)
    assert (await delivery_of(world, 2)).state is DeliveryState.DELIVERED


async def test_a_successful_replay_enables_it(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await world.store.targets.disable_target(HOOK.address, "410")
    await world.store.deliveries.replay((await delivery_of(world, 1)).id)
    await world.store.deliveries.settle_delivered(await only(world), 200)
    assert await world.store.targets.disabled_targets() == ()
    await world.add(2, targets=(HOOK,))
    assert (await only(world)).delivery.event.instance_id == id_of(2)


async def test_a_replay_that_fails_leaves_it_disabled(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await world.store.targets.disable_target(HOOK.address, "410")
    await world.store.deliveries.replay((await delivery_of(world, 1)).id)
    await fail(world, await only(world))
    assert (await delivery_of(world, 1)).state is DeliveryState.DEAD


async def test_a_start_enables_all(world: World) -> None:
    await world.store.targets.disable_target(HOOK.address, "410")
    await world.store.targets.disable_target(OTHER_HOOK.address, "410")
    assert await world.store.targets.enable_all() == 2
    assert await world.store.targets.enable_all() == 0
    await world.add(1, targets=(HOOK,))
    assert await only(world)


async def test_a_notice_is_never_disabled_by_a_webhook_of_its_name(world: World) -> None:
    await world.store.targets.disable_target(NOTICE.address, "410")
    await world.add(1, targets=(NOTICE, Target(kind=TargetKind.WEBHOOK, address=NOTICE.address)))
    leased = await only(world)
    assert leased.delivery.target == NOTICE
    await fail(world, leased)
    assert (await delivery_of(world, 1)).target.address == NOTICE.address
    assert await only(world)


def told(number: int) -> Telling:
    disabled = event(EventKind.WEBHOOK_DISABLED, note="It answered 410.")
    return Telling(instance_id=id_of(number), event=disabled, targets=(NOTICE,))


async def test_that_a_target_is_disabled_is_told_once(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    assert await world.store.targets.disable_target(HOOK.address, "410", told=told(1))
    assert not await world.store.targets.disable_target(HOOK.address, "410", told=told(1))
    leased = await only(world)
    assert (leased.delivery.target, leased.delivery.event.sequence) == (NOTICE, 2)
    assert leased.delivery.event.fact.note == "It answered 410."


async def test_where_the_instance_was_purged_there_is_nobody_to_tell(world: World) -> None:
    assert await world.store.targets.disable_target(HOOK.address, "410", told=told(1))
    assert await world.store.deliveries.lease_due(100) == ()


async def test_statistics_tell_of_each_target_how_it_fares(world: World) -> None:
    for number in (1, 2, 3):
        await world.add(number, targets=(HOOK, NOTICE))
    by_target = {}
    for leased in await world.store.deliveries.lease_due(100):
        by_target.setdefault(leased.delivery.target, []).append(leased)
    world.clock.advance(1)
    now = NOW + timedelta(seconds=1)
    for leased in by_target[NOTICE]:
        await world.store.deliveries.settle_delivered(leased)
    first, second, third = by_target[HOOK]
    await world.store.deliveries.settle_dead(first, 500, "no")
    await fail(world, second)
    await world.store.deliveries.settle_dead(third, 500, "no")
    await world.store.targets.disable_target(HOOK.address, "410")
    slack = TargetStatistics(
        target=NOTICE, pending=0, delivered=3, dead=0, last_delivered_at=now, failing_since=None,
        disabled_at=None, reason=None,
    )  # fmt: skip
    hook = TargetStatistics(
        target=HOOK, pending=0, delivered=0, dead=3, last_delivered_at=None, failing_since=now,
        disabled_at=now, reason="410",
    )  # fmt: skip
    assert await world.store.targets.statistics() == (slack, hook)


async def test_what_was_under_way_when_it_was_disabled_does_not_enable_it(world: World) -> None:
    for number in (1, 2):
        await world.add(number, targets=(HOOK,))
    under_way, refused = await world.store.deliveries.lease_due(100)
    world.clock.advance(1)
    assert await world.store.deliveries.settle_gone(refused, 410, "gone", told=told(2))
    assert await world.store.deliveries.settle_delivered(under_way, 200)
    assert len(await world.store.targets.disabled_targets()) == 1
    world.clock.advance(1)
    await world.store.deliveries.replay(refused.delivery.id)
    leased = await world.store.deliveries.lease_due(100)
    (replayed,) = [each for each in leased if each.delivery.target == HOOK]
    assert await world.store.deliveries.settle_delivered(replayed, 200)
    assert await world.store.targets.disabled_targets() == ()


async def test_one_that_has_recovered_is_not_disabled_for_its_past(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await fail(world, await only(world))
    disable = world.store.targets.disable_target
    assert not await disable(HOOK.address, "120 h", failing_before=NOW - timedelta(seconds=1))
    assert await disable(HOOK.address, "120 h", failing_before=NOW)


@pytest.mark.slow
async def test_disabling_waits_for_no_delivery_that_is_being_settled(postgres_url: str) -> None:
    """That one sees by itself that all is over. Waiting for it, two could wait for each other."""
    database = await open_database(postgres_url)
    clock = Clock()
    world = World(make_store(database, clock), database, clock)
    await world.add(1, targets=(HOOK,))
    await world.add(2, targets=(HOOK,))
    (settled,) = await world.store.deliveries.lease_due(1)
    clock.advance(21)  # the lease is over, and nobody else has taken it yet
    with psycopg.connect(postgres_url) as settling:
        settling.execute("SELECT id FROM deliveries WHERE id = %s FOR UPDATE", [settled.delivery.id])
        async with asyncio.timeout(5):
            assert await world.store.targets.disable_target(HOOK.address, "410")
    states = [(await delivery_of(world, number)).state for number in (1, 2)]
    assert sorted(states) == [DeliveryState.DEAD, DeliveryState.PENDING]
    assert await world.store.deliveries.settle_later(settled, NOW + timedelta(hours=1), 500, "no")
    states = [(await delivery_of(world, number)).state for number in (1, 2)]
    assert states == [DeliveryState.DEAD, DeliveryState.DEAD]
    await database.close()
