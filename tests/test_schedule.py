from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.schedule import (
    LONGEST_PAUSE,
    SLACK_RETRIES,
    WEBHOOK_PAUSES,
    next_attempt,
    next_slack_attempt,
    parse_retry_after,
)

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


class NoJitter(Random):
    def uniform(self, a, b):
        return (a + b) / 2


class Shortest(Random):
    def uniform(self, a, b):
        return a


def test_ten_attempts_are_spread_over_75_hours_and_35_minutes():
    pauses = [next_attempt(made, retries=9, rng=NoJitter()) for made in range(1, 11)]
    assert pauses[-1] is None
    assert sum(pauses[:-1], timedelta(0)) == timedelta(hours=75, minutes=35, seconds=5)


def test_the_webhook_pauses_are_those_of_standard_webhooks():
    in_seconds = [next_attempt(made, retries=9, rng=NoJitter()).total_seconds() for made in range(1, 10)]
    assert in_seconds == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]


def test_without_retries_the_first_failure_is_the_last():
    assert next_attempt(1, retries=0, rng=NoJitter()) is None


def test_more_retries_than_the_schedule_has_repeat_its_longest_pause():
    assert next_attempt(12, retries=20, rng=NoJitter()) == WEBHOOK_PAUSES[-1]


@given(made=st.integers(1, 9), seed=st.integers())
def test_jitter_stays_within_a_fifth(made, seed):
    pause = next_attempt(made, retries=9, rng=Random(seed))
    assert abs(pause - WEBHOOK_PAUSES[made - 1]) <= WEBHOOK_PAUSES[made - 1] * 0.2 + timedelta(microseconds=1)


def test_two_failures_of_the_same_moment_do_not_come_back_together():
    rng = Random(7)
    assert next_attempt(2, retries=9, rng=rng) != next_attempt(2, retries=9, rng=rng)


def test_retry_after_is_a_lower_bound_only():
    longer, shorter = timedelta(hours=1), timedelta(seconds=1)
    assert next_attempt(1, retries=9, retry_after=longer, rng=NoJitter()) == longer
    assert next_attempt(1, retries=9, retry_after=shorter, rng=NoJitter()) == timedelta(seconds=5)


def test_retry_after_does_not_revive_what_is_dead():
    assert next_attempt(10, retries=9, retry_after=timedelta(hours=1), rng=NoJitter()) is None


def test_a_receiver_that_asks_for_years_is_tried_the_next_day():
    assert next_attempt(1, retries=9, retry_after=timedelta(days=3650), rng=NoJitter()) == LONGEST_PAUSE


def test_slack_is_tried_soon_and_never_more_than_five_minutes_apart():
    in_seconds = [next_slack_attempt(made, rng=NoJitter()).total_seconds() for made in range(1, 12)]
    assert in_seconds == [1, 2, 5, 10, 30, 60, 120, 300, 300, 300, 300]


def test_slack_is_tried_for_a_day_even_with_the_shortest_jitter():
    pauses = [next_slack_attempt(made, rng=Shortest()) for made in range(1, SLACK_RETRIES + 2)]
    assert pauses[-1] is None
    assert sum(pauses[:-1], timedelta(0)) >= timedelta(hours=24)


def test_slack_says_when_and_is_obeyed():
    assert next_slack_attempt(1, retry_after=timedelta(seconds=30), rng=NoJitter()) == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("120", timedelta(seconds=120)),
        (" 7 ", timedelta(seconds=7)),
        ("0", timedelta(0)),
        ("Mon, 23 Nov 2026 15:02:00 GMT", timedelta(minutes=2)),
        ("Mon, 23 Nov 2026 15:02:00", timedelta(minutes=2)),
        ("Mon, 23 Nov 2026 14:00:00 GMT", timedelta(0)),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Mon, 23 Nov 99999999999999999999 15:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nonsense_is_nothing(header, pause):
    assert parse_retry_after(header, NOW) == pause


@given(st.text())
def test_no_retry_after_header_can_raise(header):
    pause = parse_retry_after(header, NOW)
    assert pause is None or pause >= timedelta(0)
