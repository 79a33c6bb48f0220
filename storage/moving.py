"""Moving a SQLite database to PostgreSQL: every row as it stands, in one transaction, or nothing at all.

The values are carried over as they are stored, not as records: what a later repair may need is not lost to
what this version happens to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, MetaData, Table, func, insert, select, text, update
from sqlalchemy.engine import URL, Connection
from sqlalchemy.types import TypeDecorator, TypeEngine

from storage import tables
from storage.errors import DatabaseBusy, DatabaseNotMigrated, MoveRefused
from storage.migrating import bring_up, postgres_engine, wait_for_locks
from storage.places import in_its_words, is_sqlite, path_of, read_url
from storage.revisions import is_present, revision_of
from storage.sqlite import lock_file, sqlite_engine

BATCH = 1_000
"""Rows in memory at a time."""

_LOCK_WITHIN = timedelta(seconds=10)
_LEASE = {"lease_token": None, "leased_until": None}
"""Whoever held a lease is gone: what was due is due."""
_NOT_MOVED = {tables.leases.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    table: str
    moved: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    rows: int
    old_file: Path
    renamed: bool
    """To `old_file`: a service that is started with the old setting must not go on with it."""


def move(source: str, target: str, report: Callable[[Progress], None]) -> Moved:
    """Copies all of `source` to `target`, which is empty, then renames the file. `report`: after each batch.

    Raises ValueError for other kinds of URL; MoveRefused where the target holds something or is in use;
    DatabaseBusy where a service has the file; DatabaseNotMigrated, DatabaseTooNew, DatabaseUnavailable.
    """
    here, there = read_url(source), read_url(target)
    if not is_sqlite(here) or is_sqlite(there):
        raise ValueError("It moves sqlite:///path/to/file.db to postgresql://user@host/name.")
    path = path_of(here)
    away = path.with_name(f"{path.name}.moved")
    if not path.exists():
        raise DatabaseNotMigrated(f"There is no database at {path}.")
    if away.exists():
        raise MoveRefused(f"There is a file {away} of an earlier move.")
    with in_its_words(), lock_file(path):
        _make_tables(there)
        rows = _copy_all(path, there, report)
        renamed = _rename(path, away)
    return Moved(rows=rows, old_file=away if renamed else path, renamed=renamed)


def _make_tables(there: URL) -> None:
    """Where there are none. Those of another version are not touched."""
    engine = postgres_engine(there)
    try:
        with engine.connect() as connection:
            is_bare = revision_of(connection) is None
    finally:
        engine.dispose()
    if is_bare:
        bring_up(there)


def _copy_all(path: Path, there: URL, report: Callable[[Progress], None]) -> int:
    old, new = sqlite_engine(path), postgres_engine(there)
    try:
        with old.begin() as source, new.begin() as target:
            _check_version(source, f"The database at {path}")
            _check_version(target, "The database to move to")
            _check_free(target)
            moved = [_copy(table, source, target, report) for table in _in_order()]
            _copy_meta(source, target)
            return sum(moved)
    finally:
        old.dispose()
        new.dispose()


def _check_version(connection: Connection, which: str) -> None:
    """Raises DatabaseTooNew."""
    if not is_present(connection):
        raise DatabaseNotMigrated(f"{which} has tables of an older version: run gpu-bot migrate on it first.")


def _check_free(target: Connection) -> None:
    """From here to the end nobody else reads or writes there: a service that starts meanwhile waits."""
    wait_for_locks(target, _LOCK_WITHIN)
    names = ", ".join(sorted(tables.metadata.tables))
    target.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
    now = target.scalar(select(func.clock_timestamp()))
    held = select(tables.leases.c.name).where(tables.leases.c.until > now)
    if target.execute(held.limit(1)).first() is not None:
        raise DatabaseBusy("A service is at work on the database to move to; stop it first.")
    for table in _in_order():
        if count := _count(target, table):
            raise MoveRefused(f"The database to move to is not empty: {table.name} has {count} rows.")


def _in_order() -> Iterator[Table]:
    """What others refer to comes first."""
    kept = (table for table in tables.metadata.sorted_tables if table.name not in _NOT_MOVED)
    return (_raw(table) for table in kept if table.name != tables.meta.name)


def _copy(table: Table, source: Connection, target: Connection, report: Callable[[Progress], None]) -> int:
    of, moved = _count(source, table), 0
    lease = _LEASE if "lease_token" in table.c else {}
    for batch in source.execution_options(yield_per=BATCH).execute(select(table)).mappings().partitions():
        target.execute(insert(table), [{**row, **lease} for row in batch])
        moved += len(batch)
        report(Progress(table=table.name, moved=moved, of=of))
    if not moved == of == _count(target, table):
        raise MoveRefused(f"Of {of} rows of {table.name}, {_count(target, table)} arrived.")
    return moved


def _copy_meta(source: Connection, target: Connection) -> None:
    """The deployment goes along: the names of all GPUs carry it."""
    meta = _raw(tables.meta)
    row = source.execute(select(meta)).mappings().one()
    if target.execute(update(meta).values(dict(row))).rowcount != 1:
        raise MoveRefused("The database to move to has no name for its deployment.")


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _raw(table: Table) -> Table:
    """With the types that the databases themselves have."""
    return Table(table.name, MetaData(), *(Column(each.name, _stored(each.type)) for each in table.c))


def _stored(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def _rename(path: Path, away: Path) -> bool:
    """With what SQLite keeps beside it, where somebody else has it open."""
    try:
        for end in ("", "-wal", "-shm"):
            beside = path.with_name(path.name + end)
            if beside.exists():
                beside.rename(away.with_name(away.name + end))
    except OSError:
        return False
    return True
