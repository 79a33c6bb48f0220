"""Crash points: parts of the service, wrapped so that one call of one method ends the process by SIGKILL."""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy.engine import Connection

from storage.store.store import Store


class When(StrEnum):
    BEFORE = "before"
    DURING = "during"
    """Of a store's method: everything is written, nothing is committed. Elsewhere the test's own servers know
    when a call is under way, and the test kills."""
    AFTER = "after"
    """It has returned, and nobody has used what it returned."""


@dataclass(slots=True, kw_only=True)
class Fuse:
    """Burns at the `nth` call of `method` (`store.instances.begin`, `novita.create_instance`) once `armed`
    exists: until then calls do not count."""

    method: str
    when: When
    armed: Path
    nth: int = 1
    _seen: int = field(default=0)

    def burns(self, method: str) -> bool:
        if method != self.method or not self.armed.exists():
            return False
        self._seen += 1
        return self._seen == self.nth


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
        if not self._fuse.burns(method):
            return await call(*args, **kwargs)
        match self._fuse.when:
            case When.BEFORE:
                die()
            case When.DURING:
                ledger = self._part._ledger
                self._part._ledger = replace(ledger, database=_Uncommitted(ledger.database))
        await call(*args, **kwargs)
        die()


class _Uncommitted:
    """A database whose next transaction does all its work and never commits."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.deployment = database.deployment

    async def read(self, work: Callable[[Connection], Any]) -> Any:
        """Somebody else's, beside it."""
        return await self._database.read(work)

    async def write(self, work: Callable[[Connection], Any], *, urgent: bool) -> NoReturn:
        def work_and_die(connection: Connection) -> NoReturn:
            work(connection)
            die()

        await self._database.write(work_and_die, urgent=urgent)
        raise AssertionError("it should have died")


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives SIGKILL")
