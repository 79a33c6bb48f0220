"""Webhooks that fail: since when, and those that get nothing more. Every method is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, delete, func, or_, select, text, update
from sqlalchemy.engine import Connection

from storage.columns import Moment, leniently
from storage.records import DeliveryState, NewEvent, Target, TargetKind
from storage.store.rows import Change, lock_instance, write_change
from storage.store.transaction import Ledger, Transaction, is_held
from storage.store.unreadable import readable, refuse_unread
from storage.tables import deliveries, targets


@dataclass(frozen=True, slots=True, kw_only=True)
class DisabledTarget:
    address: str
    disabled_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatistics:
    target: Target
    pending: int
    delivered: int
    dead: int
    last_delivered_at: datetime | None
    failing_since: datetime | None
    """None: its latest answer was good, or it has not been asked yet."""
    disabled_at: datetime | None
    reason: str | None
    """Why it is disabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """An event of an instance, which may have been purged by now: then there is nobody to tell."""

    instance_id: str
    event: NewEvent
    targets: tuple[Target, ...]


# One statement for both databases, each.
_FAILING = text(
    """
    INSERT INTO targets (address, failing_since) VALUES (:address, :now) ON CONFLICT (address) DO NOTHING
    """
).bindparams(bindparam("now", type_=Moment()))
_DISABLE = text(
    """
    INSERT INTO targets (address, failing_since, disabled_at, reason) VALUES (:address, :now, :now, :reason)
    ON CONFLICT (address) DO UPDATE SET disabled_at = excluded.disabled_at, reason = excluded.reason
    WHERE targets.disabled_at IS NULL
    """
).bindparams(bindparam("now", type_=Moment()))

_CLEAR = delete(targets).where(
    targets.c.address == bindparam("cleared"),
    or_(targets.c.disabled_at.is_(None), targets.c.disabled_at <= bindparam("due_at", type_=Moment())),
)


class Targets:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def disable_target(
        self,
        address: str,
        reason: str,
        *,
        told: Telling | None = None,
        failing_before: datetime | None = None,
    ) -> bool:
        """Its pending deliveries are dead, and so is what is written for it later. Idempotent.

        True: it was enabled, and what is `told` is told. One in flight ends as it ends. `failing_before`:
        only if it has failed since then; False, and nothing written, where it has recovered meanwhile.
        """

        def work(transaction: Transaction) -> bool:
            if failing_before is not None and not _fails_since(transaction, address, failing_before):
                return False
            return disable(transaction, address, reason, told)

        return await self._ledger.write(work)

    async def statistics(self) -> tuple[TargetStatistics, ...]:
        """Of every target that has a delivery, Slack among them."""
        return await self._ledger.read(_statistics)

    async def disabled_targets(self) -> tuple[DisabledTarget, ...]:
        def work(connection: Connection) -> tuple[DisabledTarget, ...]:
            columns = (targets.c.address, targets.c.disabled_at, targets.c.reason)
            rows = connection.execute(
                select(*columns).where(targets.c.disabled_at.is_not(None)).order_by(targets.c.address)
            )
            return tuple(DisabledTarget(**row._asdict()) for row in rows)

        return await self._ledger.read(work)

    async def enable_all(self) -> int:
        """As at a start: the clock of failures begins anew for those. How many were disabled; idempotent."""
        statement = delete(targets).where(targets.c.disabled_at.is_not(None))
        return await self._ledger.write(lambda transaction: transaction.change(statement))


def disable(transaction: Transaction, address: str, reason: str, told: Telling | None) -> bool:
    """See `Targets.disable_target`."""
    _end_pending(transaction, address, reason)
    values = {"address": address, "now": transaction.now, "reason": reason}
    disabled = transaction.change(_DISABLE, values) == 1
    if disabled and told is not None:
        _tell(transaction, told)
    return disabled


def _fails_since(transaction: Transaction, address: str, before: datetime) -> bool:
    row = select(targets.c.address).where(targets.c.address == address, targets.c.failing_since <= before)
    return transaction.connection.execute(row).first() is not None


def is_disabled(transaction: Transaction, target: Target) -> bool:
    row = select(targets.c.address).where(
        targets.c.address == target.address, targets.c.disabled_at.is_not(None)
    )
    return target.kind is TargetKind.WEBHOOK and transaction.connection.execute(row).first() is not None


def note_failing(transaction: Transaction, target: Target) -> None:
    """Keeps the first time."""
    if target.kind is TargetKind.WEBHOOK:
        transaction.connection.execute(_FAILING, {"address": target.address, "now": transaction.now})


def clear_failing(transaction: Transaction, target: Target, *, due_at: datetime | None) -> None:
    """Enabled again, unless what it accepted was under way already when it was disabled: due before that."""
    if target.kind is TargetKind.WEBHOOK:
        transaction.connection.execute(_CLEAR, {"cleared": target.address, "due_at": due_at})


def _tell(transaction: Transaction, told: Telling) -> None:
    instance = lock_instance(transaction.connection, told.instance_id)
    if instance is not None:
        write_change(transaction, instance, Change(event=told.event, targets=told.targets))


def _statistics(connection: Connection) -> tuple[TargetStatistics, ...]:
    rows = connection.execute(_COUNTS).all()
    known = {row.address: row for row in connection.execute(select(targets))}
    return readable(rows, lambda row: _read_statistics(row, known.get(row.target_address)))


def _read_statistics(row: Any, health: Any) -> TargetStatistics:
    refuse_unread(("target_kind",), row)
    return TargetStatistics(
        target=Target(kind=row.target_kind, address=row.target_address),
        pending=row.pending,
        delivered=row.delivered,
        dead=row.dead,
        last_delivered_at=row.last_delivered_at,
        failing_since=None if health is None else health.failing_since,
        disabled_at=None if health is None else health.disabled_at,
        reason=None if health is None else health.reason,
    )


def _in_state(state: DeliveryState) -> Any:
    return func.count(case((deliveries.c.state == state, 1))).label(state.value)


_TARGET = (deliveries.c.target_kind, deliveries.c.target_address)
_COUNTS = (
    select(
        *map(leniently, _TARGET),
        *(_in_state(state) for state in DeliveryState),
        func.max(deliveries.c.delivered_at, type_=deliveries.c.delivered_at.type).label("last_delivered_at"),
    )
    .group_by(*_TARGET)
    .order_by(*_TARGET)
)


def _end_pending(transaction: Transaction, address: str, reason: str) -> None:
    waiting = (
        select(deliveries.c.id)
        .where(
            deliveries.c.target_kind == TargetKind.WEBHOOK,
            deliveries.c.target_address == address,
            deliveries.c.state == DeliveryState.PENDING,
            ~is_held(deliveries, transaction.now),
        )
        .order_by(deliveries.c.id)
        .with_for_update(skip_locked=True)  # one that is being settled sees by itself that all is over
    )
    statement = update(deliveries).where(deliveries.c.id.in_(waiting))
    transaction.connection.execute(statement.values(state=DeliveryState.DEAD, due_at=None, last_error=reason))
