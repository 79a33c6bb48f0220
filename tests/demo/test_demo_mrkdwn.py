from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from clocks import Clock
from demo_world import reader
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

import bot.messages
from bot.messages.mrkdwn import clean, code, date, mention, plain
from bot.sandbox.slack.emoji import character, with_emoji
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.terminal.mrkdwn import Reader, visible

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def read(mrkdwn: str) -> str:
    return reader().text(mrkdwn).plain


def styles(text: Text) -> dict[str, str]:
    return {text.plain[span.start : span.end]: str(span.style) for span in text.spans if span.style}


@pytest.mark.parametrize(
    ("mrkdwn", "shown"),
    [
        ("<@U0ADA> has it", "@ada has it"),
        ("<@U0NOBODY> has it", "@U0NOBODY has it"),
        ("in <#C0GPU>", "in #gpu"),
        ("in <#C0GONE>", "in C0GONE"),
        ("<!channel> look", "@channel look"),
        ("<https://example.com|the page>", "the page (https://example.com)"),
        ("<https://example.com/?a=1&amp;b=2>", "https://example.com/?a=1&b=2"),
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        (":x: no", "❌ no"),
        (":large_green_circle: *Running*", "🟢 Running"),
        (":thumbsup: :no_such_thing:", "👍 :no_such_thing:"),
        ("*my-train* is _not_ ~gone~", "my-train is not gone"),
        ("`/gpu start *x*`", "/gpu start *x*"),
        ("```one\ntwo```", "one\ntwo"),
        ("2*3*4 and a_b_c", "2*3*4 and a_b_c"),
        ("* not bold *", "* not bold *"),
    ],
)
def test_a_text_reads_as_in_a_client(mrkdwn: str, shown: str) -> None:
    assert read(mrkdwn) == shown


def test_what_is_bold_italic_struck_or_code_looks_so() -> None:
    found = styles(reader().text("*bold* _italic_ ~strike~ `code` <@U0BEN>"))
    assert "bold" in found["bold"]
    assert "italic" in found["italic"]
    assert "strike" in found["strike"]
    assert "yellow" in found["code"]
    assert "cyan" in found["@ben"]


def test_marks_inside_bold_are_read_too() -> None:
    assert read("*:warning: <@U0ADA> at <!date^1795435200^{date_short_pretty}|later>*") == "⚠ @ada at today"


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (NOON, "today at 12:00"),
        (NOON - timedelta(hours=13), "yesterday at 23:00"),
        (NOON + timedelta(days=1), "tomorrow at 12:00"),
        (NOON + timedelta(days=9), "Dec 2, 2026 at 12:00"),
    ],
)
def test_dates_of_the_bot_are_told_from_today(moment: datetime, shown: str) -> None:
    assert read(date(moment)) == shown


def test_a_date_is_in_the_zone_of_the_reader() -> None:
    late = Clock(datetime(2026, 11, 23, 23, 30, tzinfo=UTC))
    east = Reader(Workspace(clock=late), clock=late, zone=timezone(timedelta(hours=2)))
    assert east.text(date(late())).plain == "today at 01:30"
    assert east.time(late()) == "01:30:00"


@pytest.mark.parametrize(
    "entity",
    ["<!date^soon^{time}|at noon>", "<!date^1795435200|at noon>", "<!date^1795435200^{tide}|at noon>"],
)
def test_a_date_that_cannot_be_shown_falls_back(entity: str) -> None:
    assert read(entity) == "at noon"


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("{date_num}", "2026-11-23"),
        ("{date}", "November 23, 2026"),
        ("{date_long}", "Monday, November 23, 2026"),
        ("{time_secs}", "12:00:00"),
    ],
)
def test_every_kind_of_date_is_known(token: str, shown: str) -> None:
    assert read(f"<!date^1795435200^{token}|?>") == shown


def test_nothing_that_steers_the_terminal_gets_through() -> None:
    assert read("\x1b[2Jgone\x07\x9b1m `\x1bc`") == "[2Jgone1m c"
    assert reader().plain("a\x1b]0;title\x07b").plain == "a]0;titleb"


def test_plain_text_knows_emoji_only() -> None:
    assert reader().plain(":hourglass: *not bold* <@U0ADA>").plain == "⌛ *not bold* <@U0ADA>"


def test_direct_messages_are_named_by_who_is_in_them() -> None:
    clock = Clock()
    workspace = Workspace(clock=clock)
    direct = workspace.direct_channel({"U0BEN", workspace.app.user_id})
    assert Reader(workspace, clock=clock).channel(direct.id) == "direct messages with ben"


@given(st.text())
def test_what_the_bot_cleans_reads_as_it_was_meant(typed: str) -> None:
    """The bot escapes what people write, so that it mentions nobody; marks alone still take effect."""
    unmarked = re.sub(r"[*_~`:]", "", typed)
    assert read(clean(unmarked, 5000)) == visible(plain(unmarked, 5000))


@given(st.text(max_size=200))
def test_any_text_can_be_read(mrkdwn: str) -> None:
    read(mrkdwn)


def test_the_bots_own_pieces_read_well() -> None:
    assert read(f"{mention('U0ADA')}: {code('/gpu ssh a')}") == "@ada: /gpu ssh a"


@pytest.mark.parametrize(
    "name",
    [
        "hourglass_flowing_sand",
        "arrows_counterclockwise",
        "large_green_circle",
        "hourglass",
        "black_square_for_stop",
        "x",
        "wastebasket",
        "warning",
        "information_source",
        "key",
        "lock",
    ],
)
def test_each_emoji_of_the_bot_is_one_character(name: str) -> None:
    assert len(character(name)) == 1


def test_every_emoji_that_the_bot_writes_is_known() -> None:
    folder = Path(bot.messages.__path__[0])
    names = {
        name
        for file in folder.glob("*.py")
        for name in re.findall(r"(?<!\w):([a-z_]+):", file.read_text(encoding="utf-8"))
    }
    assert {"x", "key", "warning"} <= names
    assert {name for name in names if with_emoji(f":{name}:") == f":{name}:"} == set()
