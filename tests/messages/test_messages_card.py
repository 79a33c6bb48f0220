"""What the card of an instance says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from samples import NOW, OFFER, creating, running, seconds, starting, stopped, unknown

from bot.costs import cost_so_far
from bot.messages.card import card
from bot.messages.mrkdwn import date
from storage.records import Failure, Reason, State, Wish

LATER = NOW + seconds(1200)
LATER_SHOWN = f"<!date^{int(LATER.timestamp())}^{{date_short_pretty}} at {{time}}|2026-11-23 12:20 UTC>"
NOW_SHOWN = date(NOW)
STOCK = Failure(code="INSUFFICIENT_RESOURCE", message="No <stock> left")


def block_of(i, block_id):
    blocks = {block["block_id"]: block for block in card(i, now=LATER)["blocks"]}
    return blocks.get(block_id)


def facts_of(i):
    return dict(field["text"].split("\n", 1) for field in block_of(i, "facts")["fields"])


def text_of(i, block_id, **kwargs):
    blocks = {block["block_id"]: block for block in card(i, now=LATER, **kwargs)["blocks"]}
    return blocks[block_id]["text"]["text"] if block_id in blocks else ""


def remarks_of(i):
    return text_of(i, "remarks")


def links_of(i):
    return text_of(i, "links")


def progress_of(i, **kwargs):
    return text_of(i, "progress", **kwargs)


def people_of(i):
    return block_of(i, "people")["elements"][0]["text"]


def buttons_of(i):
    row = block_of(i, f"gpu:card:{i.id}")
    return [] if row is None else [element["action_id"] for element in row["elements"]]


def test_a_running_one_shows_what_it_is_and_what_it_costs():
    shown = card(running(), now=LATER)
    assert shown["text"] == (
        ":large_green_circle: Running: my-train, RTX 4090 24GB ×1 in CN-HK-01 (Hong Kong), spot, $0.36/h."
        f" It has cost $0.12 as of {LATER_SHOWN}."
    )
    assert shown["blocks"][0]["text"]["text"] == ":large_green_circle: *Running*  *my-train*"
    assert facts_of(running()) == {
        "*GPU*": "RTX 4090 24GB ×1",
        "*Region*": "CN-HK-01 (Hong Kong)",
        "*Price*": "$0.36/h, spot",
        "*Cost*": f"$0.12 as of {LATER_SHOWN}",
    }
    assert people_of(running()) == f"Asked for by <@U1> {NOW_SHOWN} · usable since {NOW_SHOWN}"
    assert links_of(running()) == "Open: <https://a1-8888.example.com|Jupyter>"
    assert remarks_of(running()) == ""


def test_what_is_billed_no_more_has_a_cost_that_is_of_no_time():
    assert facts_of(stopped(billed_usd=Decimal("1.5")))["*Cost*"] == "$1.50"


def test_before_there_is_an_offer_it_shows_what_was_asked_for():
    assert facts_of(creating()) == {"*GPU*": "4090 ×1", "*Billing*": "spot"}
    assert "Region" not in card(creating(), now=LATER)["text"]


def test_the_price_is_for_all_gpus_together():
    assert facts_of(running(offer=replace(OFFER, gpu_count=4)))["*Price*"] == "$1.44/h, spot"


def test_what_came_by_rest_says_so():
    assert people_of(running(requester=None)).startswith(f"Asked for through the REST API {NOW_SHOWN}")


def test_novitas_word_is_shown_only_while_something_is_under_way():
    assert "Novita says `pulling`" in progress_of(starting())
    assert "Novita says" not in str(card(running(), now=LATER))


def test_while_it_is_under_way_the_steps_and_the_time_are_shown():
    shown = card(starting(), now=LATER, usual=seconds(1500))
    assert progress_of(starting(), usual=seconds(1500)) == (
        "● ordered  ● placed in CN-HK-01  ◐ *now pulling the image*  then  ○ running at Novita  ○ usable\n"
        f"Novita says `pulling` · 20 min so far, as of {LATER_SHOWN} · usually 25 min, so about {date(NOW + seconds(1500))}"
    )
    assert "Now pulling the image." in shown["text"]
    assert progress_of(running()) == ""


def test_the_time_of_an_old_run_is_not_shown_while_it_restarts():
    restarting = running(state=State.STARTING, wish=Wish.RESTART)
    assert "usable since" not in people_of(restarting)


@pytest.mark.parametrize(
    ("i", "wish"),
    [
        (running(wish=Wish.RESTART, state=State.STARTING, wished_by="U2"), "restart asked by <@U2>"),
        (running(wish=Wish.STOP, state=State.STOPPING, wished_by=None), "stop asked through the REST API"),
        (stopped(wished_by="U2"), "stop asked by <@U2>"),
        (stopped(state=State.DELETED, wished_by="U1"), "delete asked by <@U1>"),
        (running(wished_by="U2"), "latest change asked by <@U2>"),
        (stopped(reason=Reason.STOPPED_OUTSIDE, wished_by="U1"), None),
        (running(wished_by="U1"), None),
        (starting(), None),
        (running(state=State.FAILED, wish=Wish.REMOVE), None),
    ],
    ids=lambda value: None if isinstance(value, str) or value is None else value.state.value,
)
def test_the_latest_wish_names_who_asked(i, wish):
    said = people_of(i).split(" · ")[1:]
    assert [part for part in said if not part.startswith("usable")] == ([wish] if wish else [])


def test_a_delay_says_since_when_and_that_it_goes_on_by_itself():
    assert remarks_of(creating(delayed_since=LATER)) == (
        f":hourglass: Novita has not been answering since {LATER_SHOWN}; this goes on by itself when it does."
    )


def test_a_refusal_that_is_tried_again_says_when():
    assert remarks_of(creating(refusal=STOCK, retry_at=LATER)) == (
        ":warning: It did not get through yet: `INSUFFICIENT_RESOURCE`: No &lt;stock&gt; left."
        f" Next try: {LATER_SHOWN}."
    )
    assert "Next try" not in remarks_of(creating(refusal=STOCK))


def test_a_spot_notice_warns_of_what_is_lost_while_there_is_something_to_save():
    warned = remarks_of(running(reclaim_at=LATER))
    assert f"*Novita takes this spot GPU back: {LATER_SHOWN}.*" in warned
    assert "network volume" in warned
    assert remarks_of(stopped(reclaim_at=LATER)) == ""


def test_a_failed_one_says_why_and_what_happens_to_the_money():
    remarks = remarks_of(running(state=State.FAILED, wish=Wish.REMOVE, error=STOCK))
    assert remarks == (
        ":x: `INSUFFICIENT_RESOURCE`: No &lt;stock&gt; left.\n"
        ":information_source: The GPU is being removed so that it bills no longer."
    )


def test_what_novita_reports_is_shown_while_something_is_under_way():
    assert remarks_of(starting(status_error="pull failed")) == (
        ":information_source: Novita reports: pull failed"
    )
    assert remarks_of(running(status_error="pull failed")) == ""


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_sentence(reason):
    assert remarks_of(stopped(reason=reason)).startswith(":information_source: ")


STATUS, CONNECT, STOP, START, DELETE = (
    f"gpu:{what}" for what in ("status", "connect", "stop", "start", "delete")
)


@pytest.mark.parametrize(
    ("i", "buttons"),
    [
        (creating(), [STATUS, DELETE]),
        (starting(), [STATUS, STOP, DELETE]),
        (running(), [STATUS, CONNECT, STOP, DELETE]),
        (running(state=State.STOPPING), [STATUS, DELETE]),
        (stopped(), [STATUS, START, DELETE]),
        (running(state=State.DELETING), [STATUS]),
        (running(state=State.DELETED), []),
        (running(state=State.FAILED), [DELETE]),
        (running(state=State.FAILED, wish=Wish.REMOVE), []),
        (creating(state=State.FAILED, wish=None), []),
    ],
    ids=lambda value: value.state.value if hasattr(value, "state") else None,
)
def test_each_state_has_the_buttons_that_do_something(i, buttons):
    assert buttons_of(i) == buttons


def test_every_button_carries_the_instance():
    row = block_of(running(), "gpu:card:abcdef0123456789")
    assert {element["value"] for element in row["elements"]} == {"abcdef0123456789"}


def test_delete_asks_first_and_names_what_is_lost():
    delete = block_of(running(), "gpu:card:abcdef0123456789")["elements"][-1]
    assert delete["style"] == "danger"
    assert delete["confirm"]["title"]["text"] == "Delete my-train?"
    assert "final" in delete["confirm"]["text"]["text"]
    assert "everything on the disk" in delete["confirm"]["text"]["text"]
    assert delete["confirm"]["style"] == "danger"


def test_each_part_has_its_own_place_and_the_same_id_at_every_edit():
    def ids(i):
        return [block["block_id"] for block in card(i, now=LATER)["blocks"]]

    always = ["state", "facts", "people", "gpu:card:abcdef0123456789"]
    assert ids(stopped()) == always
    assert [each for each in ids(running()) if each in always] == always
    assert ids(starting(delayed_since=NOW)) == [
        "state",
        "progress",
        "facts",
        "remarks",
        "people",
        "gpu:card:abcdef0123456789",
    ]


def test_the_cost_counts_runs_that_are_over_and_the_present_one():
    present = running(billed_usd=Decimal("1.5"))
    assert cost_so_far(present, LATER) == Decimal("1.62")
    assert cost_so_far(stopped(billed_usd=Decimal("1.5")), LATER) == Decimal("1.5")
    assert cost_so_far(present, NOW - seconds(60)) == Decimal("1.5")


def test_a_create_whose_answer_was_lost_promises_no_second_try() -> None:
    shown = str(card(unknown(refusal=Failure(code="X", message="Lost."), retry_at=NOW), now=NOW))
    assert "not asked twice" in shown
    assert "Next try" not in shown
