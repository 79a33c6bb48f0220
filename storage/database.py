"""The way to the database: opening it, bringing it to this version, transactions.

A transaction is a plain function of a `Connection`. On SQLite it runs whole in a thread: one hop there and
back, however many statements it has. On PostgreSQL it runs on an asynchronous connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import select
from sqlalchemy.engine import URL, Connection

from storage.errors import DatabaseNotMigrated
from storage.migrating import bring_up
from storage.places import in_its_words, is_sqlite, path_of, read_url
from storage.revisions import check_present
from storage.sqlite import SqliteDatabase, lock_file
from storage.tables import meta

T = TypeVar("T")


class Database(Protocol):
    deployment: str
    """8 characters `[a-z0-9]`, made once for the life of the database."""

    @property
    def generation(self) -> int | None:
        """Changed by every commit, before its caller knows of it. None: other processes commit as well."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """`work` writes nothing."""

    async def write(self, work: Callable[[Connection], T], *, urgent: bool = False) -> T:
        """One transaction: all of `work` or, if it raises, nothing. `urgent`: somebody waits for it.

        Cancelled, it ends before the cancellation goes on, rolled back unless it was being committed already.
        """

    async def close(self) -> None:
        """Waits for what is under way. Idempotent."""


async def open_database(url: str, *, lock: bool = True) -> Database:
    """`sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`, migrated already.

    `lock=False` opens a SQLite file beside the process that has it: to look, not to serve.
    Raises DatabaseBusy, DatabaseNotMigrated, DatabaseTooNew, DatabaseUnavailable in the driver's words;
    ValueError for another kind of URL.
    """
    place = read_url(url)
    with in_its_words():
        database = _open_sqlite(path_of(place), lock=lock) if is_sqlite(place) else _open_postgres(place)
        try:
            database.deployment = await database.read(_deployment)
        except BaseException:
            await database.close()
            raise
    return database


async def migrate(url: str) -> bool:
    """Brings the tables to this version, making folder and file where there are none; True if it had to.

    Idempotent. Raises DatabaseTooNew; DatabaseBusy where a running service has an older SQLite file or does
    not let go of PostgreSQL's tables; DatabaseUnavailable in the driver's words.
    """
    place = read_url(url)
    with in_its_words():
        return await asyncio.to_thread(bring_up, place)


def _open_sqlite(path: Path, *, lock: bool) -> Database:
    if not path.exists():
        raise DatabaseNotMigrated(f"There is no database at {path} yet.")
    return SqliteDatabase(path, lock=lock_file(path) if lock else None)


def _open_postgres(place: URL) -> Database:
    from storage.postgres import PostgresDatabase  # noqa: PLC0415 - a tenth of a second

    return PostgresDatabase(place)


def _deployment(connection: Connection) -> str:
    check_present(connection)
    return str(connection.execute(select(meta.c.deployment)).scalar_one())
