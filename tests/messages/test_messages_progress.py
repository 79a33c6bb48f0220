"""How far something has come: every way that an instance can go, as far as it can be."""

from __future__ import annotations

from itertools import product

import pytest
from samples import NOW, OFFER, creating, running, seconds, starting, stopped, unknown

from bot.messages import progress
from bot.messages.mrkdwn import date
from storage.cloud import Phase
from storage.records import Outcome, State, Wish

LATER = NOW + seconds(72)
ASKED = {"outcome": Outcome.ACCEPTED}


def going(state, wish, **changes):
    return running(state=state, wish=wish, **changes)


@pytest.mark.parametrize(
    ("i", "steps"),
    [
        (
            creating(),
            "◐ *now ordering at Novita*  then  ○ placed  ○ image pulled  ○ running at Novita  ○ usable",
        ),
        (
            unknown(outcome=Outcome.NOT_MADE),
            "◐ *now ordering at Novita*  then  ○ placed in CN-HK-01  ○ image pulled  ○ running at Novita  ○ usable",
        ),
        (
            unknown(),
            "● ordered  ◐ *now placing it in CN-HK-01*  then  ○ image pulled  ○ running at Novita  ○ usable",
        ),
        (
            starting(),
            "● ordered  ● placed in CN-HK-01  ◐ *now pulling the image*  then  ○ running at Novita  ○ usable",
        ),
        (
            starting(phase=Phase.RUNNING),
            "● ordered  ● placed in CN-HK-01  ● image pulled  ● running at Novita  ◐ *now waiting until it answers*",
        ),
        (
            stopped(state=State.STARTING, wish=Wish.START),
            "● asked for  ◐ *now asking Novita*  then  ○ running at Novita  ○ usable",
        ),
        (
            stopped(state=State.STARTING, wish=Wish.START, call=Wish.START, **ASKED),
            "● asked for  ● accepted by Novita  ◐ *now starting at Novita*  then  ○ usable",
        ),
        (
            going(State.STARTING, Wish.START, call=Wish.START, **ASKED),
            "● asked for  ● accepted by Novita  ● running at Novita  ◐ *now waiting until it answers*",
        ),
        (
            going(State.STARTING, Wish.RESTART, call=Wish.RESTART, **ASKED),
            "● asked for  ● accepted by Novita  ◐ *now restarting at Novita*  then  ○ usable",
        ),
        (
            going(State.STARTING, Wish.RESTART, call=Wish.RESTART, underway=True),
            "● asked for  ● accepted by Novita  ● running again at Novita  ◐ *now waiting until it answers*",
        ),
        (starting(wish=None), "◐ *now starting at Novita*  then  ○ usable"),
        (starting(wish=None, phase=Phase.RUNNING), "● running at Novita  ◐ *now waiting until it answers*"),
        (going(State.STOPPING, Wish.STOP), "● asked for  ◐ *now asking Novita*  then  ○ stopped"),
        (
            going(State.STOPPING, Wish.STOP, call=Wish.STOP, **ASKED),
            "● asked for  ● accepted by Novita  ◐ *now stopping at Novita*",
        ),
        (going(State.STOPPING, None), "◐ *now stopping at Novita*"),
        (
            going(State.DELETING, Wish.DELETE, call=Wish.DELETE, **ASKED),
            "● asked for  ● accepted by Novita  ◐ *now waiting until it is gone*",
        ),
        (going(State.DELETING, None), "◐ *now waiting until it is gone*"),
        (
            creating(state=State.DELETING, wish=Wish.DELETE),
            "● asked for  ◐ *now making sure that no GPU was rented*",
        ),
    ],
)
def test_the_steps_are_told_in_words_and_signs(i, steps):
    assert progress.steps(i) == steps


@pytest.mark.parametrize("state", State)
def test_only_what_is_under_way_has_steps(state):
    under_way = state in {State.CREATING, State.STARTING, State.STOPPING, State.DELETING}
    for wish, phase in product([None, *Wish], [None, *Phase]):
        for i in (
            running(state=state, wish=wish, phase=phase),
            creating(state=state, wish=wish, phase=phase),
        ):
            assert (progress.steps(i) is not None) == under_way
            assert (progress.doing(i) is not None) == under_way


def test_a_region_is_named_in_short():
    assert OFFER.region == "CN-HK-01 (Hong Kong)"
    assert "Hong Kong" not in progress.steps(starting())


def test_the_time_is_as_of_the_edit_and_beside_what_is_usual():
    assert progress.timing(creating(), LATER, None) == f"1 min 12 s so far, as of {date(LATER)}"
    assert progress.timing(creating(), LATER, seconds(125)) == (
        f"1 min 12 s so far, as of {date(LATER)} · usually 2 min 5 s, so about {date(NOW + seconds(125))}"
    )


def test_what_takes_longer_than_usual_promises_no_time_that_is_past():
    assert progress.timing(creating(), LATER, seconds(60)).endswith("usually 1 min, longer this time")
