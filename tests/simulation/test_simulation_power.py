"""The simulation finds what it looks for: each test takes one safeguard away, and some seed has to notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import bot.lifecycle
import bot.outcomes
import bot.poller
import bot.reconciler
import storage.store.observing
import storage.store.rows
import storage.store.steps
from bot.lifecycle import Moment
from storage.cloud import Phase
from storage.records import EventKind, Instance, NewEvent, Outcome, Target, Wish
from storage.store.instances import Instances
from storage.store.rows import lock_instance
from storage.store.steps import Leased
from storage.store.transaction import Transaction
from tests.simulation.plan import plan_of
from tests.simulation.world import simulate

pytestmark = pytest.mark.slow

MOST_SEEDS = 100

UNCLEAR = frozenset({"reply dropped after acceptance", "500", "504 then late", "hangs", "killed"})
UNSEEN = frozenset({"list misses some", "list is empty", "list is old", "change finds nothing", "hangs"})
CROWDED = frozenset({"stalled", "slow", "hangs"})


def assert_noticed(words: str, kinds: frozenset[str], *, replicas: int = 1) -> None:
    seen = []
    for seed in range(MOST_SEEDS):
        plan = replace(plan_of(seed), kinds=kinds, replicas=replicas)
        violation = simulate(seed, plan).violation
        if violation is not None and words in violation:
            return
        seen.append(violation)
    raise AssertionError(f"{MOST_SEEDS} seeds noticed nothing of {words!r}; they said {set(seen)}")


def test_it_notices_a_create_that_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.outcomes, "unknown", bot.outcomes.not_sent)
    assert_noticed("of which nobody knows the outcome", UNCLEAR)


def test_it_notices_a_create_that_was_sent_before_it_was_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Instances.begin

    async def begin(self: Instances, leased: Leased, *, call: Wish, **more: Any) -> Leased | None:
        if call is not Wish.CREATE:
            return await real(self, leased, call=call, **more)
        i = leased.instance
        begun = replace(
            i, call=call, called_at=i.acted_at, outcome=Outcome.BEGUN, attempt=i.attempt + 1, **more
        )
        return replace(leased, instance=begun)

    monkeypatch.setattr(Instances, "begin", begin)
    assert_noticed("was not committed before it was sent", UNCLEAR)


def test_it_notices_a_gpu_that_is_not_adopted_by_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.store.observing, "_heir", nothing)
    assert_noticed("was removed as late although", UNCLEAR)


def test_it_notices_that_a_gpu_is_called_gone_without_asking_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_gone(i: Instance, _m: Moment) -> bool:
        return i.phase is Phase.GONE or i.absent_lists > 0

    monkeypatch.setattr(bot.lifecycle, "is_gone", is_gone)
    assert_noticed("was called deleted while", UNSEEN)


def test_it_notices_that_an_unknown_create_is_given_up_by_the_clock_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def given_up(i: Instance, m: Moment) -> bool:
        return i.called_at is not None and m.now > i.called_at + m.timings.unconfirmed_after

    monkeypatch.setattr(bot.lifecycle, "_given_up", given_up)
    assert_noticed("was given up after", UNCLEAR | {"clock jumps", "unreachable", "down"})


def test_it_notices_a_late_gpu_that_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody_removes(*_: object) -> None:
        pass

    monkeypatch.setattr(bot.poller.Poller, "_remove_strays", nobody_removes)
    assert_noticed("lost: ", frozenset({"504 then late", "invisible at first"}))


def test_it_notices_a_worker_that_writes_after_its_lease_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def held(transaction: Transaction, leased: Leased) -> Instance | None:
        return lock_instance(transaction.connection, leased.instance.id)

    monkeypatch.setattr(storage.store.steps, "_held", held)
    monkeypatch.setattr(bot.reconciler.Reconciler, "_check_lease", nothing)
    assert_noticed("of which nobody knows the outcome", CROWDED, replicas=3)


def test_it_notices_an_event_that_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., None] = storage.store.rows.write_event

    def write_event(
        transaction: Transaction, instance: Instance, event: NewEvent, told: tuple[Target, ...]
    ) -> None:
        real(transaction, instance, event, () if event.kind is EventKind.RECLAIMED else told)

    monkeypatch.setattr(storage.store.rows, "write_event", write_event)
    assert_noticed("events missing", frozenset({"reclaimed", "reclaim notice"}))


def nothing(*_: object) -> None:
    pass
