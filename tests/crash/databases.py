"""Databases for many stages: copies of one that was migrated once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from itertools import count
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url

from storage.database import migrate
from storage.revisions import known_revisions
from tests.storage.storage_postgres import PostgresServer, clone, running_server


class Kind(StrEnum):
    SQLITE = "SQLite"
    POSTGRES = "PostgreSQL"
    TWO = "PostgreSQL, two"
    """Lives at once."""

    @property
    def together(self) -> int:
        return 2 if self is Kind.TWO else 1


class Templates:
    """PostgreSQL is started where it is wanted first."""

    _names = count(1)

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._file = folder / "template.db"
        self._stack = stack
        self._server: PostgresServer | None = None
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def fresh(self, kind: Kind, folder: Path) -> AsyncIterator[str]:
        """The URL of an empty one of today's version; a SQLite file is in `folder`."""
        async with self._alone:
            if kind is Kind.SQLITE:
                await self._sqlite()
            else:
                await self._postgres()
        if kind is Kind.SQLITE:
            shutil.copy(self._file, folder / "gpu-bot.db")
            yield f"sqlite:///{folder}/gpu-bot.db"
            return
        assert self._server is not None
        cloned = clone(self._server, f"crash_{next(self._names)}")
        url = await asyncio.to_thread(cloned.__enter__)
        try:
            yield url
        finally:
            await asyncio.to_thread(cloned.__exit__, None, None, None)

    async def _sqlite(self) -> None:
        if not self._file.exists():
            await migrate(f"sqlite:///{self._file}")

    async def _postgres(self) -> None:
        if self._server is None:
            server = running_server()
            self._server = await asyncio.to_thread(server.__enter__)
            self._stack.callback(server.__exit__, None, None, None)


_UNDO = {
    "0003": ("DROP TABLE people", "DROP INDEX ix_deliveries_state"),
    "0004": ("DROP TABLE quarantine",),
    "0005": ("DROP INDEX ix_deliveries_target_due_at", "DROP INDEX ix_deliveries_leased_until"),
}
"""What a migration made, for those that only add."""


def go_back(url: str, revision: str) -> None:
    """To an earlier version, with everything that is in it. Raises KeyError for a migration that it cannot undo."""
    place = make_url(url)
    if place.get_backend_name() == "postgresql":
        place = place.set(drivername="postgresql+psycopg")
    newer = [known for known in known_revisions() if known > revision]
    with create_engine(place, poolclass=NullPool).begin() as connection:
        for statement in [each for known in reversed(newer) for each in _UNDO[known]]:
            connection.execute(text(statement))
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
