"""What a service needs over time, as a straight line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report import quantile, slope
from bench.service import stalled

GROWTH = {"rss_mb": 1.0, "descriptors": 6.0, "tasks": 6.0, "threads": 1.0}
"""An hour; more is not flat. Descriptors and tasks come and go with what is under way."""
_NAMES = {"rss_mb": "memory MB", "cpu": "cpu s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    name: str
    least: float
    middle: float
    most: float
    an_hour: float
    """Of the straight line; for a life of minutes mostly noise."""

    def row(self) -> dict[str, object]:
        return {
            "of": _NAMES.get(self.name, self.name),
            "least": self.least,
            "median": self.middle,
            "most": self.most,
            "an hour more": self.an_hour,
        }


def trends(beats: Sequence[Mapping[str, Any]]) -> list[Trend]:
    """Of one life; its first third, in which it warms up, is left out."""
    warm = beats[len(beats) // 3 :]
    if len(warm) < 2:
        return []
    series: dict[str, list[float]] = {
        **{name: [float(beat[name]) for beat in warm] for name in GROWTH},
        "longest stall ms": [stalled(beat) * 1000 for beat in warm],
    }
    hours = [beat["at"] / 3600 for beat in warm]
    return [
        Trend(
            name=name,
            least=min(values),
            middle=quantile(values, 0.5) or 0.0,
            most=max(values),
            an_hour=slope(list(zip(hours, values, strict=True))) or 0.0,
        )
        for name, values in series.items()
    ]
