"""Pure: what one complete list says about one row."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from storage.cloud import Observation, Phase, Spot
from storage.records import Outcome, State, Wish

ABSENT_ENOUGH = 3
"""Complete lists without a bound instance before a worker looks after it."""

_TOLERANCE = timedelta(seconds=1)
"""Novita's start times may be whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a list can say something about, or is judged by: some columns of a row, named as they are."""

    id: str
    state: State
    wish: Wish | None
    call: Wish | None
    called_at: datetime | None
    outcome: Outcome | None
    attempt: int
    novita_id: str | None
    bound_at: datetime | None
    status: str | None
    phase: Phase | None
    seen_at: datetime | None
    underway: bool
    absent_lists: int
    absent_for: timedelta
    not_found_at: datetime | None
    status_error: str | None
    spot: Spot | None
    reclaim_at: datetime | None
    last_started_at: datetime | None
    delayed_since: datetime | None
    billing_since: datetime | None
    version: int
    acted_at: datetime
    updated_at: datetime
    due_at: datetime | None


WATCHED_FIELDS = tuple(column.name for column in fields(Watched))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One complete list of the account."""

    began_at: datetime
    previous: datetime | None
    """Beginning of the complete list directly before, None where that one failed."""
    now: datetime


def look(row: Watched, observation: Observation | None, at: Pass) -> Watched:
    """The row itself where the list says nothing new, as of what was done after the list began."""
    if max(row.acted_at, row.called_at or row.acted_at) >= at.began_at:
        return row
    learned = {**_learned(row, observation, at), "delayed_since": None}
    news = {name: value for name, value in learned.items() if getattr(row, name) != value}
    if not news:
        return row
    after = replace(row, **news, version=row.version + 1, updated_at=at.now)
    return after if _counts_only(after) else replace(after, due_at=at.now)


def is_expected(row: Watched) -> bool:
    """Whether its absence from a list means something."""
    return row.wish is not None or row.state not in {State.FAILED, State.DELETED}


def may_bind(row: Watched) -> bool:
    """Whether a GPU that carries its latest token becomes its own; otherwise that GPU is late."""
    unbound = row.novita_id is None and row.call is Wish.CREATE
    return unbound and row.state not in {State.FAILED, State.DELETED}


def _learned(row: Watched, observation: Observation | None, at: Pass) -> dict[str, Any]:
    if observation is not None and row.novita_id is not None:
        return _seen(row, observation, at)
    if observation is not None:
        bound = _bound(row, observation, at)
        return bound | _seen(replace(row, **bound), observation, at)
    if not is_expected(row):
        return {}
    if row.novita_id is not None:
        return {"absent_lists": min(row.absent_lists + 1, ABSENT_ENOUGH)}
    if row.call is Wish.CREATE and row.outcome in {Outcome.BEGUN, Outcome.UNKNOWN}:
        return _still_missing(row, at)
    return {}


def _bound(row: Watched, observation: Observation, at: Pass) -> dict[str, Any]:
    return {
        "novita_id": observation.novita_id,
        "bound_at": at.now,
        "billing_since": row.called_at,  # nobody saw when it came to be, and it was not before the call
        "outcome": Outcome.ACCEPTED,
        "acted_at": at.now,
    }


def _seen(row: Watched, observation: Observation, at: Pass) -> dict[str, Any]:
    same = (row.status, row.phase) == (observation.status, observation.phase)
    return {
        "status": observation.status,
        "phase": observation.phase,
        "seen_at": row.seen_at if same else at.began_at,
        "status_error": observation.status_error,
        "spot": observation.spot,
        "reclaim_at": observation.reclaim_at,
        "last_started_at": observation.last_started_at,
        "underway": row.underway or _acts(row, observation),
        "absent_lists": 0,
        "absent_for": timedelta(0),
        "not_found_at": None,
    }


def _acts(row: Watched, observation: Observation) -> bool:
    """Novita shows what it would not show without the latest call."""
    if row.called_at is None or row.outcome not in {Outcome.ACCEPTED, Outcome.UNKNOWN}:
        return False
    started_at = observation.last_started_at
    restarted = started_at is not None and started_at > row.called_at - _TOLERANCE
    match row.call:
        case Wish.CREATE | Wish.START:
            return restarted or observation.phase in {Phase.PROVISIONING, Phase.RUNNING}
        case Wish.RESTART:
            return restarted or observation.phase is Phase.PROVISIONING
        case Wish.STOP:
            return observation.phase in {Phase.STOPPING, Phase.STOPPED}
        case Wish.DELETE | Wish.REMOVE:
            return observation.phase in {Phase.REMOVING, Phase.GONE}
        case None:
            return False
        case _:
            assert_never(row.call)


def _still_missing(row: Watched, at: Pass) -> dict[str, Any]:
    """Only time between two complete lists counts, and none before the call."""
    covered = timedelta(0)
    if at.previous is not None and row.called_at is not None:
        covered = at.began_at - max(at.previous, row.called_at)
    return {"absent_lists": row.absent_lists + 1, "absent_for": row.absent_for + covered}


def _counts_only(after: Watched) -> bool:
    """A bound instance is missing, but not for long enough."""
    return after.novita_id is not None and 0 < after.absent_lists < ABSENT_ENOUGH
