"""The table of periodic jobs. The only file that imports APScheduler.

The memory store, since its job stores cannot be shared by processes: every replica has all jobs, and leases
in the database decide who works. A job takes no input; `wake` is a bare signal that makes one run at once.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from storage.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    name: str
    every: timedelta
    work: Callable[[], Awaitable[object]]
    woken: bool = False
    """Runs at once when somebody calls `wake`."""


class Jobs:
    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._runs: dict[str, _Run] = {}
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def start(self, jobs: Iterable[Job]) -> None:
        """The first run of each job is at once."""
        self._runs = {job.name: _Run(job, self._clock) for job in jobs}
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a run that is skipped is no news
        for run in self._runs.values():
            seconds = run.job.every.total_seconds()
            self._scheduler.add_job(
                run.run,
                IntervalTrigger(seconds=seconds, jitter=seconds / 10),
                id=run.job.name,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
                next_run_time=self._clock(),
            )
        self._scheduler.start()

    def wake(self) -> None:
        """Safe at any time; before the start and after the end it does nothing."""
        if not self._scheduler.running:
            return
        for run in self._runs.values():
            if run.job.woken and not run.again_if_running():
                self._scheduler.modify_job(run.job.name, next_run_time=self._clock())

    def stop(self) -> None:
        """Nothing begins any more; what runs is not waited for."""
        if self._scheduler.running:
            # It cancels what runs, and would log a traceback of each. What was leased lapses.
            logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
            self._scheduler.shutdown(wait=False)

    def failing_since(self, name: str) -> datetime | None:
        """Since when every run of that job has ended in an error; None: the latest did not."""
        run = self._runs.get(name)
        return None if run is None else run.failing_since

    def unhealthy_since(self) -> datetime | None:
        """Since when a job that should have run has not; None: all is well."""
        late = [run.due_by for run in self._runs.values() if run.due_by < self._clock()]
        return min(late, default=None)


class _Run:
    """A signal while it runs makes it run once more, not in parallel."""

    def __init__(self, job: Job, clock: Callable[[], datetime]) -> None:
        self.job = job
        self._clock = clock
        self._running = False
        self._again = False
        self.due_by = self._next_due()
        self.failing_since: datetime | None = None
        self._told = False

    async def run(self) -> None:
        # A timer begins in the context of whoever woke us, and so would every one after it.
        structlog.contextvars.clear_contextvars()
        self._running = True
        try:
            await self._once()
            while self._again:
                await self._once()
        finally:
            self._running = False

    def again_if_running(self) -> bool:
        self._again = self._running
        return self._running

    async def _once(self) -> None:
        self._again = False
        try:
            await self.job.work()
        except DatabaseUnavailable:
            # Told once, by the database itself, and not by every job.
            self.failing_since = self.failing_since or self._clock()
        except Exception:
            self.failing_since = self.failing_since or self._clock()
            if not self._told:
                self._told = True
                log.exception("job.failing", job=self.job.name)
        else:
            if self._told:
                log.info("job.recovered", job=self.job.name, since=self.failing_since)
            self.failing_since, self._told = None, False
        self.due_by = self._next_due()

    def _next_due(self) -> datetime:
        return self._clock() + 3 * self.job.every + timedelta(seconds=60)
