"""One SQLite file, one process: a writer in a thread of its own, readers beside it.

Transactions that wait for the writer are committed together, each in its savepoint: the disk is waited for
once, and one that fails undoes only itself. Those that somebody waits for go first.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import local
from typing import IO, Any, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection

from storage.errors import DatabaseBusy

T = TypeVar("T")

READERS = 4
TOGETHER = 16
"""Most transactions in one commit: the first one waits for the last."""
BESIDE_URGENT = 2
"""Of these so many at most that are not urgent, while urgent ones wait: so many get on all the same."""
BUSY_SECONDS = 5.0


class SqliteDatabase:
    """See `storage.database.Database`."""

    def __init__(self, path: Path, *, lock: IO[bytes] | None) -> None:
        self.deployment = ""
        self.generation = 0
        self._lock = lock
        self._engines = (sqlite_engine(path), sqlite_engine(path, writes=False))
        self._urgent: deque[_Job] = deque()
        self._others: deque[_Job] = deque()
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="database-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")
        self._own = local()
        self._connections: list[Connection] = []

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Each statement sees the latest commit; a transaction around one would double its price."""
        return await asyncio.wrap_future(self._reading.submit(self._read, work))

    async def write(self, work: Callable[[Connection], T], *, urgent: bool = False) -> T:
        job = _Job(work=work)
        (self._urgent if urgent else self._others).append(job)
        self._writing.submit(self._write_waiting)
        answer: asyncio.Future[T] = asyncio.wrap_future(job.future)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            job.unwanted = True
            if not job.future.cancel():
                await asyncio.wait([answer])
                answer.exception()  # looked at, or the loop complains that nobody did
            raise

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _read(self, work: Callable[[Connection], T]) -> T:
        _, engine = self._engines
        return work(self._connection(engine))

    def _write_waiting(self) -> None:
        """Called once for each job; a call that finds none has nothing to do."""
        jobs = _taken(self._urgent, TOGETHER - BESIDE_URGENT)
        jobs += _taken(self._others, BESIDE_URGENT if jobs else TOGETHER)
        wanted = [job for job in jobs if job.future.set_running_or_notify_cancel()]
        if not wanted:
            return
        try:
            engine, _ = self._engines
            connection = self._connection(engine)
            _commit(connection, wanted)
            # Before they are answered: they read what they wrote. What changed no row is no new generation.
            self.generation = connection.connection.driver_connection.total_changes  # type: ignore[union-attr]
        except BaseException as error:  # noqa: BLE001 - it goes to those who wait
            for job in wanted:
                job.error = job.error or error
        for job in wanted:
            job.answer()

    def _connection(self, engine: Engine) -> Connection:
        """The thread's own, for as long as it lives: taking one from a pool costs as much as a query."""
        if not hasattr(self._own, "connection"):
            self._own.connection = engine.connect()
            self._connections.append(self._own.connection)
        connection: Connection = self._own.connection
        return connection

    def _close(self) -> None:
        for threads in (self._writing, self._reading):
            threads.shutdown()
        for connection in self._connections:
            connection.close()
        for engine in self._engines:
            engine.dispose()
        if self._lock is not None:
            self._lock.close()


@dataclass(slots=True, kw_only=True)
class _Job:
    work: Callable[[Connection], Any]
    future: Future[Any] = field(default_factory=Future)
    unwanted: bool = False
    """Whoever asked was cancelled: undo it, if it is not too late."""
    result: Any = None
    error: BaseException | None = None

    def run(self, connection: Connection) -> None:
        self.result = self.work(connection)
        if self.unwanted:
            raise _Unwanted

    def answer(self) -> None:
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class _Unwanted(Exception):
    """Seen by nobody: the task that would was cancelled."""


def sqlite_engine(path: Path, *, writes: bool = True) -> Engine:
    arguments = {"isolation_level": None, "timeout": BUSY_SECONDS, "check_same_thread": False}
    # Parameters stay out of errors: they hold addresses that are passwords.
    engine = create_engine(
        URL.create("sqlite", database=str(path)), connect_args=arguments, hide_parameters=True
    )

    def on_connect(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA query_only={'OFF' if writes else 'ON'}")

    def on_begin(connection: Connection) -> None:
        # IMMEDIATE: a transaction that began by reading could not become a writer later without failing.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", on_connect)
    if not writes:
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    event.listen(engine, "begin", on_begin)
    return engine


def lock_file(path: Path) -> IO[bytes]:
    """Held until it is closed or the process ends, however it ends. Raises DatabaseBusy."""
    file = path.with_name(path.name + ".lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise DatabaseBusy(f"Another process is using {path}; only one can.") from error
    return file


def _taken(jobs: deque[_Job], most: int) -> list[_Job]:
    return [jobs.popleft() for _ in range(min(len(jobs), most))]


def _commit(connection: Connection, jobs: list[_Job]) -> None:
    try:
        with connection.begin():
            _run_all(connection, jobs)
    except BaseException:
        # A COMMIT that fails leaves SQLite in the transaction, and the next one could not begin.
        connection.connection.rollback()
        raise


def _run_all(connection: Connection, jobs: list[_Job]) -> None:
    if len(jobs) == 1:
        jobs[0].run(connection)
        return
    for job in jobs:
        _run_apart(connection, job)


def _run_apart(connection: Connection, job: _Job) -> None:
    """Where SQLite has undone everything (disk full), going back to the savepoint fails, and so do all."""
    connection.exec_driver_sql("SAVEPOINT job")
    try:
        job.run(connection)
    except BaseException as error:  # noqa: BLE001 - it goes to the one who waits
        job.error = error
        connection.exec_driver_sql("ROLLBACK TO job")
    connection.exec_driver_sql("RELEASE job")
