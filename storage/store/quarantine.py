"""GPUs that carry our mark and that no row knows, as after a restored backup.

Every method is one transaction. They are noted once each, so that they are told once; whether one is removed
is for a person to decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection

from storage.cloud import Observation, Quarantined
from storage.store.transaction import Ledger, Transaction
from storage.tables import quarantine

_HERE = quarantine.c.left_at.is_(None)
_COLUMNS = tuple(quarantine.c[name] for name in Quarantined.__dataclass_fields__)
_UNTOLD = select(*_COLUMNS).where(_HERE, quarantine.c.told_at.is_(None)).order_by(quarantine.c.first_seen_at)
_SIZE = select(func.count()).where(_HERE)


class Quarantine:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def size(self) -> int:
        """So many does Novita show at present."""
        return await self._ledger.read(lambda connection: connection.scalar(_SIZE) or 0)

    async def untold(self) -> tuple[Quarantined, ...]:
        """Of those that Novita shows, the longest known first."""

        def work(connection: Connection) -> tuple[Quarantined, ...]:
            return tuple(Quarantined(**row._asdict()) for row in connection.execute(_UNTOLD))

        return await self._ledger.read(work)

    async def told(self, novita_id: str) -> None:
        """For ever, also where it goes and comes back. Idempotent."""

        def work(transaction: Transaction) -> None:
            mine = update(quarantine).where(quarantine.c.novita_id == novita_id)
            transaction.connection.execute(mine.values(told_at=transaction.now))

        await self._ledger.write(work)


def note_unknown(transaction: Transaction, shown: Iterable[Observation]) -> tuple[Observation, ...]:
    """`shown`: all that a complete list has of them. Those that were never seen before."""
    unknown = {each.novita_id: each for each in shown}
    known = _known(transaction, unknown)
    new = tuple(each for novita_id, each in unknown.items() if novita_id not in known)
    if new:
        transaction.connection.execute(insert(quarantine), [_row(each, transaction.now) for each in new])
    _mark(transaction, [n for n, left in known.items() if not left and n not in unknown], transaction.now)
    _mark(transaction, [n for n, left in known.items() if left and n in unknown], None)
    return new


def _known(transaction: Transaction, unknown: Iterable[str]) -> dict[str, bool]:
    """By id whether it had left. As a rule there is none, and this is one look at an empty table."""
    relevant = _HERE | quarantine.c.novita_id.in_(sorted(unknown))
    rows = transaction.connection.execute(
        select(quarantine.c.novita_id, quarantine.c.left_at).where(relevant)
    )
    return {row.novita_id: row.left_at is not None for row in rows}


def _row(observation: Observation, now: datetime) -> dict[str, object]:
    return {"novita_id": observation.novita_id, "name": observation.name, "first_seen_at": now}


def _mark(transaction: Transaction, ids: list[str], left_at: datetime | None) -> None:
    if ids:
        rows = update(quarantine).where(quarantine.c.novita_id.in_(ids))
        transaction.connection.execute(rows.values(left_at=left_at))
