"""Until nothing is under way: at the cloud, in the bot, on the way to Slack and to the webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.sandbox.novita.fate import Fate

_LOOK_EVERY = 0.05


class Bot(Protocol):
    async def under_way(self) -> tuple[str, ...]:
        """What the bot is still about, in words; empty: nothing."""

    async def looked_at(self) -> datetime | None:
        """Beginning of its latest look at the cloud that succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    quiet_for: timedelta
    """So long nothing must be under way: one thing leads to another."""
    outage: timedelta
    """So long an outage takes to be noticed and told."""
    longest: timedelta


class Settling:
    def __init__(self, bot: Bot, fate: Fate, *, clock: Callable[[], datetime], patience: Patience) -> None:
        self._bot = bot
        self._fate = fate
        self._clock = clock
        self._patience = patience

    async def settled(self) -> str:
        """Empty once all is quiet; otherwise what still goes on when we wait no longer."""
        began_at = quiet_since = self._clock()
        while True:
            still = await self._still()
            now = self._clock()
            if still:
                quiet_since = now
            elif now - quiet_since >= self._patience.quiet_for:
                return ""
            if self._fate.is_down and now - self._fate.changed_at > self._patience.outage:
                return f"Novita is down, so this has to wait: {', '.join(still)}." if still else ""
            if now - began_at > self._patience.longest:
                return f"Waited long enough. Still under way: {', '.join(still)}."
            await asyncio.sleep(_LOOK_EVERY)

    async def _still(self) -> tuple[str, ...]:
        under_way = await self._bot.under_way()
        if under_way or self._fate.is_down:
            return under_way
        looked_at = await self._bot.looked_at()
        rests_at = self._fate.busy_until()
        # What has happened at the cloud since the bot looked, it has yet to find out.
        return () if looked_at is not None and looked_at > rests_at else ("what Novita does",)
