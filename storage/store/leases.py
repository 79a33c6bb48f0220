"""Leases by name: what only one replica may do at a time."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import bindparam, delete, text

from storage.columns import Moment
from storage.store.transaction import Ledger, Transaction
from storage.tables import leases

# One statement for both databases.
_ACQUIRE = text(
    """
    INSERT INTO leases (name, owner, until) VALUES (:name, :owner, :until)
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
    WHERE leases.owner = excluded.owner OR leases.until <= :now
    """
).bindparams(bindparam("until", type_=Moment()), bindparam("now", type_=Moment()))


class Leases:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def acquire(self, name: str, owner: str, ttl: timedelta) -> bool:
        """True: `owner` has it for `ttl` from now. Its owner renews it by acquiring it again."""

        def work(transaction: Transaction) -> bool:
            until = transaction.now + ttl
            values = {"name": name, "owner": owner, "until": until, "now": transaction.now}
            return transaction.change(_ACQUIRE, values) == 1

        return await self._ledger.write(work)

    async def release(self, name: str, owner: str) -> None:
        """Without effect on somebody else's. Idempotent."""
        statement = delete(leases).where(leases.c.name == name, leases.c.owner == owner)
        await self._ledger.write(lambda transaction: transaction.change(statement))
