"""Deliveries: one event to one target, until it is delivered or dead. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, func, select, update
from sqlalchemy.engine import Connection

from storage.records import Card, Delivery, DeliveryAttempt, DeliveryState, TargetKind
from storage.store.attemptrows import read_attempts, write_attempt
from storage.store.cards import CARD_COLUMNS, read_card
from storage.store.deliveryrows import COLUMNS, read_delivery, select_deliveries, select_ready
from storage.store.taking import take
from storage.store.targets import Telling, clear_failing, disable, is_disabled, note_failing
from storage.store.transaction import FREED, Ledger, Transaction, claim, claiming, is_held, renew
from storage.store.unreadable import LeftAlone, readable, sort_out
from storage.tables import cards, deliveries, targets

PER_TARGET = 4
CLAIM_LOCK = 0x67706464
"""Ours among PostgreSQL's advisory locks: order and number in flight are judged over all replicas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedDelivery:
    delivery: Delivery
    card: Card | None
    """Of its instance: where a notice is the reply."""
    token: str
    failing_since: datetime | None
    """The target's first failure since its latest success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which deliveries; None: of any."""

    state: DeliveryState | None = None
    kind: TargetKind | None = None
    instance_id: str | None = None

    def conditions(self) -> tuple[ColumnElement[bool], ...]:
        asked = {
            deliveries.c.state: self.state,
            deliveries.c.target_kind: self.kind,
            deliveries.c.instance_id: self.instance_id,
        }
        return tuple(column == value for column, value in asked.items() if value is not None)


ALL = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    pending: int
    dead: int
    oldest_at: datetime | None
    """When the oldest pending one was written."""


class Deliveries:
    def __init__(self, ledger: Ledger, *, per_target: int = PER_TARGET) -> None:
        self._ledger = ledger
        self._per_target = per_target
        self._left = LeftAlone(deliveries)

    async def lease_due(self, limit: int, at_work: Collection[str] = ()) -> tuple[LeasedDelivery, ...]:
        """Longest due first, and so that one slow receiver never occupies all workers.

        Per instance and target one at a time and in order; an event that failed three times no longer holds
        back later ones. A notice waits for its card. What cannot be read is left to others, and later ones
        wait for it for a while. `at_work`: as of instances.
        """
        return await self._ledger.write(lambda transaction: self._lease_due(transaction, limit, at_work))

    async def renew(self, tokens: Iterable[str]) -> int:
        """How many of the leases were still the bearer's."""
        lease = self._ledger.lease
        return await self._ledger.write(lambda transaction: renew(transaction, deliveries, tokens, lease))

    async def settle_delivered(self, leased: LeasedDelivery, status_code: int | None = None) -> bool:
        """The target is well: enabled, where it was disabled. False: lease lost, nothing written."""
        return await self._ledger.write(
            lambda transaction: _settle_delivered(transaction, leased, status_code)
        )

    async def settle_later(
        self,
        leased: LeasedDelivery,
        at: datetime,
        status_code: int | None = None,
        error: str | None = None,
    ) -> bool:
        """Failed; again at that time, or dead where the target has been disabled. False: lease lost."""
        fault = {"last_status_code": status_code, "last_error": error}

        def work(transaction: Transaction) -> bool:
            if is_disabled(transaction, leased.delivery.target):
                return _settle_failed(transaction, leased, {**fault, **_DEAD})
            return _settle_failed(transaction, leased, {**fault, "due_at": at})

        return await self._ledger.write(work)

    async def settle_dead(
        self, leased: LeasedDelivery, status_code: int | None = None, error: str | None = None
    ) -> bool:
        """Failed, and not tried again unless it is replayed. False: lease lost."""
        values = {"last_status_code": status_code, "last_error": error, **_DEAD}
        return await self._ledger.write(lambda transaction: _settle_failed(transaction, leased, values))

    async def settle_gone(
        self, leased: LeasedDelivery, status_code: int, error: str, *, told: Telling
    ) -> bool | None:
        """The target wants nothing more: this one is dead, and the target disabled, at once.

        True: it was enabled until now, and that it is not any more is `told`. None: lease lost.
        """
        values = {"last_status_code": status_code, "last_error": error, **_DEAD}

        def work(transaction: Transaction) -> bool | None:
            if not _settle_failed(transaction, leased, values):
                return None
            return disable(transaction, leased.delivery.target.address, error, told)

        return await self._ledger.write(work)

    async def replay(self, delivery_id: str) -> Delivery | None:
        """Due now and with all its tries before it, whatever became of it; None: there is none of that id.

        Idempotent while it is pending. Raises Unreadable.
        """
        return await self._ledger.write(lambda transaction: _replay(transaction, delivery_id))

    async def replay_dead(self, since: datetime) -> int:
        """The same for all that were written since then and are dead; how many those were."""
        dead = (deliveries.c.state == DeliveryState.DEAD, deliveries.c.created_at >= since)
        return await self._ledger.write(lambda transaction: _make_due(transaction, *dead))

    async def is_told_directly(self, event_id: str) -> bool:
        """The requester gets a direct message of this event: that was written with it."""
        direct = select(deliveries.c.id).where(
            deliveries.c.event_id == event_id, deliveries.c.target_kind == TargetKind.DIRECT
        )
        return await self._ledger.read(lambda connection: connection.execute(direct).first() is not None)

    async def list_deliveries(
        self, wanted: Wanted = ALL, *, limit: int = 100, offset: int = 0
    ) -> tuple[tuple[Delivery, ...], int]:
        """Newest first, and how many there are in all; one that cannot be read counts and is missing."""

        def work(connection: Connection) -> tuple[tuple[Delivery, ...], int]:
            conditions = wanted.conditions()
            newest = select_deliveries().where(*conditions).order_by(*_NEWEST)
            rows = connection.execute(newest.limit(limit).offset(offset))
            total = connection.scalar(select(func.count()).select_from(deliveries).where(*conditions))
            return readable(rows, read_delivery), total or 0

        return await self._ledger.read(work)

    async def attempts(self, delivery_ids: Collection[str]) -> Mapping[str, tuple[DeliveryAttempt, ...]]:
        """Every try of these, first to last; a delivery that was not tried yet is not there."""
        return await self._ledger.read(lambda connection: read_attempts(connection, delivery_ids))

    async def backlog(self) -> Backlog:
        def work(connection: Connection) -> Backlog:
            pending, dead, oldest_at = connection.execute(_BACKLOG).one()
            return Backlog(pending=pending, dead=dead, oldest_at=oldest_at)

        return await self._ledger.read(work)

    def _lease_due(
        self, transaction: Transaction, limit: int, at_work: Collection[str]
    ) -> tuple[LeasedDelivery, ...]:
        is_shared = transaction.connection.dialect.name == "postgresql"
        if is_shared:
            transaction.connection.execute(select(func.pg_advisory_xact_lock(CLAIM_LOCK)))
        wanted = _CLAIM_LATERALLY if is_shared else _CLAIM

        def claimed(others: Collection[str]) -> Mapping[str, str]:
            more = {"per_target": self._per_target, "passed": self._left.overdue(transaction.now)}
            return claim(transaction, wanted, limit, self._ledger.lease, left=others, **more)

        return take(
            transaction, self._left, at_work, claimed, lambda tokens: _read_leased(transaction, tokens)
        )


_CLAIM, _CLAIM_LATERALLY = (
    claiming(deliveries, select_ready(lateral=lateral).with_for_update(skip_locked=True))
    for lateral in (False, True)
)
_DEAD = {"state": DeliveryState.DEAD, "due_at": None}
_NEWEST = (deliveries.c.created_at.desc(), deliveries.c.sequence.desc(), deliveries.c.id)
_pending = deliveries.c.state == DeliveryState.PENDING
_BACKLOG = select(
    func.count(case((_pending, 1))),
    func.count(case((deliveries.c.state == DeliveryState.DEAD, 1))),
    func.min(case((_pending, deliveries.c.created_at)), type_=deliveries.c.created_at.type),
)


def _read_leased(
    transaction: Transaction, tokens: Mapping[str, str]
) -> tuple[list[LeasedDelivery], dict[str, str]]:
    rows = transaction.connection.execute(
        select_deliveries()
        .add_columns(targets.c.failing_since, *CARD_COLUMNS)
        .join(cards, cards.c.instance_id == deliveries.c.instance_id, isouter=True)
        .join(targets, targets.c.address == deliveries.c.target_address, isouter=True)
        .where(deliveries.c.id.in_(tokens))
        .order_by(deliveries.c.due_at, deliveries.c.sequence, deliveries.c.id)
    )
    return sort_out(rows, lambda row: _leased(row, tokens), key=lambda row: row.id)


def _leased(row: Any, tokens: Mapping[str, str]) -> LeasedDelivery:
    card = row[len(COLUMNS) + 1 :]
    return LeasedDelivery(
        delivery=read_delivery(row),
        card=None if card[0] is None else read_card(card),
        token=tokens[row.id],
        failing_since=row.failing_since,
    )


def _settle_delivered(transaction: Transaction, leased: LeasedDelivery, status_code: int | None) -> bool:
    delivered = {"state": DeliveryState.DELIVERED, "delivered_at": transaction.now}
    if not _release(transaction, leased, {**delivered, "last_status_code": status_code}):
        return False
    clear_failing(transaction, leased.delivery.target, due_at=leased.delivery.due_at)
    return True


def _settle_failed(transaction: Transaction, leased: LeasedDelivery, values: Mapping[str, Any]) -> bool:
    if not _release(transaction, leased, values):
        return False
    note_failing(transaction, leased.delivery.target)
    return True


# Built once: making a statement, and finding its text again, takes longer than running it.
_SETTLED = {
    "state": DeliveryState.PENDING,
    "delivered_at": None,
    "due_at": None,
    "last_status_code": None,
    "last_error": None,
}
_RELEASE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("row_id"), deliveries.c.lease_token == bindparam("token"))
    .values({name: bindparam(name) for name in _SETTLED})
    .values(**FREED, attempts=deliveries.c.attempts + 1)
)


def _release(transaction: Transaction, leased: LeasedDelivery, values: Mapping[str, Any]) -> bool:
    """What is not in `values` is as in `_SETTLED`."""
    settled = {**_SETTLED, **values}
    held = {"row_id": leased.delivery.id, "token": leased.token}
    if transaction.change(_RELEASE, {**settled, **held}) != 1:
        return False
    write_attempt(transaction, leased.delivery.id, settled["last_status_code"], settled["last_error"])
    return True


def _replay(transaction: Transaction, delivery_id: str) -> Delivery | None:
    _make_due(transaction, deliveries.c.id == delivery_id)
    row = transaction.connection.execute(select_deliveries().where(deliveries.c.id == delivery_id)).first()
    return None if row is None else read_delivery(row)


def _make_due(transaction: Transaction, *conditions: ColumnElement[bool]) -> int:
    """Not those in flight: their own outcome follows."""
    again = update(deliveries).where(*conditions, ~is_held(deliveries, transaction.now))
    values = {"state": DeliveryState.PENDING, "due_at": transaction.now, "delivered_at": None, "attempts": 0}
    return transaction.change(again.values(values))
