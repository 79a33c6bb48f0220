"""The service dies at a call of each method that writes, asks or tells; the next one finishes.

Some of the matrix that `make crash` plays whole.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash import scenes
from tests.crash.cases import AT_THE_START, CASES, ELSEWHERE, READS, STORE, UNREACHED, methods
from tests.crash.databases import Kind
from tests.crash.lives import Lives
from tests.crash.matrix import ACK_TIMEOUT, Run, play_all, runs
from tests.crash.modes import Mode
from tests.crash.points import Fuse, Point, When
from tests.crash.scenes import Scene
from tests.crash.table import table
from tests.e2e.lives import Nursery
from tests.e2e.stage import Stage, staged

QUICK = ("store.instances.begin", "create on the wire, done")
SAMPLE = (
    ("store.instances.begin", Mode.LATE, Kind.POSTGRES),
    ("store.instances.begin", Mode.REFUSED, Kind.TWO),
    ("store.instances.settle", Mode.MIXED, Kind.SQLITE),
    ("store.instances.settle_stray", Mode.CLEAN, Kind.SQLITE),
    ("store.quarantine.told", Mode.CLEAN, Kind.SQLITE),
    ("stop on the wire, done", Mode.DROPPED, Kind.POSTGRES),
    ("frozen at novita.create_instance", Mode.CLEAN, Kind.TWO),
    ("SIGTERM in a silent create", Mode.CLEAN, Kind.SQLITE),
    ("a migration half done", Mode.CLEAN, Kind.TWO),
    ("slack.post_notice", Mode.MIXED, Kind.POSTGRES),
)


def test_every_method_has_a_case() -> None:
    cases = STORE.keys() | ELSEWHERE.keys() | AT_THE_START | READS | UNREACHED.keys()
    assert set(methods()) == cases


def test_every_case_of_the_sample_can_be_played() -> None:
    wanted = set(runs())
    assert {Run(point=p, mode=m, database=d) for p, m, d in SAMPLE} <= wanted


def test_what_nothing_calls_is_called_by_nothing() -> None:
    sources = [file.read_text() for file in Path("bot").rglob("*.py") if "sandbox" not in file.parts]
    for method, why in UNREACHED.items():
        noun, _, name = method.removeprefix("store.").partition(".")
        assert why != "nothing calls it" or not [text for text in sources if f".{noun}.{name}(" in text]


@pytest.mark.parametrize("point", QUICK)
async def test_it_dies_and_the_next_one_finishes(nursery: Nursery, tmp_path: Path, point: str) -> None:
    async with staged(nursery, tmp_path, ack_timeout=ACK_TIMEOUT) as stage:
        await _dies(CASES[point].scene, stage, point)


async def _dies(scene: Scene, stage: Stage, point: str) -> None:
    lives = Lives(stage, scene)
    for death in CASES[point].deaths:
        await death(lives)
    verdict = await lives.the_last_one_finishes()
    assert verdict.findings == []
    CASES[point].proves(lives, stage)


@pytest.mark.slow
async def test_a_sample_of_all_cases_by_all_that_can_happen(nursery: Nursery) -> None:
    assert nursery is not None
    wanted = [Run(point=point, mode=mode, database=database) for point, mode, database in SAMPLE]
    results = await play_all(wanted, side_by_side=8)
    assert all(result.is_sound for result in results), table(results)


def test_scenes_are_not_lenient_by_oversight() -> None:
    """Only one that has two ways to end may name several."""
    several = {name for name, case in CASES.items() if len(case.scene.outcomes) > 1}
    assert several == {"store.instances.purge", "frozen at novita.restart_instance"}
    assert scenes.CREATE_IT.outcomes == (scenes.READY,)


def test_calls_count_over_all_processes_and_one_of_them_burns(tmp_path: Path) -> None:
    armed = tmp_path / "armed"
    fuses = [Fuse(armed=armed), Fuse(armed=armed)]
    for serial in (1, 2):
        point = Point(method="store.cards.settle", when=When.AFTER, nth=3, serial=serial)
        point.arm(armed)
        assert fuses[0].burns("store.cards.later") is None
        calls = [fuses[number % 2].burns("store.cards.settle") for number in range(5)]
        assert calls == [None, None, point, None, None]
