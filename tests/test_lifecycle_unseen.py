"""A GPU that Novita acknowledged and has not shown yet: its reads may be behind its writes."""

from dataclasses import replace

import pytest

from bot.errors import NovitaRefused
from bot.lifecycle import Change, Look, Moment, next_step
from bot.outcomes import refused, unseen
from bot.timings import Timings
from storage.records import Instance, Outcome, State, Wish
from tests.samples import NOW, seconds, starting, stopped

T = Timings()
NEVER_SHOWN = starting(phase=None, status=None, absent_lists=3, not_found_at=NOW)


def at(after: float) -> Moment:
    return Moment(now=NOW + seconds(after), listed_at=NOW, timings=T)


def test_it_is_looked_for_and_not_gone_until_the_window_is_over():
    assert next_step(NEVER_SHOWN, at(179)) == Look()
    over = next_step(NEVER_SHOWN, at(180))
    assert not isinstance(over, Look)
    assert over.after.state is State.DELETED


def test_looking_for_it_keeps_a_pause():
    assert unseen(NEVER_SHOWN, at(179)).due_at == at(179).now + T.look_every
    assert unseen(NEVER_SHOWN, at(180)).due_at == at(180).now


@pytest.mark.parametrize(
    "wished",
    [
        replace(NEVER_SHOWN, state=State.DELETING, wish=Wish.DELETE),
        replace(NEVER_SHOWN, state=State.FAILED, wish=Wish.REMOVE),
    ],
)
def test_a_delete_is_asked_for_without_its_being_shown(wished: Instance):
    assert next_step(wished, at(10)) == Change(verb=Wish.DELETE)
    accepted = replace(wished, call=Wish.DELETE, outcome=Outcome.ACCEPTED, called_at=NOW)
    assert next_step(accepted, at(10)).after.wish is None


def test_one_that_was_shown_before_is_gone_by_three_lists_and_a_get():
    shown = starting(absent_lists=3, not_found_at=NOW)
    assert next_step(shown, at(10)).after.state is State.DELETED


def test_a_start_that_novita_finds_needless_may_have_been_made_before():
    """Its answer was lost, it was asked again: only an unknown outcome lets the lists show that it worked."""
    asked = stopped(
        state=State.STARTING, wish=Wish.START, call=Wish.START, called_at=NOW, outcome=Outcome.BEGUN, tries=2
    )
    no = NovitaRefused("Invalid state change.", code="INVALID_STATE_CHANGE")
    assert refused(asked, no, at(0)).after.outcome is Outcome.UNKNOWN
