"""`gpu-bot migrate-data`: from SQLite to PostgreSQL, with a line for each step. Reads no setting."""

from __future__ import annotations

import sys

from sqlalchemy.exc import ArgumentError

from bot.redaction import Redaction
from storage.errors import StorageError
from storage.moving import Moved, Progress, move

_REFUSED = 1
_BAD_ARGUMENTS = 2
_TOLD_EVERY = 10_000


def move_data(source: str, target: str) -> int:
    """The exit code: 0, 1 where nothing was moved, 2 for URLs that cannot be used."""
    hidden = Redaction([source, target])
    try:
        moved = move(source, target, _tell)
    except (ValueError, ArgumentError) as error:
        return _ended(hidden.text(str(error)), _BAD_ARGUMENTS)
    except StorageError as error:
        return _ended(hidden.text(f"Nothing was moved. {error}"), _REFUSED)
    print(f"{moved.rows:,} rows were moved.", _what_next(moved))  # noqa: T201
    return 0


def _what_next(moved: Moved) -> str:
    start = "Set DATABASE_URL to the new database, then start the service."
    if moved.renamed:
        return f"The old file is {moved.old_file} now. {start}"
    return f"Rename {moved.old_file}, which must not be used any more: that failed. {start}"


def _tell(progress: Progress) -> None:
    if progress.moved == progress.of or progress.moved % _TOLD_EVERY == 0:
        print(f"{progress.table:<18}{progress.moved:>10,} of {progress.of:,}", flush=True)  # noqa: T201


def _ended(text: str, exit_code: int) -> int:
    print(text, file=sys.stderr)  # noqa: T201
    return exit_code
