"""Every case by every way in which Novita takes a call, by every database: `python -m tests.crash`."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from zlib import crc32

from tests.crash.aftermath import Finding
from tests.crash.aftermath import Kind as Fault
from tests.crash.cases import CASES
from tests.crash.databases import Kind, Templates
from tests.crash.lives import Lives, NeverCameError
from tests.crash.modes import Mode
from tests.e2e.lives import Nursery
from tests.e2e.stage import staged

ACK_TIMEOUT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    point: str
    mode: Mode
    database: Kind

    def __str__(self) -> str:
        return f"{self.point} | {self.mode} | {self.database}"


@dataclass(kw_only=True)
class Result:
    run: Run
    deaths: int = 0
    repeated: int = 0
    findings: list[Finding] = field(default_factory=list)
    unhit: str | None = None
    """The point that was never come to: the case says nothing."""
    broken: str | None = None
    """A traceback: of the test itself, or an error in the service's log, or a rule of Slack's that it broke."""
    seconds: float = 0.0
    log: list[str] = field(default_factory=list)
    """What each life wrote."""

    @property
    def is_sound(self) -> bool:
        return not (self.findings or self.unhit or self.broken)

    def count(self, kind: Fault) -> int:
        return sum(finding.kind is kind for finding in self.findings)


def runs(
    pattern: str = "", modes: Collection[Mode] = tuple(Mode), databases: Collection[Kind] = tuple(Kind)
) -> Iterator[Run]:
    """Those whose name matches. Shuffled, always in the same way: the slow ones are spread over the whole time."""
    every = [
        Run(point=point, mode=mode, database=database)
        for point, case in CASES.items()
        for mode in modes
        for database in databases
        if mode in case.modes and database in case.databases
    ]
    Random(0).shuffle(every)
    return (run for run in every if re.search(pattern, str(run)))


async def play(run: Run, nursery: Nursery, templates: Templates) -> Result:
    """On a stage of its own."""
    result, began = Result(run=run), time.monotonic()
    try:
        await _play(run, nursery, templates, result)
    except NeverCameError as never:
        result.unhit = str(never)
    except Exception:  # noqa: BLE001 - it becomes a row of the table
        result.broken = traceback.format_exc()
    result.seconds = time.monotonic() - began
    return result


async def _play(run: Run, nursery: Nursery, templates: Templates, result: Result) -> None:
    case = CASES[run.point]
    with tempfile.TemporaryDirectory(prefix="gb-crash-") as folder:
        async with (
            templates.fresh(run.database, Path(folder)) as url,
            staged(
                nursery,
                Path(folder),
                ack_timeout=ACK_TIMEOUT,
                database_url=url,
                report=result.log.append,
            ) as stage,
        ):
            case.before(url)
            together, seed = run.database.together, crc32(str(run).encode())
            lives = Lives(stage, case.scene, mode=run.mode, together=together, seed=seed)
            for death in case.deaths:
                await death(lives)
            verdict = await lives.the_last_one_finishes(*case.also)
            result.deaths, result.repeated = verdict.deaths, verdict.repeated
            result.findings = verdict.findings
            if run.mode is Mode.CLEAN and run.database is not Kind.TWO:
                case.proves(lives, stage)


class _Places:
    """Who lives with another takes two, in the order of asking."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def taken(self, count: int) -> AsyncIterator[None]:
        async with self._turn:
            for _ in range(count):
                await self._free.acquire()
        try:
            yield
        finally:
            for _ in range(count):
                self._free.release()


async def play_all(
    wanted: Sequence[Run], *, side_by_side: int, told: Callable[[Result], None] = lambda _result: None
) -> list[Result]:
    places = _Places(side_by_side)
    async with AsyncExitStack() as stack:
        nursery = stack.enter_context(Nursery.shared())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gb-crash-"))
        templates = Templates(Path(folder), stack)

        async def one(run: Run) -> Result:
            async with places.taken(run.database.together):
                result = await play(run, nursery, templates)
            told(result)
            return result

        return list(await asyncio.gather(*(one(run) for run in wanted)))
