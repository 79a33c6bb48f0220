"""What now? Pure: an instance, the time and the latest list in, one step out.

```
             bind            details, endpoints answer
  CREATING ────────► STARTING ────────────────────────► RUNNING
     │  never made       │  ▲                            │   │
     ▼  or timed out     │  └── start, restart ─┐        │   │ stop, console, reclaim
   FAILED ◄──────────────┘                      │        ▼   ▼
     │ delete            STOPPED ◄──────────────┴──── STOPPING
     ▼                      │ delete (from any state)
  DELETING ◄────────────────┘
     │  3 complete lists without it, and get says not found
     ▼
  DELETED
```

A wish is spent when it is reached once; only DELETE (and REMOVE) is never spent. A later change from outside
becomes the state, with its event and reason, and starts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from bot import transitions
from bot.timings import Timings
from storage.cloud import Phase, Spot
from storage.records import Instance, NewEvent, Outcome, Reason, State, Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do until then; None: until somebody wishes or Novita shows something else."""

    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Become:
    after: Instance
    event: NewEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Choose product and region, begin, and ask Novita once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Ask Novita to START, STOP, RESTART or DELETE it. Asking again does no harm."""

    verb: Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Get this one: connection details, or the confirmation that it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Ask its declared endpoints whether they answer."""


Step = Wait | Become | Create | Change | Look | Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    now: datetime
    listed_at: datetime | None
    """Beginning of the latest complete list: what a row shows is true as of then."""
    timings: Timings


def next_step(i: Instance, m: Moment) -> Step:  # noqa: PLR0911 - one return a state
    match i.state:
        case State.CREATING:
            return _creating(i, m)
        case State.STARTING:
            return _confirmed_absence(i, m) or _starting(i, m)
        case State.RUNNING:
            return _confirmed_absence(i, m) or _running(i, m)
        case State.STOPPING:
            return _confirmed_absence(i, m) or _stopping(i, m)
        case State.STOPPED:
            return _stopped(i, m)
        case State.FAILED:
            return _failed(i, m)
        case State.DELETING:
            return _deleting(i, m)
        case State.DELETED:
            return _deleted(i, m)
        case _:
            assert_never(i.state)


def is_gone(i: Instance, m: Moment) -> bool:
    """Absent from enough complete lists and not found by a get, or shown as removed."""
    missing = i.absent_lists >= m.timings.lists_until_gone and not _may_yet_show(i, m)
    return i.phase is Phase.GONE or (missing and i.not_found_at is not None)


def _creating(i: Instance, m: Moment) -> Step:
    if i.novita_id is not None:
        return Become(after=replace(i, state=State.STARTING))
    if _nothing_made(i):
        return _order(i, m)
    if _given_up(i, m):
        return Become(**transitions.unconfirmed(i, m.now))
    return Wait()  # each complete list without it makes it due


def _order(i: Instance, m: Moment) -> Step:
    if m.now >= i.created_at + m.timings.give_up_after:
        return Become(**transitions.never_made(i, m.now))
    return _not_before_retry(i, m) or Create()


def _starting(i: Instance, m: Moment) -> Step:
    if i.wish in (Wish.START, Wish.RESTART) and not _acknowledged(i, i.wish):
        if m.now >= i.wished_at + m.timings.give_up_after:
            return Become(**transitions.start_failed(i, m.now))
        return _ask(i, i.wish, m)
    match i.phase:
        case Phase.RUNNING if i.wish is not Wish.RESTART or _restarted(i, m):
            return _becoming_usable(i, m)
        case Phase.STOPPED:
            return _exited(i, m)
        case _:
            return _awaiting_start(i, m)


def _awaiting_start(i: Instance, m: Moment) -> Step:
    if i.wish is Wish.CREATE and i.status_error is not None:
        return Become(**transitions.broken(i, m.now))
    if i.wish is None:
        return Wait()
    deadline = _startup_deadline(i, m)
    if m.now < deadline:
        return Wait(until=deadline)
    if m.listed_at is None or m.listed_at < deadline:
        return Wait(until=m.now + m.timings.look_every)  # judged only on a list begun after the deadline
    if i.wish is Wish.CREATE:
        return Become(**transitions.timed_out(i, m.now))
    return Become(after=transitions.stop_after_timeout(i, m.now))


def _exited(i: Instance, m: Moment) -> Step:
    """Novita shows it as stopped while it should start."""
    if i.wish in (Wish.START, Wish.RESTART) and not i.underway:
        return _ask(i, i.wish, m)  # accepted, and still where it was
    if i.wish is Wish.CREATE and i.status_error is not None and i.ready_at is None:
        return Become(**transitions.broken(i, m.now))
    return Become(**transitions.stopped(i, m.now))


def _becoming_usable(i: Instance, m: Moment) -> Step:
    if i.probe_began_at is not None and m.now >= i.probe_began_at + m.timings.usable_wait:
        return Become(**transitions.usable(i, m.now, waited=m.timings.usable_wait))
    if not i.connection_complete:
        return Look()
    return Become(**transitions.usable(i, m.now)) if i.answering else Probe()


def _running(i: Instance, m: Moment) -> Step:
    match i.phase:
        case Phase.STOPPED:
            return Become(**transitions.stopped(i, m.now))
        case Phase.STOPPING:
            return Become(after=replace(i, state=State.STOPPING))
        case Phase.REMOVING:
            return Become(after=replace(i, state=State.DELETING))
        case Phase.PROVISIONING:
            return Become(after=transitions.new_run(i, m.now))
        case _ if _untold_reclaim(i):
            return Become(**transitions.reclaiming(i, m.now))
        case _:
            return Wait()


def _stopping(i: Instance, m: Moment) -> Step:
    if i.phase is Phase.STOPPED:
        return Become(**transitions.stopped(i, m.now))
    if i.wish is Wish.STOP:
        return _ask(i, Wish.STOP, m)
    if i.phase in (Phase.RUNNING, Phase.PROVISIONING):
        return Become(after=transitions.new_run(i, m.now))
    return Wait()


def _stopped(i: Instance, m: Moment) -> Step:
    if i.phase in (Phase.RUNNING, Phase.PROVISIONING):
        return Become(after=transitions.new_run(i, m.now))
    if i.reason is Reason.RECLAIMED:
        return Wait()  # its end was told; that the record of it vanishes at Novita is no news
    return _confirmed_absence(i, m) or Wait()


def _failed(i: Instance, m: Moment) -> Step:
    if i.wish is not Wish.REMOVE:
        return Become(after=replace(i, wish=Wish.REMOVE)) if _reappeared(i) else Wait()
    if i.novita_id is None or is_gone(i, m):
        return Become(after=transitions.removed(i, m.now))
    return _confirming_look(i, m) or _ask(i, Wish.DELETE, m)


def _deleting(i: Instance, m: Moment) -> Step:
    if i.novita_id is None:
        over = _nothing_made(i) or _given_up(i, m)
        return Become(**transitions.deleted(i, m.now)) if over else Wait()
    return _confirmed_absence(i, m) or (_ask(i, Wish.DELETE, m) if i.wish is Wish.DELETE else Wait())


def _deleted(i: Instance, m: Moment) -> Step:
    """Over, unless Novita shows it after all: a GPU that bills is never left alone."""
    if not _reappeared(i):
        return Wait()
    if i.reason is Reason.DELETED_OUTSIDE:
        return Become(after=transitions.new_run(i, m.now))
    return Become(after=transitions.wished(i, Wish.DELETE, i.wished_by, m.now))


def _reappeared(i: Instance) -> bool:
    """A list shows it again after lists and a get did not."""
    missing = i.novita_id is None or i.absent_lists > 0 or i.not_found_at is not None
    return not missing and i.phase in _EXISTS


_EXISTS = frozenset({Phase.PROVISIONING, Phase.RUNNING, Phase.STOPPING, Phase.STOPPED})
_UNDONE = {Wish.STOP: frozenset({Phase.PROVISIONING, Phase.RUNNING}), Wish.DELETE: _EXISTS}
"""What is shown after all where Novita began to act, and that came to nothing or somebody reversed it."""


def _confirmed_absence(i: Instance, m: Moment) -> Step | None:
    """An empty, partial or failed list never means gone; neither does a get alone."""
    if is_gone(i, m):
        return Become(**transitions.vanished(i, m.now))
    return _confirming_look(i, m)


def _confirming_look(i: Instance, m: Moment) -> Step | None:
    by_id = i.wish in (Wish.DELETE, Wish.REMOVE) and _may_yet_show(i, m)  # it may go without being shown
    return Look() if i.absent_lists >= m.timings.lists_until_gone and not by_id else None


def _may_yet_show(i: Instance, m: Moment) -> bool:
    """Made and never shown, nor accepted to be deleted: what Novita reads may be behind what it made."""
    if i.phase is not None or i.bound_at is None or _acknowledged(i, Wish.DELETE):
        return False
    return m.now < i.bound_at + m.timings.unconfirmed_after


def _ask(i: Instance, verb: Wish, m: Moment) -> Step:
    """Call, or wait for what a call does. Only for verbs that may be asked again."""
    if not _acknowledged(i, verb):
        return _not_before_retry(i, m) or Change(verb=verb)
    if i.called_at is None or (i.underway and i.phase not in _UNDONE.get(verb, ())):
        return Wait()
    again_at = i.called_at + m.timings.repeat_after
    seen_since = m.listed_at is not None and m.listed_at >= again_at  # else it may act on it, unseen
    return Change(verb=verb) if seen_since else Wait(until=max(again_at, m.now + m.timings.look_every))


def _not_before_retry(i: Instance, m: Moment) -> Step | None:
    return Wait(until=i.retry_at) if i.retry_at is not None and m.now < i.retry_at else None


def _nothing_made(i: Instance) -> bool:
    """No create is under way or unknown. BEGUN, found by whoever holds the lease now, is unknown."""
    return i.outcome in (None, Outcome.NOT_MADE) or i.call is not Wish.CREATE


def _given_up(i: Instance, m: Moment) -> bool:
    return i.absent_for >= m.timings.unconfirmed_after and i.absent_lists >= m.timings.lists_until_gone


def _acknowledged(i: Instance, verb: Wish) -> bool:
    return i.call is verb and (i.outcome is Outcome.ACCEPTED or i.underway)


def _restarted(i: Instance, m: Moment) -> bool:
    """Seen on its way, or a restart so quick that no list could show it."""
    return i.underway or i.called_at is None or m.now >= i.called_at + m.timings.repeat_after


def _startup_deadline(i: Instance, m: Moment) -> datetime:
    # A start that is asked again moves `called_at`; once Novita acts on it, it is asked no more.
    counts_from_call = i.called_at is not None and (i.wish is Wish.CREATE or i.underway)
    since = i.called_at if counts_from_call and i.called_at is not None else i.wished_at
    return since + m.timings.startup_timeout


def _untold_reclaim(i: Instance) -> bool:
    if i.reclaim_at is None:
        return i.spot is Spot.NOTIFIED and i.reclaim_told_at is None
    return i.reclaim_told_at != i.reclaim_at
