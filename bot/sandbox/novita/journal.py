from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

KEPT_HEADERS = frozenset(
    {
        "authorization",
        "content-type",
        "content-length",
        "user-agent",
        "accept",
        "idempotency-key",
        "x-correlation-id",
    }
)


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One request that came in, in the order of coming."""

    endpoint: str
    """The short name; "endpoint" for a probe of an instance's own port, "unknown" for a path without one."""
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]
    """Names in lower case; only KEPT_HEADERS."""
    at: datetime
    status: int | None = None
    """As answered; None while there is no answer, and for ever where there never was one."""
    is_over: bool = False


class Journal:
    """Every call since the server was made, a stop and a new start included."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._changed = asyncio.Event()
        self._observers: list[Callable[[Call], None]] = []
        self.totals: Counter[str] = Counter()
        """Calls by endpoint."""

    def subscribe(self, observer: Callable[[Call], None]) -> Callable[[], None]:
        """It is called when a call is over. Returns what ends the subscription."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def add(self, call: Call) -> None:
        self._calls.append(call)
        self.totals[call.endpoint] += 1
        self._tell()

    def close(self, call: Call, status: int | None) -> None:
        call.status, call.is_over = status, True
        self._tell()
        for observer in tuple(self._observers):
            observer(call)

    def since(self, at: datetime) -> list[Call]:
        """Newest first."""
        return list(takewhile(lambda call: call.at >= at, reversed(self._calls)))

    def calls(self, endpoint: str | None = None) -> list[Call]:
        """None: all, probes of endpoints included."""
        return [call for call in self._calls if endpoint in {None, call.endpoint}]

    def count(self, endpoint: str | None = None) -> int:
        return len(self.calls(endpoint))

    def clear(self) -> None:
        self._calls.clear()
        self.totals.clear()

    async def wait_for(
        self,
        endpoint: str,
        n: int = 1,
        timeout: float = 5.0,  # noqa: ASYNC109 - a test wants to say how long it has patience
        *,
        over: bool = False,
    ) -> list[Call]:
        """Until n calls have come in since the beginning; with `over`, until n are answered or given up.

        Seconds of real time. Raises TimeoutError that says how many there were.
        """
        try:
            async with asyncio.timeout(timeout):
                while len(found := self._matching(endpoint, over=over)) < n:
                    await self._changed.wait()
        except TimeoutError:
            seen = len(self._matching(endpoint, over=over))
            raise TimeoutError(f"{seen} of {n} calls of {endpoint} within {timeout} s") from None
        return found

    def _matching(self, endpoint: str, *, over: bool) -> list[Call]:
        return [call for call in self.calls(endpoint) if call.is_over or not over]

    def _tell(self) -> None:
        """Wakes whoever waits now; later waiters get a new event."""
        self._changed.set()
        self._changed = asyncio.Event()
