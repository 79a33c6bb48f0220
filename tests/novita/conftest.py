from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest


class Clock:
    """Time that passes only when a test says so; who sleeps is woken in order."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + timedelta(seconds=seconds), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        until = self.now + timedelta(seconds=seconds)
        await self.settle()
        while due := [sleeper for sleeper in self._sleepers if sleeper[0] <= until]:
            first = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(first)
            self.now = max(self.now, first[0])
            if not first[1].done():
                first[1].set_result(None)
            await self.settle()
        self.now = until

    async def settle(self) -> None:
        """Lets every task run until all of them wait for something."""
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()
