"""What workers do to instances, under a lease: take them, begin a call, record how it went."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, insert, select, update
from sqlalchemy.engine import Connection

from storage.cloud import Offer
from storage.records import Attempt, Fate, Instance, NewEvent, Outcome, Target, Wish
from storage.store.creates import read_attempt, select_attempts
from storage.store.rows import (
    FINISHED,
    Change,
    differences,
    lock_instance,
    read_instance,
    select_instances,
    write_change,
)
from storage.store.taking import take
from storage.store.transaction import FREED, MOST, NOW, Transaction, claim, claiming, is_due
from storage.store.unreadable import LeftAlone, sort_out
from storage.tables import attempts, instances, meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    instance: Instance
    token: str
    listed_at: datetime | None
    """Beginning of the latest complete list that was observed, None before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    after: Instance
    event: NewEvent | None
    targets: tuple[Target, ...]
    due_at: datetime | None
    decided: bool


_BINDING = frozenset({"novita_id", "bound_at"})
"""Never taken from a worker that was overtaken: the row may have been bound meanwhile."""

_ATTEMPT = and_(
    attempts.c.instance_id == bindparam("row_id"), attempts.c.number == bindparam("attempt_number")
)

_CLAIM = claiming(
    instances,
    select(instances.c.id)
    .where(is_due(instances, NOW))
    .order_by(instances.c.due_at)
    .limit(MOST)
    .with_for_update(skip_locked=True, key_share=True),
)
_CLAIMED = select_instances(instances.c.id.in_(bindparam("ids", expanding=True))).order_by(instances.c.due_at)
_LISTED_AT = select(meta.c.listed_at)


def lease_due(
    transaction: Transaction, limit: int, at_work: Collection[str], lease: timedelta, left: LeftAlone
) -> tuple[Leased, ...]:
    def read(tokens: Mapping[str, str]) -> tuple[list[Leased], dict[str, str]]:
        listed_at = transaction.connection.scalar(_LISTED_AT)
        rows = transaction.connection.execute(_CLAIMED, {"ids": list(tokens)})
        return sort_out(
            rows,
            lambda row: Leased(instance=read_instance(row), token=tokens[row.id], listed_at=listed_at),
            key=lambda row: row.id,
        )

    return take(
        transaction,
        left,
        at_work,
        lambda others: claim(transaction, _CLAIM, limit, lease, left=others),
        read,
    )


def begin(
    transaction: Transaction, leased: Leased, call: Wish, offer: Offer | None, lease: timedelta
) -> Leased | None:
    row = _held(transaction, leased)
    if row is None:
        return None
    if row.version != leased.instance.version:
        _give_back(transaction, row)
        return None
    values = _begun(transaction, row, call)
    if call is Wish.CREATE:
        values |= _begun_create(row, offer)
    # The work begins only now: it has the whole lease for itself.
    change = Change(values=values, lease={"leased_until": transaction.now + lease})
    after = write_change(transaction, row, change)
    if call is Wish.CREATE:
        _add_attempt(transaction, after)
    return replace(leased, instance=after)


def bind(transaction: Transaction, instance_id: str, attempt: int, novita_id: str, at: datetime) -> bool:
    row = lock_instance(transaction.connection, instance_id)
    if row is not None and row.novita_id == novita_id:
        return True
    # Over: it was given up, or deleted before it was known. As in a list, its GPU is late then.
    if row is None or row.state in FINISHED or row.novita_id is not None or row.attempt != attempt:
        end_attempt(transaction, instance_id, attempt, Fate.LATE, novita_id)
        return False
    values = {
        "novita_id": novita_id,
        "bound_at": at,
        "billing_since": at,
        "outcome": Outcome.ACCEPTED,
        "refusal": None,
        "retry_at": None,
        "absent_lists": 0,
        "absent_for": timedelta(0),
        "not_found_at": None,
    }
    write_change(transaction, row, _told(transaction, values))
    end_attempt(transaction, instance_id, attempt, Fate.BOUND, novita_id)
    return True


def not_made(transaction: Transaction, instance_id: str, attempt: int, fate: Fate) -> None:
    row = lock_instance(transaction.connection, instance_id)
    ended = update(attempts).where(_ATTEMPT, attempts.c.fate == Fate.BEGUN).values(fate=fate)
    transaction.connection.execute(ended, {"row_id": instance_id, "attempt_number": attempt})
    if row is None or row.attempt != attempt or row.call is not Wish.CREATE or row.novita_id is not None:
        return
    if row.outcome is not Outcome.NOT_MADE:
        write_change(transaction, row, _told(transaction, {"outcome": Outcome.NOT_MADE}))


def settle(transaction: Transaction, leased: Leased, settlement: Settlement) -> bool:
    row = _held(transaction, leased)
    if row is None:
        return False
    overtaken = row.version != leased.instance.version
    if overtaken and (settlement.decided or _has_newer_wish(row, leased.instance)):
        _give_back(transaction, row)
        return False
    values = differences(leased.instance, settlement.after)
    if overtaken:
        values = {name: value for name, value in values.items() if name not in _BINDING}
    change = Change(
        values=values,
        lease={**FREED, "due_at": transaction.now if overtaken else settlement.due_at},
        event=settlement.event,
        targets=settlement.targets,
        acted=not values.keys().isdisjoint({"call", "called_at", "outcome"}),
    )
    write_change(transaction, row, change)
    return True


def list_attempts(connection: Connection, instance_id: str) -> tuple[Attempt, ...]:
    rows = select_attempts(attempts.c.instance_id == instance_id).order_by(attempts.c.number)
    return tuple(read_attempt(row) for row in connection.execute(rows))


def end_attempt(transaction: Transaction, instance_id: str, attempt: int, fate: Fate, novita_id: str) -> bool:
    """False: it was removed and told already, or never begun."""
    statement = (
        update(attempts)
        .where(_ATTEMPT, attempts.c.fate != Fate.REMOVED)
        .values(fate=fate, novita_id=novita_id)
    )
    values = {"row_id": instance_id, "attempt_number": attempt}
    return transaction.change(statement, values) == 1


def _held(transaction: Transaction, leased: Leased) -> Instance | None:
    return lock_instance(transaction.connection, leased.instance.id, token=leased.token)


def _give_back(transaction: Transaction, row: Instance) -> None:
    """Something came in between: whoever leases it next decides anew."""
    statement = update(instances).where(instances.c.id == row.id)
    transaction.connection.execute(statement.values(**FREED, due_at=transaction.now))


def _begun(transaction: Transaction, row: Instance, call: Wish) -> dict[str, Any]:
    return {
        "call": call,
        "called_at": transaction.now,
        "outcome": Outcome.BEGUN,
        "tries": row.tries + 1,
        "underway": False,
        "retry_at": None,
    }


def _begun_create(row: Instance, offer: Offer | None) -> dict[str, Any]:
    first = row.first_usd_per_hour
    return {
        "attempt": row.attempt + 1,
        "offer": offer,
        "first_usd_per_hour": offer.usd_per_hour if first is None and offer is not None else first,
        "absent_lists": 0,
        "absent_for": timedelta(0),
        "not_found_at": None,
    }


def _add_attempt(transaction: Transaction, instance: Instance) -> None:
    values = {
        "instance_id": instance.id,
        "number": instance.attempt,
        "begun_at": transaction.now,
        "fate": Fate.BEGUN,
        "offer": instance.offer,
    }
    transaction.connection.execute(insert(attempts), values)


def _told(transaction: Transaction, values: Mapping[str, Any]) -> Change:
    """What Novita's answer said, written whoever has the lease."""
    return Change(values=values, lease={"due_at": transaction.now}, acted=True, newer=True)


def _has_newer_wish(row: Instance, before: Instance) -> bool:
    return (row.wished_at, row.wish, row.state) != (before.wished_at, before.wish, before.state)
