"""What the app has called, in order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

RESPONSE_URL = "response_url"
LONGEST_MEMORY = 10_000


@dataclass(slots=True, kw_only=True)
class Call:
    """Written down on arrival, so not frozen: `error` comes with the answer. `method` may be RESPONSE_URL."""

    method: str
    verb: str
    arguments: Mapping[str, Any]
    at: datetime
    error: str | None = None


@dataclass(slots=True)
class Journal:
    """Keeps the last LONGEST_MEMORY calls, and counts all of them."""

    _calls: deque[Call] = field(default_factory=lambda: deque(maxlen=LONGEST_MEMORY))
    _counts: Counter[str] = field(default_factory=Counter)

    def add(self, call: Call) -> None:
        self._calls.append(call)
        self._counts[call.method] += 1

    def count(self, method: str) -> int:
        """Calls that were failed by a fault count too."""
        return self._counts[method]

    def calls(self, method: str | None = None) -> list[Call]:
        return [call for call in self._calls if method in {None, call.method}]
