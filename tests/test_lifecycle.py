"""Every state against every wish and what Novita may show."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest
from samples import CONNECTION, NOW, OFFER, creating, running, seconds, starting, stopped, unknown

from bot.lifecycle import Become, Change, Create, Look, Moment, Probe, Step, Wait, next_step
from bot.timings import Timings
from storage.cloud import Phase, Spot
from storage.records import EventKind, Failure, Instance, Outcome, Reason, State, Wish

T = Timings()
DEADLINE = NOW + T.startup_timeout


def moment(after: timedelta = timedelta(0), *, listed_at: datetime | None = None) -> Moment:
    return Moment(now=NOW + after, listed_at=listed_at, timings=T)


def step(i: Instance, after: float = 0, *, listed: float | None = None) -> Step:
    listed_at = None if listed is None else NOW + seconds(listed)
    return next_step(i, moment(seconds(after), listed_at=listed_at))


def became(i: Instance, after: float = 0, *, listed: float | None = None) -> Become:
    result = step(i, after, listed=listed)
    assert isinstance(result, Become), result
    return result


def accepted(i: Instance, verb: Wish, **changes: object) -> Instance:
    call = {"call": verb, "called_at": NOW, "outcome": Outcome.ACCEPTED, "tries": 1}
    return replace(i, **call | changes)


def restarting(**changes: object) -> Instance:
    return running(**{"state": State.STARTING, "wish": Wish.RESTART, **changes})


def waking(**changes: object) -> Instance:
    return stopped(**{"state": State.STARTING, "wish": Wish.START, **changes})


# --- creating -------------------------------------------------------------------------------------


def test_a_fresh_request_is_created():
    assert step(creating()) == Create()


def test_an_attempt_that_was_not_made_is_followed_by_another_after_its_pause():
    waiting = unknown(outcome=Outcome.NOT_MADE, retry_at=NOW + seconds(4))
    assert step(waiting, 3) == Wait(until=NOW + seconds(4))
    assert step(waiting, 4) == Create()


def test_a_create_that_was_never_made_fails_after_half_an_hour_and_names_the_last_answer():
    refusal = Failure(code="RATE_LIMIT_EXCEEDED", message="Too many.")
    result = became(unknown(outcome=Outcome.NOT_MADE, refusal=refusal), 1800)
    assert (result.after.state, result.after.wish) == (State.FAILED, None)
    assert result.after.error is not None
    assert result.after.error.code == "NOVITA_UNAVAILABLE"
    assert "Too many." in result.after.error.message
    assert result.event is not None
    assert result.event.kind is EventKind.FAILED


def test_a_create_never_asked_for_half_an_hour_fails_without_a_last_answer():
    assert became(creating(), 1800).after.state is State.FAILED


@pytest.mark.parametrize("outcome", [Outcome.BEGUN, Outcome.UNKNOWN])
@pytest.mark.parametrize("after", [0, 60, 86_400])
def test_a_create_that_may_have_worked_is_never_repeated(outcome, after):
    assert step(unknown(outcome=outcome), after) == Wait()


@pytest.mark.parametrize(
    ("lists", "covered", "over"), [(3, 180, True), (2, 180, False), (3, 179, False), (40, 600, True)]
)
def test_an_unknown_create_is_given_up_after_180_s_of_complete_lists(lists, covered, over):
    result = step(unknown(absent_lists=lists, absent_for=seconds(covered)), 9999)
    assert isinstance(result, Become) == over
    if isinstance(result, Become):
        assert result.after.error is not None
        assert result.after.error.code == "UNCONFIRMED"
        assert result.after.wish is None


def test_a_bound_create_is_starting():
    result = became(unknown(novita_id="n1", outcome=Outcome.ACCEPTED))
    assert (result.after.state, result.after.wish, result.event) == (State.STARTING, Wish.CREATE, None)


# --- starting -------------------------------------------------------------------------------------


def test_what_is_being_pulled_is_waited_for_until_the_deadline():
    assert step(starting(), 30) == Wait(until=DEADLINE)


def test_a_deadline_is_judged_only_on_a_list_begun_after_it():
    assert step(starting(), 601, listed=599) == Wait(until=NOW + seconds(603))
    assert step(starting(), 601) == Wait(until=NOW + seconds(603))
    assert became(starting(), 601, listed=600).after.error == Failure(
        code="STARTUP_TIMEOUT", message="It was not running 10 minutes after it was created."
    )


def test_a_create_that_times_out_fails_and_its_gpu_is_removed():
    result = became(starting(), 601, listed=600)
    assert (result.after.state, result.after.wish) == (State.FAILED, Wish.REMOVE)
    assert result.event is not None
    assert result.event.kind is EventKind.FAILED


def test_a_start_that_times_out_is_stopped_and_never_deleted():
    result = became(accepted(waking(phase=Phase.PROVISIONING), Wish.START, underway=True), 601, listed=600)
    assert (result.after.state, result.after.wish) == (State.STOPPING, Wish.STOP)
    assert (result.after.reason, result.event) == (Reason.STARTUP_TIMEOUT, None)
    told = became(replace(result.after, phase=Phase.STOPPED), 620)
    assert told.event is not None
    assert (told.event.kind, told.event.reason) == (EventKind.STOPPED, Reason.STARTUP_TIMEOUT)
    assert told.event.error is not None
    assert told.event.error.code == "STARTUP_TIMEOUT"


def test_a_start_that_novita_begins_late_has_its_whole_time_from_then():
    late = accepted(waking(phase=Phase.PROVISIONING), Wish.START, underway=True, called_at=NOW + seconds(500))
    assert step(late, 700, listed=700) == Wait(until=NOW + seconds(1100))


def test_running_wins_over_a_deadline_that_has_passed():
    assert step(starting(phase=Phase.RUNNING), 9999, listed=9999) == Look()


def test_running_needs_connection_details_then_answering_endpoints():
    assert step(starting(phase=Phase.RUNNING)) == Look()
    known = starting(phase=Phase.RUNNING, connection=CONNECTION, connection_complete=True, probe_began_at=NOW)
    assert step(known, 1) == Probe()
    result = became(replace(known, answering=True), 5)
    assert (result.after.state, result.after.wish, result.after.ready_at) == (
        State.RUNNING,
        None,
        NOW + seconds(5),
    )
    assert result.event is not None
    assert (result.event.kind, result.event.elapsed, result.event.note) == (
        EventKind.READY,
        seconds(5),
        None,
    )


def test_what_never_answers_is_told_as_running_after_two_minutes_with_a_note():
    silent = starting(phase=Phase.RUNNING, probe_began_at=NOW)
    assert step(silent, 119) == Look()
    result = became(silent, 120)
    assert result.after.state is State.RUNNING
    assert result.event is not None
    assert result.event.note == "Its endpoints did not answer within 120 s."


def test_a_second_run_is_told_as_started():
    up = accepted(
        waking(phase=Phase.RUNNING, connection_complete=True, answering=True), Wish.START, underway=True
    )
    result = became(up, 9)
    assert result.event is not None
    assert (result.event.kind, result.event.reason) == (EventKind.STARTED, None)
    assert result.after.ready_at == NOW


def test_started_in_the_console_is_told_as_such():
    up = waking(phase=Phase.RUNNING, connection_complete=True, answering=True, wish=None)
    result = became(up, 9)
    assert result.event is not None
    assert (result.event.kind, result.event.reason) == (EventKind.STARTED, Reason.STARTED_OUTSIDE)


def test_an_error_while_starting_fails_the_create_with_novitas_words():
    result = became(starting(status_error="image pull failed"))
    assert (result.after.state, result.after.wish) == (State.FAILED, Wish.REMOVE)
    assert result.after.error == Failure(code="START_FAILED", message="image pull failed")


def test_exited_before_usable_with_an_error_fails_the_create():
    assert became(starting(phase=Phase.STOPPED, status_error="oom")).after.state is State.FAILED


def test_stopped_in_the_console_while_starting_is_kept():
    result = became(starting(phase=Phase.STOPPED))
    assert (result.after.state, result.after.reason) == (State.STOPPED, Reason.STOPPED_OUTSIDE)
    assert result.after.billing_since is None


def test_a_start_is_asked_and_asked_again_only_when_nothing_moves():
    assert step(waking()) == Change(verb=Wish.START)
    asked = accepted(waking(), Wish.START)
    assert step(asked, 10) == Wait(until=NOW + T.repeat_after)
    assert step(asked, 40, listed=29) == Wait(until=NOW + seconds(42))  # Novita cannot be listed
    assert step(asked, 30, listed=30) == Change(verb=Wish.START)


def test_a_machine_that_stops_again_while_starting_is_not_fought_over():
    result = became(accepted(waking(), Wish.START, underway=True), 10)
    assert (result.after.state, result.after.reason) == (State.STOPPED, Reason.STOPPED_OUTSIDE)


def test_a_start_nobody_could_ask_for_is_given_up_after_half_an_hour():
    refusal = Failure(code="NOVITA_UNAVAILABLE", message="Down.")
    unsent = waking(call=Wish.START, outcome=Outcome.NOT_MADE, refusal=refusal)
    result = became(unsent, 1800)
    assert (result.after.state, result.after.reason, result.after.error) == (
        State.STOPPED,
        Reason.START_FAILED,
        refusal,
    )
    assert became(replace(unsent, refusal=None), 1800).after.error is not None


def test_a_restart_nobody_could_ask_for_leaves_it_running():
    result = became(restarting(), 1800)
    assert (result.after.state, result.after.wish) == (State.RUNNING, None)
    assert result.event is not None
    assert (result.event.kind, result.event.verb) == (EventKind.REFUSED, Wish.RESTART)


def test_a_restart_is_not_over_while_the_old_run_still_shows():
    asked = accepted(restarting(), Wish.RESTART)
    assert step(replace(asked, connection_complete=False), 5) == Wait(until=DEADLINE)
    assert step(replace(asked, connection_complete=False), 30) == Look()
    assert step(replace(asked, connection_complete=False, underway=True), 5) == Look()


def test_a_start_nobody_wished_has_no_deadline():
    assert step(starting(wish=None), 9999, listed=9999) == Wait()


# --- running --------------------------------------------------------------------------------------


def test_a_steady_instance_needs_nothing():
    assert step(running()) == Wait()


@pytest.mark.parametrize("phase", [Phase.UNKNOWN, None])
def test_an_unknown_word_changes_nothing(phase):
    assert step(running(phase=phase)) == Wait()


def test_stopped_in_the_console_is_told_with_the_reason_and_ends_the_billing():
    result = became(running(phase=Phase.STOPPED), 3600)
    assert (result.after.state, result.after.reason) == (State.STOPPED, Reason.STOPPED_OUTSIDE)
    assert (result.after.billed_usd, result.after.billing_since) == (Decimal("0.36"), None)
    assert result.after.connection is None
    assert result.event is not None
    assert (result.event.kind, result.event.actor) == (EventKind.STOPPED, None)


def test_a_notice_is_told_once_with_its_time():
    noticed = running(spot=Spot.NOTIFIED, reclaim_at=NOW + seconds(3600))
    result = became(noticed)
    assert result.event is not None
    assert result.event.kind is EventKind.RECLAIMING
    assert result.after.state is State.RUNNING
    assert step(result.after) == Wait()
    unknown_time = running(spot=Spot.NOTIFIED)
    assert step(became(unknown_time).after) == Wait()
    later = replace(result.after, reclaim_at=NOW + seconds(7200))
    assert became(later).after.reclaim_told_at == NOW + seconds(7200)


@pytest.mark.parametrize(
    "seen",
    [
        {"phase": Phase.STOPPED, "reclaim_told_at": NOW},
        {"phase": Phase.STOPPED, "spot": Spot.RECLAIMED},
        {"phase": Phase.GONE, "reclaim_told_at": NOW},
        {"absent_lists": 3, "not_found_at": NOW, "reclaim_told_at": NOW},
    ],
)
def test_gone_after_a_notice_is_reclaimed_and_stays_so(seen):
    result = became(running(**seen))
    assert (result.after.state, result.after.reason) == (State.STOPPED, Reason.RECLAIMED)
    assert result.event is not None
    assert result.event.kind is EventKind.RECLAIMED
    assert step(result.after) == Wait()


def test_restarted_in_the_console_is_followed_as_a_new_run():
    result = became(running(phase=Phase.PROVISIONING), 5)
    assert (result.after.state, result.after.wish, result.event) == (State.STARTING, None, None)
    assert (result.after.connection, result.after.billing_since) == (None, NOW)


def test_stopping_and_removal_elsewhere_show_at_once():
    assert became(running(phase=Phase.STOPPING)).after.state is State.STOPPING
    assert became(running(phase=Phase.REMOVING)).after.state is State.DELETING


# --- gone -----------------------------------------------------------------------------------------

ALIVE = [starting(), running(), running(state=State.STOPPING), stopped(), running(state=State.DELETING)]


@pytest.mark.parametrize("i", ALIVE, ids=lambda i: i.state)
def test_three_lists_without_it_are_confirmed_by_a_get(i):
    assert not isinstance(step(replace(i, absent_lists=2)), Look)
    assert step(replace(i, absent_lists=3)) == Look()
    result = became(replace(i, absent_lists=3, not_found_at=NOW))
    assert (result.after.state, result.after.reason) == (State.DELETED, Reason.DELETED_OUTSIDE)
    assert result.event is not None
    assert result.event.kind is EventKind.DELETED


@pytest.mark.parametrize("i", ALIVE, ids=lambda i: i.state)
def test_a_get_that_finds_nothing_is_no_end_by_itself(i):
    result = step(replace(i, not_found_at=NOW, absent_lists=2))
    assert not (isinstance(result, Become) and result.after.state is State.DELETED)


@pytest.mark.parametrize("i", ALIVE, ids=lambda i: i.state)
def test_novitas_own_word_removed_is_the_end(i):
    assert became(replace(i, phase=Phase.GONE)).after.state is State.DELETED


# --- stopping, stopped ----------------------------------------------------------------------------


def test_a_stop_is_asked_followed_and_told_with_who_wished_it():
    wished = running(state=State.STOPPING, wish=Wish.STOP, wished_by="U2")
    assert step(wished) == Change(verb=Wish.STOP)
    assert step(accepted(wished, Wish.STOP, underway=True, phase=Phase.STOPPING), 99) == Wait()
    result = became(accepted(wished, Wish.STOP, phase=Phase.STOPPED), 10)
    assert (result.after.state, result.after.wish, result.after.reason) == (State.STOPPED, None, None)
    assert result.event is not None
    assert (result.event.kind, result.event.actor) == (EventKind.STOPPED, "U2")


@pytest.mark.parametrize("outcome", [Outcome.BEGUN, Outcome.UNKNOWN, Outcome.NOT_MADE])
def test_a_stop_without_an_answer_is_asked_again_after_its_pause(outcome):
    asked = accepted(
        running(state=State.STOPPING, wish=Wish.STOP), Wish.STOP, outcome=outcome, retry_at=NOW + seconds(2)
    )
    assert step(asked, 1) == Wait(until=NOW + seconds(2))
    assert step(asked, 2) == Change(verb=Wish.STOP)


@pytest.mark.parametrize(
    ("state", "wish", "phase"),
    [(State.STOPPING, Wish.STOP, Phase.STOPPING), (State.DELETING, Wish.DELETE, Phase.REMOVING)],
)
def test_what_is_seen_on_its_way_is_not_asked_again_although_its_answer_was_lost(state, wish, phase):
    asked = accepted(
        running(state=state, wish=wish), wish, outcome=Outcome.UNKNOWN, underway=True, phase=phase
    )
    assert step(asked, 99, listed=99) == Wait()


def test_a_wish_to_stop_wins_over_a_spot_notice():
    result = became(running(state=State.STOPPING, wish=Wish.STOP, phase=Phase.STOPPED, reclaim_told_at=NOW))
    assert result.event is not None
    assert result.event.kind is EventKind.STOPPED


def test_a_stop_from_outside_that_is_called_off_runs_on():
    assert became(running(state=State.STOPPING)).after.state is State.STARTING
    assert step(running(state=State.STOPPING, phase=Phase.STOPPING)) == Wait()


def test_a_stopped_instance_is_left_alone():
    assert step(stopped()) == Wait()


def test_a_start_in_the_console_is_noticed():
    for phase in (Phase.PROVISIONING, Phase.RUNNING):
        assert became(stopped(phase=phase)).after.state is State.STARTING
        assert became(stopped(phase=phase, reason=Reason.RECLAIMED)).after.state is State.STARTING


# --- failed, deleting, deleted --------------------------------------------------------------------


def test_a_failed_instance_is_removed_and_told_no_more():
    failed = starting(
        state=State.FAILED, wish=Wish.REMOVE, call=None, outcome=None, error=Failure(code="X", message="x")
    )
    assert step(failed) == Change(verb=Wish.DELETE)
    assert step(replace(failed, absent_lists=3)) == Look()
    result = became(replace(failed, absent_lists=3, not_found_at=NOW), 3600)
    assert (result.after.state, result.after.wish, result.event) == (State.FAILED, None, None)
    assert (result.after.error, result.after.billing_since) == (failed.error, None)
    assert step(result.after) == Wait()


@pytest.mark.parametrize(
    ("state", "wish", "verb"),
    [
        (State.STOPPING, Wish.STOP, Wish.STOP),
        (State.DELETING, Wish.DELETE, Wish.DELETE),
        (State.FAILED, Wish.REMOVE, Wish.DELETE),
    ],
)
def test_what_novita_began_and_did_not_finish_is_asked_again(state, wish, verb):
    """It was seen stopping or going, and runs again: it failed there, or somebody started it at the console."""
    asked = accepted(running(state=state, wish=wish), verb, underway=True)
    assert step(asked, 10, listed=10) == Wait(until=NOW + T.repeat_after)
    assert step(asked, 31, listed=31) == Change(verb=verb)


def test_a_failed_instance_without_a_gpu_needs_nothing():
    assert became(creating(state=State.FAILED, wish=Wish.REMOVE)).after.wish is None
    assert step(creating(state=State.FAILED, wish=None)) == Wait()


def test_a_delete_is_asked_until_it_is_gone():
    wished = running(state=State.DELETING, wish=Wish.DELETE, wished_by="U1")
    assert step(wished) == Change(verb=Wish.DELETE)
    assert step(accepted(wished, Wish.DELETE, underway=True, phase=Phase.REMOVING), 999) == Wait()
    assert step(accepted(wished, Wish.DELETE), 30, listed=30) == Change(verb=Wish.DELETE)
    result = became(replace(wished, absent_lists=3, not_found_at=NOW))
    assert (result.after.state, result.after.reason) == (State.DELETED, None)
    assert result.event is not None
    assert (result.event.kind, result.event.actor) == (EventKind.DELETED, "U1")


def test_a_delete_before_anything_was_made_is_over_at_once():
    assert became(creating(state=State.DELETING, wish=Wish.DELETE)).after.state is State.DELETED
    not_made = unknown(state=State.DELETING, wish=Wish.DELETE, outcome=Outcome.NOT_MADE)
    assert became(not_made).after.state is State.DELETED


def test_a_delete_of_an_unknown_create_waits_for_it():
    wished = unknown(state=State.DELETING, wish=Wish.DELETE)
    assert step(wished, 9999) == Wait()
    assert step(replace(wished, novita_id="n1", outcome=Outcome.ACCEPTED)) == Change(verb=Wish.DELETE)
    gone = replace(wished, absent_lists=60, absent_for=seconds(180))
    assert became(gone).after.state is State.DELETED


def test_what_is_removed_elsewhere_is_awaited():
    assert step(running(state=State.DELETING, phase=Phase.REMOVING)) == Wait()


GONE = {"absent_lists": 3, "not_found_at": NOW}


@pytest.mark.parametrize(
    "seen", [GONE, {"phase": Phase.GONE}, {"phase": Phase.REMOVING}, {"novita_id": None}]
)
def test_a_deleted_instance_rests(seen):
    assert step(running(state=State.DELETED, **seen)) == Wait()


def test_a_deleted_instance_that_novita_shows_again_is_deleted_again():
    result = became(running(state=State.DELETED))
    assert (result.after.state, result.after.wish) == (State.DELETING, Wish.DELETE)


def test_one_deleted_elsewhere_that_novita_shows_again_is_followed_again():
    result = became(running(state=State.DELETED, reason=Reason.DELETED_OUTSIDE))
    assert (result.after.state, result.after.wish) == (State.STARTING, None)


def test_a_failed_instance_that_novita_shows_again_is_removed_again():
    failed = starting(state=State.FAILED, wish=None, call=None, outcome=None)
    assert became(failed).after.wish is Wish.REMOVE
    assert step(replace(failed, **GONE)) == Wait()


# --- all of it ------------------------------------------------------------------------------------

EVERYTHING = list(product(State, [None, *Wish], [None, *Phase], [None, *Outcome], [False, True], [0, 3]))


def test_every_combination_has_a_step_and_money_is_spent_only_on_a_wish():
    """Thousands of combinations, most never met: none raises, none buys, starts or deletes unasked."""
    bound = starting(offer=OFFER)
    for state, wish, phase, outcome, underway, absent in EVERYTHING:
        i = replace(
            bound,
            state=state,
            wish=wish,
            phase=phase,
            outcome=outcome,
            call=wish,
            underway=underway,
            absent_lists=absent,
        )
        match step(i, 5, listed=5):
            case Create():
                raise AssertionError(f"{state} {wish} {outcome}: a bound instance is never created again")
            case Change(verb=Wish.DELETE):
                assert wish in (Wish.DELETE, Wish.REMOVE)
            case Change(verb=verb):
                assert verb is wish
            case Become(after=after):
                assert after.novita_id == i.novita_id
            case _:
                pass
