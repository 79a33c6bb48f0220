"""The tries of deliveries: written with their outcome, never changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.engine import Connection

from storage.records import DeliveryAttempt
from storage.store.transaction import Transaction
from storage.tables import delivery_attempts

_INSERT = insert(delivery_attempts)
_EARLIER = select(func.max(delivery_attempts.c.number)).where(
    delivery_attempts.c.delivery_id == bindparam("delivery")
)


def write_attempt(
    transaction: Transaction, delivery_id: str, status_code: int | None, error: str | None
) -> None:
    earlier = transaction.connection.scalar(_EARLIER, {"delivery": delivery_id})
    row = {
        "delivery_id": delivery_id,
        "number": (earlier or 0) + 1,
        "at": transaction.now,
        "status_code": status_code,
        "error": error,
    }
    transaction.connection.execute(_INSERT, row)


def read_attempts(
    connection: Connection, delivery_ids: Collection[str]
) -> Mapping[str, tuple[DeliveryAttempt, ...]]:
    rows = connection.execute(
        select(delivery_attempts)
        .where(delivery_attempts.c.delivery_id.in_(delivery_ids))
        .order_by(delivery_attempts.c.delivery_id, delivery_attempts.c.number)
    )
    found: dict[str, list[DeliveryAttempt]] = defaultdict(list)
    for row in rows:
        found[row.delivery_id].append(
            DeliveryAttempt(number=row.number, at=row.at, status_code=row.status_code, error=row.error)
        )
    return {delivery_id: tuple(tries) for delivery_id, tries in found.items()}
