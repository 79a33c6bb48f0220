"""What an instance becomes, and the event that tells it. Pure; `bot.lifecycle` decides when.

Where an event belongs to it, a function returns `{"after": ..., "event": ...}`, the arguments of a `Become`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypedDict

from bot.costs import cost_so_far
from storage.cloud import Phase, Spot
from storage.records import EventKind, Failure, Instance, NewEvent, Reason, State, Wish


class Told(TypedDict):
    after: Instance
    event: NewEvent


def usable(i: Instance, now: datetime, *, waited: timedelta | None = None) -> Told:
    """`waited`: the endpoints did not answer for so long; it is told as running all the same."""
    first = i.ready_at is None
    reason = None if i.wish is not None or first else Reason.STARTED_OUTSIDE
    after = replace(
        _spent(i),
        state=State.RUNNING,
        ready_at=now if first else i.ready_at,
        usable_at=now,
        billing_since=i.billing_since or now,
        reason=reason,
        error=None,
    )
    note = None if waited is None else f"Its endpoints did not answer within {waited.total_seconds():.0f} s."
    kind = EventKind.READY if first else EventKind.STARTED
    return _told(i, after, kind, now, reason=reason, note=note)


def stopped(i: Instance, now: datetime) -> Told:
    """By wish, by a timeout of ours, or from outside; a spot notice before makes it a reclaim."""
    kind, reason = EventKind.STOPPED, i.reason
    if i.wish is not Wish.STOP:
        reclaimed = i.reclaim_told_at is not None or i.spot is Spot.RECLAIMED
        kind = EventKind.RECLAIMED if reclaimed else EventKind.STOPPED
        reason = Reason.RECLAIMED if reclaimed else Reason.STOPPED_OUTSIDE
    after = replace(_run_over(_spent(i), now), state=State.STOPPED, reason=reason)
    return _told(i, after, kind, now, reason=reason, error=i.error)


def reclaiming(i: Instance, now: datetime) -> Told:
    told_at = i.reclaim_at or now  # Novita may not say when
    return _told(i, replace(i, reclaim_told_at=told_at), EventKind.RECLAIMING, now)


def vanished(i: Instance, now: datetime) -> Told:
    """Gone at Novita. After a spot notice that is the reclaim; else it was deleted, by us or elsewhere."""
    if i.reclaim_told_at is not None and i.wish is not Wish.DELETE and i.state is not State.STOPPED:
        return stopped(replace(i, wish=None, phase=Phase.GONE), now)
    return deleted(i, now)


def deleted(i: Instance, now: datetime) -> Told:
    reason = None if i.wish is Wish.DELETE else Reason.DELETED_OUTSIDE
    after = replace(_run_over(_spent(i), now), state=State.DELETED, reason=reason)
    return _told(i, after, EventKind.DELETED, now, reason=reason)


def removed(i: Instance, now: datetime) -> Instance:
    """A failed instance whose GPU is gone: told already when it failed."""
    return _run_over(_spent(i), now)


def unconfirmed(i: Instance, now: datetime) -> Told:
    text = "Novita's answer to the create call was lost, and no instance of it showed up."
    return failed(i, now, Failure(code="UNCONFIRMED", message=text))


def never_made(i: Instance, now: datetime) -> Told:
    why = f" Its last answer: {i.refusal.message}" if i.refusal is not None else ""
    text = f"Novita could not be asked to create it for 30 minutes; nothing was bought.{why}"
    return failed(i, now, Failure(code="NOVITA_UNAVAILABLE", message=text))


def timed_out(i: Instance, now: datetime) -> Told:
    text = f"It was not running {_minutes(now - (i.called_at or i.wished_at))} after it was created."
    return failed(i, now, Failure(code="STARTUP_TIMEOUT", message=text))


def broken(i: Instance, now: datetime) -> Told:
    return failed(i, now, Failure(code="START_FAILED", message=i.status_error or "It did not start."))


def failed(i: Instance, now: datetime, error: Failure) -> Told:
    """For good. What exists at Novita is removed, so that it bills no longer."""
    wish = Wish.REMOVE if i.novita_id is not None else None
    after = replace(_spent(i), state=State.FAILED, wish=wish, error=error)
    return _told(i, after, EventKind.FAILED, now, error=error)


def start_failed(i: Instance, now: datetime) -> Told:
    """A start or restart that Novita refuses: the machine is as it was, and is never deleted for that."""
    error = i.refusal or Failure(code="NOVITA_UNAVAILABLE", message="Novita could not be asked to start it.")
    if i.wish is Wish.RESTART:
        return refused(i, now, error)
    reason = Reason.START_FAILED
    after = replace(_run_over(_spent(i), now), state=State.STOPPED, reason=reason, error=error)
    return _told(i, after, EventKind.STOPPED, now, reason=reason, error=error)


def refused(i: Instance, now: datetime, error: Failure) -> Told:
    """Novita refuses a stop or restart for good: it runs on, and whoever asked is told."""
    after = replace(_spent(i), state=State.RUNNING if i.usable_at else State.STARTING, error=error)
    return _told(i, after, EventKind.REFUSED, now, error=error)


def stop_after_timeout(i: Instance, now: datetime) -> Instance:
    """A start or restart of a machine that has run: stopped, never deleted. Told when it is stopped."""
    text = f"It was not running {_minutes(now - i.wished_at)} after it was asked to start, so it is stopped."
    return replace(
        _spent(i),
        state=State.STOPPING,
        wish=Wish.STOP,
        wished_at=now,
        reason=Reason.STARTUP_TIMEOUT,
        error=Failure(code="STARTUP_TIMEOUT", message=text),
    )


def new_run(i: Instance, now: datetime) -> Instance:
    """Somebody started or restarted it elsewhere: followed like any start, its wish being nobody's."""
    fresh = forget_run(_spent(i))
    return replace(
        fresh,
        state=State.STARTING,
        wished_at=now,
        wished_by=None,
        reason=None,
        error=None,
        billing_since=i.billing_since or now,
    )


def wished(i: Instance, verb: Wish, actor: str | None, now: datetime) -> Instance:
    """The new wish written into the record; a create that is under way or unknown stays known."""
    kept = i.call is Wish.CREATE and i.novita_id is None
    base = i if kept else _no_call(i)
    return replace(
        base, state=_ON_THE_WAY[verb], wish=verb, wished_by=actor, wished_at=now, reason=None, error=None
    )


def forget_run(i: Instance) -> Instance:
    """What is true of one run only: ports and passwords change at each start."""
    return replace(
        i,
        connection=None,
        connection_complete=False,
        probe_began_at=None,
        answering=False,
        usable_at=None,
        reclaim_told_at=None,
    )


_ON_THE_WAY = {
    Wish.START: State.STARTING,
    Wish.RESTART: State.STARTING,
    Wish.STOP: State.STOPPING,
    Wish.DELETE: State.DELETING,
}


def _told(  # noqa: PLR0913 - one place that builds every event
    i: Instance,
    after: Instance,
    kind: EventKind,
    now: datetime,
    *,
    reason: Reason | None = None,
    error: Failure | None = None,
    note: str | None = None,
) -> Told:
    event = NewEvent(
        kind=kind,
        at=now,
        actor=i.wished_by if i.wish not in (None, Wish.REMOVE) else None,
        verb=i.wish,
        reason=reason,
        error=error,
        note=note,
        elapsed=now - i.wished_at if i.wish is not None else None,
    )
    return {"after": after, "event": event}


def _spent(i: Instance) -> Instance:
    return replace(_no_call(i), wish=None)


def _no_call(i: Instance) -> Instance:
    return replace(
        i, call=None, called_at=None, outcome=None, tries=0, retry_at=None, refusal=None, underway=False
    )


def _run_over(i: Instance, now: datetime) -> Instance:
    return replace(forget_run(i), billed_usd=cost_so_far(i, now), billing_since=None)


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} minutes"
