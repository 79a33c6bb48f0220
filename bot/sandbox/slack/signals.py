from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Signal:
    """Wakes those who wait for something to become true; says nothing about what has changed."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Event] = set()

    def notify(self) -> None:
        for waiter in self._waiters:
            waiter.set()

    async def wait_for(self, predicate: Callable[[], T], seconds: float) -> T:
        """The first true value of `predicate`, tried now and at each `notify`. Raises TimeoutError."""
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(seconds):
                while not (value := predicate()):
                    waiter.clear()
                    await waiter.wait()
        finally:
            self._waiters.discard(waiter)
        return value
