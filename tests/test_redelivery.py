"""What became of each event, and sending it again."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from samples import creating
from scene import HOOK, Scene, scene

from bot.errors import DeliveryNotFound
from bot.redelivery import Redelivery
from storage.records import DeliveryState, EventKind, NewEvent, Target, TargetKind
from storage.store.deliveries import Wanted

WEBHOOK = Target(kind=TargetKind.WEBHOOK, address=HOOK)


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


@pytest.fixture
def redelivery(s: Scene) -> Redelivery:
    return Redelivery(s.store, wake=lambda: s.woken.append(None))


async def died(s: Scene) -> str:
    event = NewEvent(kind=EventKind.READY, at=s.clock())
    i = creating(id=f"abcdef{len(s.woken):010}", created_at=s.clock())
    await s.store.instances.add(i, key=None, event=event, card=None, unique_name=False, targets=(WEBHOOK,))
    (leased,) = await s.store.deliveries.lease_due(1)
    await s.store.deliveries.settle_dead(leased, 500, "answered 500")
    return leased.delivery.id


async def test_a_delivery_is_listed_with_its_tries(s: Scene, redelivery: Redelivery):
    delivery_id = await died(s)
    ((tried,), total) = await redelivery.list_deliveries(Wanted(state=DeliveryState.DEAD), limit=10, offset=0)
    assert (tried.delivery.id, total) == (delivery_id, 1)
    assert [(each.number, each.status_code) for each in tried.attempts] == [(1, 500)]


async def test_a_replay_is_due_at_once_and_wakes_whoever_delivers(s: Scene, redelivery: Redelivery):
    tried = await redelivery.replay(await died(s))
    assert (tried.delivery.state, tried.delivery.due_at) == (DeliveryState.PENDING, s.clock())
    assert (len(tried.attempts), len(s.woken)) == (1, 1)


async def test_there_is_no_replay_of_what_is_not_there(s: Scene, redelivery: Redelivery):
    with pytest.raises(DeliveryNotFound):
        await redelivery.replay("nothing")
    assert s.woken == []


async def test_all_that_died_since_a_time_are_replayed(s: Scene, redelivery: Redelivery):
    await died(s)
    assert await redelivery.replay_dead(s.clock() + timedelta(seconds=1)) == 0
    assert s.woken == []
    assert await redelivery.replay_dead(s.clock()) == 1
    assert len(s.woken) == 1


async def test_statistics_are_the_stores(s: Scene, redelivery: Redelivery):
    await died(s)
    ((target),) = await redelivery.statistics()
    assert (target.target, target.dead, target.failing_since) == (WEBHOOK, 1, s.clock())
