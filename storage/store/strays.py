"""GPUs that came too late: told once, when they are gone."""

from __future__ import annotations

from storage.records import Attempt, Fate, NewEvent, Target
from storage.store.rows import Change, lock_instance, write_change
from storage.store.steps import end_attempt
from storage.store.transaction import Transaction


def settle_stray(
    transaction: Transaction, attempt: Attempt, novita_id: str, event: NewEvent, targets: tuple[Target, ...]
) -> bool:
    row = lock_instance(transaction.connection, attempt.instance_id)
    if not end_attempt(transaction, attempt.instance_id, attempt.number, Fate.REMOVED, novita_id):
        return False
    if row is not None:
        write_change(transaction, row, Change(event=event, targets=targets))
    return True
