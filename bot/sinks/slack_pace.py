"""How fast we may speak to Slack (docs.slack.dev/apis/web-api/rate-limits).

What is no post is counted for the whole workspace (50 a minute or more), posts per channel
(about one a second). A minute's allowance is not spent at once, so that what matters most can still come
first later on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from aiolimiter import AsyncLimiter

from bot.sinks.slack_answers import Unavailable

EDITS = "chat.update"
OPENINGS = "conversations.open"
HOMES = "views.publish"
PERMALINKS = "chat.getPermalink"
_OF_THE_WORKSPACE = {EDITS, OPENINGS, HOMES, PERMALINKS}

_MOST_CHANNELS = 1000
"""Whose pace is remembered. Forgetting one costs a refusal at most."""


class SlackPace:
    """A key is EDITS, OPENINGS, HOMES, PERMALINKS, or the channel of a post."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        edits_per_minute: float = 40,
        posts_per_minute: float = 55,
        minute: float = 60,
    ) -> None:
        """`minute`: in seconds; less where Slack's proportions are tried at another speed."""
        self._clock = clock
        self._edits_per_minute = edits_per_minute
        self._posts_per_minute = posts_per_minute
        self._minute = minute
        self._limiters: dict[str, AsyncLimiter] = {}
        self._held: dict[str, datetime] = {}

    async def turn(self, key: str) -> None:
        """Waits for it, but not where Slack has asked for silence: then raises Unavailable at once."""
        silence = self._held.pop(key, None)
        if silence is not None and silence > self._clock():
            self._held[key] = silence
            raise Unavailable("Slack asked us to wait", status_code=429, after=silence - self._clock())
        await self._limiter(key).acquire()

    def hold(self, key: str, pause: timedelta) -> None:
        self._held[key] = self._clock() + pause

    def _limiter(self, key: str) -> AsyncLimiter:
        if key not in self._limiters:
            while len(self._limiters) >= _MOST_CHANNELS:
                self._limiters.pop(next(iter(self._limiters)))
            self._limiters[key] = self._new_limiter(key)
        return self._limiters[key]

    def _new_limiter(self, key: str) -> AsyncLimiter:
        if key in _OF_THE_WORKSPACE:
            # Bursts of a fifth: with the steady rate beside it this stays below 50 in any minute.
            return AsyncLimiter(self._edits_per_minute / 5, self._minute / 5)
        return AsyncLimiter(1, self._minute / self._posts_per_minute)
