"""What happens to an instance outside the bot: shown, told with its reason, and left at that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.e2e.stage import GPU, Stage

slow = pytest.mark.soak


async def left_at_that(stage: Stage) -> None:
    """Over some more passes nothing is started, created or removed again."""
    changes = ("create", "start", "stop", "restart", "delete")
    before = [stage.novita.journal.count(verb) for verb in changes]
    told = len(stage.receiver.tried)
    seen = stage.novita.journal.count("list")
    await stage.novita.journal.wait_for("list", seen + 5, timeout=20)
    assert [stage.novita.journal.count(verb) for verb in changes] == before
    assert len(stage.receiver.tried) == told


async def test_stopped_in_the_console_is_told_and_started_there_too(stage: Stage) -> None:
    await stage.start()
    await stage.running()
    (gpu,) = stage.gpus()
    stage.cloud.stop_in_console(gpu.id)
    await stage.told("my-train", "instance.stopped")
    (notice,) = stage.notices("my-train", "instance.stopped")
    assert "stopped outside this bot" in notice.words
    assert "<@U0ADA>" in notice.text
    assert stage.hooks("my-train", "instance.stopped")[0].body["reason"] == "stopped_outside"
    await stage.until(lambda: stage.states()[-1] == "Stopped")
    await left_at_that(stage)
    stage.cloud.start_in_console(gpu.id)
    await stage.told("my-train", "instance.started")
    assert "started outside this bot" in stage.notices("my-train", "instance.started")[0].words
    await stage.until(lambda: stage.states()[-1] == "Running")
    assert (stage.created(), stage.novita.journal.count("start")) == (1, 0)


@slow
async def test_a_reclaim_is_announced_and_told(stage: Stage) -> None:
    await stage.start()
    await stage.running()
    (gpu,) = stage.gpus()
    at = stage.cloud.notify_reclaim(gpu.id, in_=timedelta(seconds=1.5))
    await stage.told("my-train", "instance.reclaiming")
    (hook,) = stage.hooks("my-train", "instance.reclaiming")
    assert hook.body["reclaimAt"].startswith(f"{at:%Y-%m-%dT%H:%M}")
    await stage.told("my-train", "instance.reclaimed")
    assert "On demand" not in stage.notices("my-train", "instance.reclaimed")[0].text
    assert "--on-demand" in stage.notices("my-train", "instance.reclaimed")[0].words
    await stage.until(lambda: stage.states()[-1] == "Stopped")
    await left_at_that(stage)
    events = [hook.event.removeprefix("instance.") for hook in stage.receiver.received]
    assert events == ["ready", "reclaiming", "reclaimed"]
    assert (stage.created(), stage.novita.journal.count("start")) == (1, 0)


@slow
async def test_a_reclaim_without_a_word_is_told_as_one(stage: Stage) -> None:
    await stage.start()
    await stage.running()
    stage.cloud.reclaim(stage.gpus()[0].id)
    await stage.told("my-train", "instance.reclaimed")
    await stage.until(lambda: stage.states()[-1] == "Stopped")
    await left_at_that(stage)


@slow
async def test_deleted_in_the_console_is_told_with_its_reason(stage: Stage) -> None:
    await stage.start()
    await stage.running()
    stage.cloud.delete_in_console(stage.gpus()[0].id)
    await stage.told("my-train", "instance.deleted")
    assert "deleted outside this bot" in stage.notices("my-train", "instance.deleted")[0].words
    assert stage.hooks("my-train", "instance.deleted")[0].body["reason"] == "deleted_outside"
    await stage.until(lambda: stage.states()[-1] == "Deleted")
    await left_at_that(stage)
    assert "no instance" in (await stage.ada.command("/gpu list", channel=GPU)).words
    assert stage.created() == 1


@slow
async def test_an_empty_balance_stops_and_is_told(stage: Stage) -> None:
    await stage.start()
    await stage.running()
    stage.cloud.set_balance_empty(freeze=True)
    await stage.told("my-train", "instance.stopped")
    await stage.until(lambda: stage.states()[-1] == "Stopped")
    await left_at_that(stage)
    stage.cloud.top_up()
    await left_at_that(stage)


@slow
async def test_what_other_people_have_in_the_account_is_not_touched(stage: Stage) -> None:
    theirs = [stage.cloud.create_in_console(name) for name in ("by-hand", "gb-somebody-abc-a1")]
    await stage.start()
    await stage.running()
    await stage.ada.command("/gpu delete my-train", channel=GPU)
    await stage.told("my-train", "instance.deleted")
    assert {gpu.id for gpu in stage.gpus()} == {gpu.id for gpu in theirs}


@slow
async def test_one_that_never_starts_fails_once_and_bills_no_longer(stage: Stage) -> None:
    await stage.start(timings={"startup_timeout": 2.0})
    await stage.create()
    await stage.novita.journal.wait_for("create", 1, over=True)
    stage.cloud.hold(stage.gpus()[0].id)
    await stage.told("my-train", "instance.failed")
    (notice,) = stage.notices("my-train", "instance.failed")
    assert "STARTUP_TIMEOUT" in notice.words
    assert "removed so that it bills no longer" in notice.words
    await stage.novita.journal.wait_for("delete", 1, timeout=20)
    await left_at_that(stage)
    assert (stage.gpus(), stage.created()) == ([], 1)


@slow
async def test_one_that_has_run_and_does_not_start_again_is_stopped_and_kept(stage: Stage) -> None:
    await stage.start(timings={"startup_timeout": 2.0})
    await stage.running()
    await stage.ada.command("/gpu stop my-train", channel=GPU)
    await stage.told("my-train", "instance.stopped")
    (gpu,) = stage.gpus()
    stage.cloud.hold(gpu.id)
    await stage.ada.command("/gpu start my-train", channel=GPU)
    await stage.told("my-train", "instance.stopped", times=2)
    assert "STARTUP_TIMEOUT" in stage.notices("my-train", "instance.stopped")[-1].words
    await left_at_that(stage)
    assert stage.cloud.status(gpu.id) == "exited"
    assert stage.novita.journal.count("delete") == 0
