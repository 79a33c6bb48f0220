"""A row of `instances` and the record that it holds; the one way to change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, insert, select, update
from sqlalchemy.engine import Connection

from storage.columns import leniently
from storage.records import Fate, Instance, NewEvent, State, Target
from storage.store.cardrows import bump_card
from storage.store.eventrows import write_event
from storage.store.transaction import Transaction
from storage.store.unreadable import refuse_unread
from storage.tables import attempts, instances

FIELDS = tuple(column.name for column in fields(Instance))
COLUMNS = tuple(leniently(instances.c[name]) for name in FIELDS)
"""Read by `read_instance` only."""

FINISHED = (State.FAILED, State.DELETED)

VISIBLE = frozenset(
    {
        "state",
        "wish",
        "wished_by",
        "status",
        "offer",
        "novita_id",
        "error",
        "refusal",
        "reason",
        "delayed_since",
        "reclaim_at",
        "ready_at",
        "usable_at",
        "connection",
        "billing_since",
    }
)
"""What the card shows."""

_BOOKKEEPING = frozenset({"version", "sequence", "acted_at", "updated_at"})
_NOT_TAKEN = _BOOKKEEPING | {"id"}
_UPDATE = update(instances).where(instances.c.id == bindparam("row_id"))
_INSERT = insert(instances)
# Built once: making a statement of so many columns, and finding its text again, takes longer than running it.
_LOCKED = select(*COLUMNS).where(instances.c.id == bindparam("row_id")).with_for_update(key_share=True)
_HELD = _LOCKED.where(instances.c.lease_token == bindparam("token"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One write to one row. Values of the lease columns go into `lease`."""

    values: Mapping[str, Any] = field(default_factory=dict)
    lease: Mapping[str, Any] = field(default_factory=dict)
    event: NewEvent | None = None
    targets: tuple[Target, ...] = ()
    acted: bool = False
    """A list that began before says nothing about the row from now on."""
    newer: bool = False
    """No worker may decide past it."""


def select_instances(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(*COLUMNS).where(*conditions)


def read_instance(row: Row[Any]) -> Instance:
    """Of a row that begins with `COLUMNS`. Raises Unreadable."""
    refuse_unread(FIELDS, row)
    return Instance(**dict(zip(FIELDS, row, strict=False)))


def lock_instance(connection: Connection, instance_id: str, *, token: str | None = None) -> Instance | None:
    """Nobody else changes it before this transaction ends. None: it is not there, or not under this lease.

    Raises Unreadable.
    """
    if token is None:
        row = connection.execute(_LOCKED, {"row_id": instance_id}).first()
    else:
        row = connection.execute(_HELD, {"row_id": instance_id, "token": token}).first()
    return None if row is None else read_instance(row)


def insert_instance(transaction: Transaction, instance: Instance, *, due_at: datetime) -> None:
    values = {name: getattr(instance, name) for name in FIELDS}
    values |= {"name_lower": instance.name.lower(), "due_at": due_at}
    transaction.connection.execute(_INSERT, values)


def differences(before: Instance, after: Instance) -> dict[str, Any]:
    """Fields that differ, less those that only the store writes."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in FIELDS)
    return {name: new for name, old, new in pairs if old != new and name not in _NOT_TAKEN}


def write_change(transaction: Transaction, before: Instance, change: Change) -> Instance:
    """`before` is the locked row. Writes the row, its event with deliveries, and makes its card due."""
    after = _after(transaction, before, change)
    columns = {name: getattr(after, name) for name in (*change.values, *_BOOKKEEPING)}
    transaction.connection.execute(_UPDATE, columns | dict(change.lease) | {"row_id": before.id})
    if change.event is not None:
        write_event(transaction, after, change.event, change.targets)
    shown = VISIBLE & change.values.keys() if after.channel is not None else ()
    if any(getattr(before, name) != getattr(after, name) for name in shown):
        bump_card(transaction, after)
    if after.state in FINISHED and before.state not in FINISHED:
        _give_up_attempt(transaction, after)
    return after


def _after(transaction: Transaction, before: Instance, change: Change) -> Instance:
    return replace(
        before,
        **change.values,
        version=before.version + change.newer,
        sequence=before.sequence + (change.event is not None),
        acted_at=transaction.now if change.acted else before.acted_at,
        updated_at=transaction.now,
    )


def _give_up_attempt(transaction: Transaction, instance: Instance) -> None:
    """What appears from now on is late. A bound attempt is not BEGUN any more."""
    given_up = (
        update(attempts)
        .where(
            attempts.c.instance_id == instance.id,
            attempts.c.number == instance.attempt,
            attempts.c.fate == Fate.BEGUN,
        )
        .values(fate=Fate.UNCONFIRMED)
    )
    transaction.connection.execute(given_up)
