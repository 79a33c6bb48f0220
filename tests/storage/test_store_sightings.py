"""Pure: what one list says about one row, rule by rule."""

from dataclasses import replace
from datetime import timedelta

import pytest
from storage_samples import NOW, SECOND, observation

from storage.cloud import Observation, Phase, Spot
from storage.records import Outcome, State, Wish
from storage.store.sightings import Pass, Watched, is_expected, look, may_bind

BEGAN = NOW + 60 * SECOND
AT = Pass(began_at=BEGAN, previous=NOW + 57 * SECOND, now=NOW + 61 * SECOND)
SEEN = observation("nv-1")

RUNNING = Watched(
    id="1",
    state=State.RUNNING,
    wish=None,
    call=None,
    called_at=None,
    outcome=None,
    attempt=1,
    novita_id="nv-1",
    bound_at=NOW,
    status="running",
    phase=Phase.RUNNING,
    seen_at=NOW,
    underway=False,
    absent_lists=0,
    absent_for=timedelta(0),
    not_found_at=None,
    status_error=None,
    spot=None,
    reclaim_at=None,
    last_started_at=None,
    delayed_since=None,
    billing_since=NOW,
    version=4,
    acted_at=NOW,
    updated_at=NOW,
    due_at=None,
)
CREATING = replace(
    RUNNING,
    state=State.CREATING,
    wish=Wish.CREATE,
    call=Wish.CREATE,
    called_at=NOW + SECOND,
    outcome=Outcome.UNKNOWN,
    novita_id=None,
    bound_at=None,
    status=None,
    phase=None,
    seen_at=None,
    billing_since=None,
)


def called(call: Wish | None, outcome: Outcome = Outcome.ACCEPTED) -> Watched:
    return replace(RUNNING, call=call, called_at=NOW + SECOND, outcome=outcome)


def told(row: Watched, **changes: object) -> Watched:
    """As written by a list."""
    values = {"version": row.version + 1, "updated_at": AT.now, "due_at": AT.now} | changes
    return replace(row, **values)


def test_an_unchanged_row_is_the_row_itself() -> None:
    assert look(RUNNING, SEEN, AT) is RUNNING


@pytest.mark.parametrize(
    "changes",
    [
        {"acted_at": BEGAN},
        {"acted_at": BEGAN + SECOND},
        {"called_at": BEGAN},
    ],
)
@pytest.mark.parametrize("seen", [observation("nv-1", status="exited", phase=Phase.STOPPED), None])
def test_a_list_says_nothing_about_what_was_done_after_it_began(
    changes: dict[str, object], seen: Observation | None
) -> None:
    row = replace(RUNNING, **changes)
    assert look(row, seen, AT) is row


def test_a_row_that_was_written_just_before_the_list_began_is_judged() -> None:
    row = replace(RUNNING, acted_at=BEGAN - timedelta(microseconds=1))
    assert look(row, None, AT).absent_lists == 1


def test_a_new_status_is_written_with_the_time_of_the_list() -> None:
    seen = observation("nv-1", status="exited", phase=Phase.STOPPED)
    assert look(RUNNING, seen, AT) == told(RUNNING, status="exited", phase=Phase.STOPPED, seen_at=BEGAN)


@pytest.mark.parametrize(
    "news",
    [
        {"status_error": "boom"},
        {"spot": Spot.NOTIFIED},
        {"reclaim_at": NOW},
        {"last_started_at": NOW},
    ],
)
def test_other_news_leave_the_time_of_the_status(news: dict[str, object]) -> None:
    assert look(RUNNING, replace(SEEN, **news), AT) == told(RUNNING, **news)


@pytest.mark.parametrize(
    "old", [{"absent_lists": 2}, {"absent_for": SECOND}, {"not_found_at": NOW}, {"delayed_since": NOW}]
)
def test_what_is_seen_is_no_longer_missed(old: dict[str, object]) -> None:
    assert look(replace(RUNNING, **old), SEEN, AT) == told(RUNNING)


def test_an_absent_row_is_due_only_after_three_lists() -> None:
    once = look(RUNNING, None, AT)
    twice = look(once, None, AT)
    thrice = look(twice, None, AT)
    assert [row.absent_lists for row in (once, twice, thrice)] == [1, 2, 3]
    assert [row.due_at for row in (once, twice, thrice)] == [None, None, AT.now]
    assert [row.version for row in (once, twice, thrice)] == [5, 6, 7]
    assert look(thrice, None, AT) is thrice


@pytest.mark.parametrize("state", [State.FAILED, State.DELETED])
def test_nobody_misses_what_is_over(state: State) -> None:
    row = replace(RUNNING, state=state)
    assert not is_expected(row)
    assert look(row, None, AT) is row


def test_a_failed_one_that_is_to_be_removed_is_missed() -> None:
    row = replace(RUNNING, state=State.FAILED, wish=Wish.REMOVE)
    assert is_expected(row)
    assert look(row, None, AT).absent_lists == 1


@pytest.mark.parametrize("outcome", [Outcome.BEGUN, Outcome.UNKNOWN])
def test_time_without_an_unknown_create_is_counted_between_two_lists(outcome: Outcome) -> None:
    row = replace(CREATING, outcome=outcome, absent_lists=4, absent_for=10 * SECOND)
    assert look(row, None, AT) == told(row, absent_lists=5, absent_for=13 * SECOND)


def test_no_time_before_the_call_is_counted() -> None:
    row = replace(CREATING, called_at=BEGAN - SECOND)
    assert look(row, None, AT).absent_for == SECOND


def test_no_time_is_counted_after_a_list_that_failed() -> None:
    after = look(CREATING, None, replace(AT, previous=None))
    assert (after.absent_lists, after.absent_for) == (1, timedelta(0))


@pytest.mark.parametrize(
    "changes",
    [{"outcome": Outcome.NOT_MADE}, {"call": None, "outcome": None, "called_at": None}],
)
def test_nobody_misses_what_was_not_made(changes: dict[str, object]) -> None:
    row = replace(CREATING, **changes)
    assert look(row, None, AT) is row


def test_a_delay_ends_with_any_list() -> None:
    row = replace(CREATING, outcome=Outcome.NOT_MADE, delayed_since=NOW)
    assert look(row, None, AT) == told(row, delayed_since=None)


def test_a_delay_that_ends_makes_nothing_due_that_is_only_missing() -> None:
    after = look(replace(RUNNING, delayed_since=NOW), None, AT)
    assert (after.delayed_since, after.absent_lists, after.due_at) == (None, 1, None)


def test_an_unbound_row_is_bound_to_what_carries_its_token() -> None:
    row = replace(CREATING, absent_lists=2, absent_for=SECOND, not_found_at=NOW)
    seen = observation("nv-9", status="toCreate", phase=Phase.PROVISIONING)
    assert look(row, seen, AT) == told(
        CREATING,
        novita_id="nv-9",
        bound_at=AT.now,
        billing_since=CREATING.called_at,
        outcome=Outcome.ACCEPTED,
        status="toCreate",
        phase=Phase.PROVISIONING,
        seen_at=BEGAN,
        underway=True,
        acted_at=AT.now,
    )


def test_only_a_row_that_waits_for_a_gpu_may_get_one() -> None:
    assert may_bind(CREATING)
    assert may_bind(replace(CREATING, state=State.DELETING, wish=Wish.DELETE))
    assert not may_bind(replace(CREATING, state=State.FAILED))
    assert not may_bind(replace(CREATING, state=State.DELETED))
    assert not may_bind(replace(CREATING, call=None))
    assert not may_bind(RUNNING)


ACTS = {
    Wish.CREATE: {Phase.PROVISIONING, Phase.RUNNING},
    Wish.START: {Phase.PROVISIONING, Phase.RUNNING},
    Wish.RESTART: {Phase.PROVISIONING},
    Wish.STOP: {Phase.STOPPING, Phase.STOPPED},
    Wish.DELETE: {Phase.REMOVING, Phase.GONE},
    Wish.REMOVE: {Phase.REMOVING, Phase.GONE},
    None: set(),
}


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("call", ACTS)
def test_a_call_is_underway_when_novita_shows_what_only_the_call_explains(
    call: Wish | None, phase: Phase, outcome: Outcome
) -> None:
    after = look(called(call, outcome), replace(SEEN, phase=phase), AT)
    assert after.underway == (phase in ACTS[call] and outcome in {Outcome.ACCEPTED, Outcome.UNKNOWN})


@pytest.mark.parametrize("call", [Wish.CREATE, Wish.START, Wish.RESTART])
@pytest.mark.parametrize(("after_call", "restarted"), [(-SECOND, False), (-SECOND / 2, True), (SECOND, True)])
def test_a_start_after_the_call_shows_it_too(call: Wish, after_call: timedelta, *, restarted: bool) -> None:
    row = called(call)
    assert row.called_at
    seen = replace(SEEN, phase=Phase.UNKNOWN, last_started_at=row.called_at + after_call)
    assert look(row, seen, AT).underway is restarted


def test_a_stop_is_not_shown_by_a_start() -> None:
    row = called(Wish.STOP)
    assert not look(row, replace(SEEN, last_started_at=BEGAN), AT).underway


def test_what_is_underway_stays_so() -> None:
    row = replace(called(Wish.RESTART), underway=True)
    assert look(row, SEEN, AT) is row
