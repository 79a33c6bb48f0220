"""The outbox at work, over the real store; the sinks are fakes that say what they are told to say."""

from __future__ import annotations

import asyncio
import shutil
from collections import deque
from datetime import timedelta
from random import Random

import pytest
from clocks import Clock
from loglines import logged
from measured import tally, told
from samples import creating, running, seconds
from structlog.testing import capture_logs

from bot.audience import SLACK
from bot.deliveries import Deliveries, Sinks
from bot.metrics import Metrics
from bot.sinks.verdicts import Dead, Delivered, Gone, Later, Lost, Shown
from storage.database import migrate, open_database
from storage.errors import DatabaseUnavailable
from storage.records import DeliveryState, EventKind, NewCard, NewEvent, Notify, State, Target, TargetKind
from storage.store.store import make_store

HOOK = "https://hooks.example/a"
DELIVERED, LATER = Delivered(status_code=200), Later(reason="answered 500", status_code=500)


class FakeSink:
    """Says what is scripted for an address, and success afterwards; a gate makes it silent until it opens."""

    def __init__(self, successes=None) -> None:
        self.successes = successes or {}
        self.script: dict[str, deque] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.calls: list[tuple[str, object]] = []
        self.changed = asyncio.Condition()

    def say(self, address, *verdicts) -> None:
        self.script.setdefault(address, deque()).extend(verdicts)

    def silence(self, address) -> asyncio.Event:
        self.gates[address] = asyncio.Event()
        return self.gates[address]

    async def answer(self, address, what):
        async with self.changed:
            self.calls.append((address, what))
            self.changed.notify_all()
        if address in self.gates:
            await self.gates[address].wait()
        success = self.successes.get(address, DELIVERED)
        verdict = self.script[address].popleft() if self.script.get(address) else success
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    async def called(self, address, times=1) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: [a for a, _ in self.calls].count(address) >= times)


class FakeWebhooks(FakeSink):
    async def send(self, delivery):
        return await self.answer(delivery.target.address, delivery)


class FakeSlack(FakeSink):
    """Addresses are `card`, `notice`, `direct` and `home`."""

    def __init__(self) -> None:
        super().__init__({"card": Shown(channel="C1", ts="17.1"), "notice": DELIVERED})
        self.usual = []
        self.uncalled = frozenset()

    async def show_card(self, card, instance, now, *, usual):
        self.usual.append(usual)
        return await self.answer("card", card)

    async def post_notice(self, delivery, card, *, uncalled):
        self.uncalled = uncalled
        return await self.answer("notice", (delivery, card))

    async def post_direct(self, delivery, card):
        return await self.answer("direct", (delivery, card))

    async def publish_home(self, user_id, view):
        return await self.answer("home", (user_id, view))


class Bench:
    def __init__(self, store, clock) -> None:
        self.store, self.clock = store, clock
        self.webhooks, self.slack = FakeWebhooks(), FakeSlack()
        self.metrics = Metrics()
        self.deliveries = self.replica()

    def replica(self, *, retries=9, slack=True) -> Deliveries:
        return Deliveries(
            store=self.store,
            sinks=Sinks(webhook=self.webhooks, slack=self.slack if slack else None),
            clock=self.clock,
            rng=Random(1),
            retries=retries,
            metrics=self.metrics,
        )

    async def run(self, deliveries=None) -> int:
        worker = deliveries or self.deliveries
        started = await worker.deliver_once()
        async with asyncio.timeout(10):
            await worker.idle()
        return started

    async def happens(self, number, *targets, card=None, kind=EventKind.READY, actor=None) -> str:
        instance = creating(id=f"abcdef{number:010}", name=f"my-train-{number}")
        event = NewEvent(kind=kind, at=self.clock.now, actor=actor)
        new_card = NewCard(channel=card) if card else None
        await self.store.instances.add(
            instance, key=None, event=event, card=new_card, unique_name=False, targets=targets
        )
        return instance.id

    async def changes(self, state=State.RUNNING, *targets, kind=EventKind.STARTED) -> None:
        """The one instance that is due becomes something else, which its card shows."""
        (leased,) = await self.store.instances.lease_due(1)
        after = running(id=leased.instance.id, name=leased.instance.name, state=state)
        event = NewEvent(kind=kind, at=self.clock.now)
        assert await self.store.instances.settle(
            leased, after, event=event, targets=targets, due_at=self.clock.now
        )

    async def rows(self):
        rows, _ = await self.store.deliveries.list_deliveries(limit=1000)
        return rows

    async def row(self, address=HOOK):
        (row,) = [row for row in await self.rows() if row.target.address == address]
        return row

    def tries(self, address=HOOK) -> int:
        return [a for a, _ in self.webhooks.calls].count(address)


def hook(address=HOOK) -> Target:
    return Target(kind=TargetKind.WEBHOOK, address=address)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    path = tmp_path_factory.mktemp("migrated") / "bot.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture
async def bench(tmp_path, migrated, monkeypatch):
    monkeypatch.setattr("bot.deliveries._LOOK_AGAIN_AFTER", 0)
    path = shutil.copy(migrated, tmp_path)
    database = await open_database(f"sqlite:///{path}")
    clock = Clock()
    yield Bench(make_store(database, clock), clock)
    await database.close()


# webhooks


async def test_what_is_due_is_sent_once(bench):
    await bench.happens(1, hook())
    assert await bench.run() == 1
    assert await bench.run() == 0
    row = await bench.row()
    assert (row.state, row.attempts, row.last_status_code) == (DeliveryState.DELIVERED, 1, 200)
    assert bench.tries() == 1


async def test_a_failure_is_tried_again_on_the_schedule_of_webhooks(bench):
    bench.webhooks.say(HOOK, LATER)
    await bench.happens(1, hook())
    await bench.run()
    row = await bench.row()
    assert (row.state, row.attempts) == (DeliveryState.PENDING, 1)
    assert (row.last_status_code, row.last_error) == (500, "answered 500")
    assert seconds(4) <= row.due_at - bench.clock.now <= seconds(6)
    bench.clock.advance(3.9)
    assert await bench.run() == 0
    bench.clock.advance(2.1)
    assert await bench.run() == 1
    assert (await bench.row()).state is DeliveryState.DELIVERED


async def test_a_receiver_that_says_when_is_not_asked_sooner(bench):
    bench.webhooks.say(HOOK, Later(reason="answered 429", status_code=429, after=timedelta(hours=1)))
    await bench.happens(1, hook())
    await bench.run()
    assert (await bench.row()).due_at == bench.clock.now + timedelta(hours=1)


async def test_after_the_last_retry_it_is_dead(bench):
    worker = bench.replica(retries=2)
    bench.webhooks.say(HOOK, *[LATER] * 9)
    await bench.happens(1, hook())
    with capture_logs() as logs:
        for _ in range(5):
            await bench.run(worker)
            bench.clock.advance(24 * 3600)
    row = await bench.row()
    assert (row.state, row.attempts, row.last_error) == (DeliveryState.DEAD, 3, "answered 500")
    assert [(entry["event"], entry["target"]) for entry in logs] == [
        ("delivery.dead", "https://hooks.example")
    ]


async def test_what_no_later_try_can_mend_is_dead_at_once(bench):
    bench.webhooks.say(HOOK, Dead(reason="never", status_code=400))
    await bench.happens(1, hook())
    await bench.run()
    row = await bench.row()
    assert (row.state, row.attempts, row.last_status_code) == (DeliveryState.DEAD, 1, 400)


async def test_one_look_sends_everything_that_is_due(bench):
    for number in range(30):
        await bench.happens(number, hook(f"https://hooks.example/{number % 3}"))
    await bench.run()
    assert {row.state for row in await bench.rows()} == {DeliveryState.DELIVERED}
    assert len(bench.webhooks.calls) == 30


async def test_a_later_event_follows_the_earlier_one_without_another_look_from_outside(bench):
    await bench.happens(1, hook())
    await bench.changes(State.RUNNING, hook())
    await bench.changes(State.STOPPED, hook(), kind=EventKind.STOPPED)
    await bench.run()
    assert [delivery.event.sequence for _, delivery in bench.webhooks.calls] == [1, 2, 3]


async def test_a_silent_receiver_delays_no_other(bench):
    silent, well = "https://silent.example/", "https://well.example/"
    gate = bench.webhooks.silence(silent)
    for number in range(20):
        await bench.happens(number, hook(silent), hook(well))
    await bench.deliveries.deliver_once()
    await bench.webhooks.called(well, times=20)
    assert bench.tries(silent) == 4  # as many as the store leases for one target
    gate.set()
    await bench.deliveries.idle()
    assert bench.tries(silent) == 20


async def test_a_look_does_not_wait_for_what_it_started(bench):
    gate = bench.webhooks.silence(HOOK)
    await bench.happens(1, hook())
    assert await asyncio.wait_for(bench.deliveries.deliver_once(), 5) == 1
    await bench.happens(2, hook("https://hooks.example/b"))
    assert await asyncio.wait_for(bench.deliveries.deliver_once(), 5) == 1
    gate.set()
    await bench.deliveries.idle()


# targets that want no more


async def test_410_ends_the_target_and_all_that_waits_for_it(bench):
    bench.webhooks.say(HOOK, LATER, Gone(reason="wants no more", status_code=410))
    await bench.happens(1, hook())
    await bench.run()
    bench.clock.advance(10)
    await bench.happens(2, hook("https://hooks.example/b"))
    with capture_logs() as logs:
        await bench.run()
    await bench.happens(3, hook())
    await bench.run()
    states = {(row.event.instance.name, row.target.address): row.state for row in await bench.rows()}
    assert states == {
        ("my-train-1", HOOK): DeliveryState.DEAD,
        ("my-train-1", "slack"): DeliveryState.DELIVERED,  # that the webhook gets nothing more
        ("my-train-2", "https://hooks.example/b"): DeliveryState.DELIVERED,
        ("my-train-3", HOOK): DeliveryState.DEAD,
    }
    assert bench.tries() == 2
    assert [entry["event"] for entry in logs] == ["delivery.dead", "target.disabled"]
    (disabled,) = await bench.store.targets.disabled_targets()
    assert (disabled.address, disabled.reason) == (HOOK, "wants no more")


async def test_slack_is_told_once_which_webhook_gets_nothing_more_and_why(bench):
    secret = "https://hooks.example/a/secret?token=s3cret"
    bench.webhooks.say(secret, *[Gone(reason="the receiver wants no more (410)", status_code=410)] * 2)
    await bench.happens(1, hook(secret))
    await bench.happens(2, hook(secret))
    await bench.run()
    (told,) = [row.event for row in await bench.rows() if row.target.address == "slack"]
    assert told.fact.kind is EventKind.WEBHOOK_DISABLED
    assert told.fact.note == "https://hooks.example: the receiver wants no more (410)."


async def test_a_replay_that_fails_leaves_the_target_disabled_and_is_told_once(bench):
    bench.webhooks.say(HOOK, *[Gone(reason="wants no more", status_code=410)] * 2)
    await bench.happens(1, hook())
    with capture_logs() as logs:
        await bench.run()
        await bench.store.deliveries.replay((await bench.row()).id)
        await bench.run()
    assert bench.tries() == 2
    assert (await bench.row()).state is DeliveryState.DEAD
    assert [entry["event"] for entry in logs].count("target.disabled") == 1


async def test_a_replay_that_succeeds_enables_the_target(bench):
    bench.webhooks.say(HOOK, Gone(reason="wants no more", status_code=410))
    await bench.happens(1, hook())
    await bench.run()
    await bench.store.deliveries.replay((await bench.row()).id)
    await bench.run()
    await bench.happens(2, hook())
    await bench.run()
    assert {row.state for row in await bench.rows()} == {DeliveryState.DELIVERED}


async def test_nothing_but_failures_for_120_hours_ends_the_target(bench):
    bench.webhooks.say(HOOK, *[LATER] * 3)
    await bench.happens(1, hook())
    await bench.run()
    bench.clock.advance(120 * 3600 - 1)
    await bench.run()
    assert await bench.store.targets.disabled_targets() == ()
    bench.clock.advance(24 * 3600)
    await bench.run()
    (disabled,) = await bench.store.targets.disabled_targets()
    assert disabled.reason == "nothing but failures since 2026-11-23 12:00 UTC"
    assert (await bench.row()).state is DeliveryState.DEAD


async def test_of_two_that_fail_for_120_hours_at_once_one_tells_of_it(bench):
    bench.webhooks.say(HOOK, *[LATER] * 4)
    for number in (1, 2):
        await bench.happens(number, hook())
    await bench.run()
    bench.clock.advance(121 * 3600)
    with logged() as lines:
        await bench.run()
    assert [line["event"] for line in lines].count("target.disabled") == 1
    assert [row.target.address for row in await bench.rows()].count("slack") == 1


async def test_a_receiver_that_recovers_at_the_last_moment_is_not_disabled(bench):
    bench.webhooks.say(HOOK, LATER, LATER)
    for number in (1, 2):
        await bench.happens(number, hook())
    await bench.run()
    bench.clock.advance(121 * 3600)
    gate = bench.webhooks.silence(HOOK)
    await bench.deliveries.deliver_once()
    await bench.webhooks.called(HOOK, times=4)
    bench.webhooks.say(HOOK, DELIVERED, LATER)
    gate.set()
    await bench.deliveries.idle()
    assert await bench.store.targets.disabled_targets() == ()
    assert sorted(row.state for row in await bench.rows()) == ["delivered", "pending"]


async def test_one_success_begins_the_120_hours_anew(bench):
    bench.webhooks.say(HOOK, LATER, DELIVERED, *[LATER] * 2)
    await bench.happens(1, hook())
    await bench.run()
    bench.clock.advance(60)
    await bench.run()
    bench.clock.advance(121 * 3600)
    await bench.happens(2, hook())
    await bench.run()
    bench.clock.advance(24 * 3600)
    await bench.run()
    assert await bench.store.targets.disabled_targets() == ()


# cards


async def card_of(bench, instance_id):
    return await bench.store.cards.get(instance_id)


async def test_a_card_is_posted_and_its_place_is_kept(bench):
    instance_id = await bench.happens(1, card="C1")
    assert await bench.run() == 1
    card = await card_of(bench, instance_id)
    assert (card.channel, card.ts, card.shown_version) == ("C1", "17.1", card.wanted_version)
    assert await bench.run() == 0


async def test_a_card_that_went_elsewhere_stays_there(bench):
    bench.slack.say("card", Shown(channel="D9", ts="17.5"))
    instance_id = await bench.happens(1, card="C1")
    await bench.run()
    assert (await card_of(bench, instance_id)).channel == "D9"


async def test_a_change_while_the_card_is_edited_is_shown_too(bench):
    gate = bench.slack.silence("card")
    instance_id = await bench.happens(1, card="C1")
    await bench.deliveries.deliver_once()
    await bench.slack.called("card")
    await bench.changes()
    gate.set()
    await bench.deliveries.idle()
    card = await card_of(bench, instance_id)
    assert len(bench.slack.calls) == 2
    assert card.shown_version == card.wanted_version


async def test_a_notice_follows_its_card_and_answers_it(bench):
    await bench.happens(1, SLACK, card="C1")
    await bench.run()
    (_, _), (address, (delivery, card)) = bench.slack.calls
    assert (address, delivery.event.sequence, card.ts) == ("notice", 1, "17.1")
    assert (await bench.row("slack")).state is DeliveryState.DELIVERED


async def test_a_card_that_somebody_deleted_is_posted_anew(bench):
    instance_id = await bench.happens(1, card="C1")
    await bench.run()
    bench.slack.say("card", Lost(), Shown(channel="C1", ts="17.9"))
    await bench.changes()
    await bench.run()
    assert [card.ts for _, card in bench.slack.calls] == [None, "17.1", None]
    assert (await card_of(bench, instance_id)).ts == "17.9"


async def test_a_card_that_failed_is_shown_later(bench):
    bench.slack.say("card", Later(reason="no answer"), Later(reason="slow down", after=timedelta(minutes=2)))
    instance_id = await bench.happens(1, card="C1")
    await bench.run()
    assert (await card_of(bench, instance_id)).attempts == 1
    bench.clock.advance(0.7)
    assert await bench.run() == 0
    bench.clock.advance(0.6)
    assert await bench.run() == 1
    bench.clock.advance(119)
    assert await bench.run() == 0
    bench.clock.advance(1)
    assert await bench.run() == 1
    assert (await card_of(bench, instance_id)).ts == "17.1"


async def test_a_card_that_cannot_be_edited_is_left_until_the_next_change(bench):
    instance_id = await bench.happens(1, card="C1")
    await bench.run()
    bench.slack.say("card", Dead(reason="edit_window_closed"))
    await bench.changes()
    with logged() as logs:
        await bench.run()
    bench.clock.advance(24 * 3600)
    assert await bench.run() == 0
    assert [(entry["event"], entry["instance"]) for entry in logs] == [("card.left", instance_id)]
    await bench.changes(State.STOPPED)
    assert await bench.run() == 1


async def test_a_card_that_never_succeeds_is_left_at_last(bench, monkeypatch):
    monkeypatch.setattr("bot.schedule.SLACK_RETRIES", 3)
    instance_id = await bench.happens(1, card="C1")
    bench.slack.say("card", *[LATER] * 9)
    for _ in range(6):
        await bench.run()
        bench.clock.advance(400)
    assert len(bench.slack.calls) == 4
    assert (await card_of(bench, instance_id)).ts is None


# notices


async def test_a_notice_that_failed_is_told_soon(bench):
    bench.slack.say("notice", LATER)
    await bench.happens(1, SLACK)
    await bench.run()
    row = await bench.row("slack")
    assert seconds(0.8) <= row.due_at - bench.clock.now <= seconds(1.2)
    bench.clock.advance(1.2)
    await bench.run()
    assert (await bench.row("slack")).state is DeliveryState.DELIVERED


async def test_a_notice_that_nobody_can_get_is_dead(bench):
    bench.slack.say("notice", Dead(reason="user_disabled"))
    await bench.happens(1, SLACK)
    with capture_logs() as logs:
        await bench.run()
    assert (await bench.row("slack")).state is DeliveryState.DEAD
    assert logs[0]["target"] == "slack"


async def test_without_slack_cards_stay_due_and_notices_wait(bench):
    worker = bench.replica(slack=False)
    with_card = await bench.happens(1, card="C1")
    await bench.happens(2, SLACK, hook())
    assert await bench.run(worker) == 2
    assert bench.slack.calls == []
    assert (await bench.row("slack")).due_at >= bench.clock.now + timedelta(hours=1)
    assert (await bench.row()).state is DeliveryState.DELIVERED
    bench.clock.advance(3600)
    await bench.run()
    assert (await card_of(bench, with_card)).ts == "17.1"
    assert (await bench.row("slack")).state is DeliveryState.DELIVERED


# faults


async def test_one_bad_row_never_stops_the_rest(bench):
    bench.webhooks.say(HOOK, ZeroDivisionError("secret"))
    await bench.happens(1, hook())
    await bench.happens(2, hook("https://hooks.example/b"))
    with capture_logs() as logs:
        await bench.run()
    bad, good = await bench.row(), await bench.row("https://hooks.example/b")
    assert (bad.state, bad.attempts) == (DeliveryState.PENDING, 1)
    assert good.state is DeliveryState.DELIVERED
    (entry,) = logs
    assert (entry["event"], entry["delivery"]) == ("delivery.broken", bad.id)
    assert entry["reference"] in bad.last_error
    assert "secret" not in bad.last_error
    bench.clock.advance(60)
    await bench.run()
    assert (await bench.row()).state is DeliveryState.DELIVERED


async def test_one_bad_card_never_stops_the_rest(bench):
    bench.slack.say("card", ZeroDivisionError())
    await bench.happens(1, card="C1")
    await bench.happens(2, card="C1")
    with capture_logs() as logs:
        await bench.run()
    assert [entry["event"] for entry in logs] == ["delivery.broken"]
    bench.clock.advance(31)
    assert await bench.run() == 1


async def test_what_could_not_be_settled_is_sent_again_when_the_lease_lapses(bench, monkeypatch):
    async def refuse(*_):
        raise OSError("disk full")

    await bench.happens(1, hook())
    with monkeypatch.context() as broken, capture_logs() as logs:
        broken.setattr(bench.store.deliveries, "settle_delivered", refuse)
        await bench.run()
    assert [entry["event"] for entry in logs] == ["delivery.broken"]
    bench.clock.advance(19)
    assert await bench.run() == 0
    bench.clock.advance(2)
    assert await bench.run() == 1
    first, second = (delivery for _, delivery in bench.webhooks.calls)
    assert first.event.id == second.event.id


async def test_an_outage_of_the_database_is_not_told_by_every_delivery(bench):
    bench.webhooks.say(HOOK, DatabaseUnavailable("The database does not work at the moment."))
    await bench.happens(1, hook())
    with logged() as lines:
        assert await bench.run() == 1
    assert lines == []
    bench.clock.advance(60)
    assert (await bench.run(), bench.tries()) == (1, 2)


@pytest.mark.parametrize(
    ("noun", "settle"), [("deliveries", "settle_delivered"), ("cards", "settle"), ("people", "settle")]
)
async def test_what_was_done_in_an_outage_of_the_database_is_noted_after_it_and_not_done_again(
    bench, monkeypatch, noun, settle
):
    monkeypatch.setattr("bot.deliveries._NOTED_AGAIN_AFTER", 0)
    works, failures = getattr(getattr(bench.store, noun), settle), iter(range(3))

    async def down(*args, **options):
        if next(failures, None) is not None:
            raise DatabaseUnavailable("The database does not work at the moment.")
        return await works(*args, **options)

    monkeypatch.setattr(getattr(bench.store, noun), settle, down)
    await bench.store.people.open_home("U1")
    await bench.happens(1, hook(), card="C1")
    with logged() as lines:
        await bench.run()
    assert (lines, next(failures, None)) == ([], None)
    bench.clock.advance(25)
    assert await bench.run() == 0
    assert bench.tries() == 1
    assert sorted(address for address, _ in bench.slack.calls) == ["card", "home"]


async def test_a_look_that_fails_is_made_again_by_the_next(bench, monkeypatch):
    calls = 0
    lease_due = bench.store.deliveries.lease_due

    async def fails_at_the_second_look(limit, at_work):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError("locked")
        return await lease_due(limit, at_work)

    monkeypatch.setattr(bench.store.deliveries, "lease_due", fails_at_the_second_look)
    await bench.happens(1, hook())
    with capture_logs() as logs:
        await bench.run()
    assert [entry["event"] for entry in logs] == ["delivery.broken"]
    await bench.happens(2, hook())
    assert await bench.run() == 1


# leases


async def test_a_lost_lease_writes_nothing(bench):
    gate = bench.webhooks.silence(HOOK)
    await bench.happens(1, hook())
    await bench.deliveries.deliver_once()
    await bench.webhooks.called(HOOK)
    bench.clock.advance(21)
    del bench.webhooks.gates[HOOK]
    await bench.run(bench.replica())
    before = await bench.row()
    bench.webhooks.say(HOOK, Gone(reason="too late", status_code=410))
    gate.set()
    await bench.deliveries.idle()
    assert await bench.row() == before
    assert before.state is DeliveryState.DELIVERED
    assert await bench.store.targets.disabled_targets() == ()


async def test_what_is_accepted_under_a_lost_lease_is_told_in_the_log(bench):
    gate = bench.webhooks.silence(HOOK)
    await bench.happens(1, hook())
    await bench.deliveries.deliver_once()
    await bench.webhooks.called(HOOK)
    bench.clock.advance(21)
    del bench.webhooks.gates[HOOK]
    await bench.run(bench.replica())
    with logged() as lines:
        gate.set()
        await bench.deliveries.idle()
    assert [(line["event"], line["log_level"]) for line in lines] == [("delivery.overtaken", "info")]


async def test_so_is_a_card_that_was_shown_under_a_lost_lease(bench):
    gate = bench.slack.silence("card")
    await bench.happens(1, card="C1")
    await bench.deliveries.deliver_once()
    await bench.slack.called("card")
    bench.clock.advance(21)
    del bench.slack.gates["card"]
    await bench.run(bench.replica())
    with logged() as lines:
        gate.set()
        await bench.deliveries.idle()
    assert [(line["event"], line["log_level"]) for line in lines] == [("card.overtaken", "info")]


async def test_a_death_under_a_lost_lease_is_none(bench):
    gate = bench.webhooks.silence(HOOK)
    await bench.happens(1, hook())
    await bench.deliveries.deliver_once()
    await bench.webhooks.called(HOOK)
    bench.clock.advance(21)
    del bench.webhooks.gates[HOOK]
    await bench.run(bench.replica())
    bench.webhooks.say(HOOK, Dead(reason="too late", status_code=400))
    with logged() as lines:
        gate.set()
        await bench.deliveries.idle()
    assert (await bench.row()).state is DeliveryState.DELIVERED
    assert lines == []


async def test_a_failure_under_a_lost_lease_disables_nothing(bench):
    bench.webhooks.say(HOOK, LATER)
    await bench.happens(1, hook())
    await bench.run()
    bench.clock.advance(130 * 3600)
    gate = bench.webhooks.silence(HOOK)
    await bench.deliveries.deliver_once()
    await bench.webhooks.called(HOOK, times=2)
    bench.clock.advance(21)
    del bench.webhooks.gates[HOOK]
    await bench.run(bench.replica())
    bench.webhooks.say(HOOK, LATER)
    gate.set()
    await bench.deliveries.idle()
    assert await bench.store.targets.disabled_targets() == ()


async def test_a_renewed_lease_is_kept(bench):
    gates = [bench.webhooks.silence(HOOK), bench.slack.silence("card")]
    await bench.happens(1, hook(), card="C1")
    await bench.deliveries.deliver_once()
    await bench.webhooks.called(HOOK)
    await bench.slack.called("card")
    bench.clock.advance(15)
    await bench.deliveries.renew()
    bench.clock.advance(15)
    assert await bench.run(bench.replica()) == 0
    for gate in gates:
        gate.set()
    await bench.deliveries.idle()
    assert (await bench.row()).attempts == 1


async def test_a_process_that_stood_still_does_not_begin_its_own_work_once_more(bench):
    gates = [bench.webhooks.silence(HOOK), bench.slack.silence("card"), bench.slack.silence("home")]
    await bench.store.people.open_home("U1")
    await bench.happens(1, hook(), card="C1")
    await bench.deliveries.deliver_once()
    await bench.webhooks.called(HOOK)
    await bench.slack.called("card")
    await bench.slack.called("home")
    bench.clock.advance(60)
    assert await bench.deliveries.deliver_once() == 0
    for gate in gates:
        gate.set()
    await bench.deliveries.idle()
    assert sorted(address for address, _ in bench.webhooks.calls) == [HOOK]
    assert sorted(address for address, _ in bench.slack.calls) == ["card", "home"]


async def test_with_nothing_in_flight_there_is_nothing_to_renew(bench):
    await bench.deliveries.renew()
    assert await bench.run() == 0


# the end


async def test_draining_lets_what_is_in_flight_end_and_begins_nothing(bench):
    gate = bench.webhooks.silence(HOOK)
    await bench.happens(1, hook())
    await bench.deliveries.deliver_once()
    await bench.webhooks.called(HOOK)
    await bench.happens(2, hook("https://hooks.example/b"))
    draining = asyncio.ensure_future(bench.deliveries.drain(seconds(5)))
    await asyncio.sleep(0)
    gate.set()
    await draining
    assert (await bench.row()).state is DeliveryState.DELIVERED
    assert await bench.deliveries.deliver_once() == 0
    assert bench.tries("https://hooks.example/b") == 0


async def test_what_takes_too_long_is_cancelled_and_sent_again_by_whoever_comes_next(bench):
    bench.webhooks.silence(HOOK)
    await bench.happens(1, hook())
    await bench.deliveries.deliver_once()
    await bench.webhooks.called(HOOK)
    await bench.deliveries.drain(seconds(0.01))
    row = await bench.row()
    assert (row.state, row.attempts) == (DeliveryState.PENDING, 0)
    del bench.webhooks.gates[HOOK]
    successor = bench.replica()
    assert await bench.run(successor) == 0
    bench.clock.advance(21)
    assert await bench.run(successor) == 1
    first, second = (delivery for _, delivery in bench.webhooks.calls)
    assert first.event.id == second.event.id


async def test_what_is_being_leased_when_the_end_comes_is_still_sent(bench, monkeypatch):
    leased, gate = asyncio.Event(), asyncio.Event()
    lease_due = bench.store.deliveries.lease_due

    async def lease_slowly(limit, at_work):
        rows = await lease_due(limit, at_work)
        leased.set()
        await gate.wait()
        return rows

    monkeypatch.setattr(bench.store.deliveries, "lease_due", lease_slowly)
    await bench.happens(1, hook())
    looking = asyncio.ensure_future(bench.deliveries.deliver_once())
    await asyncio.wait_for(leased.wait(), 5)
    draining = asyncio.ensure_future(bench.deliveries.drain(seconds(5)))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.wait_for(draining, 10)
    assert bench.tries() == 1
    assert await looking == 1
    assert (await bench.row()).state is DeliveryState.DELIVERED


async def test_draining_when_nothing_was_ever_sent_ends_at_once(bench):
    await asyncio.wait_for(bench.deliveries.drain(seconds(30)), 1)


# what is measured


async def test_each_try_is_counted_by_kind_and_what_became_of_it(bench):
    bench.slack.say("card", Lost())
    bench.webhooks.say(HOOK, LATER, Gone(reason="410", status_code=410))
    await bench.happens(1, hook(), SLACK, card="C1")
    await bench.run()
    bench.clock.advance(10)
    await bench.run()
    bench.webhooks.say("https://b.example", Dead(reason="no"), ValueError("a fault of ours"))
    await bench.happens(2, hook("https://b.example"))
    await bench.happens(3, hook("https://b.example"))
    await bench.run()
    assert tally(bench.metrics, "delivery_attempts") == {
        ("card", "lost"): 1,
        ("card", "delivered"): 1,
        ("notice", "delivered"): 2,
        ("webhook", "later"): 2,
        ("webhook", "gone"): 1,
        ("webhook", "dead"): 1,
    }


async def test_the_lag_of_an_event_runs_until_its_target_has_accepted_it(bench):
    bench.webhooks.say(HOOK, LATER)
    await bench.happens(1, hook(), kind=EventKind.FAILED)
    await bench.run()
    bench.clock.advance(10)
    assert tally(bench.metrics, "delivery_lag_seconds") == {}
    await bench.run()
    assert told(bench.metrics, "delivery_lag_seconds_sum", kind="webhook") == 10
    assert tally(bench.metrics, "ready_notice_lag_seconds") == {}


@pytest.mark.parametrize(
    ("asked_before", "measured"),
    [(60, {("webhook",): 1}), (1, {})],
    ids=["shown", "a restart so quick that no list showed it"],
)
async def test_the_lag_of_a_notice_runs_from_the_list_that_first_showed_it_running(
    bench, asked_before, measured
):
    """The list that shows the present status first began two seconds ago."""
    await bench.happens(1)
    (leased,) = await bench.store.instances.lease_due(1)
    now = bench.clock.now
    usable = running(id=leased.instance.id, wished_at=now - seconds(asked_before), seen_at=now - seconds(2))
    event = NewEvent(kind=EventKind.STARTED, at=now)
    await bench.store.instances.settle(leased, usable, event=event, targets=(hook(),), due_at=None)
    bench.clock.advance(3)
    await bench.run()
    assert tally(bench.metrics, "ready_notice_lag_seconds") == measured
    assert told(bench.metrics, "ready_notice_lag_seconds_sum", kind="webhook") == (5 if measured else None)
    assert told(bench.metrics, "delivery_lag_seconds_sum", kind="webhook") == 3


async def test_what_is_in_flight_is_told_while_it_is(bench):
    gate = bench.webhooks.silence(HOOK)
    await bench.happens(1, hook())
    await bench.deliveries.deliver_once()
    assert bench.deliveries.in_flight() == {"card": 0, "home": 0, "delivery": 1}
    gate.set()
    await bench.deliveries.idle()
    assert bench.deliveries.in_flight() == {"card": 0, "home": 0, "delivery": 0}


# people


async def test_a_home_is_published_when_it_is_opened_and_when_something_changes(bench):
    await bench.happens(1, card="C1")
    await bench.store.people.open_home("U1")
    await bench.run()
    bench.clock.advance(10)
    await bench.changes()
    await bench.run()
    homes = [what for address, what in bench.slack.calls if address == "home"]
    assert [user_id for user_id, _ in homes] == ["U1", "U1"]
    assert "my-train-1" in str(homes[-1])


async def test_a_home_that_slack_cannot_take_now_is_published_later(bench):
    bench.slack.say("home", Later(reason="ratelimited", after=seconds(30)))
    await bench.store.people.open_home("U1")
    await bench.run()
    bench.clock.advance(29)
    assert await bench.run() == 0
    bench.clock.advance(2)
    assert await bench.run() == 1


@pytest.mark.parametrize("verdict", [Dead(reason="user_not_found"), Gone(reason="gone", status_code=410)])
async def test_a_home_that_no_try_can_mend_is_left_until_it_is_opened_again(bench, verdict):
    bench.slack.say("home", verdict)
    await bench.store.people.open_home("U1")
    with capture_logs() as logs:
        await bench.run()
    assert [(entry["event"], entry["person"]) for entry in logs] == [("home.left", "U1")]
    bench.clock.advance(3600)
    assert await bench.run() == 0
    await bench.store.people.open_home("U1")
    assert await bench.run() == 1


async def test_a_home_that_fails_for_a_day_is_left(bench, monkeypatch):
    monkeypatch.setattr("bot.schedule.SLACK_RETRIES", 2)
    bench.slack.say("home", *[Later(reason="down")] * 9)
    await bench.store.people.open_home("U1")
    with capture_logs() as logs:
        for _ in range(4):
            await bench.run()
            bench.clock.advance(24 * 3600)
    assert [entry["event"] for entry in logs] == ["home.left"]


async def test_leases_of_homes_that_are_being_published_are_renewed(bench):
    gate = bench.slack.silence("home")
    await bench.store.people.open_home("U1")
    await bench.deliveries.deliver_once()
    await bench.slack.called("home")
    assert bench.deliveries.in_flight()["home"] == 1
    for _ in range(3):
        bench.clock.advance(15)
        await bench.deliveries.renew()
    assert await bench.replica().deliver_once() == 0
    gate.set()
    await bench.deliveries.idle()


@pytest.mark.parametrize(
    ("choice", "uncalled", "direct"),
    [
        (Notify.THREAD, set(), 0),
        (Notify.QUIET, {"U1"}, 0),
        (Notify.DIRECT, {"U1"}, 1),
        (Notify.BOTH, set(), 1),
    ],
)
async def test_people_are_told_as_they_chose(bench, choice, uncalled, direct):
    await bench.store.people.choose("U1", choice)
    await bench.happens(1, SLACK, card="C1")
    await bench.run()
    await bench.run()
    assert bench.slack.uncalled == uncalled
    assert [address for address, _ in bench.slack.calls].count("direct") == direct
    assert [address for address, _ in bench.slack.calls].count("notice") == 1


async def test_a_choice_that_changes_while_a_notice_waits_loses_no_call(bench):
    await bench.happens(1, SLACK, card="C1")
    await bench.store.people.choose("U1", Notify.DIRECT)
    await bench.run()
    await bench.run()
    assert bench.slack.uncalled == frozenset()


async def test_where_the_card_is_in_direct_messages_its_thread_calls(bench):
    await bench.store.people.choose("U1", Notify.DIRECT)
    await bench.happens(1, SLACK, card="D1")
    bench.slack.successes["card"] = Shown(channel="D1", ts="17.1")
    await bench.run()
    await bench.run()
    assert bench.slack.uncalled == frozenset()


async def test_who_acted_on_somebody_elses_is_called_unless_they_want_no_calls(bench):
    for choice, uncalled in ((Notify.DIRECT, set()), (Notify.QUIET, {"UADMIN"})):
        await bench.store.people.choose("UADMIN", choice)
        await bench.happens(len(uncalled) + 1, SLACK, card="C1", actor="UADMIN")
        await bench.run()
        await bench.run()
        assert bench.slack.uncalled == uncalled


async def test_direct_messages_wait_for_a_slack_that_is_not_configured(bench):
    await bench.store.people.choose("U1", Notify.DIRECT)
    await bench.happens(1, SLACK)
    await bench.run(bench.replica(slack=False))
    assert {row.state for row in await bench.rows()} == {DeliveryState.PENDING}


async def test_a_card_says_how_long_its_like_took_before(bench):
    earlier = running(id="e" * 16, created_at=bench.clock.now - seconds(200), ready_at=bench.clock.now)
    event = NewEvent(kind=EventKind.READY, at=bench.clock.now)
    await bench.store.instances.add(earlier, key=None, event=event, card=None, unique_name=False)
    now = creating(id="f" * 16, offer=earlier.offer)
    await bench.store.instances.add(now, key=None, event=event, card=NewCard(channel="C1"), unique_name=False)
    await bench.run()
    assert bench.slack.usual == [seconds(200)]
