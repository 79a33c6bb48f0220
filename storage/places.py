"""Where a database is: reading its URL, and what its driver says when it lets nobody in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url

from storage.errors import DatabaseUnavailable

CONNECT_SECONDS = 10
"""Where nothing answers, the system itself would try for minutes."""
POSTGRES_ARGUMENTS = {"prepare_threshold": None}
"""No prepared statements: behind a connection pooler the next transaction may be another session's."""


def read_url(url: str) -> URL:
    """Raises ValueError for another kind of database."""
    place = make_url(url)
    match place.get_backend_name():
        case "sqlite" if place.database and place.database != ":memory:":
            return place
        case "postgresql" | "postgres":
            waits = {} if "connect_timeout" in place.query else {"connect_timeout": str(CONNECT_SECONDS)}
            return place.set(drivername="postgresql+psycopg").update_query_dict(waits)
        case _:
            raise ValueError("A database is sqlite:///path/to/file.db or postgresql://user@host/name.")


def is_sqlite(place: URL) -> bool:
    return place.get_backend_name() == "sqlite"


def path_of(place: URL) -> Path:
    """Resolved, so that two names of one file share a lock."""
    return Path(place.database or "").resolve()


@contextmanager
def in_its_words() -> Iterator[None]:
    """For the start, when nobody watches over outages yet: DatabaseUnavailable in the driver's words."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError) as error:
        raise DatabaseUnavailable(said_by(error)) from error
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise DatabaseUnavailable(f"{error.strerror or error}{where}") from error


def said_by(error: exc.SQLAlchemyError) -> str:
    """One line, without SQLAlchemy's. Drivers leave passwords out."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
