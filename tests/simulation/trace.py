"""What happened in a run, in one order: for its digest, and the end of it for people."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

_KEPT = 60
_BROKEN = frozenset({"step.broken", "delivery.broken"})
"""Lines that say that the service met with an error of its own."""
_DULL = frozenset({"level", "event", "requester", "correlation_id"})


class Trace:
    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._digest = hashlib.sha256()
        self.latest: deque[str] = deque(maxlen=_KEPT)
        self.counts: Counter[str] = Counter()
        self.broken: list[str] = []

    def note(self, who: str, what: str) -> None:
        line = f"{self._seconds():9.3f} {who:<9} {what}"
        self.latest.append(line)
        self._digest.update(line.encode())

    def count(self, kind: str) -> None:
        self.counts[kind] += 1

    def digest(self) -> str:
        return self._digest.hexdigest()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """The service's own log goes in here meanwhile."""
        before = structlog.get_config()
        structlog.configure(
            processors=[structlog.contextvars.merge_contextvars, self._take],
            wrapper_class=structlog.make_filtering_bound_logger(20),
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            structlog.configure(**before)

    def _take(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
        if line["event"].startswith("stamina."):
            raise structlog.DropEvent  # as in the service
        if line.pop("exc_info", False):
            line["error"] = repr(sys.exc_info()[1])
        words = " ".join(f"{key}={value}" for key, value in sorted(line.items()) if key not in _DULL)
        self.note("log", f"{line['event']} {words}")
        if line["event"] in _BROKEN:
            self.broken.append(f"{line['event']} {words}")
        raise structlog.DropEvent
