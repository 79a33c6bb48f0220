"""Bringing a database to this version: by one process at a time, in one transaction, in nobody's way.

Killed in the middle it leaves nothing, and the next start begins anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Engine, create_engine, exc, func, select
from sqlalchemy.engine import URL, Connection

from storage.errors import DatabaseBusy
from storage.places import POSTGRES_ARGUMENTS, is_sqlite, path_of
from storage.revisions import MIGRATIONS, is_present
from storage.sqlite import lock_file, sqlite_engine

MIGRATION_LOCK = 0x67707562
"""Ours among PostgreSQL's advisory locks."""

OTHERS_WITHIN = timedelta(seconds=60)
"""Another process that migrates is waited for so long; nobody waits behind us meanwhile."""
LOCK_WITHIN = timedelta(seconds=2)
"""A lock on a table is waited for so long: whoever wants that table meanwhile waits behind us."""
TRIES = 20
PAUSE = timedelta(seconds=1)

_LOCKED_OUT = {"55P03", "40P01"}
"""PostgreSQL's `lock_not_available` and `deadlock_detected`."""


def bring_up(place: URL) -> bool:
    """See `storage.database.migrate`."""
    if is_sqlite(place):
        path_of(place).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlite_engine(path_of(place)) if is_sqlite(place) else postgres_engine(place)
    try:
        with engine.connect() as connection:
            if is_present(connection):
                return False
        return _bring_up_sqlite(engine, place) if is_sqlite(place) else _bring_up_postgres(engine)
    finally:
        engine.dispose()


def postgres_engine(place: URL) -> Engine:
    return create_engine(place, connect_args=POSTGRES_ARGUMENTS, hide_parameters=True)


def _bring_up_sqlite(engine: Engine, place: URL) -> bool:
    with lock_file(path_of(place)), engine.begin() as connection:
        return _upgrade(connection)


def _bring_up_postgres(engine: Engine) -> bool:
    for tries_left in reversed(range(TRIES)):
        try:
            with engine.begin() as connection, _alone(connection):
                return _upgrade(connection)
        except exc.OperationalError as error:
            if not _is_locked_out(error):
                raise
            if not tries_left:
                raise DatabaseBusy(
                    "The database could not be brought to this version: its tables are in use, and "
                    f"{TRIES} tries to get hold of them failed. Look for long transactions in "
                    "pg_stat_activity, then start again."
                ) from error
        time.sleep(PAUSE.total_seconds())
    raise AssertionError("the last try returns or raises")


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    wait_for_locks(connection, OTHERS_WITHIN)
    try:
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
    except exc.OperationalError as error:
        if not _is_locked_out(error):
            raise
        seconds = f"{OTHERS_WITHIN.total_seconds():g}"
        raise DatabaseBusy(
            f"Another process has been bringing the database to this version for more than {seconds} s."
        ) from error
    wait_for_locks(connection, LOCK_WITHIN)
    yield


def wait_for_locks(connection: Connection, within: timedelta) -> None:
    """Of this transaction only: a connection pooler may give the session to somebody else afterwards."""
    milliseconds = str(within // timedelta(milliseconds=1))
    connection.execute(select(func.set_config("lock_timeout", milliseconds, True)))


def _is_locked_out(error: exc.OperationalError) -> bool:
    return getattr(error.orig, "sqlstate", None) in _LOCKED_OUT


def _upgrade(connection: Connection) -> bool:
    if is_present(connection):
        return False  # somebody else has been here while we waited
    from alembic import command  # noqa: PLC0415 - 0.4 s, and most starts have nothing to migrate
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return True
