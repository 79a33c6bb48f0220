"""A value that is looked up once for all who ask, kept for a while, and served stale when a look-up fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from bot.errors import NovitaUnavailable
from bot.metrics import Metrics

T = TypeVar("T")


class Cached(Generic[T]):
    def __init__(
        self,
        look_up: Callable[[], Awaitable[T]],
        *,
        ttl: timedelta,
        clock: Callable[[], datetime],
        metrics: Metrics | None = None,
    ) -> None:
        self._look_up = look_up
        self._ttl = ttl
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._looking: asyncio.Task[T] | None = None
        self.value: T | None = None
        """What is in memory, however old; None: never looked up."""
        self.fetched_at: datetime | None = None

    async def get(self, *, no_older_than: timedelta | None = None) -> T:
        """Raises what the look-up raises, unless Novita is unavailable and something stale can be served."""
        if self.value is not None and self._is_fresh(no_older_than or self._ttl):
            self._metrics.cache_asked(hit=True)
            return self.value
        self._metrics.cache_asked(hit=False)
        return await self._looked_up()

    async def warm(self) -> T:
        """As `get`, before anybody asks: neither a hit nor a miss."""
        if self.value is not None and self._is_fresh(self._ttl):
            return self.value
        return await self._looked_up()

    async def _looked_up(self) -> T:
        try:
            return await self._shared()
        except NovitaUnavailable:
            if self.value is None:
                raise
            return self.value

    def _is_fresh(self, ttl: timedelta) -> bool:
        return self.fetched_at is not None and self._clock() - self.fetched_at < min(ttl, self._ttl)

    async def _shared(self) -> T:
        if self._looking is None:
            self._looking = asyncio.create_task(self._fetch())
            self._looking.add_done_callback(_seen)
        # Shielded: one who no longer waits does not end the look-up of the others.
        return await asyncio.shield(self._looking)

    async def aclose(self) -> None:
        """Ends a look-up that is under way."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _fetch(self) -> T:
        try:
            self.value = await self._look_up()
            self.fetched_at = self._clock()
            return self.value
        finally:
            self._looking = None


def _seen(task: asyncio.Task[T]) -> None:
    """Nobody may be waiting for it any more: its error is no news then."""
    if not task.cancelled():
        task.exception()
