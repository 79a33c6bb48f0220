"""What a process does again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from storage.errors import DatabaseUnavailable
from tests.simulation.process import Process


class Job:
    """As in `bot.jobs`: never twice at once, and woken while it runs it runs once more."""

    def __init__(
        self,
        *,
        process: Process,
        every: float,
        work: Callable[[], Awaitable[object]],
        anything: Callable[[], bool] | None,
        woken: bool,
    ) -> None:
        """`anything`: whether a tick would find something to do; asking is cheaper than finding nothing."""
        self.woken = woken
        self.is_over = False
        self._process = process
        self._every = every
        self._work = work
        self._anything = anything
        self._loop = asyncio.get_running_loop()
        self._due_at = self._loop.time()
        self._running = False
        self._again = False

    def tick(self) -> None:
        if self._loop.time() < self._due_at or self._running:
            return
        self._due_at = self._loop.time() + self._every * 0.95
        if self._anything is None or self._anything():
            self.wake()

    def wake(self) -> None:
        if self.is_over or self._process.is_dead:
            return
        self._again = self._running
        if not self._running:
            self._running = True
            self._process.spawn(self._run())

    async def _run(self) -> None:
        structlog.contextvars.clear_contextvars()  # of whoever woke us
        try:
            await self._once()
            while self._again:
                self._again = False
                await self._once()
        finally:
            self._running = False

    async def _once(self) -> None:
        try:
            await self._work()
        except DatabaseUnavailable:
            return  # the next tick tries again
