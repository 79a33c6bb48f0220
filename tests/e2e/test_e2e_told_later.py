"""Slack or a webhook is away: what was to be told is told later, and the rest goes on meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.sandbox.slack.faults import (
    CloseConnection,
    DropReply,
    ErrorCode,
    Fault,
    Hang,
    HttpStatus,
    RateLimited,
)
from tests.e2e.stage import GPU, Stage

slow = pytest.mark.soak


async def under_way(stage: Stage) -> str:
    """With its card, and held before it runs; the id at Novita."""
    await stage.create()
    await stage.novita.journal.wait_for("create", 1, over=True)
    (gpu,) = stage.gpus()
    stage.cloud.hold(gpu.id)
    await stage.until(lambda: stage.states()[-1:] == ["Starting"])
    return gpu.id


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        pytest.param(HttpStatus(500), 3, id="500"),
        pytest.param(HttpStatus(503), 3, id="503", marks=slow),
        pytest.param(ErrorCode("internal_error"), 3, id="internal_error", marks=slow),
        pytest.param(ErrorCode("fatal_error"), 3, id="fatal_error", marks=slow),
        pytest.param(RateLimited(timedelta(seconds=1)), 2, id="429", marks=slow),
        pytest.param(CloseConnection(), 3, id="closed", marks=slow),
        pytest.param(Hang(), 1, id="hang", marks=slow),
    ],
)
async def test_a_notice_that_slack_does_not_take_arrives_once_and_later(
    stage: Stage, fault: Fault, times: int
) -> None:
    await stage.start()
    gpu = await under_way(stage)
    tried = stage.slack.journal.count("chat.postMessage")
    stage.slack.fail("chat.postMessage", fault, times)
    stage.cloud.run_now(gpu)
    await stage.until(lambda: stage.hooks("my-train", "instance.ready"))
    await stage.told("my-train", "instance.ready")
    assert stage.slack.journal.count("chat.postMessage") == tried + times + 1
    assert len(stage.notices("my-train", "instance.ready")) == 1
    await stage.until(lambda: stage.states()[-1] == "Running")


@slow
async def test_a_notice_whose_answer_is_lost_is_told_again_rather_than_never(stage: Stage) -> None:
    await stage.start()
    gpu = await under_way(stage)
    stage.slack.fail("chat.postMessage", DropReply())
    stage.cloud.run_now(gpu)
    await stage.until(lambda: len(stage.notices("my-train", "instance.ready")) == 2)
    first, second = stage.notices("my-train", "instance.ready")
    assert first.metadata == second.metadata


@slow
@pytest.mark.parametrize("fault", [HttpStatus(500), RateLimited(), CloseConnection(), DropReply()], ids=repr)
async def test_a_card_that_slack_does_not_take_is_shown_later(stage: Stage, fault: Fault) -> None:
    stage.slack.fail("chat.postMessage", fault, 2)
    stage.slack.fail("chat.update", fault, 2)
    await stage.start()
    await stage.running()
    assert stage.states()[-1] == "Running"


@slow
async def test_a_card_that_somebody_deleted_is_posted_anew(stage: Stage) -> None:
    await stage.start()
    await stage.running()
    stage.workspace.delete(stage.cards()[0])
    await stage.ada.command("/gpu stop my-train", channel=GPU)
    await stage.told("my-train", "instance.stopped")
    await stage.until(lambda: "Stopped" in stage.cards()[0].text if stage.cards() else False)
    assert len(stage.cards()) == 1


@slow
async def test_when_all_of_slack_is_away_for_a_while_nothing_is_lost(stage: Stage) -> None:
    await stage.start()
    gpu = await under_way(stage)
    stage.slack.faults.order("*", HttpStatus(503), 10_000)
    stage.slack.drop_connections()
    stage.cloud.run_now(gpu)
    await stage.until(lambda: stage.hooks("my-train", "instance.ready"))
    tried = stage.slack.journal.count("apps.connections.open")
    await stage.until(lambda: stage.slack.journal.count("apps.connections.open") > tried, within=40)
    stage.slack.faults.clear()
    await stage.told("my-train", "instance.ready", within=40)
    await stage.slack.wait_connected(2, timeout=60)
    assert "my-train" in (await stage.ada.command("/gpu list", channel=GPU)).words
    assert len(stage.notices("my-train", "instance.ready")) == 1
    assert stage.states()[-1] == "Running"


async def test_a_receiver_that_is_down_gets_all_in_order_and_once(stage: Stage) -> None:
    await stage.receiver.stop()
    await stage.start(pauses=(0.4, 1.5, 1.5, 1.5))
    await stage.create()
    await stage.until(lambda: stage.notices("my-train", "instance.ready"))
    await stage.ada.command("/gpu stop my-train", channel=GPU)
    await stage.until(lambda: stage.notices("my-train", "instance.stopped"))
    await stage.receiver.start()
    await stage.until(lambda: len(stage.receiver.received) == 2)
    assert [hook.event for hook in stage.receiver.received] == ["instance.ready", "instance.stopped"]
    sequence = [hook.body["sequence"] for hook in stage.receiver.received]
    assert sequence == sorted(sequence)
    assert len(stage.receiver.tried) == 2


@slow
@pytest.mark.parametrize("status", [500, 503, 429, 302, 404, None])
async def test_a_receiver_that_does_not_accept_is_tried_again(stage: Stage, status: int | None) -> None:
    """None: it takes the request and says nothing."""
    stage.receiver.answers = status
    await stage.start(WEBHOOK_TIMEOUT="1000")
    await stage.create()
    await stage.until(lambda: len(stage.receiver.tried) >= 2)
    await stage.until(lambda: stage.notices("my-train", "instance.ready"))
    stage.receiver.answers = 200
    await stage.told("my-train", "instance.ready")
    assert len({hook.id for hook in stage.receiver.tried}) == 1
    assert len(stage.receiver.received) == 1


@slow
async def test_a_receiver_that_wants_no_more_is_left_alone_until_a_restart(stage: Stage) -> None:
    stage.receiver.answers = 410
    await stage.start()
    await stage.create()
    await stage.until(lambda: stage.notices("my-train", "instance.ready"))
    await stage.until(lambda: stage.service.logged("target.disabled"))
    stage.receiver.answers = 200
    await stage.ada.command("/gpu stop my-train", channel=GPU)
    await stage.until(lambda: stage.notices("my-train", "instance.stopped"))
    stage.service.terminate()
    assert await stage.service.over() == 0
    await stage.start()
    await stage.ada.command("/gpu start my-train", channel=GPU)
    await stage.told("my-train", "instance.started")
    assert [hook.event for hook in stage.receiver.tried] == ["instance.ready", "instance.started"]


@slow
async def test_what_is_not_told_yet_when_the_service_ends_is_told_by_the_next_one(stage: Stage) -> None:
    await stage.receiver.stop()
    await stage.start()
    gpu = await under_way(stage)
    stage.slack.faults.order("chat.postMessage", HttpStatus(500), 10_000)
    stage.cloud.run_now(gpu)
    await stage.until(lambda: stage.states()[-1] == "Running")
    stage.service.terminate()
    assert await stage.service.over() == 0
    stage.slack.faults.clear()
    await stage.receiver.start()
    await stage.start()
    await stage.told("my-train", "instance.ready")
    assert len(stage.notices("my-train", "instance.ready")) == 1
    assert stage.created() == 1
