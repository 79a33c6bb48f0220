"""One complete list against all rows: which rows changed, which GPUs are nobody's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from storage.cloud import Observation, Phase
from storage.columns import leniently
from storage.records import Attempt, Fate, Instance
from storage.store.cardrows import bump_cards
from storage.store.creates import read_attempt, select_attempts
from storage.store.quarantine import note_unknown
from storage.store.rows import FINISHED, VISIBLE, read_instance, select_instances
from storage.store.sightings import WATCHED_FIELDS, Pass, Watched, look, may_bind
from storage.store.steady import News
from storage.store.tokens import Token, prefix, read_token
from storage.store.transaction import Transaction
from storage.store.unreadable import refuse_unread, sort_out
from storage.tables import attempts, instances


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A GPU of ours that no row wants: late, or beside the one that the row has."""

    instance: Instance | None
    """None: its record was purged."""
    attempt: Attempt
    observation: Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    changed: int
    """Rows that were written."""
    bound: int
    """Of those, rows that found their GPU."""
    strays: tuple[Stray, ...] = ()
    unknown: tuple[Observation, ...] = ()
    """They carry our token, but of no attempt that is known, as after a restored backup: never touched."""
    left: Mapping[str, str] = field(default_factory=dict)
    """Ids of rows that a later version wrote, and why they cannot be read. Their GPUs are not touched."""
    quarantined: tuple[Observation, ...] = ()
    """Of those, the ones that no list has shown before."""


_WATCHED = select(*(leniently(instances.c[name]) for name in WATCHED_FIELDS)).order_by(instances.c.id)
_WATCHED_LOCKED = _WATCHED.with_for_update(key_share=True)
_TRACKED = _WATCHED_LOCKED.where(instances.c.state.not_in(FINISHED) | instances.c.wish.is_not(None))

_WRITTEN = tuple(
    name for name in WATCHED_FIELDS if name not in {"id", "state", "wish", "call", "called_at", "attempt"}
)
_SHOWN = tuple(name for name in _WRITTEN if name in VISIBLE)
_UPDATE = (
    update(instances)
    .where(instances.c.id == bindparam("row_id"))
    .values({name: bindparam(name) for name in _WRITTEN})
)
_END_ATTEMPT = (
    update(attempts)
    .where(attempts.c.instance_id == bindparam("row_id"), attempts.c.number == bindparam("attempt_number"))
    .values(fate=bindparam("fate"), novita_id=bindparam("novita_id"))
)


def observe(
    transaction: Transaction, began_at: datetime, news: News, previous: datetime | None, deployment: str
) -> Observed:
    """The number of statements does not grow with the account; only rows that changed are written."""
    ours = _ours(news.observations, deployment)
    rows, left = _watched(transaction, ours, news.rows)
    seen = [each for each in news.observations if not left.owns(each, ours.get(each.novita_id))]
    found, nobodys = _match(rows, seen, ours)
    at = Pass(began_at=began_at, previous=previous, now=transaction.now)
    pairs = [(row, look(row, found.get(row.id), at)) for row in rows.values()]
    changed = [(before, after) for before, after in pairs if after is not before]
    bound = [after for before, after in changed if after.novita_id != before.novita_id]
    _write(transaction, changed)
    _end_attempts(transaction, [(row.id, row.attempt, Fate.BOUND, row.novita_id) for row in bound])
    strays, unknown = _sort(transaction, nobodys, left)
    new = note_unknown(transaction, (each for each in unknown if not _is_ending(each)))
    return Observed(
        changed=len(changed),
        bound=len(bound),
        strays=strays,
        unknown=unknown,
        left=left.instances,
        quarantined=new,
    )


def _ours(observations: Iterable[Observation], deployment: str) -> dict[str, Token | None]:
    """By Novita's id; None: our prefix, but not a token."""
    start = prefix(deployment)
    named = (each for each in observations if each.name.startswith(start))
    return {each.novita_id: read_token(each.name) for each in named}


@dataclass(slots=True)
class _Left:
    """Rows that cannot be read: whether they want their GPUs is not for us to say."""

    instances: dict[str, str] = field(default_factory=dict)
    """Why, by id."""
    gpus: set[str] = field(default_factory=set)
    """Novita's ids of those that they have."""

    def owns(self, observation: Observation, token: Token | None) -> bool:
        named = token is not None and token.instance_id in self.instances
        return named or observation.novita_id in self.gpus


def _watched(
    transaction: Transaction, ours: Mapping[str, Token | None], tracked: Collection[str] | None
) -> tuple[dict[str, Watched], _Left]:
    """Rows that are expected in the list, and finished ones whose token is in it."""
    left = _Left()
    expected = _TRACKED if tracked is None else _TRACKED.where(instances.c.id.in_(sorted(tracked)))
    rows = {row.id: row for row in _read(transaction, expected, left)}
    finished = {token.instance_id for token in ours.values() if token} - rows.keys()
    if finished:
        more = _read(transaction, _WATCHED_LOCKED.where(instances.c.id.in_(sorted(finished))), left)
        rows |= {row.id: row for row in more}
    return rows, left


def _read(transaction: Transaction, statement: Any, left: _Left) -> Iterable[Watched]:
    rows = transaction.connection.execute(statement).all()
    found, unread = sort_out(rows, _read_watched, key=lambda row: row.id)
    left.instances |= unread
    left.gpus |= {row.novita_id for row in rows if row.id in unread and row.novita_id is not None}
    return found


def _read_watched(row: Row[Any]) -> Watched:
    refuse_unread(WATCHED_FIELDS, row)
    return Watched(**dict(zip(WATCHED_FIELDS, row, strict=True)))


def _match(
    rows: Mapping[str, Watched], seen: Iterable[Observation], ours: Mapping[str, Token | None]
) -> tuple[dict[str, Observation], list[tuple[Observation, Token | None]]]:
    """By row id what shows it; and GPUs of ours that show no row."""
    owners = {row.novita_id: row.id for row in rows.values() if row.novita_id is not None}
    found: dict[str, Observation] = {}
    nobodys: list[tuple[Observation, Token | None]] = []
    for each in sorted(seen, key=_is_ending):
        owner = owners.get(each.novita_id) or _heir(rows, found, ours.get(each.novita_id))
        if owner is not None:
            found[owner] = each
        elif each.novita_id in ours:
            nobodys.append((each, ours[each.novita_id]))
    return found, nobodys


def _is_ending(observation: Observation) -> bool:
    return observation.phase in {Phase.REMOVING, Phase.GONE}


def _heir(rows: Mapping[str, Watched], found: Mapping[str, Observation], token: Token | None) -> str | None:
    """The row that waits for a GPU of this token, unless it has one already."""
    if token is None or token.instance_id in found:
        return None
    row = rows.get(token.instance_id)
    waits = row is not None and may_bind(row) and row.attempt == token.attempt
    return token.instance_id if waits else None


def _write(transaction: Transaction, changed: list[tuple[Watched, Watched]]) -> None:
    if not changed:
        return
    values = [
        {name: getattr(after, name) for name in _WRITTEN} | {"row_id": after.id} for _, after in changed
    ]
    transaction.connection.execute(_UPDATE, values)
    shown = [after for before, after in changed if _shows(before) != _shows(after)]
    bump_cards(transaction, [(row.id, row.state) for row in shown])


def _shows(row: Watched) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _SHOWN)


def _end_attempts(transaction: Transaction, ended: list[tuple[str, int, Fate, str | None]]) -> None:
    names = ("row_id", "attempt_number", "fate", "novita_id")
    if ended:
        transaction.connection.execute(_END_ATTEMPT, [dict(zip(names, each, strict=True)) for each in ended])


def _sort(
    transaction: Transaction, nobodys: list[tuple[Observation, Token | None]], left: _Left
) -> tuple[tuple[Stray, ...], tuple[Observation, ...]]:
    if not nobodys:
        return (), ()
    ids = {token.instance_id for _, token in nobodys if token}
    known, records = _attempts(transaction, ids, left), _instances(transaction, ids, left)
    nobodys = [(each, token) for each, token in nobodys if not left.owns(each, token)]
    unknown = tuple(each for each, token in nobodys if _key(token) not in known)
    late = [(each, known[key]) for each, token in nobodys if (key := _key(token)) in known]
    # One that is late and going already: whoever removed it died before it could tell.
    remaining = [(e, _late(a, e)) for e, a in late if a.fate is Fate.LATE or not _is_ending(e)]
    new = [attempt for (_, attempt) in remaining if known[attempt.instance_id, attempt.number] != attempt]
    _end_attempts(transaction, [(one.instance_id, one.number, Fate.LATE, one.novita_id) for one in new])
    strays = (
        Stray(instance=records.get(attempt.instance_id), attempt=attempt, observation=each)
        for each, attempt in remaining
    )
    return tuple(strays), unknown


def _key(token: Token | None) -> tuple[str, int] | None:
    return None if token is None else (token.instance_id, token.attempt)


def _late(attempt: Attempt, observation: Observation) -> Attempt:
    """What was told once stays told."""
    if attempt.fate in {Fate.LATE, Fate.REMOVED}:
        return attempt
    return replace(attempt, fate=Fate.LATE, novita_id=observation.novita_id)


def _attempts(transaction: Transaction, ids: set[str], left: _Left) -> dict[tuple[str, int] | None, Attempt]:
    rows = transaction.connection.execute(select_attempts(attempts.c.instance_id.in_(sorted(ids))))
    found, unread = sort_out(rows, read_attempt, key=lambda row: row.instance_id)
    left.instances |= unread
    return {(attempt.instance_id, attempt.number): attempt for attempt in found}


def _instances(transaction: Transaction, ids: set[str], left: _Left) -> dict[str, Instance]:
    rows = transaction.connection.execute(select_instances(instances.c.id.in_(sorted(ids))))
    found, unread = sort_out(rows, read_instance, key=lambda row: row.id)
    left.instances |= unread
    return {instance.id: instance for instance in found}
