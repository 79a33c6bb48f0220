"""Values as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_strategies import unhurried

from bot.messages import mrkdwn
from bot.messages.blocks import fields, section


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("0.35", "$0.35/h"),
        ("0.175", "$0.175/h"),
        ("1", "$1.00/h"),
        ("1.2345", "$1.234/h"),
        ("12.3456", "$12.35/h"),
        ("1234.5", "$1,234.50/h"),
        ("0.00012345", "$0.0001234/h"),
        ("0.00001", "$0.00001/h"),
        ("0", "$0.00/h"),
        ("1E+2", "$100.00/h"),
    ],
)
def test_a_price_has_cents_and_at_most_four_digits_that_count(price, shown):
    assert mrkdwn.rate(Decimal(price)) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("0.0042", "less than $0.01"),
        ("0.01", "$0.01"),
        ("0.126", "$0.13"),
        ("12345.678", "$12,345.68"),
        ("1E+30", "$1,000,000,000,000,000,000,000,000,000,000.00"),
    ],
)
def test_a_sum_has_cents(amount, shown):
    assert mrkdwn.usd(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (252, "4 min 12 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (7500, "2 h 5 min"),
        (3 * 86400 + 4 * 3600 + 59, "3 d 4 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds, shown):
    assert mrkdwn.duration(timedelta(seconds=seconds)) == shown


def test_a_date_is_shown_in_the_readers_zone_with_utc_as_the_fallback():
    at = datetime(2026, 11, 23, 13, 30, tzinfo=timezone(timedelta(hours=1)))
    shown = f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|2026-11-23 12:30 UTC>"
    assert mrkdwn.date(at) == shown
    assert mrkdwn.date(at.astimezone(UTC)) == shown


def test_only_ids_become_mentions():
    assert mrkdwn.mention("U0ALICE") == "<@U0ALICE>"
    assert mrkdwn.mention(None) == "REST"
    assert mrkdwn.mention("U1> <!channel") == "U1&gt; &lt;!channel"


def test_a_span_of_code_cannot_be_left():
    assert mrkdwn.code("a`b <!here>") == "`aˋb &lt;!here&gt;`"
    assert mrkdwn.code("") == "` `"


def test_stars_do_not_end_what_is_bold():
    assert mrkdwn.bold("a*b") == "*a∗b*"


def test_in_answers_people_stay_mentions_and_nobody_else():
    assert mrkdwn.with_people("ask <@U1> or <!here>", 100) == "ask <@U1> or &lt;!here&gt;"


def test_a_cut_never_splits_an_escape():
    assert mrkdwn.clean("a<<<<", 10) == "a&lt;&lt;…"
    assert mrkdwn.clean("a<<<<", 9) == "a&lt;…"
    assert mrkdwn.clean("ab", 2) == "ab"
    assert mrkdwn.clean("abc", 2) == "a…"


@unhurried
@given(st.text() | st.text("<>&ab\n"), st.integers(1, 50))
def test_what_is_cleaned_fits_and_holds_no_markup(text, limit):
    cleaned = mrkdwn.clean(text, limit)
    assert len(cleaned) <= limit
    assert "<" not in cleaned
    assert ">" not in cleaned
    assert "\n" not in cleaned


def test_what_is_too_long_for_a_block_is_cut():
    assert len(section("x" * 5000)["text"]["text"]) == 3000
    assert fields([]) is None
    assert len(fields(["x" * 5000])["fields"][0]["text"]) == 2000
    assert len(fields(map(str, range(20)))["fields"]) == 10
