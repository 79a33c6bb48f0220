"""What an instance becomes by the answer to a call. Pure; `bot.reconciler` makes the calls.

`Next.due_at` is when the row is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot import transitions
from bot.errors import BadCredentials, NovitaRefused, NovitaUnavailable
from bot.lifecycle import Moment, is_gone
from bot.timings import LONGEST_HEEDED
from storage.cloud import Details, Phase
from storage.records import EventKind, Failure, Instance, NewEvent, Outcome, Wish

_PASSING_CODES = frozenset(
    {"INVALID_STATE_CHANGE", "CONFLICT", "CLUSTER_STATUS", "NODE_STATUS", "DEPENDENT_RESOURCE_STATE"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    after: Instance
    due_at: datetime | None
    event: NewEvent | None = None


def accepted(i: Instance, m: Moment) -> Next:
    # Who does something with it has found it, whatever an earlier call or get said.
    after = replace(i, outcome=Outcome.ACCEPTED, refusal=None, retry_at=None, not_found_at=None)
    if i.call in (Wish.START, Wish.RESTART):
        after = replace(transitions.forget_run(after), billing_since=i.billing_since or m.now)
    return Next(after=after, due_at=m.now)


def not_sent(i: Instance, error: NovitaUnavailable, m: Moment) -> Next:
    """Certainly nothing was done: asked again, a create as a new attempt."""
    return _again(i, Outcome.NOT_MADE, _failure(error), m, error.retry_after)


def unknown(i: Instance, error: NovitaUnavailable, m: Moment) -> Next:
    """Of a create: never asked again, the lists decide. Of the rest: asked again when the pause is over."""
    return _again(i, Outcome.UNKNOWN, _failure(error), m, error.retry_after)


def not_found(i: Instance, m: Moment) -> Next:
    """Novita does not know it. That it is gone, lists have to confirm."""
    failure = Failure(code="NOT_FOUND", message="Novita does not find it.")
    return _again(replace(i, not_found_at=m.now), Outcome.NOT_MADE, failure, m, None)


def refused(i: Instance, error: NovitaRefused, m: Moment, *, asked_before: datetime | None = None) -> Next:
    """A definite no. A delete is asked again for ever; the others end in their error.

    `asked_before`: when the same had been asked the time before, and may have been done. Without a list since
    then a refusal may only say that it is on its way; one that began during that call shows nothing of it.
    """
    failure = _failure(error)
    if i.call is Wish.DELETE:
        event = _refusal(i, failure, m.now) if i.tries == m.timings.tries_until_told else None
        return replace(_again(i, Outcome.NOT_MADE, failure, m, None), event=event)
    unseen = asked_before is not None and (m.listed_at is None or m.listed_at <= asked_before)
    if _may_pass(error) and (unseen or i.tries < m.timings.tries_until_told):
        # Not as NOT_MADE: an earlier call whose answer was lost may be why, and then the lists show it.
        return _again(i, Outcome.UNKNOWN, failure, m, None)
    if i.call is Wish.STOP:
        told = transitions.refused(i, m.now, failure)
    else:
        told = transitions.start_failed(replace(i, refusal=failure), m.now)
    return Next(after=told["after"], event=told["event"], due_at=m.now)


def looked_at(i: Instance, details: Details, m: Moment) -> Next:
    """Get found it. Its phase is left to the lists, which have one order; its connection is only here."""
    found = replace(i, absent_lists=0, absent_for=timedelta(0), not_found_at=None)
    if details.observation.phase is not Phase.RUNNING:
        return Next(after=found, due_at=m.now + m.timings.look_every)
    after = replace(
        found,
        connection=details.connection,
        connection_complete=details.complete,
        probe_began_at=i.probe_began_at or m.now,
    )
    return Next(after=after, due_at=m.now if details.complete else m.now + m.timings.look_every)


def unseen(i: Instance, m: Moment) -> Next:
    """Get says not found: with enough lists that is the end, alone it is nothing."""
    after = replace(i, not_found_at=m.now)
    return Next(after=after, due_at=m.now if is_gone(after, m) else m.now + m.timings.look_every)


def _again(i: Instance, outcome: Outcome, failure: Failure, m: Moment, retry_after: timedelta | None) -> Next:
    doubled = m.timings.retry_first * 2 ** min(max(i.tries - 1, 0), 16)
    pause = max(min(doubled, m.timings.retry_longest), min(retry_after or timedelta(0), LONGEST_HEEDED))
    after = replace(i, outcome=outcome, refusal=failure, retry_at=m.now + pause)
    return Next(after=after, due_at=m.now + pause)


def _may_pass(error: NovitaRefused) -> bool:
    """An invalid state change may be a matter of moments, or the change may have happened all the same."""
    return error.code in _PASSING_CODES or isinstance(error, BadCredentials)


def _refusal(i: Instance, failure: Failure, now: datetime) -> NewEvent:
    return NewEvent(kind=EventKind.REFUSED, at=now, actor=i.wished_by, verb=i.wish, error=failure)


def _failure(error: NovitaRefused | NovitaUnavailable) -> Failure:
    return Failure(code=error.code, message=str(error))
