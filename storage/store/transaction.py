"""What every method of the store stands on: one transaction, one time, leases on rows."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    CursorResult,
    FromClause,
    Integer,
    Select,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Connection

from storage.columns import Moment
from storage.database import Database

T = TypeVar("T")
Clock = Callable[[], datetime]

LEASE = timedelta(seconds=20)
CARD_GAP = timedelta(seconds=3)

NOW = bindparam("now", type_=Moment())
MOST = bindparam("most", type_=Integer())
LEFT = bindparam("left", expanding=True, type_=Text())
"""Parameters of statements that are made once."""
Time = datetime | BindParameter[datetime]

FREED = {"lease_token": None, "leased_until": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    connection: Connection
    now: datetime
    """Taken when the transaction began, after the wait for the writer."""
    card_gap: timedelta = CARD_GAP
    """Between two edits of one card."""

    def change(self, statement: Any, parameters: Any = None) -> int:
        """How many rows it changed."""
        result: CursorResult[Any] = self.connection.execute(statement, parameters)
        return result.rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A database and a clock."""

    database: Database
    clock: Clock
    lease: timedelta = LEASE
    """How long a row that was leased and not renewed stays with its worker."""
    card_gap: timedelta = CARD_GAP

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self.database.read(work)

    async def write(self, work: Callable[[Transaction], T], *, urgent: bool = False) -> T:
        """`urgent`: a person or a program waits for it."""

        def run(connection: Connection) -> T:
            return work(Transaction(connection=connection, now=self.clock(), card_gap=self.card_gap))

        return await self.database.write(run, urgent=urgent)


def is_due(table: FromClause, now: Time) -> ColumnElement[bool]:
    return and_(table.c.due_at <= now, or_(table.c.leased_until.is_(None), table.c.leased_until <= now))


def is_held(table: FromClause, now: Time) -> ColumnElement[bool]:
    return and_(table.c.lease_token.is_not(None), table.c.leased_until > now)


def claiming(table: Table, wanted: Select[tuple[str]]) -> Update:
    """To be made once: it leases the rows whose keys `wanted` selects, by the parameters NOW, MOST and LEFT.

    `wanted` must skip locked rows.
    """
    key = key_of(table)
    leased = {
        "lease_token": bindparam("token", type_=Text()) + "." + key,
        "leased_until": bindparam("until", type_=Moment()),
    }
    chosen = wanted.where(key.not_in(LEFT)).cte("chosen")
    statement = update(table).where(key.in_(chosen.select())).values(leased)
    return statement.returning(key, table.c.lease_token)


def claim(
    transaction: Transaction,
    claiming: Update,
    limit: int,
    lease: timedelta,
    *,
    left: Collection[str] = (),
    **more: Any,
) -> dict[str, str]:
    """Fresh tokens of what was leased, by key. `left`: these keys are not. `more`: further parameters."""
    parameters = {
        "now": transaction.now,
        "most": limit,
        "token": uuid.uuid4().hex,
        "until": transaction.now + lease,
        "left": left,
        **more,
    }
    return {row[0]: row[1] for row in transaction.connection.execute(claiming, parameters)}


def renew(transaction: Transaction, table: Table, tokens: Iterable[str], lease: timedelta) -> int:
    """How many of the leases were still the bearer's."""
    key, wanted = key_of(table), tuple(tokens)
    held = (
        select(key)
        .where(key.in_(rows_of(wanted)), table.c.lease_token.in_(wanted))
        .order_by(key)  # every one who waits for several rows takes them in this order: no deadlock
        .with_for_update(key_share=True)
    )
    statement = update(table).where(key.in_(held)).values(leased_until=transaction.now + lease)
    return transaction.change(statement)


def rows_of(tokens: Iterable[str]) -> list[str]:
    """The keys of the rows that are leased by these, which `claiming` has made."""
    return [token.partition(".")[2] for token in tokens]


def key_of(table: Table) -> Column[str]:
    (key,) = table.primary_key.columns
    return key
