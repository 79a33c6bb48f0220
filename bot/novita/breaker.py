"""Keeps calls away from a service that does not answer.

```
closed --(threshold faults in a row)--> open --(open_for)--> half open, one probe
   ^                                      ^                        |
   |                                      +------- probe failed ---+
   +---------------------------------------------- probe answered -+
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.errors import NotSent


class BreakerOpen(NotSent):
    """Held back here: Novita was not asked."""


@dataclass(slots=True)
class Permit:
    """To make one call. `answered` stays None when the call was not made after all, or was cancelled."""

    turn: int
    answered: bool | None = None


class Breaker:
    """The caller decides what a fault is. For one event loop; not for threads."""

    def __init__(self, *, threshold: int, open_for: timedelta, clock: Callable[[], datetime]) -> None:
        self._threshold = threshold
        self._open_for = open_for
        self._clock = clock
        self._faults = 0
        self._opened_at: datetime | None = None
        self._probing = False
        self._turn = 0
        """Grows each time it opens: outcomes of calls that began before say nothing about now."""

    @property
    def is_open(self) -> bool:
        return self._opened_at is not None

    def refusal(self) -> NotSent | None:
        """What `permit` would raise now."""
        if self._opened_at is None:
            return None
        waited = self._clock() - self._opened_at
        # a clock that was set back must not keep it open for longer than asked
        if not self._probing and not timedelta(0) <= waited < self._open_for:
            return None
        return BreakerOpen(
            "Novita does not answer at the moment; calls to it are paused.",
            retry_after=max(self._open_for - waited, timedelta(seconds=1)),
        )

    @contextmanager
    def permit(self) -> Iterator[Permit]:
        """Raises BreakerOpen, with the time to wait, while it is open or its one probe is under way."""
        self._admit()
        permit = Permit(turn=self._turn)
        try:
            yield permit
        finally:
            if permit.turn == self._turn:
                self._settle(permit.answered)

    def _admit(self) -> None:
        if (refusal := self.refusal()) is not None:
            raise refusal
        self._probing = self.is_open

    def _settle(self, answered: bool | None) -> None:  # noqa: FBT001 - the permit's own field
        self._probing = False
        if answered is None:
            return
        if answered:
            self._faults = 0
            self._opened_at = None
            return
        self._faults += 1
        # a failed probe comes on top of the faults that opened it, and opens it again
        if self._faults >= self._threshold:
            self._opened_at = self._clock()
            self._turn += 1
