"""People: how each wants to be told, and their Home tab, due like a card. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, Update, bindparam, select, text, update
from sqlalchemy.engine import Connection

from storage.columns import Unread, Word, leniently
from storage.records import Notify
from storage.store.homerows import bump_homes
from storage.store.taking import take
from storage.store.transaction import FREED, MOST, NOW, Ledger, Transaction, claim, claiming, is_due, renew
from storage.store.unreadable import LeftAlone, refuse_unread, sort_out
from storage.tables import people


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedHome:
    user_id: str
    notify: Notify
    wanted_version: int
    attempts: int
    """Failed tries in a row."""
    token: str


# One statement for both databases.
_MEET = text(
    """
    INSERT INTO people (user_id, notify, has_home, wanted_version, shown_version, attempts)
    VALUES (:user_id, :notify, FALSE, 0, 0, 0)
    ON CONFLICT DO NOTHING
    """
).bindparams(bindparam("notify", type_=Word(Notify)))


class People:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._left = LeftAlone(people)

    async def notify(self, user_ids: Iterable[str]) -> Mapping[str, Notify]:
        """Of each; who never chose, or what a later version knows, has the usual."""
        wanted = tuple(dict.fromkeys(user_ids))

        def work(connection: Connection) -> Mapping[str, Notify]:
            found = select(people.c.user_id, leniently(people.c.notify)).where(people.c.user_id.in_(wanted))
            rows = connection.execute(found)
            chosen = {row.user_id: row.notify for row in rows if type(row.notify) is not Unread}
            return {user_id: chosen.get(user_id, Notify.THREAD) for user_id in wanted}

        return await self._ledger.read(work) if wanted else {}

    async def choose(self, user_id: str, notify: Notify) -> None:
        """Idempotent. A Home tab that shows the choice is due."""

        def work(transaction: Transaction) -> None:
            transaction.connection.execute(_known(transaction, user_id).values(notify=notify))
            bump_homes(transaction, [user_id])

        await self._ledger.write(work, urgent=True)

    async def open_home(self, user_id: str) -> None:
        """The Home tab is due now, and from now on whenever an instance of this person changes."""

        def work(transaction: Transaction) -> None:
            opened = {"wanted_version": people.c.wanted_version + 1, "has_home": True}
            due = _known(transaction, user_id).values(**opened, due_at=transaction.now)
            transaction.connection.execute(due)

        await self._ledger.write(work, urgent=True)

    async def close_home(self, user_id: str) -> None:
        """It is due no more, whatever changes. Idempotent."""
        closed = (
            update(people).where(people.c.user_id == user_id).values(has_home=False, due_at=None, **FREED)
        )
        await self._ledger.write(lambda transaction: transaction.change(closed), urgent=True)

    async def lease_homes(self, limit: int, at_work: Collection[str] = ()) -> tuple[LeasedHome, ...]:
        """The longest due first. What cannot be read is left to others. `at_work`: as of instances."""
        lease, left = self._ledger.lease, self._left

        def work(transaction: Transaction) -> tuple[LeasedHome, ...]:
            return take(
                transaction,
                left,
                at_work,
                lambda others: claim(transaction, _CLAIM, limit, lease, left=others),
                lambda tokens: _read_leased(transaction, tokens),
            )

        return await self._ledger.write(work)

    async def renew(self, tokens: Iterable[str]) -> int:
        """How many of the leases were still the bearer's."""
        lease = self._ledger.lease
        return await self._ledger.write(lambda transaction: renew(transaction, people, tokens, lease))

    async def settle(self, leased: LeasedHome) -> bool:
        """It is shown as leased; due again where something changed since.

        False: lease lost. What was shown may be older than what is there: it is to be shown once more.
        """

        def work(transaction: Transaction) -> bool:
            shown = {"shown_version": leased.wanted_version, "edited_at": transaction.now, "attempts": 0}
            newer = update(people).where(*_held(leased)).values(**shown, **FREED, due_at=None)
            if transaction.change(newer) == 0:
                return _overtaken(transaction, leased)
            again = transaction.now + transaction.card_gap
            missed = (people.c.user_id == leased.user_id, people.c.wanted_version > leased.wanted_version)
            transaction.connection.execute(update(people).where(*missed).values(due_at=again))
            return True

        return await self._ledger.write(work)

    async def later(self, leased: LeasedHome, at: datetime) -> bool:
        """It failed; again at that time. False: lease lost, as `settle` says."""
        values = {"attempts": people.c.attempts + 1, "due_at": at, **FREED}
        statement = update(people).where(*_held(leased)).values(**values)
        return await self._ledger.write(
            lambda transaction: transaction.change(statement) == 1 or _overtaken(transaction, leased)
        )


_CLAIM = claiming(
    people,
    select(people.c.user_id)
    .where(is_due(people, NOW))
    .order_by(people.c.due_at)
    .limit(MOST)
    .with_for_update(skip_locked=True),
)


_NAMES = ("user_id", "notify", "wanted_version", "attempts")


def _read_leased(
    transaction: Transaction, tokens: Mapping[str, str]
) -> tuple[list[LeasedHome], dict[str, str]]:
    def read(row: Row[Any]) -> LeasedHome:
        refuse_unread(_NAMES, row)
        return LeasedHome(**row._asdict(), token=tokens[row.user_id])

    wanted = select(*(leniently(people.c[name]) for name in _NAMES)).where(people.c.user_id.in_(tokens))
    return sort_out(transaction.connection.execute(wanted), read, key=lambda row: row.user_id)


def _held(leased: LeasedHome) -> tuple[Any, ...]:
    return people.c.user_id == leased.user_id, people.c.lease_token == leased.token


def _overtaken(transaction: Transaction, leased: LeasedHome) -> Literal[False]:
    """As of a card: a process that slept past its lease shows something old."""
    bump_homes(transaction, [leased.user_id])
    return False


def _known(transaction: Transaction, user_id: str) -> Update:
    """What changes this person's row, which is there from now on."""
    usual = {"user_id": user_id, "notify": Notify.THREAD}
    transaction.connection.execute(_MEET, usual)
    return update(people).where(people.c.user_id == user_id)
