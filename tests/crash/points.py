"""Crash points: parts of the service, wrapped so that one call of one method ends or stops the process."""

from __future__ import annotations

import inspect
import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from storage.store.store import Store

T = TypeVar("T")


class When(StrEnum):
    BEFORE = "before"
    DURING = "during"
    """Of a store's method: everything is written, nothing is committed. Elsewhere the test's own servers know
    when a call is under way, and the test kills."""
    AFTER = "after"
    """It has returned or raised, and nobody knows it yet."""


class Then(StrEnum):
    KILL = "kill"
    STOP = "stop"
    """Until SIGCONT; then it goes on as if nothing had been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    method: str
    """`store.instances.begin`, `novita.create_instance`."""
    when: When
    nth: int = 1
    """Of the calls of all processes since the arming: two share the work as it comes."""
    then: Then = Then.KILL
    serial: int
    """Of the arming, so that two are never taken for one."""

    def arm(self, file: Path) -> None:
        """From now on calls count. All at once: a process that looks sees it whole or not at all."""
        whole = file.with_suffix(".new")
        whole.write_text(json.dumps(asdict(self)))
        whole.replace(file)

    def strike(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL if self.then is Then.KILL else signal.SIGSTOP)


@dataclass(slots=True, kw_only=True)
class Fuse:
    """Burns once, at the call that the point in `armed` names."""

    armed: Path
    _text: str = ""
    _point: Point | None = None

    @property
    def point(self) -> Point | None:
        """None: it is not armed."""
        try:
            text = self.armed.read_text()
        except FileNotFoundError:
            return None
        if text != self._text:
            said = json.loads(text)
            self._point = Point(**{**said, "when": When(said["when"]), "then": Then(said["then"])})
            self._text = text
        return self._point

    def burns(self, method: str) -> Point | None:
        point = self.point
        if point is None or method != point.method or self._counted(point) != point.nth:
            return None
        self.armed.unlink()
        return point

    def _counted(self, point: Point) -> int:
        """Which call this is, from 1 on. Whoever appends to a file knows where its own byte has come to lie."""
        with self.armed.with_name(f"calls-{point.serial}").open("ab", buffering=0) as calls:
            calls.write(b".")
            return calls.tell()


STATEMENT, COMMIT = "migration.statement", "migration.commit"


def watch_migration(fuse: Fuse) -> None:
    """Points of a migration, which nothing wraps: each statement that changes something, and the end."""

    def on_statement(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        changes = statement.split(maxsplit=1)[0].upper() in {"CREATE", "ALTER", "DROP", "INSERT", "UPDATE"}
        if changes and (point := fuse.burns(STATEMENT)) is not None:
            point.strike()

    def on_commit(_connection: Any) -> None:
        if (point := fuse.burns(COMMIT)) is not None:
            point.strike()

    event.listen(Engine, "before_cursor_execute", on_statement)
    event.listen(Engine, "commit", on_commit)


def wrapped(fuse: Fuse, name: str, part: Any) -> Any:
    """For `bot.app.run(wrap=...)`."""
    if not isinstance(part, Store):
        return Wrapped(fuse, name, part)
    nouns = {noun.name: getattr(part, noun.name) for noun in fields(part) if noun.name not in _NO_NOUNS}
    return replace(part, **{noun: Wrapped(fuse, f"{name}.{noun}", each) for noun, each in nouns.items()})


_NO_NOUNS = {"deployment", "generation"}


class Wrapped:
    def __init__(self, fuse: Fuse, name: str, part: Any) -> None:
        self._fuse, self._name, self._part = fuse, name, part

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._part, attribute)
        if not inspect.iscoroutinefunction(value):
            return value
        return partial(self._call, f"{self._name}.{attribute}", value)

    async def _call(self, method: str, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        point = self._fuse.burns(method)
        if point is None:
            return await call(*args, **kwargs)
        if point.when is When.BEFORE:
            point.strike()
        ledger = self._part._ledger if point.when is When.DURING else None
        if ledger is not None:
            self._part._ledger = replace(ledger, database=_Uncommitted(ledger.database, point))
        try:
            return await call(*args, **kwargs)
        finally:
            if ledger is not None:
                self._part._ledger = ledger
            if point.when is When.AFTER:
                point.strike()


class _Uncommitted:
    """A database whose transactions are struck when all their work is done and nothing is committed."""

    def __init__(self, database: Any, point: Point) -> None:
        self._database = database
        self._point = point
        self.deployment = database.deployment

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Somebody else's, beside it."""
        found: T = await self._database.read(work)
        return found

    async def write(self, work: Callable[[Connection], T], *, urgent: bool) -> T:
        def work_and_strike(connection: Connection) -> T:
            result = work(connection)
            self._point.strike()
            return result

        written: T = await self._database.write(work_and_strike, urgent=urgent)
        return written
