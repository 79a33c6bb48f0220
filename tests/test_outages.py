"""What is away is told once when it breaks and once when it is back, by whoever knows it best."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from clocks import Clock
from fakes import FakeNovita
from loglines import events, logged
from samples import NOW, seconds
from scene import Scene, scene
from sqlalchemy.exc import IntegrityError, InternalError, OperationalError

from bot.catalog import Catalog
from bot.errors import NovitaRefused, NovitaUnavailable
from storage.errors import DatabaseUnavailable
from storage.outages import WatchedDatabase


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


class Disk:
    """A database that does its work, unless there is trouble."""

    deployment = "abcdefgh"

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.closed = False

    async def read(self, work: Any, *, urgent: bool = False) -> Any:
        if self.trouble is not None:
            raise self.trouble
        return work(None)

    write = read

    async def close(self) -> None:
        self.closed = True


def full() -> OperationalError:
    return OperationalError("INSERT", {"url": "s3cret"}, OSError("disk is full"), hide_parameters=True)


# --- the poll -----------------------------------------------------------------------------------------------


async def test_a_list_that_fails_for_a_moment_is_no_news(s: Scene):
    s.novita.before["list"] += [NovitaUnavailable("Down.")] * 4
    with logged() as lines:
        await s.polls(6)
    assert events(lines) == []


async def test_lists_that_fail_for_15_s_are_told_once_and_that_they_are_back_once(s: Scene):
    s.novita.before["list"] += [NovitaUnavailable("Down.")] * 20
    with logged() as lines:
        await s.polls(25)
    failing, recovered = lines
    assert (failing["event"], failing["log_level"], failing["why"]) == ("list.failing", "warning", "Down.")
    assert (recovered["event"], recovered["log_level"]) == ("list.recovered", "info")
    assert failing["since"] == recovered["since"] == NOW + seconds(3)


async def test_the_next_outage_is_told_again(s: Scene):
    for _ in range(2):
        s.novita.before["list"] += [NovitaUnavailable("Down.")] * 8
        with logged() as lines:
            await s.polls(10)
        assert events(lines) == ["list.failing", "list.recovered"]


# --- the catalogue ------------------------------------------------------------------------------------------


async def test_a_catalogue_that_is_not_there_is_told_once_and_that_it_is_once():
    clock = Clock()
    novita = FakeNovita(clock)
    catalog = Catalog(novita, clock=clock, product_ttl=seconds(60), template_ttl=seconds(60))
    novita.before["clusters"] += [NovitaUnavailable("Down.")] * 2
    novita.before["templates"] += [NovitaRefused("No.")] * 3
    with logged() as lines:
        for _ in range(5):
            await catalog.warm()
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("catalog.incomplete", "warning"),
        ("catalog.recovered", "info"),
    ]


async def test_an_old_catalogue_is_no_news():
    clock = Clock()
    novita = FakeNovita(clock)
    catalog = Catalog(novita, clock=clock, product_ttl=seconds(60), template_ttl=seconds(60))
    await catalog.warm()
    clock.advance(61)
    for what in ("products", "clusters", "templates"):
        novita.before[what] += [NovitaUnavailable("Down.")] * 9
    with logged() as lines:
        await catalog.warm()
    assert lines == []


# --- the database -------------------------------------------------------------------------------------------


async def test_an_outage_of_the_database_is_told_once_and_its_end_once():
    disk, clock = Disk(), Clock()
    database = WatchedDatabase(disk, clock)
    began = clock.now
    with logged() as lines:
        disk.trouble = full()
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                await database.write(lambda _: 1)
            clock.advance(1)
        disk.trouble = None
        for _ in range(30):
            assert await database.read(lambda _: 2) == 2
            clock.advance(1)
    failing, recovered = lines
    assert (failing["event"], failing["log_level"]) == ("database.failing", "error")
    assert failing["why"] == "disk is full"
    assert (recovered["event"], recovered["since"]) == ("database.recovered", began)


async def test_what_still_succeeds_on_a_full_disk_does_not_end_the_outage():
    disk, clock = Disk(), Clock()
    database = WatchedDatabase(disk, clock)
    with logged() as lines:
        for _ in range(20):
            disk.trouble = full()
            with pytest.raises(DatabaseUnavailable):
                await database.write(lambda _: 1)
            disk.trouble = None
            await database.read(lambda _: 1)
            clock.advance(3)
    assert events(lines) == ["database.failing"]


async def test_a_session_that_the_server_ended_is_an_outage_whatever_it_calls_it():
    disk = Disk()
    disk.trouble = InternalError("", None, Exception("idle in transaction"), connection_invalidated=True)
    with pytest.raises(DatabaseUnavailable):
        await WatchedDatabase(disk, Clock()).write(lambda _connection: None)
    disk.trouble = InternalError("", None, Exception("in failed transaction"))
    with pytest.raises(InternalError):
        await WatchedDatabase(disk, Clock()).write(lambda _connection: None)


async def test_a_fault_of_ours_is_no_outage():
    disk = Disk()
    disk.trouble = IntegrityError("INSERT", {}, ValueError("twice"))
    with logged() as lines, pytest.raises(IntegrityError):
        await WatchedDatabase(disk, Clock()).write(lambda _: 1)
    assert lines == []


async def test_it_is_closed_with_what_it_watches():
    disk = Disk()
    database = WatchedDatabase(disk, Clock())
    await database.close()
    assert (database.deployment, disk.closed) == ("abcdefgh", True)
