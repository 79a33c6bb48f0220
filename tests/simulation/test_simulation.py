"""Seeded runs of the whole service in one process, and that they are what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.__main__ import explain
from tests.simulation.plan import Run, plan_of
from tests.simulation.world import simulate

ROOT = Path(__file__).parents[2]
SEEDS, STEPS = 300, 20
"""Of the slow test: half a minute of two cores that do something else as well. `make simulate` does more."""


def assert_sound(runs: list[Run]) -> None:
    wrong = [explain(run) for run in runs if run.violation is not None]
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.slow
def test_hundreds_of_seeds_break_no_promise() -> None:
    asked = ("--seeds", str(SEEDS), "--steps", str(STEPS), "--report", os.devnull)
    report = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.returncode == 0, report.stdout + report.stderr


def test_a_seed_is_the_same_run_every_time_and_another_one_is_not() -> None:
    first, second, other = (simulate(seed, replace(plan_of(1), steps=8)) for seed in (1, 1, 2))
    assert first.digest == second.digest != other.digest
    assert_sound([first, other])


@pytest.mark.slow
def test_a_seed_is_the_same_run_in_every_process() -> None:
    program = "from tests.simulation.world import simulate; print([simulate(s).digest for s in range(8)])"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": order},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for order in ("1", "2")
    }
    assert len(digests) == 1
