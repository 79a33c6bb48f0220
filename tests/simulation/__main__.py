"""`python -m tests.simulation --seeds 10000`: many runs on several cores, one table, failures with their trace."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tests.simulation.plan import MOST_STEPS, Run, plan_of
from tests.simulation.world import simulate

_TOGETHER = 20
"""Seeds that a worker is given at once."""
_SHOWN = 3
"""Failures that are told with their trace; the file has all."""

REPORT = Path("build/simulation.json")


@dataclass(slots=True, kw_only=True)
class Tally:
    runs: int = 0
    steps: int = 0
    creates: int = 0
    restarts: int = 0
    told: int = 0
    repeated: int = 0
    simulated_hours: float = 0
    faults: Counter[str] = field(default_factory=Counter)
    failures: list[Run] = field(default_factory=list)

    def add(self, run: Run) -> None:
        self.runs += 1
        self.steps += run.steps
        self.creates += run.creates
        self.restarts += run.restarts
        self.told += run.told
        self.repeated += run.repeated
        self.simulated_hours += run.seconds / 3600
        self.faults += run.faults
        if run.violation is not None:
            self.failures.append(run)

    def count(self, word: str) -> int:
        return sum(1 for run in self.failures if word in (run.violation or ""))


def main() -> int:
    asked = _arguments()
    seeds = range(asked.first, asked.first + asked.seeds)
    began = time.perf_counter()
    tally = Tally()
    for run in _runs(seeds, asked.steps, asked.jobs):
        tally.add(run)
    seconds = time.perf_counter() - began
    _tell(tally, seconds)
    _write(tally, seconds, asked.report)
    return 1 if tally.failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many runs")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--steps", type=int, default=MOST_STEPS, help="at most so many in a run")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the figures are kept")
    return parser.parse_args()


def _runs(seeds: range, steps: int, jobs: int) -> Iterator[Run]:
    if jobs < 2 or len(seeds) < 2:
        yield from (_simulate(seed, steps) for seed in seeds)
        return
    parts = [seeds[at : at + _TOGETHER] for at in range(0, len(seeds), _TOGETHER)]
    with ProcessPoolExecutor(jobs) as workers:
        for runs in workers.map(partial(_simulate_all, steps=steps), parts):
            yield from runs


def _simulate_all(seeds: Iterable[int], steps: int) -> list[Run]:
    return [_simulate(seed, steps) for seed in seeds]


def _simulate(seed: int, steps: int) -> Run:
    plan = plan_of(seed)
    return simulate(seed, replace(plan, steps=min(plan.steps, steps)))


def explain(run: Run) -> str:
    again = f"python -m tests.simulation --seeds 1 --from {run.seed} --steps {run.steps}"
    return "\n".join((f"seed {run.seed}: {run.violation}", *run.trace, f"Once more: {again}"))


def _tell(tally: Tally, seconds: float) -> None:
    for run in tally.failures[:_SHOWN]:
        print(explain(run), end="\n\n")
    for name, value in (
        ("runs", tally.runs),
        ("steps", tally.steps),
        ("creates that arrived", tally.creates),
        ("restarts", tally.restarts),
        ("faults", tally.faults.total()),
        ("told", tally.told),
        ("told again", tally.repeated),
        ("simulated hours", round(tally.simulated_hours)),
        ("lost GPUs", tally.count("lost: ")),
        ("doubled GPUs", tally.count(" GPUs: ")),
        ("events missing", tally.count("events missing")),
        ("violations", len(tally.failures)),
        ("seconds", round(seconds, 1)),
        ("runs a minute", round(tally.runs / seconds * 60)),
    ):
        print(f"{name:<24}{value:>10}")
    print()
    for kind, times in sorted(tally.faults.items()):
        print(f"  {kind:<32}{times:>8}")


def _write(tally: Tally, seconds: float, report: Path) -> None:
    report.parent.mkdir(parents=True, exist_ok=True)
    figures = {name: getattr(tally, name) for name in Tally.__dataclass_fields__ if name != "failures"}
    failures = [{"seed": run.seed, "violation": run.violation, "trace": run.trace} for run in tally.failures]
    figures |= {"seconds": seconds, "python": sys.version.split()[0], "failures": failures}
    report.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
