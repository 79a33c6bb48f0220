"""The list of instances, a page at a time."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from samples import NOW, creating, running, starting, stopped

from bot.messages.listing import LIST_PAGE, instance_list
from bot.sandbox.slack.blocklint import lint_message
from storage.records import Failure, State

LATER = NOW + timedelta(minutes=20)


def list_of(instances, *, everybody=False, total=None, offset=0):
    total = offset + len(instances) if total is None else total
    return instance_list(instances, everybody=everybody, total=total, offset=offset, now=LATER)


def text_of(message):
    return "\n".join(block["text"]["text"] for block in message["blocks"] if "text" in block)


def rows_of(message):
    return [b for b in message["blocks"] if b["type"] == "section" and b["block_id"].startswith("gpu:line")]


def end_of(message):
    (end,) = [block for block in message["blocks"] if block["block_id"] == "end"]
    return end["elements"][0]["text"]


def test_an_empty_list_offers_to_rent_one():
    message = list_of([])
    assert text_of(message) == "You have no instance. Rent one with `/gpu create`."
    assert message["blocks"][1]["elements"][0]["action_id"] == "gpu:create"
    assert list_of([], everybody=True)["text"] == "Nobody has an instance. Rent one with `/gpu create`."


def test_a_list_has_a_line_and_buttons_for_each():
    message = list_of([running(), stopped(id="b" * 16), stopped(id="c" * 16, state=State.DELETED)])
    assert message["text"] == (
        "My instances (3). my-train is running. my-train is stopped. my-train is deleted."
    )
    assert [block["type"] for block in message["blocks"]] == [
        "section",
        "section",
        "actions",
        "section",
        "actions",
        "section",
    ]
    first, _ = rows_of(message)[0]["text"]["text"].split("\n")
    assert first == (
        ":large_green_circle: *Running*  *my-train*  RTX 4090 24GB ×1 in CN-HK-01 (Hong Kong), spot, $0.36/h"
    )
    assert "$0.12 so far" in rows_of(message)[0]["text"]["text"]


def test_only_the_list_of_everybodys_names_the_owner():
    assert "of <@U1>" in rows_of(list_of([running()], everybody=True))[0]["text"]["text"]
    assert "<@U1>" not in rows_of(list_of([running()]))[0]["text"]["text"]


def test_a_list_shows_errors_and_warnings_in_short():
    failed = running(error=Failure(code="X", message="y" * 500))
    assert "`X`: yyy" in rows_of(list_of([failed]))[0]["text"]["text"]
    assert len(rows_of(list_of([failed]))[0]["text"]["text"]) < 500
    assert ":warning: *Novita takes" in rows_of(list_of([running(reclaim_at=LATER)]))[0]["text"]["text"]
    assert ":hourglass: Novita" in rows_of(list_of([creating(delayed_since=LATER)]))[0]["text"]["text"]


def many(count, **changes):
    return [running(id=f"{number:016}", **changes) for number in range(count)]


def test_a_list_says_what_the_running_ones_cost_together():
    assert end_of(list_of(many(3))) == "3 are billed now, $1.08/h together"
    assert not [block for block in list_of([running()])["blocks"] if block["block_id"] == "end"]


def test_what_is_under_way_says_at_which_step_it_is():
    assert "now pulling the image" in rows_of(list_of([starting()]))[0]["text"]["text"]


def turns_of(message):
    rows = [block for block in message["blocks"] if block["block_id"] == "gpu:pages"]
    return {
        button["text"]["text"]: (button["action_id"], json.loads(button["value"]))
        for row in rows
        for button in row["elements"]
    }


def title_of(message):
    return message["blocks"][0]["text"]["text"]


def test_a_page_says_which_part_it_is_and_turns_to_both_sides():
    message = list_of(many(10), everybody=True, total=50, offset=10)
    assert title_of(message) == "*Everybody's instances* 11–20 of 50"
    assert turns_of(message) == {
        "Previous": ("gpu:page:previous", {"all": True, "offset": 0}),
        "Next": ("gpu:page:next", {"all": True, "offset": 20}),
    }


def test_the_first_and_the_last_page_turn_to_one_side():
    assert list(turns_of(list_of(many(12), total=12))) == ["Next"]
    assert list(turns_of(list_of(many(2), offset=10))) == ["Previous"]
    assert turns_of(list_of(many(10))) == {}
    assert title_of(list_of(many(2), offset=10)) == "*My instances* 11–12 of 12"


def test_a_page_whose_instances_are_gone_leads_back():
    message = list_of([], total=12, offset=40)
    assert title_of(message) == "*My instances* none from 41 on, 12 in all"
    assert turns_of(message) == {"Previous": ("gpu:page:previous", {"all": False, "offset": 2})}


def test_what_one_page_leaves_out_the_next_begins_with():
    long = many(10, name="n" * 100, error=Failure(code="C" * 60, message="m" * 900), reclaim_at=LATER)
    message = list_of(long, total=10)
    shown = len(rows_of(message))
    assert 5 < shown < LIST_PAGE
    assert title_of(message) == f"*My instances* 1–{shown} of 10"
    assert turns_of(message)["Next"][1]["offset"] == shown
    assert lint_message(message) == []


@pytest.mark.parametrize("name", ["n" * 100, "<&>" * 30, "שלום" * 10])
def test_turning_pages_shows_each_of_two_hundred_once(name):
    everyone, seen, offset = many(200, name=name), [], 0
    while offset is not None:
        page = list_of(everyone[offset : offset + LIST_PAGE], total=200, offset=offset)
        seen += [row["block_id"] for row in rows_of(page)]
        offset = turns_of(page).get("Next", ("", {"offset": None}))[1]["offset"]
    assert len(seen) == len(set(seen)) == 200


def test_the_sum_of_a_part_says_that_it_is_of_a_part():
    assert end_of(list_of(many(3), total=4)) == "Of these, 3 are billed now, $1.08/h together"
