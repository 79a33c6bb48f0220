"""The way to the database: opening, transactions, migrations.

A transaction is a plain function of a `Connection`. On SQLite it runs whole in a thread: one hop there and
back, however many statements it has. On PostgreSQL it runs on an asynchronous connection.
"""

from __future__ import annotations

import asyncio
import fcntl
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import URL, Connection, make_url

from storage.errors import DatabaseBusy, DatabaseNotMigrated, DatabaseTooNew
from storage.tables import meta

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

READERS = 4
BUSY_SECONDS = 5.0
MIGRATION_LOCK = 0x67707562
"""Ours among PostgreSQL's advisory locks."""

_MIGRATIONS = Path(__file__).parent / "migrations"


class Database(ABC):
    """An open database. `deployment` is 8 characters `[a-z0-9]`, made once for its whole life."""

    deployment: str = ""

    @abstractmethod
    async def read(self, work: Callable[[Connection], T]) -> T:
        """One transaction that writes nothing."""

    @abstractmethod
    async def write(self, work: Callable[[Connection], T]) -> T:
        """One transaction: all of `work` or, if it raises, nothing.

        Cancelled, it ends before the cancellation goes on, rolled back unless it was being committed already.
        """

    @abstractmethod
    async def close(self) -> None:
        """Waits for what is under way. Idempotent."""


class _Unwanted(Exception):
    """Rolls back the transaction of a task that was cancelled; nobody sees it."""


class SqliteDatabase(Database):
    """One writer, a few readers beside it. Writers queue for the writer's thread."""

    def __init__(self, path: Path, lock: IO[bytes] | None) -> None:
        self._lock = lock
        self._writer = _sqlite_engine(path, writes=True)
        self._reader = _sqlite_engine(path, writes=False)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="database-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")

    async def read(self, work: Callable[[Connection], T]) -> T:
        def transaction() -> T:
            with self._reader.begin() as connection:
                return work(connection)

        return await asyncio.wrap_future(self._reading.submit(transaction))

    async def write(self, work: Callable[[Connection], T]) -> T:
        unwanted = False

        def transaction() -> T:
            with self._writer.begin() as connection:
                result = work(connection)
                if unwanted:
                    raise _Unwanted
                return result

        job = self._writing.submit(transaction)
        answer = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            unwanted = True
            if not job.cancel():
                await asyncio.wait([answer])
            raise

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for threads in (self._writing, self._reading):
            threads.shutdown()
        for engine in (self._writer, self._reader):
            engine.dispose()
        if self._lock is not None:
            self._lock.close()


class PostgresDatabase(Database):
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self.write(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()


async def open_database(url: str, *, lock: bool = True) -> Database:
    """`sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`, migrated already.

    `lock=False` opens a SQLite file beside the process that has it: to look, not to serve.
    Raises DatabaseBusy, DatabaseNotMigrated, DatabaseTooNew; ValueError for another kind of URL.
    """
    place = _read_url(url)
    database = _open_sqlite(place, lock=lock) if _is_sqlite(place) else _open_postgres(place)
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
            raise ValueError("The database is sqlite:///path/to/file.db or postgresql://user@host/name.")


def _is_sqlite(place: URL) -> bool:
    return place.get_backend_name() == "sqlite"


def _path(place: URL) -> Path:
    """Resolved, so that two names of one file share a lock."""
    return Path(place.database or "").resolve()


def _open_sqlite(place: URL, *, lock: bool) -> SqliteDatabase:
    path = _path(place)
    if not path.exists():
        raise DatabaseNotMigrated(f"There is no database at {path} yet.")
    return SqliteDatabase(path, _lock_file(path) if lock else None)


def _open_postgres(place: URL) -> PostgresDatabase:
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - a tenth of a second

    return PostgresDatabase(create_async_engine(place, pool_pre_ping=True))


def _sqlite_engine(path: Path, *, writes: bool) -> Engine:
    arguments = {"isolation_level": None, "timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args=arguments,
        pool_size=1 if writes else READERS,
        max_overflow=0,
    )

    def on_connect(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA query_only={'OFF' if writes else 'ON'}")

    def on_begin(connection: Connection) -> None:
        # IMMEDIATE: a transaction that began by reading could not become a writer later without failing.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _lock_file(path: Path) -> IO[bytes]:
    """Held until it is closed or the process ends, however it ends."""
    file = path.with_name(path.name + ".lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise DatabaseBusy(f"Another process is using {path}; only one can.") from error
    return file


def _deployment(connection: Connection) -> str:
    if _revision(connection) != known_revisions()[-1]:
        raise DatabaseNotMigrated("The database has no tables of this version yet; migrate it first.")
    return str(connection.execute(select(meta.c.deployment)).scalar_one())


def _revision(connection: Connection) -> str | None:
    """Raises DatabaseTooNew."""
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
        engine = _sqlite_engine(_path(place), writes=True)
    else:
        engine = create_engine(place)
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
    if not _is_sqlite(place):
        yield  # `_upgrade` takes PostgreSQL's own lock
        return
    with _lock_file(_path(place)):
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
