"""Counts requests against quotas, in the memory of this process. The one file that knows `limits`.

That package takes long to import, so whoever needs this module imports it with the first request to count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from bot.web.quotas import Quota, Standing

_MOST_CALLERS = 10_000
"""Per quota; some 3 MB. Who is forgotten for lack of room begins anew. That is no help to whoever has the
addresses to cause it: each of them has a quota of its own."""


class Limiter:
    """Windows are fixed and begin with a caller's first request, so that at the reset which is told the whole
    quota is there again. A moving window would give one request back then, and remember each one. The price:
    around a reset, twice the quota may come at once."""

    def __init__(self, *, most_callers: int = _MOST_CALLERS) -> None:
        self._most_callers = most_callers
        self._counts: dict[Quota, _Count] = {}

    def take(self, caller: str, quotas: Sequence[Quota], now: datetime) -> Standing:
        """One request out of each of them; out of none where one is spent. Gives the standing that binds."""
        counts = [self._count(quota) for quota in quotas]
        instant = now.timestamp()
        spent = [count for count in counts if count.is_spent(caller, instant)]
        if not spent:
            for count in counts:
                count.take(caller, instant)
        standings = [count.standing(caller, instant, allowed=not spent) for count in spent or counts]
        return min(standings, key=_room)

    def _count(self, quota: Quota) -> _Count:
        if quota not in self._counts:
            self._counts[quota] = _Count(quota, self._most_callers)
        return self._counts[quota]


def _room(standing: Standing) -> tuple[int, float]:
    return standing.remaining, -standing.resets_at.timestamp()


class _Count:
    """Of one quota, for all callers. Times are epoch seconds."""

    def __init__(self, quota: Quota, most_callers: int) -> None:
        self._quota = quota
        self._windows = _Windows(most_callers)
        self._limiter = FixedWindowRateLimiter(self._windows)
        seconds = math.ceil(quota.within.total_seconds())
        self._item: RateLimitItem = RateLimitItemPerSecond(quota.most, seconds)

    def is_spent(self, caller: str, now: float) -> bool:
        self._windows.now = now
        return not self._limiter.test(self._item, caller)

    def take(self, caller: str, now: float) -> None:
        self._windows.now = now
        self._limiter.hit(self._item, caller)

    def standing(self, caller: str, now: float, *, allowed: bool) -> Standing:
        self._windows.now = now
        stats = self._limiter.get_window_stats(self._item, caller)
        resets_at = datetime.fromtimestamp(math.ceil(stats.reset_time), UTC)
        return Standing(quota=self._quota, allowed=allowed, remaining=stats.remaining, resets_at=resets_at)


@dataclass(slots=True, kw_only=True)
class _Window:
    begun: float
    ends: float
    count: int = 0


class _Windows(Storage):
    """In place of the library's memory storage, which reads the clock itself, forgets nobody before his time
    and starts a thread every few milliseconds to look through all of them. One length of window only, so that
    they end in the order in which they began."""

    STORAGE_SCHEME = None

    def __init__(self, most: int) -> None:
        super().__init__()
        self.now = 0.0
        """Epoch seconds; set before each use, so that one request sees one time."""
        self._most = most
        self._windows: dict[str, _Window] = {}

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        window = self._running(key)
        if window is None:
            self._windows.pop(key, None)
            self._make_room()
            window = self._windows[key] = _Window(begun=self.now, ends=self.now + expiry)
        window.count += amount
        return window.count

    def get(self, key: str) -> int:
        window = self._running(key)
        return 0 if window is None else window.count

    def get_expiry(self, key: str) -> float:
        window = self._running(key)
        return self.now if window is None else window.ends

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def reset(self) -> int:
        count = len(self._windows)
        self._windows.clear()
        return count

    def check(self) -> bool:
        return True

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def _running(self, key: str) -> _Window | None:
        window = self._windows.get(key)
        # A clock that was set back must not keep anybody out for longer than a window.
        return window if window is not None and self._is_running(window) else None

    def _is_running(self, window: _Window) -> bool:
        return window.begun <= self.now < window.ends

    def _make_room(self) -> None:
        while self._windows:
            oldest = next(iter(self._windows))
            if len(self._windows) < self._most and self._is_running(self._windows[oldest]):
                return
            del self._windows[oldest]
