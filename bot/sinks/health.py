"""Whether a receiver can be reached, known from what is sent to it anyway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

_log = structlog.get_logger()


class Health:
    """Says so in the log once when it breaks and once when it recovers."""

    def __init__(self, receiver: str, clock: Callable[[], datetime]) -> None:
        self._receiver = receiver
        self._clock = clock
        self.unhealthy_since: datetime | None = None
        """None: the latest try was answered well, or none was made yet."""

    def failed(self, why: str) -> None:
        if self.unhealthy_since is not None:
            return
        self.unhealthy_since = self._clock()
        _log.warning("receiver.failing", receiver=self._receiver, why=why)

    def answered(self) -> None:
        if self.unhealthy_since is None:
            return
        since, self.unhealthy_since = self.unhealthy_since, None
        _log.info("receiver.recovered", receiver=self._receiver, since=since)
