"""App Home."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from samples import NOW, creating, running, seconds, starting, stopped

from bot.messages.home import HomeFacts, home, stranger_home
from bot.messages.mrkdwn import date
from bot.sandbox.slack.blocklint import lint_view
from storage.records import Failure, Notify, State, Totals

LATER = NOW + seconds(1200)
STOCK = Failure(code="INSUFFICIENT_RESOURCE", message="No stock")
FAILED = creating(id="f" * 16, name="bad", state=State.FAILED, wish=None, error=STOCK)
TEAM = Totals(running=4, under_way=1, stopped=2, usd_per_hour=Decimal("3.21"))
MINE = Totals(running=1, under_way=1, stopped=1, usd_per_hour=Decimal("0.72"))
NOBODY = Totals(running=0, under_way=0, stopped=0, usd_per_hour=Decimal(0))


def facts(*instances, **changes):
    usual = HomeFacts(
        user_id="U1",
        instances=instances,
        total=len(instances),
        failures=(),
        mine=MINE,
        team=TEAM,
        notify=Notify.THREAD,
        now=LATER,
    )
    return replace(usual, **changes)


def blocks_of(*args, **changes):
    return {block.get("block_id"): block for block in home(facts(*args, **changes))["blocks"]}


def text(block):
    return block["text"]["text"]


def test_it_begins_with_what_matters():
    blocks = blocks_of(running(), starting(id="b" * 16), stopped(id="c" * 16, billed_usd=Decimal("1.5")))
    assert text(blocks["short"]) == "*1 running* · $0.72/h just now · $1.74 spent so far on those below"
    assert date(LATER) in blocks["as_of"]["elements"][0]["text"]


def test_without_anything_billed_it_says_so():
    assert "nothing is billed just now" in text(blocks_of(stopped(), mine=NOBODY)["short"])


def test_what_is_billed_is_of_all_that_i_have_a_failed_one_that_still_bills_among_them():
    bills = replace(FAILED, novita_id="n1", billing_since=NOW, bound_at=NOW, offer=running().offer)
    mine = replace(MINE, running=30, usd_per_hour=Decimal("10.80"))
    said = text(blocks_of(mine=mine, failures=(bills,), total=31)["short"])
    assert said.startswith("*30 running* · $10.80/h just now")
    assert not said.endswith("$0.00 spent so far on those below")


def test_each_of_mine_has_its_state_price_cost_links_and_buttons():
    blocks = blocks_of(running())
    assert text(blocks["gpu:line:abcdef0123456789"]).split("\n") == [
        ":large_green_circle: *Running*  *my-train*  RTX 4090 24GB ×1 in CN-HK-01 (Hong Kong), spot, $0.36/h",
        f"usable since {date(NOW)} · $0.12 so far",
        "Open: <https://a1-8888.example.com|Jupyter>",
    ]
    row = blocks["gpu:home:abcdef0123456789"]["elements"]
    assert [button["action_id"] for button in row] == ["gpu:status", "gpu:connect", "gpu:stop", "gpu:delete"]


def test_what_can_be_begun_is_one_press_away():
    row = blocks_of()["gpu:begin"]["elements"]
    assert [(button["action_id"], button.get("style")) for button in row] == [
        ("gpu:create", "primary"),
        ("gpu:offers", None),
        ("gpu:refresh", None),
    ]


def test_a_failure_is_shown_once_with_its_reason_and_the_command_to_try_again():
    view = home(facts(FAILED, running(), failures=(FAILED,)))
    (failure,) = [block for block in view["blocks"] if block.get("block_id") == f"gpu:line:{FAILED.id}"]
    assert text(failure).split("\n") == [
        f":x: *Failed*  *bad*  4090 ×1, spot, asked for {date(NOW)}",
        "`INSUFFICIENT_RESOURCE`: No stock.",
        "To try again: `/gpu create 4090:1 --template pytorch-jupyter --spot --disk 60`",
    ]
    assert lint_view(view) == []


def test_what_does_not_fit_is_counted():
    many = [running(id=f"{n:016}") for n in range(30)]
    view = home(facts(*many, total=120, failures=tuple(many[:2])))
    rows = [block for block in view["blocks"] if block.get("block_id", "").startswith("gpu:home:")]
    assert len(rows) == 20
    assert "and 98 more: `/gpu list` shows them all" in json.dumps(view)
    assert len(view["blocks"]) <= 100
    assert lint_view(view) == []
    assert "more" not in blocks_of(running())


def test_the_team_is_counted_without_names():
    block = blocks_of()["gpu:team"]
    assert text(block) == "*The whole team:* 4 running, 1 starting or stopping, 2 stopped; $3.21/h in all"
    assert block["accessory"]["action_id"] == "gpu:list_all"
    assert text(blocks_of(team=NOBODY)["gpu:team"]).endswith("nobody has an instance just now")


@pytest.mark.parametrize("wish", Notify)
def test_the_choice_how_to_be_told_shows_what_is_chosen(wish):
    (choice,) = blocks_of(notify=wish)[f"gpu:notify:{wish.value}"]["elements"]
    assert choice["action_id"] == "gpu:notify"
    assert choice["initial_option"]["value"] == wish.value
    assert [option["value"] for option in choice["options"]] == [each.value for each in Notify]


def test_an_empty_home_says_how_to_begin():
    blocks = blocks_of(team=NOBODY)
    assert text(blocks["welcome"]).startswith("Welcome, <@U1>. *You have no GPU yet.*")
    steps = text(blocks["steps"])
    assert [f"{n}. " in steps for n in (1, 2, 3)] == [True] * 3
    for example in ("`/gpu offers`", "`/gpu create 4090 my-train`", "`/gpu ssh my-train`"):
        assert example in steps
    assert "short" not in blocks


def test_strangers_see_for_whom_it_is_and_nothing_else():
    view = stranger_home()
    assert "members of this workspace" in json.dumps(view)
    assert "gpu:" not in json.dumps(view)
    assert lint_view(view) == []
