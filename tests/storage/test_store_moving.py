"""A whole SQLite database to PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.engine import Connection
from storage_postgres import PostgresServer
from storage_samples import (
    CONNECTION,
    HOOK,
    NOTICE,
    NOW,
    OFFER,
    Clock,
    event,
    full_instance,
    instance,
    listing,
)
from storage_world import World

from bot.__main__ import main
from storage import moving
from storage.database import Database, migrate, open_database
from storage.errors import DatabaseBusy, DatabaseNotMigrated, DatabaseTooNew, MoveRefused
from storage.moving import BATCH, Progress, move
from storage.records import EventKind, NewCard, Notify
from storage.sqlite import lock_file
from storage.store.keys import RequestKey
from storage.store.store import make_store
from storage.tables import attempts, cards, deliveries, instances, leases, metadata, people, quarantine

LEASED = {"lease_token", "leased_until"}


def nobody(_progress: Progress) -> None:
    pass


async def fill(url: str) -> str:
    """A row in every table, every column filled somewhere, leases held. The deployment."""
    database, clock = await open_database(url), Clock()
    world = World(make_store(database, clock), database, clock)
    key = RequestKey(text="k", fingerprint="f")
    await world.store.instances.add(
        full_instance(), key=key, event=event(EventKind.READY, elapsed=timedelta(seconds=3)),
        card=NewCard(channel="C1", response_url="https://hooks.slack.example/CANARY"),
        unique_name=False, targets=(HOOK, NOTICE),
    )  # fmt: skip
    await world.store.instances.add(
        instance(2, name="naïve-ßtraße-模型", connection=CONNECTION), key=None, event=event(), card=None,
        unique_name=False,
    )  # fmt: skip
    await world.add_begun(3)
    await world.store.polls.observe(listing(NOW), previous=None)
    (card,) = await world.store.cards.lease_due(1)
    await world.store.cards.settle(card, shown_version=1, ts="1.2", channel="C2", forget_response_url=False)
    leased = await world.store.deliveries.lease_due(10)
    hook = next(each for each in leased if each.delivery.target == HOOK)
    await world.store.deliveries.settle_later(hook, NOW + timedelta(hours=1), 500, "no")
    await world.store.targets.disable_target("https://hooks.example.com/gone", "410")
    await world.store.people.choose("U1", Notify.BOTH)
    await world.store.people.open_home("U1")
    (home,) = await world.store.people.lease_homes(1)
    await world.store.people.settle(home)
    await world.store.people.open_home("U1")
    await world.store.people.lease_homes(1)
    await world.store.leases.acquire("poll", "replica", timedelta(days=9999))
    await database.write(_fill_the_rest)
    deployment = database.deployment
    await database.close()
    return deployment


def _fill_the_rest(connection: Connection) -> None:
    connection.execute(attempts.update().values(novita_id="nv-3", offer=OFFER))
    connection.execute(cards.update().values(due_at=NOW, lease_token="t.7", leased_until=NOW))
    connection.execute(deliveries.update().values(delivered_at=NOW))
    connection.execute(instances.update().values(correlation_id="c"))
    known = {"novita_id": "nv-9", "name": "gb-x-y-a1", "first_seen_at": NOW, "left_at": NOW, "told_at": NOW}
    connection.execute(quarantine.insert().values(known))


async def content(database: Database) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, as records are read."""

    def work(connection: Any) -> dict[str, list[dict[str, Any]]]:
        return {
            table.name: sorted((dict(row._mapping) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }

    return await database.read(work)


@pytest.fixture
def target(postgres_url: str) -> str:
    """Empty and migrated."""
    return postgres_url


@pytest.mark.slow
async def test_every_row_comes_over_as_it_was_less_its_lease(
    sqlite_url: str, target: str, tmp_path: Path
) -> None:
    deployment = await fill(sqlite_url)
    file = tmp_path / "bot.db"
    before = await open_database(sqlite_url)
    old = await content(before)
    await before.close()
    moved = await asyncio.to_thread(move, sqlite_url, target, nobody)
    assert (moved.renamed, moved.old_file, file.exists()) == (True, tmp_path / "bot.db.moved", False)
    after = await open_database(target)
    new = await content(after)
    assert after.deployment == deployment
    await after.close()
    assert new.pop(leases.name) == []
    assert len(old.pop(leases.name)) == 1
    assert moved.rows == sum(map(len, new.values())) - 1
    held = {
        table.name for table in (instances, deliveries, cards, people)
        if any(row["lease_token"] for row in old[table.name])
    }  # fmt: skip
    assert held == {instances.name, deliveries.name, cards.name, people.name}
    for name, rows in old.items():
        assert rows, f"{name} is not tried"
        free = [row | dict.fromkeys(LEASED & row.keys()) for row in rows]
        assert sorted(free, key=repr) == sorted(new[name], key=repr)


@pytest.mark.slow
async def test_every_column_has_a_value_that_was_moved(sqlite_url: str) -> None:
    """Else the test above would say nothing of it."""
    await fill(sqlite_url)
    database = await open_database(sqlite_url)
    found = await content(database)
    await database.close()
    empty = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.c
        if all(row[column.name] is None for row in found[table.name])
    }
    assert empty == set()


@pytest.mark.slow
async def test_what_is_due_goes_on_there(sqlite_url: str, target: str) -> None:
    await fill(sqlite_url)
    await asyncio.to_thread(move, sqlite_url, target, nobody)
    database, clock = await open_database(target), Clock()
    store = make_store(database, clock)
    clock.advance(3600)
    due = {row.instance.id for row in await store.instances.lease_due(10)}
    sends = await store.deliveries.lease_due(10)
    await database.close()
    assert "0000000000000003" in due
    assert {row.delivery.target for row in sends} == {HOOK, NOTICE}


@pytest.mark.slow
async def test_it_goes_in_batches_and_says_how_far_it_is(
    sqlite_url: str, target: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(moving, "BATCH", 10)
    with closing(sqlite3.connect(tmp_path / "bot.db")) as file:
        rows = [(f"https://{n}.example.com", n) for n in range(25)]
        file.executemany("INSERT INTO targets (address, failing_since) VALUES (?, ?)", rows)
        file.commit()
    told: list[Progress] = []
    await asyncio.to_thread(move, sqlite_url, target, told.append)
    assert [(each.table, each.moved, each.of) for each in told] == [
        ("targets", 10, 25), ("targets", 20, 25), ("targets", 25, 25),
    ]  # fmt: skip
    assert BATCH == 1000


@pytest.mark.slow
async def test_a_bare_database_gets_its_tables_first(
    sqlite_url: str, postgres_server: PostgresServer
) -> None:
    await fill(sqlite_url)
    postgres_server.run("CREATE DATABASE bare")
    url = postgres_server.url("bare")
    await asyncio.to_thread(move, sqlite_url, url, nobody)
    await (await open_database(url)).close()
    postgres_server.run("DROP DATABASE bare WITH (FORCE)")


# refusals: nothing is changed on either side


@pytest.fixture
def unchanged(sqlite_url: str, target: str, tmp_path: Path) -> Iterator[None]:
    asyncio.run(fill(sqlite_url))
    with psycopg.connect(target) as reader:
        before = _summary(reader)
    yield
    assert (tmp_path / "bot.db").exists()
    with psycopg.connect(target) as reader:
        assert _summary(reader)["meta"] == before["meta"]


def _summary(reader: psycopg.Connection) -> dict[str, list[Any]]:
    return {name: reader.execute(f"SELECT * FROM {name}").fetchall() for name in ("meta", "instances")}


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
class TestRefused:
    async def test_a_target_that_holds_anything(self, sqlite_url: str, target: str) -> None:
        database = await open_database(target)
        await World(make_store(database, Clock()), database, Clock()).add()
        await database.close()
        with pytest.raises(MoveRefused, match="is not empty: instances has 1 rows"):
            await asyncio.to_thread(move, sqlite_url, target, nobody)

    async def test_a_target_where_a_service_is_at_work(self, sqlite_url: str, target: str) -> None:
        with psycopg.connect(target) as replica:
            replica.execute("INSERT INTO leases VALUES ('poll', 'x', 9000000000000000)")
        with pytest.raises(DatabaseBusy, match="A service is at work"):
            await asyncio.to_thread(move, sqlite_url, target, nobody)

    async def test_a_file_that_a_service_has(self, sqlite_url: str, target: str, tmp_path: Path) -> None:
        with lock_file(tmp_path / "bot.db"), pytest.raises(DatabaseBusy, match="Another process is using"):
            await asyncio.to_thread(move, sqlite_url, target, nobody)

    @pytest.mark.parametrize(("revision", "error"), [("0001", DatabaseNotMigrated), ("9999", DatabaseTooNew)])
    async def test_another_version_of_the_tables_here(
        self, sqlite_url: str, target: str, revision: str, error: type[Exception], tmp_path: Path
    ) -> None:
        with closing(sqlite3.connect(tmp_path / "bot.db")) as file:
            file.execute("UPDATE alembic_version SET version_num = ?", [revision])
            file.commit()
        with pytest.raises(error):
            await asyncio.to_thread(move, sqlite_url, target, nobody)

    @pytest.mark.parametrize(("revision", "error"), [("0001", DatabaseNotMigrated), ("9999", DatabaseTooNew)])
    async def test_another_version_of_the_tables_there(
        self, sqlite_url: str, target: str, revision: str, error: type[Exception]
    ) -> None:
        with psycopg.connect(target) as other:
            other.execute("UPDATE alembic_version SET version_num = %s", [revision])
        with pytest.raises(error):
            await asyncio.to_thread(move, sqlite_url, target, nobody)

    async def test_what_fails_in_the_middle_leaves_nothing(
        self, sqlite_url: str, target: str, tmp_path: Path
    ) -> None:
        with closing(sqlite3.connect(tmp_path / "bot.db")) as file:
            file.execute("UPDATE targets SET reason = 'a' || char(0) || 'b'")  # no text for PostgreSQL
            file.commit()
        with pytest.raises(Exception, match="NUL"):
            await asyncio.to_thread(move, sqlite_url, target, nobody)
        with psycopg.connect(target) as reader:
            assert _summary(reader)["instances"] == []


@pytest.mark.slow
async def test_a_second_move_is_refused(sqlite_url: str, target: str, tmp_path: Path) -> None:
    await fill(sqlite_url)
    await asyncio.to_thread(move, sqlite_url, target, nobody)
    with pytest.raises(DatabaseNotMigrated, match="There is no database"):
        await asyncio.to_thread(move, sqlite_url, target, nobody)
    await migrate(sqlite_url)
    with pytest.raises(MoveRefused, match=r"bot\.db\.moved of an earlier move"):
        await asyncio.to_thread(move, sqlite_url, target, nobody)
    (tmp_path / "bot.db.moved").unlink()
    with pytest.raises(MoveRefused, match="is not empty"):
        await asyncio.to_thread(move, sqlite_url, target, nobody)


# the command


@pytest.mark.slow
def test_the_command_tells_each_table_and_what_to_do_next(
    sqlite_url: str, target: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asyncio.run(fill(sqlite_url))
    assert main(["migrate-data", "--from", sqlite_url, "--to", target]) == 0
    out, err = capsys.readouterr()
    *tables, last = out.splitlines()
    assert err == ""
    assert "instances                  3 of 3" in tables
    assert last.endswith(
        f"rows were moved. The old file is {tmp_path}/bot.db.moved now. "
        "Set DATABASE_URL to the new database, then start the service."
    )
    assert main(["migrate-data", "--from", sqlite_url, "--to", target]) == 1
    assert capsys.readouterr().err.startswith("Nothing was moved. There is no database at ")


@pytest.mark.slow
def test_a_file_that_cannot_be_renamed_is_told(
    sqlite_url: str, target: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_path: Path, _to: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", forbidden)
    assert main(["migrate-data", "--from", sqlite_url, "--to", target]) == 0
    assert "bot.db, which must not be used any more: that failed." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "there"),
    [
        ("postgresql://a:CANARY-12345@h/b", "postgresql://a:CANARY-12345@h/b"),
        ("sqlite:///a.db", "sqlite:///b.db"),
        ("sqlite:///a.db", "mysql://a:CANARY-12345@h/b"),
        ("sqlite:///a.db", "no url"),
    ],
)
def test_other_kinds_of_databases_end_with_2(
    source: str, there: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate-data", "--from", source, "--to", there]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "CANARY" not in err


def test_a_target_that_cannot_be_reached_is_told_without_its_password(
    sqlite_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    there = "postgresql://a:CANARY-12345@127.0.0.1:1/b"
    assert main(["migrate-data", "--from", sqlite_url, "--to", there]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Nothing was moved. connection failed:")
    assert "CANARY" not in line
    assert (tmp_path / "bot.db").exists()
