"""Beside a later version: what it writes may be unknown here, and is left to it. Nothing else waits for that."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from storage_samples import (
    HOOK,
    NOTICE,
    NOW,
    OFFER,
    OTHER_HOOK,
    Clock,
    event,
    full_instance,
    id_of,
    listing,
    observation,
)
from storage_world import World

from storage.database import Database
from storage.errors import Unreadable
from storage.records import EventKind, Fate, NewCard, Notify, Outcome, State, Wish
from storage.store.keys import RequestKey
from storage.store.store import make_store
from storage.tables import attempts, deliveries, instances

CARD = NewCard(channel="C1")
LATER = NOW + timedelta(minutes=5)
WORDS = ["state", "wish", "call", "outcome", "phase", "spot", "reason"]
RECORDS = {
    "request": '{"name": "train", "gpu": "4090", "billing_mode": "monthly"}',
    "refusal": '{"code": 7}',
    "offer": '"sold"',
    "connection": "[]",
    "error": "no json",
}
UNKNOWN = [*((name, "unheard_of") for name in WORDS), *RECORDS.items()]


async def rewrite(world: World, statement: str, **values: Any) -> None:
    """As a later version might have written it."""
    await world.database.write(lambda connection: connection.execute(text(statement), values))


async def make_unknown(world: World, number: int, column: str = "state", value: str = "unheard_of") -> None:
    await rewrite(
        world, f"UPDATE instances SET {column} = :value WHERE id = :id", value=value, id=id_of(number)
    )


async def make_event_unknown(world: World, number: int) -> None:
    await rewrite(
        world,
        "UPDATE events SET kind = 'instance.sung', fact = replace(fact, 'instance.requested', 'instance.sung')"
        " WHERE instance_id = :id",
        id=id_of(number),
    )


async def leased_numbers(world: World, limit: int = 10) -> list[int]:
    return [int(each.delivery.event.instance_id) for each in await world.store.deliveries.lease_due(limit)]


def newer(world: World) -> World:
    """Another replica, which has met nothing yet."""
    return World(make_store(world.database, world.clock), world.database, world.clock)


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if "row.left" in line]


# fields


async def test_fields_that_only_a_later_version_knows_are_passed_over(world: World) -> None:
    await world.add(1, targets=(HOOK,), offer=OFFER)
    for table, column in (
        ("events", "fact"),
        ("events", "instance"),
        ("instances", "request"),
        ("instances", "offer"),
    ):
        await rewrite(world, f"""UPDATE {table} SET {column} = '{{"tune": "la", ' || substr({column}, 2)""")
    (row,) = await world.store.deliveries.lease_due(1)
    assert row.delivery.event.instance.request == (await world.get(1)).request
    assert (await world.lease(1)).instance.offer == OFFER


# deliveries


async def test_an_unknown_kind_of_event_holds_up_no_other_delivery(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2, 3):
        await world.add(number, targets=(HOOK,))
        world.clock.advance(1)
    await make_event_unknown(world, 1)
    assert await leased_numbers(world, limit=1) == [2]
    assert await leased_numbers(world, limit=1) == [3]
    assert await leased_numbers(world) == []
    (line,) = told(capsys)
    assert "event_fact: kind: enum" in line
    row = next(row for row in await world.rows(deliveries) if row["instance_id"] == id_of(1))
    assert (row["due_at"], row["lease_token"], row["leased_until"]) == (NOW, None, None)


async def test_any_number_of_unknown_ones_come_first_and_block_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1, 31):
        await world.add(number, targets=(HOOK, OTHER_HOOK))
    for number in range(1, 30):
        await make_event_unknown(world, number)
    assert await leased_numbers(world, limit=3) + await leased_numbers(world, limit=3) == [30, 30]
    assert len(told(capsys)) == 1


async def test_a_replica_that_can_read_it_takes_it_at_once(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await make_event_unknown(world, 1)
    assert await leased_numbers(world) == []
    await rewrite(world, "UPDATE events SET fact = replace(fact, 'instance.sung', 'instance.requested')")
    assert await leased_numbers(newer(world)) == [1]


async def test_what_could_not_be_read_is_looked_at_again_a_minute_later_and_not_told_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.add(1, targets=(HOOK,))
    await make_event_unknown(world, 1)
    for _ in range(4):
        assert await leased_numbers(world) == []
        world.clock.advance(60)
    assert len(told(capsys)) == 1
    await rewrite(world, "UPDATE events SET fact = replace(fact, 'instance.sung', 'instance.requested')")
    assert await leased_numbers(world) == [1]


async def test_an_unknown_kind_of_target_is_left_too(world: World) -> None:
    await world.add(1, targets=(HOOK, NOTICE))
    await rewrite(world, "UPDATE deliveries SET target_kind = 'pigeon' WHERE target_kind = 'webhook'")
    (row,) = await world.store.deliveries.lease_due(10)
    assert row.delivery.target == NOTICE
    found, total = await world.store.deliveries.list_deliveries()
    assert ([each.target for each in found], total) == ([NOTICE], 2)
    assert [each.target for each in await world.store.targets.statistics()] == [NOTICE]


async def test_later_events_of_the_instance_wait_for_it_for_a_minute_and_no_longer(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await make_event_unknown(world, 1)
    await world.tell(1, event(EventKind.READY), HOOK)
    assert await leased_numbers(world) == []
    world.clock.advance(59)
    assert await leased_numbers(world) == []
    world.clock.advance(1)
    assert await leased_numbers(world) == [1]


async def test_sending_it_again_is_refused(world: World) -> None:
    await world.add(1, targets=(HOOK,))
    await make_event_unknown(world, 1)
    (row,) = await world.rows(deliveries)
    with pytest.raises(Unreadable, match="event_fact"):
        await world.store.deliveries.replay(row["id"])


# instances


@pytest.mark.parametrize(("column", "value"), UNKNOWN)
async def test_an_instance_that_cannot_be_read_is_left_alone(world: World, column: str, value: str) -> None:
    for number in (1, 2):
        await world.add(number, card=CARD)
        world.clock.advance(1)
    await make_unknown(world, 1, column, value)
    assert [each.instance.id for each in await world.store.instances.lease_due(1)] == [id_of(2)]
    assert await world.store.instances.lease_due(10) == ()
    assert [each.instance.id for each in await world.store.cards.lease_due(10)] == [id_of(2)]
    found, total = await world.store.instances.list_instances(include_deleted=True)
    assert ([each.id for each in found], total) == ([id_of(2)], 2)
    with pytest.raises(Unreadable, match=column):
        await world.get(1)
    with pytest.raises(Unreadable, match=column):
        await world.change(1, tries=7)
    assert await world.value(instances.select().with_only_columns(instances.c.tries).limit(1)) == 0


async def test_what_cannot_be_read_is_told_without_its_content(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.add(1)
    await make_unknown(world, 1, "request", '{"webhook_url": "https://x.example/CANARY"}')
    assert await world.store.instances.lease_due(1) == ()
    (line,) = told(capsys)
    assert "request" in line
    assert "CANARY" not in line


@pytest.mark.parametrize("column", ["state", "phase"])
async def test_a_row_that_became_unknown_under_a_lease_is_written_no_more(world: World, column: str) -> None:
    await world.add(1)
    leased = await world.lease(1)
    await make_unknown(world, 1, column)
    with pytest.raises(Unreadable):
        await world.store.instances.begin(leased, call=Wish.CREATE)
    with pytest.raises(Unreadable):
        await world.store.instances.settle(leased, leased.instance, due_at=None)
    assert await world.count(attempts) == 0


async def test_counts_and_prices_are_of_what_is_known(world: World) -> None:
    for number in (1, 2, 3):
        await world.add_bound(number, state=State.RUNNING, offer=OFFER, billing_since=NOW)
    await make_unknown(world, 1)
    await make_unknown(world, 2, "offer", RECORDS["offer"])
    counts = await world.store.instances.counts()
    assert (counts.by_state[State.RUNNING], counts.usd_per_hour) == (2, OFFER.usd_per_hour)


async def test_a_repeated_request_whose_answer_is_unknown_is_not_acted_on_again(world: World) -> None:
    key = RequestKey(text="k", fingerprint="f")
    await world.store.instances.add(full_instance(), key=key, event=event(), card=None, unique_name=False)
    await rewrite(world, "UPDATE requests SET answer = '{}'")
    with pytest.raises(Unreadable, match="answer"):
        await world.store.instances.served(key)
    with pytest.raises(Unreadable, match="answer"):
        await world.store.instances.add(full_instance(), key=key, event=event(), card=None, unique_name=False)
    assert await world.count(instances) == 1


# people and the past


async def test_a_home_tab_of_somebody_with_an_unknown_choice_is_left_and_blocks_no_other(
    world: World,
) -> None:
    for user_id in ("U1", "U2"):
        await world.store.people.open_home(user_id)
        world.clock.advance(1)
    await rewrite(world, "UPDATE people SET notify = 'pigeon' WHERE user_id = 'U1'")
    assert [home.user_id for home in await world.store.people.lease_homes(1)] == ["U2"]
    assert await world.store.people.lease_homes(1) == ()
    assert await world.store.people.notify(["U1"]) == {"U1": Notify.THREAD}


async def test_what_happens_is_told_in_the_thread_whatever_the_requester_chose(world: World) -> None:
    await world.store.people.choose("U1", Notify.BOTH)
    await rewrite(world, "UPDATE people SET notify = 'pigeon'")
    await world.add(1, targets=(NOTICE,))
    (row,) = await world.store.deliveries.lease_due(10)
    assert row.delivery.target == NOTICE


async def test_the_past_is_told_as_far_as_it_can_be_read(world: World) -> None:
    for number in (1, 2):
        await world.add(number, offer=OFFER, ready_at=NOW + timedelta(minutes=1))
    await make_unknown(world, 1, "offer", RECORDS["offer"])
    await world.tell(2, event(EventKind.READY))
    await rewrite(world, "UPDATE events SET fact = replace(fact, 'instance.ready', 'instance.sung')")
    assert len(await world.store.instances.launches(10)) == 1
    assert [each.kind for each in await world.store.instances.history(id_of(2), 10)] == [EventKind.REQUESTED]


# lists


@pytest.mark.parametrize("column", ["state", "wish", "call", "outcome", "phase", "spot"])
async def test_no_list_decides_about_a_row_that_cannot_be_read(
    world: World, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.add_bound(1, state=State.RUNNING, wish=None)
    await world.add_begun(2)
    await world.add_bound(3, state=State.RUNNING, wish=None)
    for number in (1, 2):
        await make_unknown(world, number, column)
    before = await _versions(world)
    began = world.clock.advance(60)
    gpus = (observation("nv-1", world.token(1)), observation("nv-new", world.token(2)), observation("nv-3"))
    for _ in range(2):
        observed = await world.store.polls.observe(listing(began, *gpus), previous=None)
        assert (observed.strays, observed.unknown) == ((), ())
        assert set(observed.left) == {id_of(1), id_of(2)}
    after = await _versions(world)
    assert after | {id_of(3): 0} == before | {id_of(3): 0}
    assert after[id_of(3)] == before[id_of(3)] + 1
    assert (await world.attempt(2)).fate is Fate.BEGUN
    assert len(told(capsys)) == 1


async def _versions(world: World) -> dict[str, int]:
    return {row["id"]: row["version"] for row in await _raw(world, "SELECT id, version FROM instances")}


async def _raw(world: World, statement: str) -> list[dict[str, Any]]:
    def work(connection: Any) -> list[dict[str, Any]]:
        return [dict(row._mapping) for row in connection.execute(text(statement))]

    return await world.database.read(work)


async def test_absence_of_a_row_that_cannot_be_read_is_counted_by_nobody(world: World) -> None:
    await world.add_begun(1)
    await make_unknown(world, 1, "outcome")
    for seconds in (60, 120, 180):
        world.clock.advance(60)
        began = NOW + timedelta(seconds=seconds)
        await world.store.polls.observe(listing(began), previous=began - timedelta(seconds=60))
    (row,) = await _raw(world, "SELECT absent_lists, absent_for FROM instances")
    assert (row["absent_lists"], row["absent_for"]) == (0, 0)


async def test_the_gpu_of_an_attempt_with_an_unknown_fate_is_not_removed(world: World) -> None:
    await world.add_begun(1)
    await rewrite(world, "UPDATE attempts SET fate = 'blessed'")
    await world.change(1, state=State.FAILED, wish=None, outcome=Outcome.UNKNOWN)
    began = world.clock.advance(60)
    observed = await world.store.polls.observe(
        listing(began, observation("nv-1", world.token(1))), previous=None
    )
    assert (observed.strays, observed.unknown, set(observed.left)) == ((), (), {id_of(1)})
    with pytest.raises(Unreadable, match="fate"):
        await world.store.instances.attempts(id_of(1))


async def test_a_late_gpu_whose_record_cannot_be_read_stays_and_its_fate_with_it(world: World) -> None:
    await world.add_begun(1)
    await world.change(1, state=State.FAILED, wish=None, outcome=Outcome.UNKNOWN)
    await make_unknown(world, 1, "request", RECORDS["request"])
    began = world.clock.advance(60)
    gpu = observation("nv-1", world.token(1))
    observed = await world.store.polls.observe(listing(began, gpu), previous=None)
    assert (observed.strays, set(observed.left)) == ((), {id_of(1)})
    assert (await world.attempt(1)).fate is Fate.UNCONFIRMED


@pytest.fixture
def world(database: Database, clock: Clock) -> World:
    return World(make_store(database, clock, per_target=2), database, clock)
