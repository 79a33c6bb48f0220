"""A PostgreSQL database that several replicas share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from storage.places import POSTGRES_ARGUMENTS

T = TypeVar("T")

_TRIES = 3
_DEADLOCK = "40P01"
STANDS_STILL = timedelta(seconds=10)
"""After so long in the middle of a transaction the server ends it. A replica that is frozen just there, or
whose machine is gone, would otherwise keep its rows from the others for as long as it pleases."""


class PostgresDatabase:
    """See `storage.database.Database`. Imported late: this module costs a tenth of a second."""

    def __init__(self, place: URL) -> None:
        self.deployment = ""
        self.generation = None
        # Asked before use: after a restart of the server the first transaction must not fail.
        self._engine = create_async_engine(
            place, connect_args=POSTGRES_ARGUMENTS, pool_pre_ping=True, hide_parameters=True
        )
        event.listen(self._engine.sync_engine, "begin", _limit)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self.write(work)

    async def write(self, work: Callable[[Connection], T], *, urgent: bool = False) -> T:  # noqa: ARG002
        """Of two that wait for each other the server undoes one: that one is done again."""
        for _ in range(_TRIES - 1):
            try:
                return await self._once(work)
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != _DEADLOCK:
                    raise
        return await self._once(work)

    async def _once(self, work: Callable[[Connection], T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()


def _limit(connection: Connection) -> None:
    """For this transaction only: a pooler may give the session to somebody else after it."""
    milliseconds = int(STANDS_STILL.total_seconds() * 1000)
    connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}")
