"""Which version the tables have."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from storage.errors import DatabaseNotMigrated, DatabaseTooNew

MIGRATIONS = Path(__file__).parent / "migrations"


def known_revisions() -> tuple[str, ...]:
    """Oldest first, by the names of the migration files: reading them without Alembic saves its import."""
    return tuple(sorted(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")))


def revision_of(connection: Connection) -> str | None:
    """None: no tables yet. Raises DatabaseTooNew."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and revision not in known_revisions():
        raise DatabaseTooNew(
            f"The database is of version {revision}, made by a later version of this program "
            f"(this one knows up to {known_revisions()[-1]}). Run that version, or restore a backup."
        )
    return None if revision is None else str(revision)


def is_present(connection: Connection) -> bool:
    """Of this version. Raises DatabaseTooNew."""
    return revision_of(connection) == known_revisions()[-1]


def check_present(connection: Connection) -> None:
    """Raises DatabaseNotMigrated, DatabaseTooNew."""
    if not is_present(connection):
        raise DatabaseNotMigrated("The database has no tables of this version yet; migrate it first.")
