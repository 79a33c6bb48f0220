"""Whatever the records hold, Slack takes the message, and nothing in it calls people or tells a secret."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_strategies import (
    DETAILS,
    EVENTS,
    FAILURES,
    HISTORIES,
    HOMES,
    INSTANCES,
    NOW,
    OFFERS_ASKED,
    PASSWORD,
    PRICED,
    QUOTES,
    SSH,
    TOKEN,
    USUAL,
    WEBHOOK,
    WILD,
    some,
    unhurried,
)
from samples import creating, running

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
from bot.messages.home import HomeFacts, home, stranger_home
from bot.messages.modals import as_modal, working_modal
from bot.messages.notices import direct_notice, notice
from bot.messages.offering import offers_list
from bot.messages.quotes import cancelled, quote_card
from bot.sandbox.slack.blocklint import lint_message, lint_view
from storage.records import Event, EventKind, NewEvent, Notify, Reason, State, Totals, Wish

MARKUP = re.compile(r"<([^>]*)>")
OURS = re.compile(
    r"@[UW][A-Z0-9]+|#[CG][A-Z0-9]+"
    r"|!date\^\d+\^\{date_short_pretty\} at \{time\}\|\d{4}-\d\d-\d\d \d\d:\d\d UTC"
    r"|https?://[a-z0-9.:-]+[a-z0-9/]*\|(Jupyter|Web terminal|Port \d+)"
)
"""Links that lead to an instance have neither query nor user."""
SECRETS = (PASSWORD, TOKEN, WEBHOOK, SSH, "root@", "jsessionid")


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
    check_markup([message["text"], *mrkdwn_in(message["blocks"])], forged_people)


def check_view(view, *, forged_people=frozenset()):
    assert lint_view(view) == []
    check_markup(mrkdwn_in(view["blocks"]), forged_people)


def check_markup(texts, forged_people):
    for text in texts:
        for markup in MARKUP.findall(text):
            assert OURS.fullmatch(markup), markup
            assert markup.lstrip("@") not in forged_people
        assert "<" not in MARKUP.sub("", text)
        assert re.search(r"&(?!amp;|lt;|gt;)", text) is None


def tells_nothing(message):
    told = json.dumps(message)
    assert [secret for secret in SECRETS if secret in told] == []


@unhurried
@given(INSTANCES, USUAL)
def test_every_card_is_taken_and_tells_no_secret(i, usual):
    shown = card(i, now=NOW, usual=usual)
    check(shown, forged_people={"U0VICTIM"})
    tells_nothing(shown)


@unhurried
@given(EVENTS)
def test_every_notice_is_taken_and_tells_no_secret(event):
    told = notice(event)
    check(told, forged_people={"U0VICTIM"})
    tells_nothing(told)
    assert notice(event) == told


@some(0.5)
@given(EVENTS)
def test_every_direct_notice_is_taken_and_tells_no_secret(event):
    told = direct_notice(event)
    check(told, forged_people={"U0VICTIM"})
    tells_nothing(told)


@some(0.5)
@given(EVENTS)
def test_who_is_not_to_be_called_is_not_even_mentioned(event):
    told = json.dumps(notice(event, uncalled={"U0ALICE", "W0BOB"}))
    assert "U0ALICE" not in told
    assert "W0BOB" not in told


@unhurried
@given(INSTANCES, st.sampled_from(Wish), st.booleans(), HISTORIES)
def test_every_answer_about_an_instance_is_taken_and_tells_no_secret(i, verb, nothing_to_do, history):
    for message in (
        answers.created(i),
        answers.acted(i, verb, nothing_to_do=nothing_to_do),
        answers.status(i, NOW, history=history),
        answers.stale(i, verb, now=NOW),
    ):
        check(message, forged_people={"U0VICTIM"})
        tells_nothing(message)


@some(0.5)
@given(INSTANCES, DETAILS, WILD.map(lambda text: f"About {text}"))
def test_every_answer_can_be_a_modal(i, details, title):
    for message in (answers.status(i, NOW), answers.connect(i, details)):
        check_view(as_modal(message, title=title))
    check_view(working_modal(title))


@some(0.25)  # each draws many instances
@given(HOMES)
def test_every_home_is_taken_and_tells_no_secret(facts):
    view = home(facts)
    check_view(view, forged_people={"U0VICTIM"})
    tells_nothing(view)


def test_the_home_of_strangers_is_taken():
    check_view(stranger_home())


@some(0.35)  # each draws many instances
@given(
    st.lists(INSTANCES, max_size=12, unique_by=lambda i: i.id),
    st.booleans(),
    st.integers(0, 500),
    st.integers(0, 500),
)
def test_every_list_is_taken(instances, everybody, more, offset):
    message = answers.instance_list(
        instances, everybody=everybody, total=len(instances) + more, offset=offset, now=NOW
    )
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


@unhurried
@given(QUOTES, st.booleans())
def test_every_quote_is_taken(quote, needs_template):
    check(quote_card(quote, needs_template=needs_template))
    check(cancelled())


@some(0.5)  # each draws many offers
@given(
    st.lists(PRICED, max_size=20) | st.lists(PRICED, min_size=1, max_size=2).map(lambda rows: rows * 50),
    OFFERS_ASKED,
    st.sampled_from(["quote:0123456789abcdef:1795435200", "k" * 1950]),
    st.integers(-1, 200),
    st.booleans(),
)
def test_every_list_of_offers_is_taken_and_shows_one_at_least(rows, asked, key, offset, at_once):
    message = offers_list(rows, asked=asked, key=key, offset=offset, launches_at_once=at_once, now=NOW)
    check(message)
    shown = [block for block in message["blocks"] if block.get("block_id", "").startswith("offer:")]
    assert bool(shown) == bool(rows)


@pytest.mark.parametrize("verb", [None, *BY_WORD])
def test_every_help_is_taken(verb):
    check(answers.help_message(verb))


@pytest.mark.parametrize("state", State)
def test_every_state_with_every_wish_and_reason_has_a_card(state):
    for wish, reason in product([None, *Wish], [None, *Reason]):
        i = running(state=state, wish=wish, reason=reason)
        check(card(i, now=NOW))
        check(answers.status(i, NOW))


@pytest.mark.parametrize("wish", [None, *Wish])
def test_every_state_and_wish_has_its_lines_in_lists_and_at_home(wish):
    each = [running(id=f"{n:016}", state=state, wish=wish) for n, state in enumerate(State)]
    each += [creating(id=f"{n:016}", state=state, wish=wish) for n, state in enumerate(State, 100)]
    check(answers.instance_list(each[:10], everybody=True, total=len(each), now=NOW))
    team = Totals(running=1, under_way=0, stopped=0, usd_per_hour=Decimal(1))
    check_view(
        home(
            HomeFacts(
                user_id="U1",
                instances=tuple(each),
                total=len(each),
                failures=tuple(each),
                mine=team,
                team=team,
                notify=Notify.THREAD,
                now=NOW,
            )
        )
    )


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
