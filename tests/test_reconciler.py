"""The way of an instance through the reconciler and the poller, over the real store."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from measured import tally
from samples import REQUEST, seconds
from scene import ADA, Origin, Scene, scene

from bot.errors import (
    BadCredentials,
    InsufficientResource,
    NotSent,
    NovitaNotFound,
    NovitaRefused,
    NovitaUnavailable,
    OutcomeUnknown,
)
from bot.timings import Timings
from storage.cloud import Listing, Observation, Phase, Spot
from storage.records import Fate, Instance, Outcome, Reason, State, Wish


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def act(s: Scene, i: Instance, verb: Wish) -> None:
    await s.operations.act(verb, i.id, ADA, Origin(key=None))
    await s.settle()


def lists_during(s: Scene, call: str) -> list[Listing]:
    """What a list says that begins after such a call and before its answer; nobody has looked at it yet."""
    lists: list[Listing] = []
    enter = s.novita._enter

    async def slowly(name: str) -> None:
        if name == call:
            s.clock.advance(1)
            lists.append(await s.novita.list_instances())
            s.clock.advance(1)
        await enter(name)

    s.novita._enter = slowly
    return lists


def stand_still(s: Scene, span: float) -> None:
    """For so many seconds, just when the next call was begun."""

    async def begin(*args: Any, **kwargs: Any) -> Any:
        s.store.instances.begin = real
        begun = await real(*args, **kwargs)
        s.clock.advance(span)
        return begun

    real, s.store.instances.begin = s.store.instances.begin, begin


def list_nothing(s: Scene) -> None:
    """Lists come back empty although everything is there, and get finds it."""

    async def empty() -> Listing:
        return replace(await real(), observations=())

    real, s.novita.list_instances = s.novita.list_instances, empty


# --- create ---------------------------------------------------------------------------------------


async def test_a_request_becomes_a_usable_instance_told_once(s: Scene):
    i = await s.ready()
    assert (i.state, i.wish, i.novita_id) == (State.RUNNING, None, "n1")
    assert s.novita.count("create") == 1
    assert await s.events() == [("instance.ready", "notice"), ("instance.ready", "webhook")]
    await s.polls(5)
    assert len(await s.events()) == 2


async def test_the_name_at_novita_carries_the_token_of_the_attempt(s: Scene):
    i = await s.ask()
    await s.settle()
    assert [order.name for order in s.novita.orders] == [f"gb-{s.store.deployment}-{i.id}-a1"]
    assert len(s.novita.orders[0].name) <= 40


async def test_one_list_follows_a_hundred(s: Scene):
    for n in range(100):
        await s.ask(id=f"{n:016d}", name=f"i{n}")
    await s.settle()
    s.novita.calls.clear()
    await s.polls(5)
    assert s.novita.calls == ["list"] * 5


@pytest.mark.parametrize("lost", [OutcomeUnknown("Lost."), NovitaUnavailable("HTML.")])
async def test_a_create_whose_answer_is_lost_is_adopted_and_never_repeated(s: Scene, lost):
    s.novita.after["create"].append(lost)
    i = await s.ask()
    await s.settle()
    assert (await s.now(i)).outcome is Outcome.UNKNOWN
    await s.poll()
    assert (await s.now(i)).novita_id == "n1"
    assert (await s.now(i)).state is State.STARTING
    await s.polls(10, every=30)
    assert s.novita.count("create") == 1


async def test_a_create_that_never_shows_up_ends_unconfirmed_and_a_late_one_is_removed_and_told(s: Scene):
    s.novita.before["create"].append(OutcomeUnknown("Lost."))
    i = await s.ask()
    await s.settle()
    await s.polls(6, every=30)
    assert (await s.now(i)).state is State.CREATING
    await s.poll(30)
    failed = await s.now(i)
    assert (failed.state, failed.error and failed.error.code) == (State.FAILED, "UNCONFIRMED")
    s.novita.appear("late", f"gb-{s.store.deployment}-{i.id}-a1")
    await s.polls(3)
    assert (s.novita.instances, s.novita.count("create")) == ({}, 1)
    assert await s.told() == ["instance.failed", "instance.late_removed"]
    assert [attempt.fate for attempt in await s.store.instances.attempts(i.id)] == [Fate.REMOVED]


async def test_a_late_one_that_cannot_be_removed_is_asked_for_again(s: Scene):
    s.novita.before["create"].append(OutcomeUnknown("Lost."))
    i = await s.ask()
    await s.settle()
    await s.polls(8, every=30)
    s.novita.appear("late", f"gb-{s.store.deployment}-{i.id}-a1")
    s.novita.before["delete"] += [NovitaUnavailable("Down."), NovitaUnavailable("Down.")]
    await s.polls(2)
    assert len(s.novita.instances) == 1
    await s.polls(2)
    assert (s.novita.instances, (await s.told()).count("instance.late_removed")) == ({}, 1)


async def test_a_late_one_that_appears_again_is_removed_again_and_told_no_more(s: Scene):
    s.novita.before["create"].append(OutcomeUnknown("Lost."))
    i = await s.ask()
    await s.settle()
    await s.polls(8, every=30)
    for _ in range(2):
        s.novita.appear("late", f"gb-{s.store.deployment}-{i.id}-a1")
        await s.polls(2)
    assert (s.novita.instances, (await s.told()).count("instance.late_removed")) == ({}, 1)


async def test_a_late_one_that_is_gone_already_is_told_all_the_same(s: Scene):
    s.novita.before["create"].append(OutcomeUnknown("Lost."))
    i = await s.ask()
    await s.settle()
    await s.polls(8, every=30)
    late = f"gb-{s.store.deployment}-{i.id}-a1"
    s.novita.appear("late", late)
    listing = await s.novita.list_instances()
    s.novita.instances.clear()
    s.clock.advance(3)
    observed = await s.store.polls.observe(replace(listing, began_at=s.clock()), previous=None)
    await s.poller._remove_strays(observed)
    assert (await s.told())[-1] == "instance.late_removed"


async def test_time_in_which_novita_cannot_be_listed_does_not_count_against_a_create(s: Scene):
    s.novita.before["create"].append(OutcomeUnknown("Lost."))
    i = await s.ask()
    await s.settle()
    for _ in range(12):
        s.novita.before["list"].append(NovitaUnavailable("Down."))
        await s.polls(2, every=60)
    assert (await s.now(i)).state is State.CREATING


async def test_an_account_that_suddenly_shows_nothing_is_no_evidence_against_a_create(s: Scene):
    await s.ready(id="0" * 16, name="other")
    s.novita.before["create"].append(OutcomeUnknown("Lost."))
    i = await s.ask()
    await s.settle()
    list_nothing(s)
    await s.polls(20, every=30)
    assert (await s.now(i)).state is State.CREATING


async def test_a_create_that_was_not_sent_is_tried_again_as_a_new_attempt(s: Scene):
    s.novita.before["create"] += [NotSent("No connection."), NotSent("No connection.")]
    i = await s.ask()
    await s.settle()
    assert (await s.now(i)).refusal is not None
    for _ in range(3):
        s.clock.advance(4)
        await s.settle()
    assert (await s.now(i)).novita_id == "n1"
    assert s.novita.orders[0].name.endswith("-a3")
    assert [a.fate for a in await s.store.instances.attempts(i.id)] == [
        Fate.NOT_MADE,
        Fate.NOT_MADE,
        Fate.BOUND,
    ]


async def test_a_create_that_cannot_be_sent_for_half_an_hour_fails_and_buys_nothing_later(s: Scene):
    s.novita.before["create"] += [NotSent("No connection.")] * 1000
    i = await s.ask()
    for _ in range(17):
        await s.settle()
        s.clock.advance(120)
    failed = await s.now(i)
    assert (failed.state, failed.error and failed.error.code) == (State.FAILED, "NOVITA_UNAVAILABLE")
    s.novita.before["create"].clear()
    await s.polls(10)
    assert s.novita.orders == []


async def test_no_attempt_is_begun_that_would_not_be_sent(s: Scene):
    s.novita.refusing = NotSent("Too many calls.", retry_after=seconds(40))
    i = await s.ask()
    await s.settle()
    waiting = await s.now(i)
    assert (waiting.state, waiting.attempt, waiting.refusal.message) == (State.CREATING, 0, "Too many calls.")
    assert waiting.retry_at == s.clock() + seconds(40)
    assert s.novita.calls == []
    s.novita.refusing = None
    s.clock.advance(40)
    await s.settle()
    assert ((await s.now(i)).attempt, len(s.novita.orders)) == (1, 1)


async def test_lack_of_capacity_moves_on_to_the_next_region(s: Scene):
    s.novita.before["create"].append(InsufficientResource("None left."))
    i = await s.ask()
    await s.settle()
    assert [order.offer.product_id for order in s.novita.orders] == ["ca"]
    assert (await s.now(i)).first_usd_per_hour == Decimal("0.36")
    assert (await s.now(i)).novita_id == "n1"


async def test_no_capacity_anywhere_fails_with_the_places_that_were_tried(s: Scene):
    s.novita.before["create"] += [InsufficientResource("None left.")] * 2
    i = await s.ask()
    await s.settle()
    failed = await s.now(i)
    assert (failed.state, failed.wish, s.novita.count("create")) == (State.FAILED, None, 2)
    assert failed.error is not None
    assert failed.error.code == "INSUFFICIENT_RESOURCE"
    assert "CN-HK-01" in failed.error.message
    assert "US-CA-06" in failed.error.message


@pytest.mark.parametrize(
    "no", [NovitaRefused("No money.", code="BALANCE_NOT_ENOUGH"), BadCredentials("Bad key.")]
)
async def test_a_definite_no_fails_at_once_with_novitas_reason(s: Scene, no):
    s.novita.before["create"].append(no)
    i = await s.ask()
    await s.settle()
    failed = await s.now(i)
    assert (failed.state, failed.error and failed.error.code) == (State.FAILED, no.code)
    assert await s.told() == ["instance.failed"]


async def test_what_is_not_sold_fails_without_a_call(s: Scene):
    i = await s.ask(request=replace(REQUEST, gpu="B300"))
    await s.settle()
    failed = await s.now(i)
    assert (failed.error and failed.error.code, s.novita.count("create")) == ("PRODUCT_NOT_FOUND", 0)


async def test_a_template_novita_does_not_know_fails_without_a_create(s: Scene):
    i = await s.ask(request=replace(REQUEST, template="999"))
    await s.settle()
    failed = await s.now(i)
    assert (failed.error and failed.error.code, s.novita.count("create")) == ("TEMPLATE_NOT_FOUND", 0)


async def test_a_start_with_novita_down_waits_and_goes_on(s: Scene):
    s.novita.before["products"].append(NovitaUnavailable("Down."))
    i = await s.ask()
    await s.settle()
    waiting = await s.now(i)
    assert (waiting.state, waiting.attempt, waiting.refusal and waiting.refusal.message) == (
        State.CREATING,
        0,
        "Down.",
    )
    s.clock.advance(10)
    await s.settle()
    assert (await s.now(i)).state is State.STARTING


async def test_a_delete_that_overtakes_the_create_removes_what_it_made(s: Scene):
    s.novita.gates["create"] = asyncio.Event()
    i = await s.ask()
    await s.reconciler.reconcile()
    await s.novita.called("create")
    await s.operations.act(Wish.DELETE, i.id, ADA, Origin(key=None))
    s.novita.gates["create"].set()
    await s.reconciler.workers.idle()
    await s.settle()
    await s.polls(4)
    assert (s.novita.instances, s.novita.count("create")) == ({}, 1)
    assert (await s.now(i)).state is State.DELETED
    assert await s.told() == ["instance.deleted"]


# --- changes --------------------------------------------------------------------------------------


async def test_stop_start_restart_delete(s: Scene):
    i = await s.ready()
    await act(s, i, Wish.STOP)
    await s.poll()
    assert (await s.now(i)).state is State.STOPPED
    await act(s, i, Wish.START)
    await s.poll()
    s.novita.show("n1", Phase.RUNNING)
    await s.poll()
    assert (await s.now(i)).state is State.RUNNING
    await act(s, i, Wish.RESTART)
    await s.poll()
    s.novita.show("n1", Phase.RUNNING)
    await s.poll()
    await act(s, i, Wish.DELETE)
    await s.polls(4)
    assert (await s.now(i)).state is State.DELETED
    changes = [call for call in s.novita.calls if call in ("stop", "start", "restart", "delete")]
    assert changes == ["stop", "start", "restart", "delete"]
    assert await s.told() == [
        "instance.ready",
        "instance.stopped",
        "instance.started",
        "instance.started",
        "instance.deleted",
    ]


@pytest.mark.parametrize("lost", [OutcomeUnknown("Lost."), NotSent("No connection.")])
async def test_a_stop_without_an_answer_is_asked_until_it_has_stopped(s: Scene, lost):
    i = await s.ready()
    s.novita.before["stop"].append(lost)
    await act(s, i, Wish.STOP)
    await s.polls(2)
    assert (await s.now(i)).state is State.STOPPED
    assert s.novita.count("stop") == 2


async def test_a_stop_of_what_novita_does_not_find_waits_for_the_lists(s: Scene):
    i = await s.ready()
    s.novita.instances.clear()
    s.novita.before["stop"].append(NovitaNotFound("Gone."))
    await act(s, i, Wish.STOP)
    assert (await s.now(i)).state is State.STOPPING
    await s.polls(4)
    assert ((await s.now(i)).state, (await s.now(i)).reason) == (State.DELETED, Reason.DELETED_OUTSIDE)


async def test_a_refused_start_is_told_and_the_machine_kept(s: Scene):
    i = await s.ready()
    await act(s, i, Wish.STOP)
    await s.poll()
    s.novita.before["start"].append(InsufficientResource("Its GPU is taken."))
    await act(s, i, Wish.START)
    stopped = await s.now(i)
    assert (stopped.state, stopped.reason, s.novita.count("delete")) == (
        State.STOPPED,
        Reason.START_FAILED,
        0,
    )


async def test_a_wish_while_a_call_is_on_its_way_wins(s: Scene):
    i = await s.ready()
    s.novita.gates["stop"] = asyncio.Event()
    await s.operations.act(Wish.STOP, i.id, ADA, Origin(key=None))
    await s.reconciler.reconcile()
    await s.novita.called("stop")
    await s.operations.act(Wish.DELETE, i.id, ADA, Origin(key=None))
    s.novita.gates["stop"].set()
    await s.reconciler.workers.idle()
    assert ((await s.now(i)).state, (await s.now(i)).wish) == (State.DELETING, Wish.DELETE)


async def test_a_wish_just_before_the_call_stops_the_call(s: Scene):
    i = await s.ready()
    await s.operations.act(Wish.STOP, i.id, ADA, Origin(key=None))
    (row,) = await s.store.instances.lease_due(9)
    await s.operations.act(Wish.DELETE, i.id, ADA, Origin(key=None))
    await s.reconciler._step(row)
    assert s.novita.count("stop") == 0


async def test_a_wish_just_before_the_create_stops_the_create(s: Scene):
    i = await s.ask()
    (row,) = await s.store.instances.lease_due(9)
    await s.operations.act(Wish.DELETE, i.id, ADA, Origin(key=None))
    await s.reconciler._step(row)
    await s.settle()
    assert (s.novita.count("create"), (await s.now(i)).state) == (0, State.DELETED)


async def test_a_process_that_stood_still_does_not_begin_its_own_step_once_more(s: Scene):
    s.novita.gates["create"] = asyncio.Event()
    i = await s.ask()
    await s.reconciler.reconcile()
    await s.novita.called("create")
    s.clock.advance(60)
    assert await s.reconciler.reconcile() == 0
    s.novita.gates["create"].set()
    await s.reconciler.workers.idle()
    assert (s.novita.count("create"), (await s.now(i)).novita_id) == (1, "n1")


# --- what Novita shows ----------------------------------------------------------------------------


async def test_running_is_not_usable_until_the_endpoints_answer(s: Scene):
    s.probe.answering = False
    i = await s.ready()
    assert (i.state, i.connection is not None) == (State.STARTING, True)
    s.clock.advance(2)
    s.probe.answering = True
    await s.settle()
    assert (await s.now(i)).state is State.RUNNING
    assert s.probe.asked == 2


async def test_connection_details_are_asked_for_until_they_are_complete(s: Scene):
    s.novita.complete = False
    i = await s.ready()
    assert i.state is State.STARTING
    s.novita.before["get"].append(NovitaUnavailable("Down."))
    s.clock.advance(2)
    await s.settle()
    s.novita.complete = True
    s.clock.advance(2)
    await s.settle()
    assert (await s.now(i)).state is State.RUNNING


@pytest.mark.parametrize(
    ("phase", "state", "reason"),
    [
        (Phase.STOPPED, State.STOPPED, Reason.STOPPED_OUTSIDE),
        (Phase.GONE, State.DELETED, Reason.DELETED_OUTSIDE),
    ],
)
async def test_a_change_from_outside_becomes_the_state_and_starts_nothing(s: Scene, phase, state, reason):
    i = await s.ready()
    s.novita.show("n1", phase)
    s.novita.calls.clear()
    await s.polls(5)
    assert ((await s.now(i)).state, (await s.now(i)).reason) == (state, reason)
    assert set(s.novita.calls) == {"list"}


async def test_a_reclaim_is_announced_and_told_once(s: Scene):
    i = await s.ready()
    at = s.clock() + timedelta(hours=1)
    s.novita.show("n1", Phase.RUNNING, spot=Spot.NOTIFIED, reclaim_at=at)
    await s.polls(3)
    s.novita.show("n1", Phase.STOPPED, spot=Spot.RECLAIMED)
    await s.polls(3)
    del s.novita.instances["n1"]
    await s.polls(6)
    assert await s.told() == ["instance.ready", "instance.reclaiming", "instance.reclaimed"]
    assert (await s.now(i)).state is State.STOPPED


async def test_a_deleted_gpu_that_shows_up_again_is_deleted_again(s: Scene):
    i = await s.ready()
    ghost = s.novita.instances["n1"]
    await act(s, i, Wish.DELETE)
    await s.polls(4)
    assert (await s.now(i)).state is State.DELETED
    s.novita.instances["n1"] = ghost
    await s.polls(5)
    assert (s.novita.instances, (await s.now(i)).state) == ({}, State.DELETED)


async def test_vanished_means_three_complete_lists_and_a_get(s: Scene):
    i = await s.ready()
    gone = s.novita.instances.pop("n1")
    await s.polls(2)
    assert (await s.now(i)).state is State.RUNNING
    s.novita.before["list"].append(NovitaUnavailable("Down."))
    await s.polls(1)
    assert s.novita.count("get") == 1
    s.novita.instances["n1"] = gone
    await s.poll()
    assert (await s.now(i)).absent_lists == 0
    del s.novita.instances["n1"]
    await s.polls(3)
    assert (await s.now(i)).state is State.DELETED


async def test_a_get_that_finds_it_outweighs_empty_lists(s: Scene):
    i = await s.ready()
    list_nothing(s)
    await s.polls(10)
    assert (await s.now(i)).state is State.RUNNING
    assert s.novita.count("get") > 1


@pytest.mark.parametrize("down", [NovitaUnavailable("Down."), BadCredentials("Bad key.")])
async def test_an_outage_calls_nothing_failed_and_says_that_it_takes_longer(s: Scene, down):
    i = await s.ask()
    await s.settle()
    s.novita.before["list"] += [down] * 20
    await s.polls(20)
    waiting = await s.now(i)
    assert (waiting.state, waiting.delayed_since is not None) == (State.STARTING, True)
    s.novita.show("n1", Phase.RUNNING)
    await s.poll()
    assert ((await s.now(i)).state, (await s.now(i)).delayed_since) == (State.RUNNING, None)


async def test_a_start_up_timeout_passed_during_an_outage_is_judged_when_novita_is_back(s: Scene):
    i = await s.ask()
    await s.settle()
    s.novita.before["list"] += [NovitaUnavailable("Down.")] * 15
    await s.polls(15, every=60)
    assert (await s.now(i)).state is State.STARTING
    await s.polls(2)
    assert ((await s.now(i)).state, (await s.now(i)).wish) == (State.FAILED, Wish.REMOVE)
    await s.polls(5)
    assert (s.novita.instances, (await s.now(i)).wish) == ({}, None)
    assert await s.told() == ["instance.failed"]


async def test_a_token_of_no_known_row_is_never_touched(s: Scene):
    s.novita.appear("x1", f"gb-{s.store.deployment}-{'z' * 16}-a1")
    s.novita.appear("x2", "somebody-elses")
    s.novita.appear("x3", f"gb-otherone-{'z' * 16}-a1")
    await s.polls(5)
    assert len(s.novita.instances) == 3
    assert s.novita.count("delete") == 0


# --- the poller's pace ----------------------------------------------------------------------------


async def polled(s: Scene, after: float) -> bool:
    s.clock.advance(after)
    return await s.poller.poll_if_due()


async def test_polling_is_fast_while_something_is_under_way_and_slow_otherwise(s: Scene):
    assert await polled(s, 0)
    assert not await polled(s, 3)
    assert await polled(s, 27)
    await s.ask()
    assert await polled(s, 3)
    await s.settle()
    s.novita.show("n1", Phase.RUNNING)
    assert await polled(s, 3)
    await s.settle()
    assert not await polled(s, 1)
    assert await polled(s, 3)
    s.clock.advance(60)
    assert await polled(s, 0)
    assert not await polled(s, 20)


async def test_a_long_list_is_asked_for_no_more_often_than_the_budget_lasts(s: Scene):
    await s.ask()
    s.novita.pause = seconds(12)
    assert await polled(s, 0)
    assert [await polled(s, 3) for _ in range(8)] == [False, False, False, True] * 2


async def test_only_the_holder_of_the_poll_lease_lists(s: Scene):
    assert await s.store.leases.acquire("poll", "replica-2", Timings().lease)
    assert not await polled(s, 0)
    assert await polled(s, 21)


# --- when we ourselves fail -----------------------------------------------------------------------


async def test_a_step_that_raises_stops_no_other_and_is_taken_again(s: Scene):
    first = await s.ask(id="0" * 16, name="first")
    second = await s.ask(id="1" * 16, name="second")
    s.novita.before["create"].append(ZeroDivisionError())
    await s.settle()
    states = {(await s.now(i)).novita_id is not None for i in (first, second)}
    assert states == {True, False}
    s.clock.advance(31)
    await s.settle()
    assert s.novita.count("create") == 2, "an error of ours leaves a begun create unknown: never repeated"


async def test_a_begun_create_found_after_a_crash_is_looked_for_and_not_repeated(s: Scene):
    i = await s.ask()
    s.novita.gates["create"] = asyncio.Event()
    await s.reconciler.reconcile()
    await s.novita.called("create")
    await s.reconciler.workers.drain(seconds(0))
    s.novita.gates.clear()
    assert (await s.now(i)).outcome is Outcome.BEGUN
    s.clock.advance(60)
    await s.polls(3)
    assert s.novita.count("create") == 1
    s.novita.instances["n1"] = Observation(
        novita_id="n1",
        name=f"gb-{s.store.deployment}-{i.id}-a1",
        status="running",
        phase=Phase.RUNNING,
    )
    await s.poll()
    assert ((await s.now(i)).state, (await s.now(i)).novita_id) == (State.RUNNING, "n1")


# --- what is measured -----------------------------------------------------------------------------


async def test_passes_are_measured_complete_or_failed(s: Scene):
    await s.poll()
    s.novita.before["list"].append(NovitaUnavailable("away"))
    await s.polls(2)
    assert tally(s.metrics, "poll_duration_seconds") == {("complete",): 2, ("failed",): 1}


async def test_steps_are_counted_done_or_failed(s: Scene):
    s.novita.before["create"].append(ValueError("a fault of ours"))
    await s.ask()
    await s.settle()
    assert tally(s.metrics, "reconciler_steps") == {("failed",): 1}
    assert s.metrics.jobs_done() == 0
    s.clock.advance(30)
    await s.settle()
    assert s.metrics.jobs_done() == tally(s.metrics, "reconciler_steps")["done",] > 0


# --- a refusal of what is on its way ---------------------------------------------------------------


async def test_a_start_whose_answer_was_lost_is_not_told_as_refused_before_a_list_can_show_it(s: Scene):
    i = await s.ready()
    await act(s, i, Wish.STOP)
    await s.polls(2)
    refusal = NovitaRefused("Not now.", code="INVALID_STATE_CHANGE")
    s.novita.after["start"] += [OutcomeUnknown("Lost."), *[refusal] * 8]
    await act(s, i, Wish.START)
    for _ in range(8):
        s.clock.advance(70)
        await s.settle()
    assert (s.novita.count("start"), "instance.stopped" in (await s.told())[2:]) == (9, False)
    await s.polls(2)
    assert (await s.now(i)).state is State.STARTING


async def test_a_list_that_began_during_the_call_before_shows_nothing_of_it(s: Scene):
    i = await s.ready()
    lists = lists_during(s, "stop")
    refusal = NovitaRefused("Not now.", code="INVALID_STATE_CHANGE")
    s.novita.after["stop"] += [OutcomeUnknown("Lost."), *[refusal] * 9]
    await act(s, i, Wish.STOP)
    for _ in range(8):
        await s.store.polls.observe(lists[-1], previous=None)
        s.clock.advance(70)
        await s.settle()
    assert (s.novita.count("stop"), (await s.now(i)).state) == (10, State.STOPPING)
    await s.polls(2)
    assert (await s.now(i)).state is State.STOPPED


async def test_where_lists_show_nothing_of_it_five_refusals_are_enough(s: Scene):
    i = await s.ready()
    await act(s, i, Wish.STOP)
    await s.polls(2)
    s.novita.before["start"] += [NovitaRefused("Not now.", code="INVALID_STATE_CHANGE")] * 8
    await act(s, i, Wish.START)
    await s.polls(8, every=70)
    now = await s.now(i)
    assert (s.novita.count("start"), now.state, now.wish) == (5, State.STOPPED, None)


# --- standing still -------------------------------------------------------------------------------


async def test_a_create_is_not_made_once_the_lease_may_be_over(s: Scene):
    i = await s.ask()
    stand_still(s, 20)
    await s.reconciler.reconcile()
    await s.reconciler.workers.idle()
    assert s.novita.count("create") == 0
    s.clock.advance(60)
    await s.settle()
    assert (s.novita.count("create"), (await s.now(i)).novita_id) == (1, "n1")
    assert [a.fate for a in await s.store.instances.attempts(i.id)] == [Fate.NOT_MADE, Fate.BOUND]


async def test_nor_is_a_stop(s: Scene):
    i = await s.ready()
    stand_still(s, 20)
    await act(s, i, Wish.STOP)
    assert s.novita.count("stop") == 0
    s.clock.advance(60)
    await s.settle()
    assert s.novita.count("stop") == 1
