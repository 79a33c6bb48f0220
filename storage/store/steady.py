"""Which rows a list says nothing new about: nearly all of them, nearly always.

Told from the columns as the database keeps them, and before a transaction begins: to make records of ten
thousand rows takes a second, in which nobody else could write. What is left is judged under lock, as ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, select, type_coerce
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.types import TypeDecorator

from storage.cloud import Listing, Observation
from storage.records import Outcome, State, Wish
from storage.store.rows import FINISHED
from storage.store.tokens import read_token
from storage.tables import instances

MOST = 500
"""Rows that are named one by one; more are read all together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What of a list has to be looked at."""

    rows: frozenset[str] | None
    """Ids of tracked rows; None: all."""
    observations: tuple[Observation, ...]
    """Of those rows, and of GPUs that show none."""


def news(connection: Connection, listing: Listing) -> News:
    """A row that is not in it is one that `sightings.look` would give back as it is."""
    shown = {each.novita_id: _as_kept(each) for each in listing.observations}
    steady, others = _sort(connection.execute(_TRACKED).all(), shown)
    gpus = set(steady.values())
    rest = tuple(each for each in listing.observations if each.novita_id not in gpus)
    # A second GPU of a steady row is judged beside the first.
    disputed = {token.instance_id for token in (read_token(each.name) for each in rest) if token}
    if disputed := disputed & steady.keys():
        gpus -= {steady[row_id] for row_id in disputed}
        rest = tuple(each for each in listing.observations if each.novita_id not in gpus)
    if len(others) + len(disputed) > MOST:
        return News(rows=None, observations=listing.observations)
    return News(rows=frozenset(others) | disputed, observations=rest)


def _sort(rows: Iterable[Any], shown: Mapping[str, tuple[object, ...]]) -> tuple[dict[str, str], list[str]]:
    """GPUs of the steady rows by the rows' ids, and the ids of all others."""
    steady: dict[str, str] = {}
    others: list[str] = []
    for row_id, gpu, state, wish, call, outcome, *kept in rows:
        known = state in _STATES and wish in _WISHES and call in _WISHES and outcome in _OUTCOMES
        if known and shown.get(gpu) == tuple(kept):
            steady[row_id] = gpu
        else:
            others.append(row_id)
    return steady, others


def _words(kind: type[StrEnum]) -> frozenset[str | None]:
    return frozenset({None, *(word.value for word in kind)})


_STATES, _WISHES, _OUTCOMES = _words(State), _words(Wish), _words(Outcome)
"""A later version may have written others: such a row is for whoever judges it to refuse."""

_FROM_LIST = ("status", "phase", "status_error", "spot", "reclaim_at", "last_started_at")
_AT_REST = {"underway": True, "absent_lists": 0, "absent_for": 0, "not_found_at": None, "delayed_since": None}


def _raw(column: Column[Any]) -> ColumnElement[Any]:
    kind = column.type
    return type_coerce(column, kind.impl_instance) if isinstance(kind, TypeDecorator) else column


_COLUMNS = ("id", "novita_id", "state", "wish", "call", "outcome", *_FROM_LIST, *_AT_REST)
_TRACKED = select(*(_raw(instances.c[name]) for name in _COLUMNS)).where(
    instances.c.state.not_in(FINISHED) | instances.c.wish.is_not(None)
)
_NO_DIALECT: Dialect = None  # type: ignore[assignment]  # our types keep the same on all


def _as_kept(observation: Observation) -> tuple[object, ...]:
    """The columns of a row for which it is no news."""
    learned = (_kept(instances.c[name], getattr(observation, name)) for name in _FROM_LIST)
    return (*learned, *_AT_REST.values())


def _kept(column: Column[Any], value: object) -> object:
    kind = column.type
    return kind.process_bind_param(value, _NO_DIALECT) if isinstance(kind, TypeDecorator) else value
