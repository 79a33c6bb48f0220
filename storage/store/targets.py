"""Webhooks that fail: since when, and those that get nothing more. Every method is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select, text, update
from sqlalchemy.engine import Connection

from storage.columns import Moment
from storage.records import DeliveryState, Target, TargetKind
from storage.store.transaction import Ledger, Transaction, is_held
from storage.tables import deliveries, targets


@dataclass(frozen=True, slots=True, kw_only=True)
class DisabledTarget:
    address: str
    disabled_at: datetime
    reason: str


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


class Targets:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def disable_target(self, address: str, reason: str) -> bool:
        """Its pending deliveries are dead, and so is what is written for it later. Idempotent.

        True: it was enabled. One in flight ends as it ends.
        """

        def work(transaction: Transaction) -> bool:
            _end_pending(transaction, address, reason)
            values = {"address": address, "now": transaction.now, "reason": reason}
            return transaction.change(_DISABLE, values) == 1

        return await self._ledger.write(work)

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


def is_disabled(transaction: Transaction, target: Target) -> bool:
    row = select(targets.c.address).where(
        targets.c.address == target.address, targets.c.disabled_at.is_not(None)
    )
    return target.kind is TargetKind.WEBHOOK and transaction.connection.execute(row).first() is not None


def note_failing(transaction: Transaction, target: Target) -> None:
    """Keeps the first time."""
    if target.kind is TargetKind.WEBHOOK:
        transaction.connection.execute(_FAILING, {"address": target.address, "now": transaction.now})


def clear_failing(transaction: Transaction, target: Target) -> None:
    if target.kind is TargetKind.WEBHOOK:
        transaction.connection.execute(delete(targets).where(targets.c.address == target.address))


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
        .with_for_update()
    )
    statement = update(deliveries).where(deliveries.c.id.in_(waiting))
    transaction.connection.execute(statement.values(state=DeliveryState.DEAD, due_at=None, last_error=reason))
