"""What this process knows of its own state. Reading it calls nothing and waits for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

DATABASE = "database"
SCHEDULER = "scheduler"
EVENT_LOOP = "eventLoop"

_VITAL = frozenset({DATABASE, SCHEDULER, EVENT_LOOP})
"""Without these this process cannot work. Novita and Slack may be away: no restart would bring them back."""

Readiness = Literal["ready", "starting", "stopping", "database"]


@dataclass(slots=True, kw_only=True)
class Health:
    """Filled by who starts the parts."""

    version: str
    started_at: datetime
    dependencies: dict[str, Callable[[], datetime | None]] = field(default_factory=dict)
    """What is in use, by the name that /health shows. Each says from memory since when it is unhealthy; None:
    it is well."""
    ready: bool = False
    stopping: bool = False
    beaten_at: datetime | None = None
    """None: nobody beats, and the loop is not judged."""
    beat_within: timedelta = timedelta(seconds=30)

    def beat(self, now: datetime) -> None:
        """Called by a periodic job. When it has not been called for long, the loop was blocked."""
        self.beaten_at = now

    def unhealthy_since(self, now: datetime) -> dict[str, datetime | None]:
        """Every part by name; None: it is well."""
        parts = {name: since() for name, since in self.dependencies.items()}
        if self.beaten_at is not None:
            blocked = now - self.beaten_at > self.beat_within
            parts[EVENT_LOOP] = self.beaten_at if blocked else None
        return parts

    @property
    def readiness(self) -> Readiness:
        if self.stopping:
            return "stopping"
        if not self.ready:
            return "starting"
        database = self.dependencies.get(DATABASE)
        return "ready" if database is None or database() is None else "database"


def can_work(unhealthy_since: dict[str, datetime | None]) -> bool:
    return all(since is None or name not in _VITAL for name, since in unhealthy_since.items())
