"""Calls per minute to Novita, counted over every kind of call, whoever makes it.

Novita documents no figure, so the limit is a setting. A sliding window holds it in any 60 seconds, bursts
included. People go first and polling takes at most half, so a busy poll never makes a person wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from bot.errors import NotSent

_WINDOW = timedelta(seconds=60)


class OverBudget(NotSent):
    """Held back here: Novita was not asked."""


class Priority(StrEnum):
    PERSON = "person"
    """Somebody waits for it."""
    POLL = "poll"


class Budget:
    """For one event loop. `max_wait`: who would have to wait longer than this is refused at once."""

    def __init__(
        self,
        *,
        calls_per_minute: int,
        max_wait: Mapping[Priority, timedelta],
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limit = calls_per_minute
        self._poll_limit = max(1, calls_per_minute // 2)
        self._max_wait = max_wait
        self._clock = clock
        self._sleep = sleep
        self._calls: deque[datetime] = deque()
        self._polls: deque[datetime] = deque()
        """Those of `_calls` that were polls."""
        self._waiting: dict[Priority, list[object]] = {priority: [] for priority in Priority}
        self._pause: tuple[datetime, datetime] | None = None

    @property
    def calls_left(self) -> int:
        """Calls of any kind that the limit allows now; what waits already is ahead of them."""
        self._forget(self._clock())
        return 0 if self._pause is not None else max(0, self._limit - len(self._calls))

    @property
    def polls_left(self) -> int:
        """Polling calls that would not have to wait now."""
        now = self._clock()
        self._forget(now)
        if self._pause is not None or self._waiting[Priority.PERSON]:
            return 0
        return max(0, min(self._limit - len(self._calls), self._poll_limit - len(self._polls)))

    def pause_between(self, polls: int) -> timedelta:
        """With which the budget lasts, when so many polls follow each other after each."""
        return _WINDOW * polls / self._poll_limit

    def refusal(self, priority: Priority) -> NotSent | None:
        """What `acquire` would raise at once if it were asked now."""
        wait = self._wait_behind(len(self._waiting[priority]), priority)
        return _too_many(wait) if wait > self._max_wait[priority] else None

    async def acquire(self, priority: Priority) -> None:
        """Waits for its turn: first come, first served among equals. Raises OverBudget."""
        ticket = object()
        give_up_at = self._clock() + self._max_wait[priority]
        self._waiting[priority].append(ticket)
        try:
            while (wait := self._wait(ticket, priority)) > timedelta(0):
                if self._clock() + wait > give_up_at:
                    raise _too_many(wait)
                await self._sleep(wait.total_seconds())
        finally:
            self._waiting[priority].remove(ticket)
        self._count(priority)

    def pause(self, duration: timedelta) -> None:
        """Nobody calls for so long. A shorter pause never cuts a longer one."""
        now = self._clock()
        self._forget(now)
        until = now + duration
        if self._pause is None or until > self._pause[1]:
            self._pause = (now, until)

    def _wait(self, ticket: object, priority: Priority) -> timedelta:
        return self._wait_behind(self._waiting[priority].index(ticket), priority)

    def _wait_behind(self, ahead: int, priority: Priority) -> timedelta:
        now = self._clock()
        self._forget(now)
        times = [self._pause[1] if self._pause else now]
        if priority is Priority.POLL:
            times.append(_room_at(now, self._polls, self._poll_limit, ahead))
            ahead += len(self._waiting[Priority.PERSON])
        times.append(_room_at(now, self._calls, self._limit, ahead))
        return max(times) - now

    def _forget(self, now: datetime) -> None:
        for calls in (self._calls, self._polls):
            # what lies ahead of now was counted before the clock was set back
            while calls and not now - _WINDOW < calls[0] <= now:
                calls.popleft()
        if self._pause is not None and not self._pause[0] <= now < self._pause[1]:
            self._pause = None

    def _count(self, priority: Priority) -> None:
        now = self._clock()
        self._calls.append(now)
        if priority is Priority.POLL:
            self._polls.append(now)


def _too_many(wait: timedelta) -> NotSent:
    return OverBudget("Too many calls to Novita at the moment; this one must wait.", retry_after=wait)


def _room_at(now: datetime, calls: Sequence[datetime], limit: int, ahead: int) -> datetime:
    """When the one with `ahead` others before it may call; never later than the truth."""
    slot = len(calls) + ahead - limit
    if slot < 0:
        return now
    return (calls[slot] if slot < len(calls) else now) + _WINDOW
