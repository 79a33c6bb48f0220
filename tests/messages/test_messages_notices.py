"""What the thread of an instance is told."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from samples import NOW, OFFER, REQUEST, creating, running, seconds, stopped

from bot.messages.notices import again_command, direct_notice, notice
from bot.slack.arguments import parse
from storage.cloud import BillingMode
from storage.records import Event, EventKind, Failure, NewEvent, Reason, State, Wish

LATER = NOW + seconds(1200)
STOCK = Failure(code="INSUFFICIENT_RESOURCE", message="No stock")


def told(kind, i, **fact):
    event = Event(
        id="e1", instance_id=i.id, sequence=1, fact=NewEvent(kind=kind, at=LATER, **fact), instance=i
    )
    return notice(event)


def lines(kind, i, **fact):
    return told(kind, i, **fact)["blocks"][0]["text"]["text"].split("\n")


def test_ready_says_how_long_it_took_what_it_costs_and_how_to_connect():
    message = told(EventKind.READY, running(), actor="U1", elapsed=seconds(252))
    assert message["text"] == message["blocks"][0]["text"]["text"]
    assert message["text"].split("\n") == [
        "<@U1> :large_green_circle: *my-train* is ready. It took 4 min 12 s.",
        "RTX 4090 24GB ×1 in CN-HK-01 (Hong Kong), spot, $0.36/h.",
        "To connect press *Connect* or type `/gpu ssh my-train`; only you will see the answer.",
    ]
    (connect,) = message["blocks"][1]["elements"]
    assert (connect["action_id"], connect["value"]) == ("gpu:connect", "abcdef0123456789")


def test_ready_repeats_that_the_endpoints_never_answered():
    note = "Its endpoints did not answer within 120 s."
    assert f":warning: {note}" in lines(EventKind.READY, running(), note=note)


def test_started_from_outside_says_so():
    said = lines(EventKind.STARTED, running(), reason=Reason.STARTED_OUTSIDE)
    assert said[0] == "<@U1> :large_green_circle: *my-train* is running again."
    assert "It was started outside this bot." in said


def test_a_failure_says_what_happens_to_the_money_and_what_to_type():
    timeout = Failure(code="STARTUP_TIMEOUT", message="It was not running in time.")
    said = lines(EventKind.FAILED, running(state=State.FAILED, wish=Wish.REMOVE), error=timeout)
    assert said == [
        "<@U1> :x: *my-train* failed.",
        "`STARTUP_TIMEOUT`: It was not running in time.",
        "The GPU is being removed so that it bills no longer. So far it cost $0.12.",
        "To try again: `/gpu create 4090:1 --template pytorch-jupyter --spot --disk 60`",
    ]


@pytest.mark.parametrize(
    ("i", "code", "money"),
    [
        (creating(), "NOVITA_UNAVAILABLE", "No GPU was rented, and nothing is billed."),
        (creating(), "UNCONFIRMED", "Should its GPU turn up after all, it is removed, and I say so here."),
        (running(), "X", "Its GPU is still there and may bill. Remove it with `/gpu delete my-train`."),
    ],
)
def test_a_failure_without_a_removal_says_whether_anything_bills(i, code, money):
    said = lines(
        EventKind.FAILED,
        replace(i, state=State.FAILED, wish=None),
        error=Failure(code=code, message="x"),
    )
    assert money in said


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("INSUFFICIENT_RESOURCE", "Try another GPU"),
        ("BALANCE_NOT_ENOUGH", "Top up"),
        ("ANY", "To try again"),
    ],
)
def test_a_failure_is_answered_with_what_helps_against_it(code, advice):
    assert lines(EventKind.FAILED, creating(), error=Failure(code=code, message="x"))[-1].startswith(advice)


def test_a_failure_of_which_nothing_is_known_is_told_all_the_same():
    assert lines(EventKind.FAILED, creating())[0] == "<@U1> :x: *my-train* failed."


def test_the_command_to_try_again_asks_for_the_same():
    asked = replace(
        REQUEST,
        gpu="RTX 4090 24GB",
        gpu_count=2,
        regions=("a", "b"),
        regions_only=True,
        max_usd_per_hour=Decimal("0.8"),
        webhook_url="https://example.com/secret",
    )
    again = parse(again_command(asked))
    assert (again.gpu, again.gpu_count, again.template, again.name) == (
        "RTX 4090 24GB",
        2,
        "pytorch-jupyter",
        None,
    )
    assert again.regions == ("a", "b")
    assert again.max_usd_per_hour == Decimal("0.8")
    assert again.webhook_url is None
    assert parse(again_command(REQUEST)).regions == ()


def test_a_stop_names_who_asked_and_calls_nobody_twice():
    said = lines(
        EventKind.STOPPED, stopped(billed_usd=Decimal("0.12")), actor="U2", verb=Wish.STOP, elapsed=seconds(5)
    )
    assert said == [
        "<@U1> :black_square_for_stop: *my-train* was stopped by <@U2>.",
        "The GPU is no longer billed; the disk may still cost a little. So far it cost $0.12.",
        "To start it again: `/gpu start my-train`. Its GPU may be taken by then.",
    ]
    mine = lines(EventKind.STOPPED, stopped(), actor="U1", verb=Wish.STOP)
    assert mine[0] == ":black_square_for_stop: *my-train* was stopped by <@U1>."


def test_what_rest_asked_for_is_said_to_have_come_that_way():
    said = lines(EventKind.STOPPED, stopped(), actor=None, verb=Wish.STOP)
    assert said[0] == "<@U1> :black_square_for_stop: *my-train* was stopped through the REST API."


@pytest.mark.parametrize("reason", set(Reason) - {Reason.START_FAILED})
def test_a_stop_that_nobody_asked_for_says_why(reason):
    said = lines(EventKind.STOPPED, stopped(), reason=reason)
    assert said[0] == "<@U1> :black_square_for_stop: *my-train* was stopped."
    assert said[1].startswith(("It ", "Novita "))


def test_a_start_that_failed_is_told_as_that():
    said = lines(EventKind.STOPPED, stopped(), actor="U2", reason=Reason.START_FAILED, error=STOCK)
    assert said[:2] == ["<@U1> <@U2> :x: *my-train* did not start.", "`INSUFFICIENT_RESOURCE`: No stock."]


def test_a_deletion_tells_the_whole_cost():
    gone = stopped(state=State.DELETED, billed_usd=Decimal("3.456"))
    assert lines(EventKind.DELETED, gone, actor="U1", verb=Wish.DELETE) == [
        ":wastebasket: *my-train* was deleted by <@U1>.",
        "In all it cost $3.46.",
    ]
    outside = lines(EventKind.DELETED, gone, reason=Reason.DELETED_OUTSIDE)
    assert outside[1] == "It was deleted outside this bot."


def test_a_spot_notice_says_when_what_is_lost_and_what_stays():
    said = lines(EventKind.RECLAIMING, running(reclaim_at=LATER))
    assert said[0].startswith("<@U1> :warning: Novita takes the spot GPU of *my-train* back: <!date^")
    assert said[1] == "What is on the container disk will be lost. Save it to a network volume before that."
    assert "--on-demand" in said[2]
    assert lines(EventKind.RECLAIMING, running())[0].endswith("back: soon.")


def test_the_offer_to_stay_keeps_no_price_that_was_meant_for_spot():
    asked = replace(REQUEST, max_usd_per_hour=Decimal("0.4"), billing_mode=BillingMode.SPOT)
    assert "--max" not in lines(EventKind.RECLAIMED, stopped(request=asked))[-1]


def test_a_reclaim_tells_the_cost():
    said = lines(EventKind.RECLAIMED, stopped(billed_usd=Decimal("0.5")), reason=Reason.RECLAIMED)
    assert said[0] == "<@U1> :black_square_for_stop: Novita took the spot GPU of *my-train* back."
    assert said[1] == "It is no longer billed. So far it cost $0.50."


def test_a_refusal_says_that_nothing_changed_and_the_billing_goes_on():
    said = lines(EventKind.REFUSED, running(), actor="U2", verb=Wish.STOP, error=STOCK)
    assert said == [
        "<@U1> <@U2> :warning: Novita refused: *my-train* was not stopped.",
        "`INSUFFICIENT_RESOURCE`: No stock.",
        "It is as it was and goes on being billed. See how it is: `/gpu status my-train`.",
    ]
    assert lines(EventKind.REFUSED, stopped())[1].startswith("It is as it was. ")


def test_a_late_one_tells_what_it_cost_as_far_as_that_is_known():
    late = creating(offer=OFFER)
    assert lines(EventKind.LATE_REMOVED, late, note="It cost $0.02.")[1] == "It cost $0.02."
    assert lines(EventKind.LATE_REMOVED, late, elapsed=seconds(600))[1] == "It cost $0.06 at most."
    assert lines(EventKind.LATE_REMOVED, late)[1].endswith("at about $0.36/h.")
    assert len(lines(EventKind.LATE_REMOVED, creating())) == 1


def test_a_webhook_that_gets_nothing_more_is_named_without_its_path():
    note = "https://hooks.example.com: the receiver wants no more (410)."
    assert lines(EventKind.WEBHOOK_DISABLED, running(), note=note) == [
        "<@U1> :no_bell: A webhook that is told about *my-train* gets nothing more.",
        "https://hooks.example.com: the receiver wants no more (410).",
        "It is tried again when this bot restarts, or when a delivery is replayed and accepted.",
    ]


def test_what_came_by_rest_calls_nobody():
    said = lines(EventKind.READY, running(requester=None))
    assert said[0] == ":large_green_circle: *my-train* is ready."


def test_a_request_can_be_told_as_well():
    assert lines(EventKind.REQUESTED, running(), actor="U2", verb=Wish.STOP) == [
        "<@U1> :information_source: A stop of *my-train* was asked for by <@U2>."
    ]


def event_of(kind, i, **fact):
    fact = NewEvent(kind=kind, at=LATER, **fact)
    return Event(id="e1", instance_id=i.id, sequence=1, fact=fact, instance=i)


def test_who_chose_not_to_be_called_there_is_not_and_all_else_is_the_same():
    event = event_of(EventKind.READY, running(), actor="U1", elapsed=seconds(252))
    called, uncalled = notice(event), notice(event, uncalled={"U1"})
    assert uncalled["text"] == called["text"].removeprefix("<@U1> ")
    assert uncalled["blocks"][1:] == called["blocks"][1:]


def test_the_others_are_called_all_the_same():
    event = event_of(EventKind.STOPPED, stopped(), actor="U2", reason=Reason.START_FAILED, error=STOCK)
    assert notice(event, uncalled={"U1"})["text"].startswith("<@U2> :x: *my-train* did not start.")
    assert notice(event, uncalled={"U1", "U2"})["text"].startswith(":x: *my-train* did not start.")


@pytest.mark.parametrize(
    ("actor", "who"),
    [("U1", "by its requester"), ("U2", "by another member"), (None, "through the REST API")],
)
def test_a_sentence_mentions_nobody_who_is_not_to_be_called(actor, who):
    event = event_of(EventKind.STOPPED, stopped(), actor=actor, verb=Wish.STOP)
    said = notice(event, uncalled={"U1", "U2"})["text"].split("\n")[0]
    assert said == f":black_square_for_stop: *my-train* was stopped {who}."


def test_a_direct_notice_says_the_same_without_calling_and_leads_to_the_thread():
    event = event_of(EventKind.READY, running(), actor="U1", elapsed=seconds(252))
    link = "https://novita-lab.example.com/archives/C1/p1?thread_ts=1.2&cid=C1"
    direct = direct_notice(event, permalink=link)
    assert direct["text"] == notice(event, uncalled={"U1"})["text"]
    text, thread, row = direct["blocks"]
    assert thread["elements"][0]["text"] == f"<{link.replace('&', '&amp;')}|See its thread>"
    assert row["elements"][0]["action_id"] == "gpu:connect"
    assert direct_notice(event)["blocks"] == [text, row]


def test_a_direct_notice_names_who_asked():
    event = event_of(EventKind.STOPPED, stopped(), actor="U2", verb=Wish.STOP)
    assert direct_notice(event)["text"].startswith(":black_square_for_stop: *my-train* was stopped by <@U2>.")


@pytest.mark.parametrize("link", ["javascript:x", "https://a|b>", "https://a.example.com/<!here>"])
def test_what_is_no_link_is_left_out(link):
    assert len(direct_notice(event_of(EventKind.DELETED, stopped()), permalink=link)["blocks"]) == 1
