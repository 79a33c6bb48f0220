"""What is known of Novita as a whole: complete lists, and the lack of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.engine import Connection

from storage.cloud import Listing
from storage.columns import leniently
from storage.records import State
from storage.store.cardrows import bump_cards
from storage.store.observing import Observed, observe
from storage.store.rows import FINISHED
from storage.store.steady import news
from storage.store.transaction import Ledger, Transaction
from storage.store.unreadable import LeftAlone
from storage.tables import instances, meta

_CLOSE = timedelta(seconds=10)
"""Replicas' clocks may differ by less."""

WAITING = (State.CREATING, State.STARTING, State.STOPPING, State.DELETING)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollState:
    listed_at: datetime | None
    """Beginning of the latest complete list."""
    broken: bool
    """A list after it failed."""

    @property
    def previous(self) -> datetime | None:
        """For the next `observe`: None where the time since the latest complete list must not count."""
        return None if self.broken else self.listed_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    under_way: int
    """Rows that wait for Novita."""
    acknowledged: int
    """Rows that Novita has acknowledged and is expected to show."""
    acted_at: datetime | None
    """The latest act on one of those."""


_waits = or_(instances.c.state.in_(WAITING), instances.c.wish.is_not(None))
_tracked = or_(instances.c.state.not_in(FINISHED), instances.c.wish.is_not(None))
_PACE = select(
    func.count(case((_waits, 1))),
    func.count(instances.c.novita_id),
    func.max(instances.c.acted_at, type_=instances.c.acted_at.type),
).where(_tracked)


class Polls:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._left = LeftAlone(instances)

    async def observe(self, listing: Listing, *, previous: datetime | None) -> Observed:
        """One transaction, after a look at which rows it is about. An older list than the latest is dropped.

        `previous`: beginning of the complete list directly before this one, None where that one failed.
        """
        deployment = self._ledger.database.deployment
        found = await self._ledger.read(lambda connection: news(connection, listing))

        def work(transaction: Transaction) -> Observed:
            if not _note_list(transaction, listing.began_at):
                return Observed(changed=0, bound=0)
            observed = observe(transaction, listing.began_at, found, previous, deployment)
            self._left.note(observed.left, transaction.now)
            return observed

        return await self._ledger.write(work)

    async def delay(self, since: datetime) -> int:
        """Novita cannot be listed since then: rows that wait for it say so. Idempotent; how many are new."""

        def work(transaction: Transaction) -> int:
            transaction.connection.execute(update(meta).values(poll_broken=True))
            return _delay(transaction, since)

        return await self._ledger.write(work)

    async def broken(self) -> None:
        """A list failed: the time until the next one does not count as time without a GPU. Idempotent."""
        await self._ledger.write(
            lambda transaction: transaction.change(update(meta).values(poll_broken=True))
        )

    async def last(self) -> PollState:
        def work(connection: Connection) -> PollState:
            row = connection.execute(select(meta.c.listed_at, meta.c.poll_broken)).one()
            return PollState(listed_at=row[0], broken=row[1])

        return await self._ledger.read(work)

    async def pace(self) -> Pace:
        """One query."""

        def work(connection: Connection) -> Pace:
            under_way, acknowledged, acted_at = connection.execute(_PACE).one()
            return Pace(under_way=under_way, acknowledged=acknowledged, acted_at=acted_at)

        return await self._ledger.read(work)


def _note_list(transaction: Transaction, began_at: datetime) -> bool:
    """False: a newer one has been observed. Two observers pass here one after the other.

    One that began in the future did not: a clock was set back, and lists must not be dropped until then.
    """
    newest = or_(
        meta.c.listed_at.is_(None),
        meta.c.listed_at <= began_at,
        meta.c.listed_at > transaction.now + _CLOSE,
    )
    statement = update(meta).where(newest).values(listed_at=began_at, poll_broken=False)
    return transaction.change(statement) == 1


def _delay(transaction: Transaction, since: datetime) -> int:
    new: ColumnElement[bool] = and_(_waits, instances.c.delayed_since.is_(None))
    locked = select(instances.c.id, leniently(instances.c.state)).where(new).order_by(instances.c.id)
    rows = transaction.connection.execute(locked.with_for_update(key_share=True)).all()
    if rows:
        statement = update(instances).where(instances.c.id.in_([row.id for row in rows]))
        transaction.connection.execute(statement.values(delayed_since=since, updated_at=transaction.now))
        bump_cards(transaction, [(row.id, row.state) for row in rows])
    return len(rows)
