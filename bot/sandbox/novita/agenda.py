from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count


class Agenda:
    """Time as the cloud sees it, and what is due at a later moment.

    Nothing runs in the background: whoever asks for the time first lets everything happen that has become
    due since, each thing at its own moment. So a test that moves its clock decides what has happened.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = count()
        self._acting_at: datetime | None = None

    def later(self, at: datetime, effect: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), effect))

    def now(self) -> datetime:
        """While an effect acts, its own moment."""
        if self._acting_at is not None:
            return self._acting_at
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            self._act(*heapq.heappop(self._due))
        return now

    def _act(self, at: datetime, _number: int, effect: Callable[[], None]) -> None:
        self._acting_at = at
        try:
            effect()
        finally:
            self._acting_at = None
