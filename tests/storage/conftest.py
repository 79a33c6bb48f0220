"""The store over real databases: one suite, SQLite always, PostgreSQL among the slow tests."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from storage_postgres import PostgresServer, clone, forget_sessions, running_server
from storage_samples import Clock
from storage_world import World

from storage.database import Database, migrate, open_database
from storage.postgres import PostgresDatabase
from storage.store.store import Store, make_store

_names = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    with clone(postgres_server, f"test_{next(_names)}") as url:
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "bot.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A copy: migrating for each test would take longer than most of them."""
    shutil.copy(migrated_file, tmp_path / "bot.db")
    return f"sqlite:///{tmp_path}/bot.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest) -> str:
    """A migrated database."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """On PostgreSQL each transaction may be another session's: nothing that outlives one may be needed."""
    opened = await open_database(url)
    if isinstance(opened, PostgresDatabase):
        forget_sessions(opened)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: Database, clock: Clock) -> Store:
    return make_store(database, clock)


@pytest.fixture
def world(store: Store, database: Database, clock: Clock) -> World:
    return World(store, database, clock)
