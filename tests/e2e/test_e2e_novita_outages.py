"""Novita is away or unwell for a while: nobody's instance is called failed or gone for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.sandbox.novita.faults import Body, Drop, Fault, Hang, RateLimited, Status
from tests.e2e.stage import GPU, Stage

slow = pytest.mark.soak
WAITING = "Novita has not been answering since"
OUTAGES: dict[str, Fault | None] = {
    "refused": None,
    "500": Status(500),
    "502-html": Status(502),
    "429": RateLimited(retry_after=1),
    "html-with-200": Body("<html>moved</html>", "text/html"),
    "half-an-answer": Body('{"instances": [{"id": "x"'),
    "dropped": Drop(),
    "hang": Hang(),
    "401": Status(401),
    "404": Status(404),
}
"""Of every call."""


@asynccontextmanager
async def outage(stage: Stage, fault: Fault | None) -> AsyncIterator[None]:
    """None: connections are refused."""
    if fault is None:
        await stage.novita.refuse()
        yield
        await stage.novita.accept()
        return
    rule = stage.novita.faults.add("*", fault, times=None)
    yield
    stage.novita.faults.remove(rule)


async def one_runs_and_one_is_under_way(stage: Stage) -> str:
    """The id at Novita of the latter, which does not run before it is released."""
    await stage.running("steady")
    await stage.create("coming")
    await stage.novita.journal.wait_for("create", 2, over=True)
    (coming,) = [gpu for gpu in stage.gpus() if gpu.leg.status_at(stage.cloud.now()) != "running"]
    stage.cloud.hold(coming.id)
    await stage.until(lambda: stage.states("coming")[-1:] == ["Starting"])
    return coming.id


async def comes_through(stage: Stage, coming: str) -> None:
    stage.cloud.release(coming)
    await stage.told("coming", "instance.ready")
    await stage.until(lambda: stage.states("coming") == ["Creating", "Starting", "Running"])
    assert stage.states("steady") == ["Creating", "Starting", "Running"]
    assert [hook.event for hook in stage.receiver.received] == ["instance.ready"] * 2
    assert len(stage.notices("coming", "instance.ready")) == 1
    assert (stage.created(), stage.novita.journal.count("start"), len(stage.gpus())) == (2, 0, 2)


@slow
@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES.keys())
async def test_an_outage_makes_wait_and_nothing_else(stage: Stage, fault: Fault | None) -> None:
    await stage.start(settings={"api_timeout": 1.0} if isinstance(fault, Hang) else {})
    coming = await one_runs_and_one_is_under_way(stage)
    async with outage(stage, fault):
        await stage.until(lambda: WAITING in stage.cards("coming")[0].words)
        assert stage.states("steady") == ["Creating", "Starting", "Running"]
        listed = await stage.ada.command("/gpu list", channel=GPU)
        assert "steady" in listed.words
        await asyncio.sleep(1.5)  # it lasts on, over several passes
    await comes_through(stage, coming)
    assert WAITING not in stage.cards("coming")[0].words


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param('{"instances":[],"total":0}', id="empty"),
        pytest.param('{"instances":[],"total":2}', id="fewer-than-its-total", marks=slow),
        pytest.param("{}", id="without-anything", marks=slow),
        pytest.param("[]", id="a-list", marks=slow),
    ],
)
async def test_a_list_that_shows_nothing_means_nothing(stage: Stage, answer: str) -> None:
    await stage.start()
    coming = await one_runs_and_one_is_under_way(stage)
    rule = stage.novita.faults.add("list", Body(answer), times=None)
    seen = stage.novita.journal.count("list")
    await stage.novita.journal.wait_for("list", seen + 8, timeout=20)
    stage.novita.faults.remove(rule)
    await comes_through(stage, coming)


@slow
async def test_wishes_of_an_outage_are_carried_out_after_it(stage: Stage) -> None:
    await stage.start()
    await stage.running("first")
    async with outage(stage, None):
        assert (await stage.create("second")).ok
        assert (await stage.ada.command("/gpu stop first", channel=GPU)).ok
        await stage.until(lambda: "It did not get through yet" in stage.cards("first")[0].words)
    await stage.told("first", "instance.stopped")
    await stage.told("second", "instance.ready")
    assert (stage.created(), len(stage.gpus()), stage.novita.journal.count("stop")) == (2, 2, 1)


@slow
async def test_the_service_starts_while_novita_is_down(stage: Stage) -> None:
    await stage.novita.refuse()
    await stage.start()
    await stage.create()
    await stage.until(lambda: stage.cards())
    await stage.ada.command("/gpu create", channel=GPU)
    assert (await stage.until(lambda: stage.ada.view)).blocks
    await stage.novita.accept()
    await stage.told("my-train", "instance.ready")
    assert stage.created() == 1


@slow
async def test_what_could_not_be_asked_for_in_time_is_told_and_not_bought_later(stage: Stage) -> None:
    await stage.start(timings={"give_up_after": 2.0})
    async with outage(stage, None):
        await stage.create()
        await stage.told("my-train", "instance.failed")
    assert "NOVITA_UNAVAILABLE" in stage.notices("my-train", "instance.failed")[0].words
    seen = stage.novita.journal.count("list")
    await stage.novita.journal.wait_for("list", seen + 5, timeout=20)
    assert (stage.created(), stage.gpus()) == (0, [])
