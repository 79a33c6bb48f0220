from __future__ import annotations

from datetime import timedelta

import pytest

from bot.errors import NotSent
from bot.novita.breaker import Breaker

THRESHOLD = 3
OPEN_FOR = timedelta(seconds=60)


@pytest.fixture
def breaker(clock) -> Breaker:
    return Breaker(threshold=THRESHOLD, open_for=OPEN_FOR, clock=clock)


def call(breaker: Breaker, *, answered: bool | None) -> None:
    with breaker.permit() as permit:
        permit.answered = answered


def break_it(breaker: Breaker) -> None:
    for _ in range(THRESHOLD):
        call(breaker, answered=False)


def test_it_opens_after_so_many_faults_in_a_row(breaker) -> None:
    call(breaker, answered=False)
    call(breaker, answered=False)
    assert not breaker.is_open
    call(breaker, answered=False)
    assert breaker.is_open
    with pytest.raises(NotSent) as caught:
        call(breaker, answered=True)
    assert caught.value.retry_after == OPEN_FOR


def test_an_answer_between_faults_starts_the_count_again(breaker) -> None:
    for _ in range(THRESHOLD):
        call(breaker, answered=False)
        call(breaker, answered=True)
    assert not breaker.is_open


def test_a_call_without_outcome_neither_breaks_nor_mends(breaker) -> None:
    call(breaker, answered=False)
    call(breaker, answered=False)
    call(breaker, answered=None)
    assert not breaker.is_open
    call(breaker, answered=False)
    assert breaker.is_open


def test_it_lets_one_probe_through_and_closes_when_that_is_answered(breaker, clock) -> None:
    break_it(breaker)
    clock.now += OPEN_FOR
    with breaker.permit() as probe:
        with pytest.raises(NotSent), breaker.permit():
            pass
        probe.answered = True
    assert not breaker.is_open
    call(breaker, answered=False)
    assert not breaker.is_open


def test_a_failed_probe_opens_it_for_as_long_again(breaker, clock) -> None:
    break_it(breaker)
    clock.now += OPEN_FOR
    call(breaker, answered=False)
    clock.now += OPEN_FOR - timedelta(seconds=1)
    with pytest.raises(NotSent):
        call(breaker, answered=True)
    clock.now += timedelta(seconds=1)
    call(breaker, answered=True)
    assert not breaker.is_open


def test_a_probe_that_is_cancelled_leaves_room_for_the_next(breaker, clock) -> None:
    break_it(breaker)
    clock.now += OPEN_FOR
    with pytest.raises(KeyboardInterrupt), breaker.permit():
        raise KeyboardInterrupt
    call(breaker, answered=True)
    assert not breaker.is_open


@pytest.mark.parametrize("answered", [True, False])
def test_a_call_that_began_before_it_opened_changes_nothing(breaker, clock, answered) -> None:
    with breaker.permit() as early:
        break_it(breaker)
        clock.now += OPEN_FOR / 2
        early.answered = answered
    with pytest.raises(NotSent) as caught:
        call(breaker, answered=True)
    assert caught.value.retry_after == OPEN_FOR / 2


def test_a_clock_set_back_does_not_keep_it_open(breaker, clock) -> None:
    break_it(breaker)
    clock.now -= timedelta(hours=1)
    call(breaker, answered=True)
    assert not breaker.is_open


def test_it_says_what_a_call_would_meet_without_making_one(breaker, clock) -> None:
    assert breaker.refusal() is None
    break_it(breaker)
    assert breaker.refusal().retry_after == OPEN_FOR
    clock.now += OPEN_FOR
    assert breaker.refusal() is None
    with breaker.permit():
        assert breaker.refusal() is not None  # one probe is under way
