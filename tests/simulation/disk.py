"""One database in memory for all processes of a run. The store on it is the real one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from sqlalchemy import create_engine
from sqlalchemy.engine import Connection
from sqlalchemy.pool import StaticPool

from storage.database import migrate
from storage.errors import DatabaseUnavailable
from tests.simulation.process import Process

T = TypeVar("T")

DEPLOYMENT = "simulate"
TOLD = ("cards", "people", "deliveries")
"""Tables whose rows are due to be shown or sent."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Disk:
    """Kept over runs: an engine would forget every statement that it has compiled."""

    def __init__(self) -> None:
        self._raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._raw.execute("PRAGMA foreign_keys=ON")
        engine = create_engine("sqlite://", creator=lambda: self._raw, poolclass=StaticPool)
        # SQLAlchemy is in one transaction of its own for ever, of which SQLite knows nothing; real ones are begun
        # and ended past it: that saves a fifth of the time.
        self._connection = engine.connect()

    def empty(self) -> None:
        """As after the first migration."""
        self._raw.deserialize(_migrated())

    def read(self, work: Callable[[Connection], T]) -> T:
        return work(self._connection)

    def transact(self, work: Callable[[Connection], T]) -> T:
        self._raw.execute("BEGIN IMMEDIATE")
        try:
            answer = work(self._connection)
        except BaseException:
            self._raw.execute("ROLLBACK")
            raise
        self._raw.execute("COMMIT")
        return answer

    def rows(self, statement: str, *values: object) -> list[Any]:
        """For those who look on: past SQLAlchemy, which takes fifty times as long."""
        return self._raw.execute(statement, values).fetchall()

    def has_due(self, now: datetime, *tables: str) -> bool:
        """Whether one of them has a row for a worker."""
        moment = microseconds(now)
        return any(self.rows(_DUE.format(table), moment, moment) for table in tables)

    def next_told(self) -> int | None:
        """When the next one is due to be shown or sent, in microseconds; None: nothing waits."""
        due = [self.rows(f"SELECT min(due_at) FROM {table}")[0][0] for table in TOLD]
        return min((moment for moment in due if moment is not None), default=None)


_DUE = """
SELECT 1 FROM {} WHERE due_at <= ? AND (leased_until IS NULL OR leased_until <= ?) LIMIT 1
"""


def microseconds(moment: datetime) -> int:
    """As times are kept in the tables."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


@cache
def the_disk() -> Disk:
    return Disk()


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        asyncio.run(migrate(f"sqlite:///{path}"))
        with closing(sqlite3.connect(path)) as connection:
            # The deployment is drawn when the first migration runs; a seed must always mean the same one.
            connection.execute("UPDATE meta SET deployment = ?", (DEPLOYMENT,))
            connection.commit()
            connection.execute("PRAGMA journal_mode=DELETE")
        return path.read_bytes()


class DiskAccess:
    """See `storage.database.Database`. A process may die before the commit, and after it."""

    deployment = DEPLOYMENT
    generation = None

    def __init__(self, disk: Disk, process: Process, dice: Random, is_away: Callable[[], bool]) -> None:
        """`is_away` is asked before each transaction."""
        self._disk = disk
        self._process = process
        self._dice = dice
        self._is_away = is_away

    async def read(self, work: Callable[[Connection], T]) -> T:
        await self._process.pause(self._delay())
        return self._disk.read(work)

    async def write(self, work: Callable[[Connection], T], *, urgent: bool = False) -> T:
        is_away = self._is_away()
        await self._process.pause(self._delay())
        if is_away and self._dice.random() < 0.5:
            raise DatabaseUnavailable("The connection broke before the commit.")
        answer = self._disk.transact(work)
        await self._process.pause(self._delay())
        if is_away:
            raise DatabaseUnavailable("The connection broke after the commit.")
        return answer

    async def close(self) -> None:
        pass

    def _delay(self) -> float:
        chance = self._dice.random()
        if chance < 0.7:
            return 0
        return self._dice.uniform(0, 0.05 if chance < 0.98 else 1)
