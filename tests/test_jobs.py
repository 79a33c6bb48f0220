"""The table of periodic jobs."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from clocks import Clock
from loglines import logged
from samples import seconds

from bot.jobs import Job, Jobs
from storage.errors import DatabaseUnavailable


def now() -> datetime:
    return datetime.now(UTC)


class Work:
    def __init__(self) -> None:
        self.runs = 0
        self.began = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def __call__(self) -> None:
        self.runs += 1
        self.began.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error

    async def run_again(self) -> None:
        self.began.clear()
        await asyncio.wait_for(self.began.wait(), 5)


def hourly(work: Work, *, woken: bool = True) -> Job:
    return Job(name="work", every=timedelta(hours=1), work=work, woken=woken)


async def test_the_first_run_is_at_once_and_a_signal_makes_another():
    work, jobs = Work(), Jobs(clock=now)
    jobs.wake()  # before the start: nothing to wake
    jobs.start([hourly(work)])
    await asyncio.wait_for(work.began.wait(), 5)
    jobs.wake()
    await work.run_again()
    jobs.stop()
    jobs.stop()
    jobs.wake()
    assert work.runs == 2


async def test_a_signal_during_a_run_is_neither_lost_nor_run_in_parallel():
    work, jobs = Work(), Jobs(clock=now)
    work.gate.clear()
    jobs.start([hourly(work)])
    await asyncio.wait_for(work.began.wait(), 5)
    jobs.wake()
    jobs.wake()
    assert work.runs == 1
    work.gate.set()
    await work.run_again()
    assert work.runs == 2
    jobs.stop()


async def test_a_job_that_fails_runs_again():
    work, jobs = Work(), Jobs(clock=now)
    work.error = ZeroDivisionError()
    jobs.start([Job(name="work", every=seconds(0.05), work=work)])
    for _ in range(3):
        await work.run_again()
    jobs.stop()


async def test_only_those_that_listen_are_woken():
    work, jobs = Work(), Jobs(clock=now)
    jobs.start([hourly(work, woken=False)])
    await asyncio.wait_for(work.began.wait(), 5)
    jobs.wake()
    await asyncio.sleep(0)
    assert work.runs == 1
    jobs.stop()


async def test_a_job_that_no_longer_runs_is_unhealthy_since_it_should_have():
    clock, work = Clock(now()), Work()
    jobs = Jobs(clock=clock)
    work.gate.clear()
    jobs.start([Job(name="work", every=seconds(10), work=work)])
    assert jobs.unhealthy_since() is None
    due_by = clock.now + seconds(90)
    clock.advance(91)
    assert jobs.unhealthy_since() == due_by
    jobs.stop()


async def test_one_that_never_started_stops_and_knows_of_no_failure():
    jobs = Jobs(clock=now)
    jobs.stop()
    assert jobs.failing_since("work") is None


async def test_a_job_that_fails_is_failing_until_it_does_not():
    clock, work, jobs = Clock(now()), Work(), Jobs(clock=now)
    work.error = ZeroDivisionError()
    jobs.start([Job(name="work", every=seconds(0.05), work=work)])
    await work.run_again()
    await work.run_again()
    failing_since = jobs.failing_since("work")
    assert failing_since is not None
    assert failing_since >= clock.now
    work.error = None
    await work.run_again()
    await work.run_again()
    assert jobs.failing_since("work") is None
    jobs.stop()


async def test_a_job_that_fails_is_logged_once_and_once_when_it_does_not():
    work, jobs = Work(), Jobs(clock=now)
    with logged() as lines:
        work.error = ZeroDivisionError()
        jobs.start([Job(name="work", every=seconds(0.05), work=work)])
        for _ in range(3):
            await work.run_again()
        failing_since = jobs.failing_since("work")
        work.error = None
        for _ in range(3):
            await work.run_again()
        jobs.stop()
    assert [(line["event"], line["log_level"], line["job"]) for line in lines] == [
        ("job.failing", "error", "work"),
        ("job.recovered", "info", "work"),
    ]
    assert lines[1]["since"] == failing_since


async def test_an_outage_of_the_database_makes_a_job_fail_without_a_line_of_its_own():
    work, jobs = Work(), Jobs(clock=now)
    with logged() as lines:
        work.error = DatabaseUnavailable("The database does not work at the moment.")
        jobs.start([Job(name="work", every=seconds(0.05), work=work)])
        await work.run_again()
        await work.run_again()
        assert jobs.failing_since("work") is not None
        work.error = None
        await work.run_again()
        await work.run_again()
        assert jobs.failing_since("work") is None
        jobs.stop()
    assert lines == []


async def test_no_run_carries_the_ids_of_the_request_that_woke_it():
    """A timer begins in the context of whoever starts it, and starts the next one."""
    seen: list[dict[str, object]] = []

    async def work() -> None:
        seen.append(structlog.contextvars.get_contextvars())
        began.set()

    began, jobs = asyncio.Event(), Jobs(clock=now)
    with structlog.contextvars.bound_contextvars(request_id="of-the-start"):
        jobs.start([Job(name="work", every=seconds(0.1), work=work, woken=True)])
    with structlog.contextvars.bound_contextvars(request_id="of-the-waking"):
        jobs.wake()
    for _ in range(4):
        began.clear()
        await asyncio.wait_for(began.wait(), 5)
    jobs.stop()
    assert [ids for ids in seen if ids] == []
