"""Transactions: all or nothing, one writer, cancellation."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, func, insert, select, text
from sqlalchemy import event as listening
from sqlalchemy.engine import Connection
from storage_samples import NOW

from storage.database import Database, open_database
from storage.tables import leases, requests

WAIT = 20.0


class Gate:
    """Work that stops in the middle until it is let on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def hold(self, name: str) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            put(name)(connection)
            self.reached.set()
            assert self.open.wait(WAIT)

        return work

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, WAIT)


def put(name: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(insert(leases).values(name=name, owner="x", until=NOW))
        return name

    return work


def fail(connection: Connection) -> None:
    put("failed")(connection)
    raise ValueError("no")


async def names(database: Database) -> list[str]:
    statement = select(leases.c.name).order_by(leases.c.name)
    return await database.read(lambda connection: list(connection.scalars(statement)))


@contextmanager
def commits() -> Iterator[list[object]]:
    seen: list[object] = []

    def note(connection: object) -> None:
        seen.append(connection)

    listening.listen(Engine, "commit", note)
    try:
        yield seen
    finally:
        listening.remove(Engine, "commit", note)


async def settle_down() -> None:
    """Tasks that were just made have come to their first wait."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Database]:
    opened = await open_database(sqlite_url)
    yield opened
    await opened.close()


async def test_a_transaction_gives_back_what_its_work_does(database: Database) -> None:
    assert await database.write(put("a")) == "a"
    assert await names(database) == ["a"]


async def test_a_transaction_that_raises_leaves_nothing_and_the_next_one_works(database: Database) -> None:
    with pytest.raises(ValueError, match="no"):
        await database.write(fail)
    await database.write(put("a"))
    assert await names(database) == ["a"]


async def test_many_at_once_all_come_through(database: Database) -> None:
    await asyncio.gather(*(database.write(put(f"{n:03}")) for n in range(100)))
    assert await names(database) == [f"{n:03}" for n in range(100)]


async def test_what_cannot_be_committed_is_an_error_and_the_next_one_works(database: Database) -> None:
    orphan = insert(requests).values(key="k", instance_id="nobody", created_at=NOW)
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await database.write(lambda connection: connection.execute(orphan))
    await database.write(put("a"))
    assert await names(database) == ["a"]


async def test_a_closed_database_takes_nothing(sqlite: Database) -> None:
    await sqlite.close()
    with pytest.raises(RuntimeError):
        await sqlite.write(put("a"))
    with pytest.raises(RuntimeError):
        await names(sqlite)


# SQLite


async def test_sqlite_is_set_up_to_lose_nothing(sqlite: Database) -> None:
    def settings(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")
        return [connection.scalar(text(f"PRAGMA {name}")) for name in names]

    assert await sqlite.write(settings) == ["wal", 2, 1, 5000, 0]
    assert await sqlite.read(settings) == ["wal", 2, 1, 5000, 1]


async def test_a_reader_cannot_write(sqlite: Database) -> None:
    with pytest.raises(Exception, match="readonly"):
        await sqlite.read(put("a"))


async def test_readers_do_not_wait_for_the_writer(sqlite: Database) -> None:
    await sqlite.write(put("a"))
    gate = Gate()
    writing = asyncio.create_task(sqlite.write(gate.hold("b")))
    await gate.wait()
    assert await names(sqlite) == ["a"]
    gate.open.set()
    await writing
    assert await names(sqlite) == ["a", "b"]


async def test_what_waits_for_the_writer_is_committed_together(sqlite: Database) -> None:
    gate = Gate()
    first = asyncio.create_task(sqlite.write(gate.hold("a")))
    await gate.wait()
    waiting = [asyncio.create_task(sqlite.write(put(f"b{n}"))) for n in range(5)]
    await settle_down()
    with commits() as seen:
        gate.open.set()
        await asyncio.gather(first, *waiting)
    assert len(seen) == 2
    assert await names(sqlite) == ["a", *(f"b{n}" for n in range(5))]


async def test_what_somebody_waits_for_goes_first_and_the_rest_gets_on_all_the_same(sqlite: Database) -> None:
    gate = Gate()
    writing = asyncio.create_task(sqlite.write(gate.hold("held")))
    await gate.wait()
    done: list[str] = []

    def noted(name: str) -> Callable[[Connection], None]:
        return lambda _: done.append(name)

    others = [asyncio.create_task(sqlite.write(noted(f"other {n}"))) for n in range(20)]
    await settle_down()
    urgent = [asyncio.create_task(sqlite.write(noted(f"urgent {n}"), urgent=True)) for n in range(20)]
    await settle_down()
    gate.open.set()
    await asyncio.gather(writing, *others, *urgent)
    first, second = done[:16], done[16:24]
    assert first == [*(f"urgent {n}" for n in range(14)), "other 0", "other 1"]
    assert second == [*(f"urgent {n}" for n in range(14, 20)), "other 2", "other 3"]
    assert len(done) == 40


async def test_a_commit_is_a_new_generation_before_its_caller_knows_of_it(sqlite: Database) -> None:
    before = sqlite.generation
    await sqlite.write(put("a"))
    after = sqlite.generation
    await sqlite.write(lambda connection: connection.scalar(text("SELECT 1")))
    await names(sqlite)
    assert (after != before, sqlite.generation) == (True, after)


async def test_where_others_may_commit_there_is_no_generation(postgres_url: str) -> None:
    database = await open_database(postgres_url)
    await database.write(put("a"))
    assert database.generation is None
    await database.close()


async def test_one_that_fails_undoes_only_itself(sqlite: Database) -> None:
    gate = Gate()
    first = asyncio.create_task(sqlite.write(gate.hold("a")))
    await gate.wait()
    works = (put("b"), fail, put("c"))
    waiting = [asyncio.create_task(sqlite.write(work)) for work in works]
    await settle_down()
    gate.open.set()
    outcomes = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [type(each) for each in outcomes] == [type(None), str, ValueError, str]
    assert await names(sqlite) == ["a", "b", "c"]


async def test_where_sqlite_undid_everything_nobody_is_told_otherwise(sqlite: Database) -> None:
    def disk_full(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise OSError("disk full")

    gate = Gate()
    first = asyncio.create_task(sqlite.write(gate.hold("a")))
    await gate.wait()
    works = (put("b"), disk_full, put("c"))
    waiting = [asyncio.create_task(sqlite.write(work)) for work in works]
    await settle_down()
    gate.open.set()
    outcomes = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [isinstance(each, Exception) for each in outcomes] == [False, True, True, True]
    assert await names(sqlite) == ["a"]
    await sqlite.write(put("d"))
    assert await names(sqlite) == ["a", "d"]


async def test_a_write_that_is_cancelled_while_it_waits_never_runs(sqlite: Database) -> None:
    gate = Gate()
    first = asyncio.create_task(sqlite.write(gate.hold("a")))
    await gate.wait()
    waiting = asyncio.create_task(sqlite.write(put("b")))
    await settle_down()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.open.set()
    await first
    await sqlite.write(put("c"))
    assert await names(sqlite) == ["a", "c"]


async def test_a_write_that_is_cancelled_is_over_and_undone_when_the_cancellation_goes_on(
    sqlite: Database,
) -> None:
    gate = Gate()
    writing = asyncio.create_task(sqlite.write(gate.hold("a")))
    await gate.wait()
    writing.cancel()
    await settle_down()
    assert not writing.done()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await names(sqlite) == []
    await sqlite.write(put("b"))
    assert await names(sqlite) == ["b"]


async def test_a_cancelled_write_among_others_undoes_only_itself(sqlite: Database) -> None:
    first, second = Gate(), Gate()
    tasks = [asyncio.create_task(sqlite.write(first.hold("a")))]
    await first.wait()
    tasks += [asyncio.create_task(sqlite.write(work)) for work in (put("b"), second.hold("c"), put("d"))]
    await settle_down()
    first.open.set()
    await second.wait()
    tasks[2].cancel()
    await settle_down()
    second.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[2], asyncio.CancelledError)
    assert await names(sqlite) == ["a", "b", "d"]


async def test_closing_waits_for_what_is_under_way(sqlite_url: str) -> None:
    database = await open_database(sqlite_url)
    gate = Gate()
    writing = asyncio.create_task(database.write(gate.hold("a")))
    await gate.wait()
    closing = asyncio.create_task(database.close())
    await settle_down()
    assert not closing.done()
    gate.open.set()
    await closing
    await writing
    again = await open_database(sqlite_url)
    assert await names(again) == ["a"]
    await again.close()


# PostgreSQL


@pytest.mark.slow
async def test_a_cancelled_write_is_undone_on_postgres_too(postgres_url: str) -> None:
    database = await open_database(postgres_url)

    def sleep(connection: Connection) -> None:
        put("a")(connection)
        connection.execute(select(func.pg_sleep(60)))

    writing = [asyncio.create_task(database.write(sleep)) for _ in range(3)]
    await _sleeping(database)
    for each in writing:
        each.cancel()
    outcomes = await asyncio.wait_for(asyncio.gather(*writing, return_exceptions=True), WAIT)
    assert all(isinstance(each, asyncio.CancelledError) for each in outcomes)
    assert await names(database) == []
    await asyncio.gather(*(database.write(put(f"{n:02}")) for n in range(30)))
    assert len(await names(database)) == 30
    await database.close()


async def _sleeping(database: Database) -> None:
    """One sleeps, the others wait for its key."""
    busy = text("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%'")
    async with asyncio.timeout(WAIT):
        while await database.read(lambda connection: connection.scalar(busy)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the server tells nobody


@pytest.mark.slow
async def test_a_connection_that_the_server_ended_is_replaced(postgres_url: str) -> None:
    database = await open_database(postgres_url)
    other = await open_database(postgres_url)
    end = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert await other.write(lambda connection: connection.scalar(end)) == 1
    await database.write(put("a"))
    assert await names(database) == ["a"]
    await other.close()
    await database.close()


@pytest.mark.slow
async def test_of_two_transactions_that_wait_for_each_other_both_are_done(postgres_url: str) -> None:
    database = await open_database(postgres_url)
    for name in ("a", "b"):
        await database.write(put(name))

    def take(*wanted: str) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            for name in wanted:
                taken = leases.update().where(leases.c.name == name)
                connection.execute(taken.values(owner=leases.c.owner + wanted[0]))
                connection.execute(select(func.pg_sleep(0.2)))

        return work

    await asyncio.gather(database.write(take("a", "b")), database.write(take("b", "a")))
    owners = await database.read(lambda connection: set(connection.scalars(select(leases.c.owner))))
    assert owners <= {"xab", "xba"}
    await database.close()
