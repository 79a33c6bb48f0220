"""How long the demo waits for what, when its cloud is faster than life."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from bot.sandbox.terminal.waiting import Patience
from bot.timings import Timings

_SHORTEST = timedelta(milliseconds=50)
_AS_USUAL = frozenset({"lease", "renew_every", "probe_timeout", "purge_every", "watchdog_every"})
_STOP_WITHIN = timedelta(seconds=2)


def sped_up(speed: float) -> Timings:
    """The service waits as much shorter as the cloud is faster."""
    usual = Timings()
    spans = {field.name: getattr(usual, field.name) for field in fields(usual)}
    shorter = {
        name: max(span / speed, _SHORTEST)
        for name, span in spans.items()
        if isinstance(span, timedelta) and name not in _AS_USUAL
    }
    faster: dict[str, Any] = {
        **shorter,
        # What nobody asked the bot for is seen only by a poll, and somebody waits before the terminal.
        "slow_poll": shorter["fast_poll"] * 3,
        "stop_within": _STOP_WITHIN,
    }
    return replace(usual, **faster)


def patience(timings: Timings, speed: float) -> Patience:
    return Patience(
        quiet_for=timings.tick * 3,
        outage=timings.delayed_after * 2,
        longest=max(timedelta(minutes=20) / speed, timedelta(seconds=10)),
    )
