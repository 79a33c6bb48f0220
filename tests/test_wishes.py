"""Which verb each state allows: the table of `bot.wishes`, line by line."""

import pytest
from samples import NOW, creating, running, seconds, starting, stopped, unknown

from bot.errors import InvalidState
from bot.wishes import grant
from storage.records import EventKind, Outcome, State, Wish

VERBS = (Wish.START, Wish.STOP, Wish.RESTART, Wish.DELETE)
TABLE = """
creating    -    no   no   yes
starting    -    yes  -    yes
running     -    yes  yes  yes
stopping    no   -    no   yes
stopped     yes  -    no   yes
failed      no   no   no   yes
deleting    no   no   no   -
deleted     no   no   no   -
"""
CASES = [
    (State(line.split()[0]), verb, word)
    for line in TABLE.strip().splitlines()
    for verb, word in zip(VERBS, line.split()[1:], strict=True)
]
REACHED = {
    Wish.START: State.STARTING,
    Wish.STOP: State.STOPPING,
    Wish.RESTART: State.STARTING,
    Wish.DELETE: State.DELETING,
}
WISHED = {State.STOPPING: Wish.STOP, State.DELETING: Wish.DELETE}


@pytest.mark.parametrize(("state", "verb", "word"), CASES)
def test_a_verb_is_granted_ignored_or_refused_by_the_state(state, verb, word):
    i = running(state=state, wish=WISHED.get(state))
    if word == "no":
        with pytest.raises(InvalidState) as refused:
            grant(i, verb, "U2", NOW)
        assert refused.value.hint is not None
        assert refused.value.hint.startswith("/gpu ")
        return
    after, event = grant(i, verb, "U2", NOW + seconds(5))
    if word == "-":
        assert (after, event) == (i, None)
        return
    assert (after.state, after.wish, after.wished_by) == (REACHED[verb], verb, "U2")
    assert after.wished_at == NOW + seconds(5)
    assert event is not None
    assert (event.kind, event.actor, event.verb) == (EventKind.REQUESTED, "U2", verb)


def test_a_new_wish_forgets_the_call_of_the_old_one():
    after, _ = grant(starting(), Wish.STOP, "U1", NOW)
    assert (after.call, after.outcome, after.tries) == (None, None, 0)


def test_a_delete_during_a_create_does_not_forget_that_it_may_have_worked():
    after, _ = grant(unknown(), Wish.DELETE, "U1", NOW)
    assert (after.call, after.outcome) == (Wish.CREATE, Outcome.UNKNOWN)


@pytest.mark.parametrize(("state", "verb"), [(State.STOPPING, Wish.STOP), (State.DELETING, Wish.DELETE)])
def test_what_happens_from_outside_is_made_certain_by_a_wish(state, verb):
    after, event = grant(running(state=state), verb, "U1", NOW)
    assert (after.wish, event is not None) == (verb, True)


def test_a_repeated_wish_changes_nothing():
    first, _ = grant(stopped(), Wish.START, "U1", NOW)
    assert grant(first, Wish.START, "U2", NOW) == (first, None)


def test_a_refusal_names_the_state_and_the_way_out():
    with pytest.raises(InvalidState, match="my-train is creating: it cannot be stopped now") as refused:
        grant(creating(), Wish.STOP, "U1", NOW)
    assert refused.value.hint == "/gpu delete my-train"
