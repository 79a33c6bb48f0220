"""Migrating beside others: replicas at work, other migrations, and a death in the middle."""

import ast
import asyncio
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from storage_postgres import PostgresServer
from test_store_database import program

from storage import migrating
from storage.database import migrate, open_database
from storage.errors import DatabaseBusy
from storage.migrating import MIGRATION_LOCK
from storage.places import is_sqlite, path_of, read_url
from storage.revisions import MIGRATIONS, known_revisions
from storage.sqlite import sqlite_engine

WAIT = 20.0
FIRST = "0001"

# Dies when a table has been made, and nothing is committed.
DYING = """
from alembic import op
make = op.create_table
def make_and_die(name, *rest, **more):
    made = make(name, *rest, **more)
    if name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
    return made
op.create_table = make_and_die
await migrate(url)
"""


def bring_to(url: str, revision: str) -> None:
    """As an older version of the program left it."""
    place = read_url(url)
    engine = sqlite_engine(path_of(place)) if is_sqlite(place) else create_engine(place)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    server.run("CREATE DATABASE unmigrated")
    yield server.url("unmigrated")
    server.run("DROP DATABASE unmigrated WITH (FORCE)")


@pytest.fixture
def older_url(postgres_server: PostgresServer) -> Iterator[str]:
    """PostgreSQL, of the first version."""
    postgres_server.run("CREATE DATABASE older")
    bring_to(postgres_server.url("older"), FIRST)
    yield postgres_server.url("older")
    postgres_server.run("DROP DATABASE older WITH (FORCE)")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "LOCK_WITHIN", timedelta(seconds=0.05))
    monkeypatch.setattr(migrating, "OTHERS_WITHIN", timedelta(seconds=0.05))
    monkeypatch.setattr(migrating, "PAUSE", timedelta(seconds=0.02))


@contextmanager
def session(url: str) -> Iterator[psycopg.Connection]:
    """Somebody else's, in a transaction."""
    with psycopg.connect(url) as connection:
        yield connection


def waiting(url: str, what: str) -> bool:
    """Whether anybody waits for a lock on this table (or for the advisory one)."""
    locks = (
        "SELECT count(*) FROM pg_locks LEFT JOIN pg_class ON pg_class.oid = relation "
        "WHERE NOT granted AND coalesce(relname, locktype) = %s"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        (count,) = connection.execute(locks, [what]).fetchone() or (0,)
    return count > 0


async def until_waiting(url: str, what: str) -> None:
    async with asyncio.timeout(WAIT):
        while not await asyncio.to_thread(waiting, url, what):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("table", ["instances", "delivery_attempts"])
async def test_a_migration_that_was_killed_is_done_at_the_next_start(empty_url: str, table: str) -> None:
    dying = program(DYING, empty_url, table)
    await asyncio.to_thread(dying.communicate, timeout=30)
    assert dying.returncode == -signal.SIGKILL
    assert await migrate(empty_url)
    await (await open_database(empty_url)).close()


@pytest.mark.slow
async def test_a_killed_migration_leaves_an_older_database_as_it_was(empty_url: str) -> None:
    await asyncio.to_thread(bring_to, empty_url, FIRST)
    dying = program(DYING, empty_url, "delivery_attempts")
    await asyncio.to_thread(dying.communicate, timeout=30)
    assert dying.returncode == -signal.SIGKILL
    assert revision(empty_url) == FIRST
    assert await migrate(empty_url)
    assert revision(empty_url) == known_revisions()[-1]


def revision(url: str) -> str:
    statement = "SELECT version_num FROM alembic_version"
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        (found,) = connection.execute(statement).fetchone()
        connection.close()
        return str(found)
    with psycopg.connect(url) as reader:
        (found,) = reader.execute(statement).fetchone() or ("",)
    return str(found)


@pytest.mark.slow
async def test_of_several_starts_one_migrates_and_the_others_wait_for_it(
    postgres_server: PostgresServer,
) -> None:
    postgres_server.run("CREATE DATABASE together")
    url = postgres_server.url("together")
    migrated = await asyncio.gather(*(migrate(url) for _ in range(4)))
    assert sorted(migrated) == [False, False, False, True]
    postgres_server.run("DROP DATABASE together WITH (FORCE)")


@pytest.mark.slow
async def test_a_request_of_an_older_replica_and_the_migration_take_their_locks_in_one_order(
    older_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request writes its key first, then its instance: the migration waits for the one, holding no other."""
    monkeypatch.setattr(migrating, "LOCK_WITHIN", timedelta(seconds=WAIT))
    monkeypatch.setattr(migrating, "TRIES", 1)
    with session(older_url) as replica:
        replica.execute("INSERT INTO requests (key, instance_id, created_at) VALUES ('k', 'i', 1)")
        migration = asyncio.create_task(migrate(older_url))
        await until_waiting(older_url, "requests")
        replica.execute("SELECT set_config('lock_timeout', '2000', true)")
        replica.execute("UPDATE instances SET tries = 0")
        replica.rollback()
        assert await migration


@pytest.mark.slow
async def test_a_long_transaction_of_another_holds_the_migration_up_and_nobody_else(
    older_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants the table queues behind the waiting migration, but only until its time is over."""
    monkeypatch.setattr(migrating, "LOCK_WITHIN", timedelta(seconds=0.3))
    monkeypatch.setattr(migrating, "PAUSE", timedelta(seconds=0.3))
    with session(older_url) as reader:
        reader.execute("SELECT count(*) FROM instances")
        migration = asyncio.create_task(migrate(older_url))
        await until_waiting(older_url, "instances")
        served = await asyncio.to_thread(_time_of_a_write, older_url)
        assert served < 2.0
        assert not migration.done()
        reader.rollback()
        assert await migration


def _time_of_a_write(url: str) -> float:
    with session(url) as replica:
        (began,) = replica.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone() or (0,)
        replica.execute("UPDATE instances SET tries = 0")
        (ended,) = replica.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone() or (0,)
    return float(ended - began)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
async def test_a_migration_that_never_gets_its_locks_says_so_and_changes_nothing(older_url: str) -> None:
    with session(older_url) as reader:
        reader.execute("SELECT count(*) FROM instances")
        with pytest.raises(DatabaseBusy, match=r"its tables are in use, and 20 tries .* pg_stat_activity"):
            await migrate(older_url)
    assert revision(older_url) == FIRST


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
async def test_a_migration_that_another_process_keeps_from_beginning_says_so(older_url: str) -> None:
    with session(older_url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        with pytest.raises(DatabaseBusy, match="Another process has been bringing"):
            await migrate(older_url)
    assert revision(older_url) == FIRST


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
async def test_the_time_for_locks_ends_with_the_migration(older_url: str) -> None:
    """It is no setting of the session: behind a pooler that would become somebody else's."""
    assert await migrate(older_url)
    with session(older_url) as later:
        assert later.execute("SHOW lock_timeout").fetchone() == ("0",)


# what a migration may do


def test_migrations_only_add() -> None:
    """Older replicas are at work beside them, and after them."""
    allowed = {"create_table", "create_index", "add_column", "create_foreign_key", "execute"}
    for path in sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))[1:]:
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        done = {call.func.attr: call for call in calls if ast.unparse(call.func).startswith("op.")}
        assert done.keys() <= allowed, path.name
        for call in (call for call in calls if ast.unparse(call.func) == "op.add_column"):
            column = ast.unparse(call.args[1])
            assert "nullable=False" not in column or "server_default=" in column, path.name
