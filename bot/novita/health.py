"""Whether Novita can be worked with, known from the calls that are made anyway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

_log = structlog.get_logger()


class Health:
    """Says so in the log once when Novita breaks and once when it recovers."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.unhealthy_since: datetime | None = None
        """None: the latest call got a sensible answer, or none was made yet."""

    def failed(self, why: str) -> None:
        if self.unhealthy_since is not None:
            return
        self.unhealthy_since = self._clock()
        _log.warning("novita.failing", why=why)

    def answered(self) -> None:
        if self.unhealthy_since is None:
            return
        since, self.unhealthy_since = self.unhealthy_since, None
        _log.info("novita.recovered", since=since)
