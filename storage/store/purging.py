"""Forgetting what is over, and request keys that are known no longer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, exists, select

from storage.records import DeliveryState
from storage.store.keys import forget_keys
from storage.store.rows import FINISHED
from storage.store.transaction import Transaction
from storage.tables import deliveries, instances, quarantine


def purge(transaction: Transaction, before: datetime) -> int:
    """Events, deliveries, card and request keys go with the row, by their foreign keys."""
    untold = exists().where(
        deliveries.c.instance_id == instances.c.id, deliveries.c.state == DeliveryState.PENDING
    )
    over = (
        select(instances.c.id)
        .where(instances.c.state.in_(FINISHED), instances.c.wish.is_(None))
        .where(instances.c.updated_at < before, ~untold)
        .order_by(instances.c.id)
        .with_for_update()
    )
    forget_keys(transaction)
    transaction.change(delete(quarantine).where(quarantine.c.left_at < before))
    return transaction.change(delete(instances).where(instances.c.id.in_(over)))
