"""A database whose outages are told once, and raised as one kind of error whatever the driver calls them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from storage.database import Database
from storage.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

_OUTAGES = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
_QUIET_FOR = timedelta(seconds=10)
"""Without a failure, until it counts as recovered: on a full disk whatever writes nothing still succeeds."""


class WatchedDatabase:
    """See `storage.database.Database`. `read` and `write` raise DatabaseUnavailable during an outage."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self.deployment = database.deployment
        self._failed_at: datetime | None = None
        self._failing_since: datetime | None = None

    @property
    def generation(self) -> int | None:
        return self._database.generation

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self._watched(self._database.read(work))

    async def write(self, work: Callable[[Connection], T], *, urgent: bool = False) -> T:
        return await self._watched(self._database.write(work, urgent=urgent))

    async def close(self) -> None:
        await self._database.close()

    async def _watched(self, answer: Awaitable[T]) -> T:
        try:
            done = await answer
        except exc.SQLAlchemyError as error:
            if not _is_outage(error):
                raise
            self._note_failure(error)
            raise DatabaseUnavailable("The database does not work at the moment.") from error
        self._note_success()
        return done

    def _note_failure(self, error: exc.SQLAlchemyError) -> None:
        self._failed_at = self._clock()
        if self._failing_since is None:
            self._failing_since = self._failed_at
            log.error("database.failing", why=str(getattr(error, "orig", None) or error))

    def _note_success(self) -> None:
        if self._failing_since is None or self._failed_at is None:
            return
        if self._clock() - self._failed_at >= _QUIET_FOR:
            log.info("database.recovered", since=self._failing_since)
            self._failing_since = None


def _is_outage(error: exc.SQLAlchemyError) -> bool:
    """What the server says as it ends a session may be of any class; that the connection is gone tells it."""
    gone = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    return gone or isinstance(error, _OUTAGES)
