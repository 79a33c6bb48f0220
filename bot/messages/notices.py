"""What is posted in the thread of an instance when something ended. It mentions whoever asked: it notifies.

Everybody in the channel reads it: how to connect is said, the connection string and the password never are.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import assert_never

from bot.costs import cost_so_far
from bot.grammar.commands import Create, render
from bot.messages import buttons, wording
from bot.messages.blocks import Block, Message, actions, context, message, section
from bot.messages.mrkdwn import bold, clean, code, date, duration, link, mention, rate, usd
from storage.cloud import BillingMode
from storage.records import CreateRequest, Event, EventKind, Failure, Instance, Reason, Wish

_NO_STOCK = frozenset({"INSUFFICIENT_RESOURCE", "NO_AVAILABLE_PRODUCTS", "MIGRATE_INSUFFICIENT_RESOURCE"})
_NO_MONEY = frozenset(
    {"BALANCE_NOT_ENOUGH", "EXPIRED_OR_BALANCE_NOT_ENOUGH", "NOT_ENOUGH_BALANCE", "NOT_ENOUGH_BUDGET"}
)
_MOST_COMMAND = 1800


def notice(event: Event, *, uncalled: Container[str] = ()) -> Message:
    """The same for the same event, whenever it is rendered.

    `uncalled`: ids of people who chose not to be called there. Slack calls whoever a new message mentions,
    wherever in it, so none of them is.
    """
    headline, *details = _sentences(event, _by_whom(event, uncalled))
    return _told([" ".join([*_called(event, headline, uncalled), headline]), *details], event)


def direct_notice(event: Event, *, permalink: str | None = None) -> Message:
    """The same news to its requester alone, where it needs no mention. `permalink`: of the thread."""
    lines = [*_sentences(event, wording.by_whom(event.fact.actor))]
    return _told(lines, event, _way_to(permalink))


def _told(lines: list[str], event: Event, *more: Block | None) -> Message:
    # All of it as plain text too: for screen readers, and where Slack refuses the blocks.
    said = "\n".join(lines)
    return message(said, section(said, block_id="notice"), *more, _row(event))


def _row(event: Event) -> Block | None:
    if event.fact.kind not in (EventKind.READY, EventKind.STARTED):
        return None
    return actions([buttons.connect(event.instance)], block_id="gpu:notice")


def _called(event: Event, headline: str, uncalled: Container[str]) -> list[str]:
    """The requester, and whoever asked for what ended here; nobody twice."""
    people = dict.fromkeys([event.instance.requester, event.fact.actor])
    mentions = [mention(person) for person in people if person is not None and person not in uncalled]
    return [person for person in mentions if person not in headline]


def _by_whom(event: Event, uncalled: Container[str]) -> str:
    actor = event.fact.actor
    if actor is None or actor not in uncalled:
        return wording.by_whom(actor)
    return "by its requester" if actor == event.instance.requester else "by another member"


_PERMALINK = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?/[A-Za-z0-9._~/?=&%-]{1,500}")


def _way_to(permalink: str | None) -> Block | None:
    if permalink is None or not _PERMALINK.fullmatch(permalink):
        return None
    return context(link(permalink, "See its thread"), block_id="thread")


def _sentences(  # noqa: C901, PLR0911 - one return a kind
    event: Event, by_whom: str
) -> Iterator[str]:
    """The first one is what a notification has room for."""
    match event.fact.kind:
        case EventKind.READY | EventKind.STARTED:
            return _usable(event)
        case EventKind.FAILED:
            return _failed(event)
        case EventKind.STOPPED:
            return _stopped(event, by_whom)
        case EventKind.DELETED:
            return _deleted(event, by_whom)
        case EventKind.RECLAIMING:
            return _reclaiming(event)
        case EventKind.RECLAIMED:
            return _reclaimed(event)
        case EventKind.REFUSED:
            return _refused(event)
        case EventKind.LATE_REMOVED:
            return _late_removed(event)
        case EventKind.WEBHOOK_DISABLED:
            return _webhook_disabled(event)
        case EventKind.REQUESTED:
            return _requested(event, by_whom)
        case _:
            assert_never(event.fact.kind)


def _usable(event: Event) -> Iterator[str]:
    i, fact = event.instance, event.fact
    again = "ready" if fact.kind is EventKind.READY else "running again"
    took = f" It took {duration(fact.elapsed)}." if fact.elapsed is not None else ""
    yield f":large_green_circle: {bold(i.name)} is {again}.{took}"
    yield f"{wording.summary(i)}."
    if fact.reason is not None:
        yield wording.REASONS[fact.reason]
    if fact.note is not None:
        yield f":warning: {clean(fact.note, 300)}"
    yield f"To connect press *Connect* or type {wording.command('ssh', i)}; only you will see the answer."


def _failed(event: Event) -> Iterator[str]:
    i, error = event.instance, event.fact.error or event.instance.error
    yield f":x: {bold(i.name)} failed."
    if error is not None:
        yield wording.failure(error)
    yield _money_after_failure(event, error)
    yield f"{_advice(error.code if error else '')} {code(again_command(i.request), _MOST_COMMAND)}"


def _money_after_failure(event: Event, error: Failure | None) -> str:
    i = event.instance
    if i.wish is Wish.REMOVE:
        return f"{wording.MONEY_STOPS} {_cost(event, 'So far it cost')}"
    if i.novita_id is not None:
        return f"Its GPU is still there and may bill. Remove it with {wording.command('delete', i)}."
    if error is not None and error.code == "UNCONFIRMED":
        return "Should its GPU turn up after all, it is removed, and I say so here."
    return "No GPU was rented, and nothing is billed."


def _advice(error_code: str) -> str:
    if error_code in _NO_STOCK:
        return "Try another GPU, region or billing mode, or the same once more later:"
    if error_code in _NO_MONEY:
        return "Top up the balance at Novita, then try again:"
    return "To try again:"


def again_command(r: CreateRequest) -> str:
    """The create once more, under a new name: the old one is taken until that instance is deleted.

    Without the webhook's address, which may hold a token and is nobody's business in a channel.
    """
    return render(
        Create(
            gpu=r.gpu,
            gpu_count=r.gpu_count,
            template=r.template,
            image=r.image,
            billing_mode=r.billing_mode,
            regions=r.regions if r.regions_only else (),
            disk_gb=r.disk_gb,
            max_usd_per_hour=r.max_usd_per_hour,
        )
    )


def _stopped(event: Event, by_whom: str) -> Iterator[str]:
    i, fact = event.instance, event.fact
    if fact.reason is Reason.START_FAILED:
        yield f":x: {bold(i.name)} did not start."
    else:
        by_wish = fact.reason is None and fact.verb is Wish.STOP
        who = f" {by_whom}" if by_wish else ""
        yield f":black_square_for_stop: {bold(i.name)} was stopped{who}."
    if fact.error is not None:
        yield wording.failure(fact.error)
    elif fact.reason is not None:
        yield wording.REASONS[fact.reason]
    yield f"The GPU is no longer billed; the disk may still cost a little. {_cost(event, 'So far it cost')}"
    yield f"To start it again: {wording.command('start', i)}. Its GPU may be taken by then."


def _deleted(event: Event, by_whom: str) -> Iterator[str]:
    i, fact = event.instance, event.fact
    who = f" {by_whom}" if fact.reason is None else ""
    yield f":wastebasket: {bold(i.name)} was deleted{who}."
    if fact.reason is not None:
        yield wording.REASONS[fact.reason]
    yield _cost(event, "In all it cost")


def _reclaiming(event: Event) -> Iterator[str]:
    i = event.instance
    when = f" {date(i.reclaim_at)}" if i.reclaim_at is not None else " soon"
    yield f":warning: Novita takes the spot GPU of {bold(i.name)} back:{when}."
    yield "What is on the container disk will be lost. Save it to a network volume before that."
    yield _one_that_stays(i)


def _reclaimed(event: Event) -> Iterator[str]:
    i = event.instance
    yield f":black_square_for_stop: Novita took the spot GPU of {bold(i.name)} back."
    yield f"It is no longer billed. {_cost(event, 'So far it cost')}"
    yield _one_that_stays(i)


def _one_that_stays(i: Instance) -> str:
    # Without the highest price: it was meant for spot, and on demand costs about twice as much.
    on_demand = replace(i.request, billing_mode=BillingMode.ON_DEMAND, max_usd_per_hour=None)
    return f"For a GPU that stays: {code(again_command(on_demand), _MOST_COMMAND)}"


def _refused(event: Event) -> Iterator[str]:
    i, fact = event.instance, event.fact
    done = wording.DONE[fact.verb] if fact.verb is not None else "changed"
    yield f":warning: Novita refused: {bold(i.name)} was not {done}."
    if fact.error is not None:
        yield wording.failure(fact.error)
    billed = " and goes on being billed" if i.billing_since is not None else ""
    yield f"It is as it was{billed}. See how it is: {wording.command('status', i)}."


def _late_removed(event: Event) -> Iterator[str]:
    i, fact = event.instance, event.fact
    yield f":wastebasket: A GPU for {bold(i.name)} turned up late at Novita, and was removed at once."
    if fact.note is not None:
        yield clean(fact.note, 300)
    elif i.offer is not None and fact.elapsed is not None:
        most = i.offer.usd_per_hour * int(fact.elapsed.total_seconds()) / 3600
        yield f"It cost {usd(most)} at most."
    elif i.offer is not None:
        yield f"Novita bills the time that it existed, at about {rate(i.offer.usd_per_hour)}."


def _webhook_disabled(event: Event) -> Iterator[str]:
    yield f":no_bell: A webhook that is told about {bold(event.instance.name)} gets nothing more."
    if event.fact.note is not None:
        yield clean(event.fact.note, 300)
    yield "It is tried again when this bot restarts, or when a delivery is replayed and accepted."


def _requested(event: Event, by_whom: str) -> Iterator[str]:
    """Sent nowhere, but an event all the same."""
    verb = event.fact.verb.value if event.fact.verb is not None else "change"
    yield f":information_source: A {verb} of {bold(event.instance.name)} was asked for {by_whom}."


def _cost(event: Event, words: str) -> str:
    return f"{words} {usd(cost_so_far(event.instance, event.fact.at))}."
