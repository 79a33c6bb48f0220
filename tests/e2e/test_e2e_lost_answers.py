"""Novita's answer is lost, late or a no: one GPU all the same, never two, none forgotten."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.sandbox.novita.faults import (
    Body,
    Drop,
    Fault,
    Hang,
    InvisibleFor,
    LateEffect,
    LateStatus,
    RateLimited,
    Status,
)
from tests.e2e.stage import GPU, Stage

slow = pytest.mark.soak
IMPATIENT = {"api_timeout": 1.0}
"""Where an answer does not come at all."""


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Drop(after_effect=True), id="accepted-then-dropped"),
        pytest.param(Hang(after_effect=True), id="accepted-then-silent", marks=slow),
        pytest.param(LateStatus(504), id="accepted-then-504", marks=slow),
        pytest.param(LateStatus(500), id="accepted-then-500", marks=slow),
        pytest.param(Body("<html>", "text/html", after_effect=True), id="accepted-then-html", marks=slow),
        pytest.param(Body("{}", after_effect=True), id="accepted-without-an-id", marks=slow),
        pytest.param(LateEffect(seconds(0.7)), id="504-and-made-later", marks=slow),
        pytest.param(LateEffect(seconds(0.7), code=None), id="dropped-and-made-later", marks=slow),
        pytest.param(InvisibleFor(seconds(0.4)), id="made-and-shown-later", marks=slow),
        pytest.param(InvisibleFor(seconds(2.5)), id="made-and-shown-much-later", marks=slow),
    ],
)
async def test_a_create_whose_answer_is_lost_is_found_and_never_repeated(stage: Stage, fault: Fault) -> None:
    stage.novita.faults.add("create", fault)
    await stage.start(timings={"unconfirmed_after": 6.0}, settings=IMPATIENT)
    await stage.running()
    assert stage.created() == 1
    assert len(stage.gpus()) == 1
    await nothing_more_happens(stage)
    assert len(stage.notices("my-train", "instance.ready")) == 1
    assert [hook.event for hook in stage.receiver.received] == ["instance.ready"]


async def nothing_more_happens(stage: Stage, lists: int = 3) -> None:
    """Over some more passes of the poll, each of which could have changed something."""
    seen = stage.novita.journal.count("list")
    await stage.novita.journal.wait_for("list", seen + lists, timeout=20)


async def test_where_one_offer_is_sold_out_the_next_one_is_bought_once(stage: Stage) -> None:
    stage.cloud.set_capacity("4090.16c62g", "cn-hongkong-1", "spot", gpus=0)
    await stage.start()
    await stage.running()
    (gpu,) = stage.gpus()
    assert (gpu.product.id, gpu.cluster.id) == ("4090.16c96g.v2", "cn-hongkong-1")
    answers = [call.status for call in stage.novita.journal.calls("create")]
    assert answers == [400, 200]
    assert "CN-HK-01" in stage.cards()[0].text


@pytest.mark.soak
async def test_where_all_is_sold_out_it_fails_and_says_so(stage: Stage) -> None:
    await stage.start()
    await stage.novita.journal.wait_for("products", 2, over=True)
    stage.cloud.set_capacity(gpus=0)
    await stage.create()
    await stage.told("my-train", "instance.failed")
    (notice,) = stage.notices("my-train", "instance.failed")
    assert "Try another GPU, region or billing mode" in notice.words
    assert stage.gpus() == []


async def test_a_create_that_never_shows_is_given_up_and_a_late_one_removed(stage: Stage) -> None:
    stage.novita.faults.add("create", LateEffect(seconds(3.0), code=500))
    await stage.start()
    await stage.create()
    await stage.told("my-train", "instance.failed")
    (failed,) = stage.notices("my-train", "instance.failed")
    assert "UNCONFIRMED" in failed.words
    assert (stage.gpus(), stage.created()) == ([], 1)
    await stage.until(lambda: stage.notices("my-train", "instance.late_removed"))
    (removed,) = stage.notices("my-train", "instance.late_removed")
    assert "<@U0ADA>" in removed.text
    assert removed.thread_ts == stage.cards()[0].ts
    await nothing_more_happens(stage)
    assert (stage.gpus(), stage.created()) == ([], 1)
    assert len(stage.notices("my-train", "instance.late_removed")) == 1
    assert [hook.event for hook in stage.receiver.received] == ["instance.failed"]


@pytest.mark.soak
@pytest.mark.parametrize(
    "fault", [Status(500), Status(502), Hang(), Drop(), Status(409), Status(408)], ids=repr
)
async def test_what_was_not_made_is_not_bought_later(stage: Stage, fault: Fault) -> None:
    stage.novita.faults.add("create", fault)
    await stage.start(settings=IMPATIENT)
    await stage.create()
    await stage.told("my-train", "instance.failed")
    assert "UNCONFIRMED" in stage.notices("my-train", "instance.failed")[0].words
    await nothing_more_happens(stage)
    assert (stage.created(), stage.cloud.instances(), stage.cloud.removed_instances()) == (1, [], [])


@pytest.mark.soak
async def test_time_in_which_novita_cannot_be_listed_is_no_evidence(stage: Stage) -> None:
    """The GPU appears after the outage, later than a create is waited for, were the outage counted."""
    await stage.start(timings={"unconfirmed_after": 3.0})
    await stage.novita.journal.wait_for("list", 2, timeout=20)
    stage.novita.faults.add("create", LateEffect(seconds(5.0), code=500))
    broken = stage.novita.faults.add("list", Status(500), times=None)
    await stage.create()
    await stage.until(lambda: "Novita has not been answering" in "".join(m.words for m in stage.cards()))
    await asyncio.sleep(2.5)  # the outage lasts on, longer than a create is waited for
    stage.novita.faults.remove(broken)
    await stage.told("my-train", "instance.ready")
    await stage.until(lambda: stage.states() == ["Creating", "Starting", "Running"])
    assert len(stage.gpus()) == 1 == stage.created()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(RateLimited(retry_after=1), id="429-with-its-own-body"),
        pytest.param(
            Status(400, {"code": 400, "reason": "INSUFFICIENT_RESOURCE", "message": "none"}), id="no-stock"
        ),
    ],
)
@pytest.mark.soak
async def test_a_definite_no_that_may_pass_is_asked_again(stage: Stage, fault: Fault) -> None:
    stage.novita.faults.add("create", fault)
    await stage.start()
    await stage.running()
    assert stage.created() == 2
    assert len(stage.gpus()) == 1


@pytest.mark.soak
async def test_a_definite_no_for_good_is_told_with_its_reason(stage: Stage) -> None:
    stage.cloud.set_balance_empty()
    await stage.start()
    await stage.create()
    await stage.told("my-train", "instance.failed")
    (notice,) = stage.notices("my-train", "instance.failed")
    assert "Top up the balance at Novita" in notice.words
    await nothing_more_happens(stage)
    assert stage.created() == 1


@pytest.mark.parametrize(
    "fault", [Drop(after_effect=True), LateEffect(seconds(0.7))], ids=["dropped", "late"]
)
@pytest.mark.soak
async def test_a_create_that_is_deleted_while_unknown_leaves_nothing(stage: Stage, fault: Fault) -> None:
    stage.novita.faults.add("create", fault)
    await stage.start(timings={"unconfirmed_after": 6.0})
    await stage.create()
    await stage.novita.journal.wait_for("create", 1, over=True)
    assert (await stage.ada.command("/gpu delete my-train", channel=GPU)).ok
    await stage.told("my-train", "instance.deleted")
    await nothing_more_happens(stage)
    assert stage.gpus() == []
    assert stage.created() == 1
    assert stage.states()[-1] == "Deleted"


LOST = {
    "accepted-then-dropped": Drop(after_effect=True),
    "accepted-then-silent": Hang(after_effect=True),
    "504": Status(504),
    "504-and-done-later": LateEffect(seconds(0.5)),
    "429": RateLimited(retry_after=1),
    "dropped": Drop(),
}


@pytest.mark.soak
@pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
async def test_lost_answers_to_the_other_verbs_end_where_they_were_meant_to(
    stage: Stage, fault: Fault
) -> None:
    await stage.start(settings=IMPATIENT)
    await stage.running()
    for verb in ("stop", "start", "restart", "delete"):
        stage.novita.faults.add(verb, fault)
    for verb, event, state, times in (
        ("stop", "instance.stopped", "Stopped", 1),
        ("start", "instance.started", "Running", 1),
        ("restart", "instance.started", "Running", 2),
        ("delete", "instance.deleted", "Deleted", 1),
    ):
        assert (await stage.ada.command(f"/gpu {verb} my-train", channel=GPU)).ok
        await stage.told("my-train", event, times=times)
        await stage.until(lambda state=state: stage.states()[-1] == state)
    await nothing_more_happens(stage)
    events = [hook.event.removeprefix("instance.") for hook in stage.receiver.received]
    assert events == ["ready", "stopped", "started", "started", "deleted"]
    assert stage.gpus() == []
