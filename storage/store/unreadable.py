"""Rows that a later version of this program wrote: left to replicas that can read them.

While replicas are upgraded one after the other, the newer ones write words and records that the older ones do
not know. An older one never decides by such a row, never keeps it leased, and goes on with all others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import Table

from storage.columns import Unread
from storage.errors import Unreadable

log = structlog.get_logger(__name__)

R = TypeVar("R")
V = TypeVar("V")

AGAIN_AFTER = timedelta(seconds=60)
"""Then it is looked at once more: whoever can read it may have written what we can read as well."""
HOLDS_BACK = timedelta(seconds=60)
"""Later deliveries wait for one that cannot be read for so long. Then nobody who can seems to be left."""
FORGOTTEN_AFTER = timedelta(minutes=10)
MOST = 10_000
"""As many are remembered; each is a parameter of a statement."""


@dataclass(slots=True)
class _Met:
    first_at: datetime
    last_at: datetime


class LeftAlone:
    """Of one table, as far as this process has met them. Each thing that is not known here is told once."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._met: dict[str, _Met] = {}
        self._told: set[str] = set()

    def keys(self, now: datetime) -> Collection[str]:
        """Not to be taken now."""
        return [key for key, met in self._met.items() if now - met.last_at < AGAIN_AFTER]

    def overdue(self, now: datetime) -> Collection[str]:
        """Nobody has seen to these for long."""
        return [key for key, met in self._met.items() if now - met.first_at >= HOLDS_BACK]

    def note(self, found: Mapping[str, str], now: datetime) -> None:
        """`found`: why they cannot be read, by key."""
        for key, why in found.items():
            self._met.setdefault(key, _Met(first_at=now, last_at=now)).last_at = now
            if why not in self._told:
                self._told.add(why)
                log.warning("row.left", table=self.table.name, row=key, why=why)
        if found:
            kept = [(key, met) for key, met in self._met.items() if now - met.last_at < FORGOTTEN_AFTER]
            self._met = dict(kept[-MOST:])

    def forget(self, keys: Iterable[str]) -> None:
        """They could be read after all."""
        if self._met:
            for key in keys:
                self._met.pop(key, None)


def refuse_unread(names: Sequence[str], values: Sequence[Any]) -> None:
    """Raises Unreadable where one of the values, named by the other sequence, is one that we do not know."""
    if Unread in map(type, values):
        named = zip(names, values, strict=False)
        raise Unreadable("; ".join(f"{name}: {value.why}" for name, value in named if type(value) is Unread))


def sort_out(
    rows: Iterable[R], read: Callable[[R], V], key: Callable[[R], str]
) -> tuple[list[V], dict[str, str]]:
    """Row by row: what could be read, and why the others could not, by key."""
    found: list[V] = []
    unread: dict[str, str] = {}
    for row in rows:
        try:
            found.append(read(row))
        except Unreadable as error:
            unread[key(row)] = str(error)
    return found, unread


def readable(rows: Iterable[R], read: Callable[[R], V]) -> tuple[V, ...]:
    """For lists that people look at: the others are missing there."""
    found, _ = sort_out(rows, read, key=lambda _row: "")
    return tuple(found)
