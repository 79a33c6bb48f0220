"""Slack's limits per method (docs.slack.dev/apis/web-api/rate-limits), as sliding windows."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    calls: int
    per: timedelta = MINUTE
    by_channel: bool = False


TIER_2, TIER_3, TIER_4 = Limit(calls=20), Limit(calls=50), Limit(calls=100)
LIMITS: dict[str, tuple[Limit, ...]] = {
    # About one a second in a channel, with short bursts; and the workspace has an unpublished ceiling.
    "chat.postMessage": (Limit(calls=5, per=timedelta(seconds=5), by_channel=True), Limit(calls=300)),
    **dict.fromkeys(("chat.update", "chat.delete"), (TIER_3,)),
    **dict.fromkeys(("conversations.open", "conversations.info", "apps.connections.open"), (TIER_3,)),
    **dict.fromkeys(("views.open", "views.update", "views.push", "views.publish"), (TIER_4,)),
    **dict.fromkeys(("users.info", "chat.postEphemeral"), (TIER_4,)),
    "response_url": (Limit(calls=1, per=timedelta(seconds=1), by_channel=True),),
}


@dataclass(slots=True)
class RateLimits:
    """`clock` gives aware UTC. A refused call does not count."""

    clock: Callable[[], datetime]
    limits: Mapping[str, tuple[Limit, ...]] = field(default_factory=lambda: LIMITS)
    _seen: dict[tuple[str, Limit, str], deque[datetime]] = field(default_factory=dict)

    def wait(self, method: str, channel: str = "") -> timedelta | None:
        """Counts the call and gives None, or how long to wait, in whole seconds. `channel`: what a limit by
        channel counts by; of a response_url its path."""
        now = self.clock()
        windows = [
            (limit, self._window(method, limit, channel, now)) for limit in self.limits.get(method, ())
        ]
        waits = [window[0] + limit.per - now for limit, window in windows if len(window) >= limit.calls]
        if waits:
            return timedelta(seconds=math.ceil(max(waits).total_seconds()))
        for _, window in windows:
            window.append(now)
        return None

    def _window(self, method: str, limit: Limit, channel: str, now: datetime) -> deque[datetime]:
        window = self._seen.setdefault((method, limit, channel if limit.by_channel else ""), deque())
        while window and now - window[0] >= limit.per:
            window.popleft()
        return window
