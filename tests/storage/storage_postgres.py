"""A real PostgreSQL for the session: the distribution's own server on a Unix socket, no network.

One server, one migrated database as template, one clone of it for each test.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.pq import ExecStatus
from sqlalchemy import event

from storage.database import migrate
from storage.postgres import PostgresDatabase

TEMPLATE = "migrated"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    folder: Path
    """Of the socket."""

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def run(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


def binaries() -> Path | None:
    """Debian and Ubuntu keep them apart from PATH, one folder for each version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if folders:
        return folders[-1]
    found = shutil.which("postgres")
    return Path(found).parent if found else None


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="gb-pg-"))
    try:
        with _server(programs, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def clone(server: PostgresServer, name: str) -> Iterator[str]:
    server.run(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}')
    try:
        yield server.url(name)
    finally:
        server.run(f'DROP DATABASE "{name}" WITH (FORCE)')


def forget_sessions(database: PostgresDatabase) -> None:
    """As behind a pooler that gives a session to somebody else after each transaction.

    Past psycopg, which would note what it did and prepare its statements anew.
    """

    def forget(connection: Any, _record: object) -> None:
        if connection is not None:
            result = connection.driver_connection.pgconn.exec_(b"DISCARD ALL")
            assert result.status == ExecStatus.COMMAND_OK, result.error_message

    event.listen(database._engine.sync_engine, "checkin", forget)


@contextmanager
def _server(programs: Path, folder: Path) -> Iterator[PostgresServer]:
    cluster = folder / "cluster"
    as_user = _as_user(folder)
    initdb = [programs / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]
    subprocess.run([*as_user, *initdb, "--locale=C"], check=True, capture_output=True, cwd=folder)
    options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=500", "-k", folder]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*as_user, programs / "postgres", "-D", cluster, *options], stdout=log, stderr=log, cwd=folder
        )
    try:
        server = PostgresServer(folder=folder)
        _wait_until_up(server, process)
        server.run(f"CREATE DATABASE {TEMPLATE}")
        asyncio.run(migrate(server.url(TEMPLATE)))
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)


def _as_user(folder: Path) -> list[str]:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "postgres", "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _wait_until_up(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            server.run("SELECT 1")
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
