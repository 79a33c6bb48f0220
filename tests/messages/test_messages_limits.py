"""Whatever the records hold, Slack takes the message, and nothing in it calls people or tells a secret."""

from __future__ import annotations

import json
import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_strategies import (
    DETAILS,
    EVENTS,
    FAILURES,
    INSTANCES,
    NOW,
    PASSWORD,
    SSH,
    TOKEN,
    WEBHOOK,
    WILD,
    unhurried,
)
from samples import running

from bot.errors import (
    BotError,
    NameTaken,
    NotAllowed,
    NovitaUnavailable,
    ProductNotFound,
    RegionNotFound,
    TemplateNotFound,
    TryAgain,
    UsageError,
)
from bot.grammar.usage import BY_WORD
from bot.messages import answers
from bot.messages.card import card
from bot.messages.notices import notice
from bot.sandbox.slack.blocklint import lint_message
from storage.records import Event, EventKind, NewEvent, Reason, State, Wish

MARKUP = re.compile(r"<([^>]*)>")
OURS = re.compile(
    r"@[UW][A-Z0-9]+|#[CG][A-Z0-9]+"
    r"|!date\^\d+\^\{date_short_pretty\} at \{time\}\|\d{4}-\d\d-\d\d \d\d:\d\d UTC"
)
SECRETS = (PASSWORD, TOKEN, WEBHOOK, SSH, "root@", "a1-8888", "a1-term")


def mrkdwn_in(value):
    match value:
        case {"type": "mrkdwn", "text": text}:
            yield text
        case dict():
            for item in value.values():
                yield from mrkdwn_in(item)
        case list():
            for item in value:
                yield from mrkdwn_in(item)
        case _:
            return


def check(message, *, forged_people=frozenset()):
    assert lint_message(message) == []
    assert len(message["text"]) <= 4000
    for text in [message["text"], *mrkdwn_in(message["blocks"])]:
        for markup in MARKUP.findall(text):
            assert OURS.fullmatch(markup), markup
            assert markup.lstrip("@") not in forged_people
        assert "<" not in MARKUP.sub("", text)
        assert re.search(r"&(?!amp;|lt;|gt;)", text) is None


def tells_nothing(message):
    told = json.dumps(message)
    assert [secret for secret in SECRETS if secret in told] == []


@unhurried
@given(INSTANCES)
def test_every_card_is_taken_and_tells_no_secret(i):
    shown = card(i, now=NOW)
    check(shown, forged_people={"U0VICTIM"})
    tells_nothing(shown)


@unhurried
@given(EVENTS)
def test_every_notice_is_taken_and_tells_no_secret(event):
    told = notice(event)
    check(told, forged_people={"U0VICTIM"})
    tells_nothing(told)
    assert notice(event) == told


@unhurried
@given(INSTANCES, st.sampled_from(Wish), st.booleans())
def test_every_answer_about_an_instance_is_taken_and_tells_no_secret(i, verb, nothing_to_do):
    for message in (
        answers.created(i),
        answers.acted(i, verb, nothing_to_do=nothing_to_do),
        answers.status(i, NOW),
    ):
        check(message, forged_people={"U0VICTIM"})
        tells_nothing(message)


@settings(unhurried, max_examples=25)  # each draws many instances
@given(st.lists(INSTANCES, max_size=8, unique_by=lambda i: i.id), st.booleans(), st.integers(0, 500))
def test_every_list_is_taken(instances, everybody, more):
    message = answers.instance_list(instances, everybody=everybody, total=len(instances) + more, now=NOW)
    check(message, forged_people={"U0VICTIM"})
    tells_nothing(message)


@unhurried
@given(INSTANCES, DETAILS)
def test_every_connection_is_taken(i, details):
    check(answers.connect(i, details))


@unhurried
@given(
    st.one_of(
        st.builds(BotError, WILD, hint=st.none() | WILD),
        st.builds(UsageError, WILD, hint=st.none() | WILD),
        st.builds(NotAllowed, WILD),
        st.builds(TryAgain, WILD),
        st.builds(NovitaUnavailable, WILD),
        st.builds(NameTaken, WILD, WILD),
        *(
            st.builds(kind, WILD, nearest=st.lists(WILD, max_size=8).map(tuple))
            for kind in (ProductNotFound, TemplateNotFound, RegionNotFound)
        ),
    ),
    st.none() | WILD,
)
def test_every_error_is_taken(error, reference):
    check(answers.error(error, reference=reference))


@unhurried
@given(WILD)
def test_what_is_not_foreseen_is_taken(reference):
    check(answers.unexpected(reference))
    check(answers.not_in_channel(reference))
    check(answers.not_in_channel("C0GPU", bot=reference))


@pytest.mark.parametrize("verb", [None, *BY_WORD])
def test_every_help_is_taken(verb):
    check(answers.help_message(verb))


@pytest.mark.parametrize("state", State)
def test_every_state_with_every_wish_and_reason_has_a_card(state):
    for wish, reason in product([None, *Wish], [None, *Reason]):
        i = running(state=state, wish=wish, reason=reason)
        check(card(i, now=NOW))
        check(answers.status(i, NOW))
        check(answers.instance_list([i], everybody=True, total=1, now=NOW))


@pytest.mark.parametrize("kind", EventKind)
def test_every_event_with_every_verb_and_reason_has_a_notice(kind):
    for verb, reason in product([None, *Wish], [None, *Reason]):
        fact = NewEvent(kind=kind, at=NOW, verb=verb, reason=reason)
        check(notice(Event(id="e1", instance_id="i1", sequence=1, fact=fact, instance=running())))


@unhurried
@given(FAILURES)
def test_a_long_error_leaves_room_for_what_to_do(failure):
    fact = NewEvent(kind=EventKind.FAILED, at=NOW, error=failure)
    told = notice(Event(id="e1", instance_id="i1", sequence=1, fact=fact, instance=running(wish=Wish.REMOVE)))
    assert "bills no longer" in told["blocks"][0]["text"]["text"]
    assert "`/gpu create 4090:1" in told["blocks"][0]["text"]["text"]
