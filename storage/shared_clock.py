"""One clock for all replicas: that of their database server, by this machine's own and what that is off by.

Leases, due times and the beginnings of lists are compared across replicas. Were each to write what its own
machine says, one that is minutes ahead would take the others' leases, and one that is behind would stall.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from storage.database import Database

log = structlog.get_logger(__name__)

_TOLD = timedelta(seconds=2)
"""A difference that an operator should know of: certificates go by this machine's clock."""


class SharedClock:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        """`clock`: this machine's."""
        self._clock = clock
        self._database: Database | None = None
        self._off_by = timedelta(0)

    def __call__(self) -> datetime:
        return self._clock() + self._off_by

    async def follow(self, database: Database) -> None:
        """A SQLite file has no clock and one process: there the machine's own is right."""
        self._database = database
        await self.set()

    async def set(self) -> None:
        """Kept as it was while that may be true: the delay of the answer does not make it jump to and fro."""
        if self._database is None:
            return
        before = self._clock()
        there = await self._database.read(_server_time)
        after = self._clock()
        if there is None:
            return
        least, most = there - after, there - before
        if not least <= self._off_by <= most:
            self._move(least + (most - least) / 2)

    def _move(self, off_by: timedelta) -> None:
        moved, self._off_by = abs(off_by - self._off_by), off_by
        if moved >= _TOLD:
            log.warning("clock.off", seconds=round(-off_by.total_seconds(), 1))


def _server_time(connection: Connection) -> datetime | None:
    """Not the transaction's, which may have begun long before."""
    if connection.dialect.name != "postgresql":
        return None
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now
