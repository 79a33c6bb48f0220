"""What an answer of Novita makes of an instance."""

from dataclasses import replace
from datetime import timedelta

import pytest
from samples import CONNECTION, NOW, OFFER, running, seconds, starting, stopped, unknown

from bot import outcomes
from bot.errors import BadCredentials, NotSent, NovitaRefused, OutcomeUnknown
from bot.lifecycle import Moment
from bot.timings import Timings
from storage.cloud import Details, Observation, Phase
from storage.records import EventKind, Failure, Instance, Outcome, Reason, State, Wish

T = Timings()
MOMENT = Moment(now=NOW + seconds(1), listed_at=None, timings=T)


def called(i: Instance, verb: Wish, **changes: object) -> Instance:
    return replace(i, call=verb, called_at=NOW, outcome=Outcome.BEGUN, wish=verb, tries=1, **changes)


def test_an_accepted_start_begins_a_new_run():
    asked = called(stopped(state=State.STARTING, connection=CONNECTION), Wish.START)
    result = outcomes.accepted(asked, MOMENT)
    assert (result.after.outcome, result.after.connection, result.after.billing_since) == (
        Outcome.ACCEPTED,
        None,
        MOMENT.now,
    )
    assert result.due_at == MOMENT.now


def test_an_accepted_stop_keeps_what_is_known_of_the_run():
    result = outcomes.accepted(called(running(state=State.STOPPING), Wish.STOP), MOMENT)
    assert result.after.connection == CONNECTION


@pytest.mark.parametrize(("tries", "pause"), [(1, 2), (2, 4), (3, 8), (6, 60), (60, 60)])
def test_pauses_double_up_to_a_minute(tries, pause):
    result = outcomes.not_sent(unknown(tries=tries), NotSent("No connection."), MOMENT)
    assert result.due_at == result.after.retry_at == MOMENT.now + seconds(pause)
    assert result.after.outcome is Outcome.NOT_MADE
    assert result.after.refusal == Failure(code="NOVITA_UNAVAILABLE", message="No connection.")


def test_a_longer_pause_that_novita_asks_for_is_kept():
    busy = NotSent("Busy.", retry_after=timedelta(minutes=5))
    assert outcomes.not_sent(unknown(), busy, MOMENT).due_at == MOMENT.now + seconds(300)


def test_a_lost_answer_leaves_the_outcome_unknown():
    result = outcomes.unknown(unknown(outcome=Outcome.BEGUN), OutcomeUnknown("Lost."), MOMENT)
    assert result.after.outcome is Outcome.UNKNOWN


def test_not_found_is_remembered_and_left_to_the_lists():
    result = outcomes.not_found(called(running(), Wish.STOP), MOMENT)
    assert (result.after.not_found_at, result.after.state) == (MOMENT.now, State.RUNNING)


def test_a_call_that_is_accepted_ends_the_suspicion_that_it_is_gone():
    suspected = called(running(not_found_at=NOW, absent_lists=3), Wish.STOP)
    assert outcomes.accepted(suspected, MOMENT).after.not_found_at is None


def test_a_refused_start_leaves_the_machine_as_it_was():
    asked = called(stopped(state=State.STARTING), Wish.START)
    result = outcomes.refused(asked, NovitaRefused("None left.", code="INSUFFICIENT_RESOURCE"), MOMENT)
    assert (result.after.state, result.after.reason) == (State.STOPPED, Reason.START_FAILED)
    assert result.event is not None
    assert result.event.kind is EventKind.STOPPED
    assert result.event.error == Failure(code="INSUFFICIENT_RESOURCE", message="None left.")


def test_a_refused_stop_is_told_and_the_machine_runs_on():
    asked = called(running(state=State.STOPPING), Wish.STOP)
    result = outcomes.refused(asked, NovitaRefused("No.", code="FORBIDDEN_TO_STOP"), MOMENT)
    assert result.after.state is State.RUNNING
    assert result.event is not None
    assert (result.event.kind, result.event.verb) == (EventKind.REFUSED, Wish.STOP)


@pytest.mark.parametrize(
    "error",
    [
        NovitaRefused("Invalid state change from starting.", code="INVALID_STATE_CHANGE"),
        NovitaRefused("Busy.", code="CONFLICT"),
        BadCredentials("Bad key."),
    ],
)
def test_what_may_pass_is_asked_again_five_times(error):
    asked = called(stopped(state=State.STARTING), Wish.START)
    again = outcomes.refused(asked, error, MOMENT)
    assert (again.after.state, again.event, again.after.retry_at) == (
        State.STARTING,
        None,
        MOMENT.now + T.retry_first,
    )
    assert outcomes.refused(replace(asked, tries=5), error, MOMENT).after.state is State.STOPPED


def test_a_refused_delete_is_asked_for_ever_and_told_once():
    asked = called(running(state=State.DELETING), Wish.DELETE)
    no = NovitaRefused("Prepaid.", code="PREPAID_INSTANCE_NOT_SUPPORT_RELEASE")
    told = [outcomes.refused(replace(asked, tries=n), no, MOMENT) for n in range(1, 9)]
    assert [each.event is not None for each in told] == [n == 5 for n in range(1, 9)]
    assert all(each.after.wish is Wish.DELETE and each.due_at is not None for each in told)


def details(phase: Phase, *, complete: bool) -> Details:
    seen = Observation(novita_id="n1", name="gb-x", status=str(phase), phase=phase)
    return Details(observation=seen, connection=CONNECTION, complete=complete)


def test_details_of_a_running_machine_begin_the_wait_for_its_endpoints():
    result = outcomes.looked_at(starting(phase=Phase.RUNNING), details(Phase.RUNNING, complete=True), MOMENT)
    assert (result.after.connection, result.after.connection_complete) == (CONNECTION, True)
    assert (result.after.probe_began_at, result.due_at) == (MOMENT.now, MOMENT.now)


def test_incomplete_details_are_asked_for_again_and_the_wait_goes_on():
    waiting = starting(phase=Phase.RUNNING, probe_began_at=NOW)
    result = outcomes.looked_at(waiting, details(Phase.RUNNING, complete=False), MOMENT)
    assert (result.after.probe_began_at, result.due_at) == (NOW, MOMENT.now + T.look_every)


def test_a_get_that_finds_it_ends_the_suspicion():
    missing = starting(absent_lists=3, absent_for=seconds(9), not_found_at=NOW)
    result = outcomes.looked_at(missing, details(Phase.PROVISIONING, complete=False), MOMENT)
    assert (result.after.absent_lists, result.after.not_found_at, result.after.connection) == (0, None, None)


@pytest.mark.parametrize(("lists", "pause"), [(3, 0), (2, 2)])
def test_a_get_that_does_not_find_it_settles_the_matter_only_with_three_lists(lists, pause):
    result = outcomes.unseen(running(absent_lists=lists, offer=OFFER), MOMENT)
    assert (result.after.not_found_at, result.due_at) == (MOMENT.now, MOMENT.now + seconds(pause))


def test_novita_cannot_put_off_a_delete_for_long():
    """A GPU that is to be deleted bills meanwhile."""
    asked = called(running(state=State.DELETING), Wish.DELETE)
    result = outcomes.not_sent(asked, NotSent("429", retry_after=timedelta(days=1)), MOMENT)
    assert result.due_at == MOMENT.now + timedelta(minutes=5)
