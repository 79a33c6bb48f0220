"""GPUs that no row wants: a late one of ours is removed and told, one that nobody knows is shown, others are left."""

from __future__ import annotations

import shutil
from datetime import timedelta

import httpx
import pytest

from bot.sandbox.novita.faults import LateEffect
from tests.e2e.stage import GPU, Stage

pytestmark = pytest.mark.slow


async def test_each_kind_of_stray_has_its_way(stage: Stage) -> None:
    stage.errors_meant.add("stray.unknown")
    stage.novita.faults.add("create", LateEffect(timedelta(seconds=4), code=500))
    await stage.start()
    await stage.create("late")
    await stage.told("late", "instance.failed")
    await stage.until(lambda: stage.notices("late", "instance.late_removed"))
    ours = stage.novita.journal.calls("create")[0].body["name"]
    deployment = ours.split("-")[1]
    names = [f"gb-{deployment}-{'z' * 16}-a1", f"gb-otherone-{'z' * 16}-a1", "by-hand"]
    unknown, *others = [stage.cloud.create_in_console(name) for name in names]

    (said,) = await stage.until(stage.cleo.dms)
    assert unknown.id in said.text
    assert unknown.order.name in said.text
    assert await quarantined(stage) == 1

    stage.service.kill()
    await stage.service.over()
    await stage.start()
    await lists(stage, 5)
    assert [m.text for m in stage.cleo.dms()] == [said.text]
    assert len([line for life in stage.lives for line in life.logged("stray.unknown")]) == 1
    assert stage.novita.journal.count("delete") == 1
    assert {gpu.id for gpu in stage.gpus()} == {unknown.id, *(other.id for other in others)}

    stage.cloud.delete_in_console(unknown.id)
    await lists(stage, 5)
    assert await quarantined(stage) == 0


async def test_a_restored_database_touches_nothing_that_it_does_not_know(stage: Stage) -> None:
    """The drill: back to an old copy while a GPU runs that it never heard of, then on to a newer one."""
    stage.errors_meant.add("stray.unknown")
    await stage.start()
    await stage.running("kept")
    await end(stage)
    keep(stage, "older")
    await stage.start()
    await stage.running("later")
    await end(stage)
    keep(stage, "newer")

    bring_back(stage, "older")
    await stage.start()
    (said,) = await stage.until(stage.cleo.dms)
    (stray,) = [gpu for gpu in stage.gpus() if gpu.id in said.text]
    await lists(stage, 5)
    assert (len(stage.gpus()), stage.novita.journal.count("delete")) == (2, 0)
    assert (await stage.ada.command("/gpu stop kept", channel=GPU)).ok
    await stage.told("kept", "instance.stopped")
    await end(stage)

    bring_back(stage, "newer")
    await stage.start()
    assert (await stage.ada.command("/gpu delete later", channel=GPU)).ok
    await stage.told("later", "instance.deleted")
    assert stray.id not in {gpu.id for gpu in stage.gpus()}
    assert await quarantined(stage) == 0
    assert (stage.created(), len(stage.cleo.dms())) == (2, 1)


async def lists(stage: Stage, count: int) -> None:
    seen = stage.novita.journal.count("list")
    await stage.novita.journal.wait_for("list", seen + count, timeout=20)


async def quarantined(stage: Stage) -> int:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{stage.service.port}/metrics")
    (line,) = [each for each in answer.text.splitlines() if each.startswith("gpu_bot_gpus_quarantined ")]
    return int(float(line.split()[1]))


async def end(stage: Stage) -> None:
    stage.service.terminate()
    assert await stage.service.over() == 0


def keep(stage: Stage, name: str) -> None:
    """Nobody has it open: the file is whole."""
    shutil.copy(stage.directory / "gpu-bot.db", stage.directory / name)


def bring_back(stage: Stage, name: str) -> None:
    for suffix in ("-wal", "-shm"):
        (stage.directory / f"gpu-bot.db{suffix}").unlink(missing_ok=True)
    shutil.copy(stage.directory / name, stage.directory / "gpu-bot.db")
