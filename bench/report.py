"""What every measurement shows of itself: under which conditions, a table, and the same kept as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "build" / "bench"
"""Ignored by git; `make clean` empties it."""

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """`load`: the one-minute average, of everything on this machine, at the beginning and at the end."""

    cores: int
    load: tuple[float, float]
    python: str
    began_at: str

    def __str__(self) -> str:
        before, after = self.load
        return f"{self.cores} cores, load {before:.1f} to {after:.1f}, Python {self.python}"


@dataclass(slots=True, kw_only=True)
class Report:
    """Made when the measuring begins."""

    name: str
    _began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _load: float = field(default_factory=lambda: os.getloadavg()[0])

    def end(self, tables: Mapping[str, Sequence[Row]], **more: Any) -> None:
        """Prints and keeps them. `more` is kept only."""
        conditions = Conditions(
            cores=len(os.sched_getaffinity(0)),
            load=(self._load, os.getloadavg()[0]),
            python=sys.version.split()[0],
            began_at=self._began_at.isoformat(timespec="seconds"),
        )
        print(f"\n{self.name}: {conditions}")
        for title, rows in tables.items():
            print("\n".join([f"\n{title}", *table(rows)]))
        KEPT.mkdir(parents=True, exist_ok=True)
        file = KEPT / f"{self.name}-{self._began_at:%Y%m%d-%H%M%S}.json"
        kept = {"conditions": asdict(conditions), "tables": tables, **more}
        file.write_text(json.dumps(kept, indent=2, default=str) + "\n")
        print(f"\nkept in {file.relative_to(ROOT)}")


def arguments(about: str | None) -> argparse.ArgumentParser:
    """`about`: the docstring of the script, whose whole text `--help` shows."""
    return argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Columns by the keys of the first row; numbers stand right."""
    names = list(rows[0]) if rows else []
    lines = [names, *([shown(row.get(name)) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = [all(isinstance(row.get(name), int | float | None) for row in rows) for name in names]
    for line in lines:
        cells = zip(line, widths, right, strict=True)
        yield "  ".join(f"{cell:>{width}}" if r else f"{cell:<{width}}" for cell, width, r in cells).rstrip()


def shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def quantile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that so many are not above; None: there are none."""
    found = sorted(values)
    return found[max(0, -int(-share * len(found) // 1) - 1)] if found else None


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Of the straight line through them that fits best; None: fewer than two moments."""
    n = len(points)
    if n < 2:
        return None
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else None
