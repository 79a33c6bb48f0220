"""The way to the database: opening it, bringing it to this version, transactions.

A transaction is a plain function of a `Connection`. On SQLite it runs whole in a thread: one hop there and
back, however many statements it has. On PostgreSQL it runs on an asynchronous connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.engine import URL, Connection, make_url

from storage.errors import DatabaseNotMigrated, DatabaseTooNew
from storage.sqlite import SqliteDatabase, lock_file, sqlite_engine
from storage.tables import meta

T = TypeVar("T")

MIGRATION_LOCK = 0x67707562
"""Ours among PostgreSQL's advisory locks."""

_MIGRATIONS = Path(__file__).parent / "migrations"


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
    Raises DatabaseBusy, DatabaseNotMigrated, DatabaseTooNew; ValueError for another kind of URL.
    """
    place = _read_url(url)
    database = _open_sqlite(_path(place), lock=lock) if _is_sqlite(place) else _open_postgres(place)
    try:
        database.deployment = await database.read(_deployment)
    except BaseException:
        await database.close()
        raise
    return database


async def migrate(url: str) -> bool:
    """Brings the tables to this version, making folder and file where there are none; True if it had to.

    Idempotent. Raises DatabaseTooNew, and DatabaseBusy where a running service has an older SQLite file.
    """
    return await asyncio.to_thread(_migrate, _read_url(url))


def known_revisions() -> tuple[str, ...]:
    """Oldest first, by the names of the migration files: reading them without Alembic saves its import."""
    return tuple(sorted(path.stem.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")))


def _read_url(url: str) -> URL:
    place = make_url(url)
    match place.get_backend_name():
        case "sqlite" if place.database and place.database != ":memory:":
            return place
        case "postgresql" | "postgres":
            return place.set(drivername="postgresql+psycopg")
        case _:
            raise ValueError("A database is sqlite:///path/to/file.db or postgresql://user@host/name.")


def _is_sqlite(place: URL) -> bool:
    return place.get_backend_name() == "sqlite"


def _path(place: URL) -> Path:
    """Resolved, so that two names of one file share a lock."""
    return Path(place.database or "").resolve()


def _open_sqlite(path: Path, *, lock: bool) -> Database:
    if not path.exists():
        raise DatabaseNotMigrated(f"There is no database at {path} yet.")
    return SqliteDatabase(path, lock=lock_file(path) if lock else None)


def _open_postgres(place: URL) -> Database:
    from storage.postgres import PostgresDatabase  # noqa: PLC0415 - a tenth of a second

    return PostgresDatabase(place)


def _deployment(connection: Connection) -> str:
    if _revision(connection) != known_revisions()[-1]:
        raise DatabaseNotMigrated("The database has no tables of this version yet; migrate it first.")
    return str(connection.execute(select(meta.c.deployment)).scalar_one())


def _revision(connection: Connection) -> str | None:
    """None: no tables yet. Raises DatabaseTooNew."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and revision not in known_revisions():
        raise DatabaseTooNew(
            f"The database is of version {revision}, made by a later version of this program "
            f"(this one knows up to {known_revisions()[-1]}). Run that version, or restore a backup."
        )
    return None if revision is None else str(revision)


def _migrate(place: URL) -> bool:
    if _is_sqlite(place):
        _path(place).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlite_engine(_path(place)) if _is_sqlite(place) else create_engine(place, hide_parameters=True)
    try:
        with engine.connect() as connection:
            if _revision(connection) == known_revisions()[-1]:
                return False
        with _alone(place), engine.begin() as connection:
            _upgrade(connection)
    finally:
        engine.dispose()
    return True


@contextmanager
def _alone(place: URL) -> Iterator[None]:
    """PostgreSQL's lock is taken inside the transaction."""
    if not _is_sqlite(place):
        yield
        return
    with lock_file(_path(place)):
        yield


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - 0.4 s, and most starts have nothing to migrate
    from alembic.config import Config  # noqa: PLC0415

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
