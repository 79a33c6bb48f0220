"""Opening, migrating, and who may have the file."""

import os
import signal
import sqlite3
import string
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from storage_postgres import PostgresServer

import storage
from storage.database import Database, migrate, open_database
from storage.errors import DatabaseBusy, DatabaseNotMigrated, DatabaseTooNew
from storage.revisions import known_revisions
from storage.sqlite import lock_file
from storage.tables import metadata

ROOT = Path(storage.__file__).parents[1]


def program(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process; `code` is the body of a coroutine."""
    lines = "\n".join(f"    {line}" for line in code.strip().splitlines())
    script = (
        "import asyncio, os, signal, sys\n"
        "from sqlalchemy import text\n"
        "from storage.database import migrate, open_database\n"
        f"async def main(url):\n{lines}\n"
        "asyncio.run(main(sys.argv[1]))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def set_revision(database: Database, revision: str) -> None:
    newer = text("UPDATE alembic_version SET version_num = :revision")
    await database.write(lambda connection: connection.execute(newer, {"revision": revision}))


# migrating


async def test_migrating_makes_folder_file_and_tables_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a folder/50%/bot.db"
    assert await migrate(url)
    assert not await migrate(url)
    await (await open_database(url)).close()


async def test_a_relative_path_begins_at_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await migrate("sqlite:///data/bot.db")
    assert (tmp_path / "data/bot.db").exists()


async def test_an_empty_postgres_database_is_migrated_once(postgres_server: PostgresServer) -> None:
    postgres_server.run("CREATE DATABASE empty")
    url = postgres_server.url("empty")
    with pytest.raises(DatabaseNotMigrated):
        await open_database(url)
    assert [await migrate(url), await migrate(url)] == [True, False]
    postgres_server.run("DROP DATABASE empty WITH (FORCE)")


test_an_empty_postgres_database_is_migrated_once = pytest.mark.slow(
    test_an_empty_postgres_database_is_migrated_once
)


async def test_the_migrated_tables_are_those_of_the_code(database: Database) -> None:
    def differences(connection: object) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert await database.write(differences) == []


async def test_every_constraint_is_named_as_in_the_code(database: Database) -> None:
    def names(connection: object) -> dict[str, set[str | None]]:
        found = inspect(connection)
        return {
            table: {
                found.get_pk_constraint(table)["name"],
                *(each["name"] for each in found.get_foreign_keys(table)),
                *(each["name"] for each in found.get_unique_constraints(table)),
            }
            for table in metadata.tables
        }

    wanted = {name: {str(each.name) for each in table.constraints} for name, table in metadata.tables.items()}
    assert await database.write(names) == wanted


def test_the_files_of_migrations_are_those_that_alembic_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "storage/migrations"))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(reversed([each.revision for each in scripts.walk_revisions()])) == known_revisions()
    assert scripts.get_current_head() == known_revisions()[-1]


def test_a_start_with_nothing_to_migrate_imports_no_alembic_and_no_other_driver(sqlite_url: str) -> None:
    code = (
        "await migrate(url)\n"
        "await (await open_database(url)).close()\n"
        "print(sorted({'alembic', 'psycopg', 'sqlalchemy.ext.asyncio'} & set(sys.modules)))"
    )
    output, _ = program(code, sqlite_url).communicate(timeout=30)
    assert output.strip() == "[]"


async def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE meta (x)")
    other.close()
    with pytest.raises(Exception, match="meta"):
        await migrate(f"sqlite:///{path}")
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("meta",)]
    other.close()


async def test_a_newer_database_is_refused_with_what_to_do(database: Database, url: str) -> None:
    await set_revision(database, "9999")
    await database.close()
    for refused in (migrate(url), open_database(url)):
        with pytest.raises(DatabaseTooNew, match="9999"):
            await refused


async def test_an_older_database_is_not_opened(database: Database, url: str) -> None:
    await database.write(lambda connection: connection.execute(text("DELETE FROM alembic_version")))
    await database.close()
    with pytest.raises(DatabaseNotMigrated):
        await open_database(url)


async def test_opening_makes_no_database(tmp_path: Path) -> None:
    for lock in (True, False):
        with pytest.raises(DatabaseNotMigrated):
            await open_database(f"sqlite:///{tmp_path}/bot.db", lock=lock)
    assert not files(tmp_path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://root@localhost/x"])
async def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="A database is"):
        await open_database(url)
    with pytest.raises(ValueError, match="A database is"):
        await migrate(url)


# the deployment


async def test_a_deployment_is_named_once_for_ever(database: Database, url: str) -> None:
    name = database.deployment
    assert len(name) == 8
    assert set(name) <= set(string.ascii_lowercase + string.digits)
    await database.close()
    await migrate(url)
    again = await open_database(url)
    assert again.deployment == name
    await again.close()


async def test_two_databases_are_two_deployments(tmp_path: Path) -> None:
    names = set()
    for each in ("a", "b"):
        url = f"sqlite:///{tmp_path}/{each}.db"
        await migrate(url)
        database = await open_database(url)
        names.add(database.deployment)
        await database.close()
    assert len(names) == 2


# one process


async def test_a_second_one_is_refused_until_the_first_is_closed(sqlite_url: str) -> None:
    first = await open_database(sqlite_url)
    with pytest.raises(DatabaseBusy):
        await open_database(sqlite_url)
    await first.close()
    await first.close()
    await (await open_database(sqlite_url)).close()


async def test_another_name_of_the_file_is_the_same_file(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "other.db").symlink_to(tmp_path / "bot.db")
    first = await open_database(sqlite_url)
    with pytest.raises(DatabaseBusy):
        await open_database(f"sqlite:///{tmp_path}/other.db")
    await first.close()


async def test_one_may_look_beside_the_one_that_has_it(sqlite_url: str) -> None:
    first = await open_database(sqlite_url)
    beside = await open_database(sqlite_url, lock=False)
    assert beside.deployment == first.deployment
    await beside.close()
    with pytest.raises(DatabaseBusy):
        await open_database(sqlite_url)
    await first.close()


async def test_an_older_file_is_not_migrated_under_a_running_service(tmp_path: Path) -> None:
    with lock_file(tmp_path / "bot.db"), pytest.raises(DatabaseBusy):
        await migrate(f"sqlite:///{tmp_path}/bot.db")


async def test_the_file_is_free_when_its_process_is_killed(sqlite_url: str) -> None:
    code = "database = await open_database(url)\nprint('open', flush=True)\nsys.stdin.read()"
    with program(code, sqlite_url) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(DatabaseBusy):
            await open_database(sqlite_url)
        os.kill(holder.pid, signal.SIGKILL)
    await (await open_database(sqlite_url)).close()


async def test_a_process_that_dies_in_a_transaction_leaves_nothing_of_it(sqlite_url: str) -> None:
    code = (
        "def work(connection):\n"
        "    connection.execute(text(\"INSERT INTO leases VALUES ('a', 'b', 1)\"))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "await (await open_database(url)).write(work)"
    )
    dying = program(code, sqlite_url)
    dying.communicate(timeout=30)
    assert dying.returncode == -signal.SIGKILL
    database = await open_database(sqlite_url)
    count = text("SELECT count(*) FROM leases")
    assert await database.write(lambda connection: connection.scalar(count)) == 0
    await database.close()


def test_a_process_that_never_closes_it_ends(sqlite_url: str) -> None:
    code = "database = await open_database(url)\nawait database.write(lambda connection: None)"
    forgetful = program(code, sqlite_url)
    forgetful.communicate(timeout=30)
    assert forgetful.returncode == 0
