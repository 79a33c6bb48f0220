"""What a run of the matrix found, for people and for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.crash.aftermath import Kind as Fault
from tests.crash.cases import CASES
from tests.crash.databases import Kind
from tests.crash.matrix import Result
from tests.crash.modes import Mode


class Progress:
    """One line for each that was not sound, and now and then how far it is. Kept so far: a run may be broken off."""

    def __init__(self, wanted: int, folder: Path) -> None:
        self._wanted, self._folder = wanted, folder
        self._results: list[Result] = []
        self._began = self._told = time.monotonic()

    def tell(self, result: Result) -> None:
        self._results.append(result)
        now = time.monotonic()
        if not result.is_sound:
            _say(f"NOT SOUND  {result.run}  {_why(result)}")
        if now - self._told > 30:
            self._told = now
            done = len(self._results)
            left = (now - self._began) / done * (self._wanted - done)
            _say(f"{done} of {self._wanted}, some {left / 60:.0f} minutes left")
            keep(self._results, self._folder)


def table(results: Sequence[Result]) -> str:
    """Markdown: a row for each mode and database, and one for each run that is not sound."""
    head = "| Novita | database | cases | deaths | " + " | ".join(Fault) + " | told again | not hit |"
    rows = [head, "|---|---|" + "---:|" * (head.count("|") - 3), *_rows(results)]
    unsound = [f"- {result.run}: {_why(result)}" for result in results if not result.is_sound]
    return "\n".join([*rows, *([""] if unsound else []), *unsound])


def by_point(results: Sequence[Result]) -> str:
    """Markdown: a row for each point; in each cell lost, doubled, missing, wrong. `-`: it was not played, or nothing
    comes to the point in that mode."""
    columns = [(mode, database) for mode in Mode for database in Kind]
    cells = {(r.run.point, r.run.mode, r.run.database): _cell(r) for r in results}
    head = "| point | " + " | ".join(f"{mode}, {database}" for mode, database in columns) + " |"
    rows = [head, "|---|" + "---|" * len(columns)]
    played = {result.run.point for result in results}
    for point in (each for each in CASES if each in played):
        shown = (cells.get((point, *column), "-") for column in columns)
        rows.append(f"| {point} | " + " | ".join(shown) + " |")
    return "\n".join(rows)


def keep(results: Sequence[Result], folder: Path) -> None:
    """All of it; the logs of what was not sound."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.log"):
        old.unlink()
    said = [{**asdict(result), "log": None, "sound": result.is_sound} for result in results]
    (folder / "runs.json").write_text(json.dumps(said, indent=1, default=str))
    (folder / "table.md").write_text(f"{table(results)}\n\n{by_point(results)}\n")
    unsound = (result for result in results if not result.is_sound)
    for number, result in enumerate(unsound, 1):
        (folder / f"{number}.log").write_text("\n".join([str(result.run), _why(result), *result.log]))


def _rows(results: Sequence[Result]) -> Iterator[str]:
    for mode in Mode:
        for database in Kind:
            mine = [r for r in results if (r.run.mode, r.run.database) == (mode, database)]
            if mine:
                yield _row(f"{mode} | {database}", mine)
    yield _row("all | all", results)


def _row(name: str, results: Sequence[Result]) -> str:
    faults = [sum(result.count(kind) for result in results) for kind in Fault]
    unhit = sum(bool(result.unhit or result.broken) for result in results)
    deaths, repeated = sum(r.deaths for r in results), sum(r.repeated for r in results)
    return f"| {name} | " + " | ".join(map(str, [len(results), deaths, *faults, repeated, unhit])) + " |"


def _cell(result: Result) -> str:
    if result.unhit or result.broken:
        return "not hit" if result.unhit else "broken"
    return " ".join(str(result.count(kind)) for kind in Fault)


def _why(result: Result) -> str:
    found = [f"{finding.kind}: {finding.what}" for finding in result.findings]
    unhit = [f"nothing came to {result.unhit}"] if result.unhit else []
    broken = [result.broken.strip().splitlines()[-1][:300]] if result.broken else []
    return "; ".join([*found, *unhit, *broken])


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()
