"""What following costs, and how soon it tells."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.e2e.lives import Nursery
from tests.e2e.stage import BRISK, Stage, staged

MANY = 100
SLOW_TO_RUN = replace(BRISK, pulling_min=timedelta(hours=1), pulling_max=timedelta(hours=1))
BODY = {"productName": "RTX 4090 24GB", "templateId": "pytorch-jupyter"}


@pytest.fixture(
    params=[pytest.param(100, id="one-page"), pytest.param(40, id="pages-of-40", marks=pytest.mark.soak)]
)
async def patient(request: pytest.FixtureRequest, nursery: Nursery, tmp_path: Path) -> AsyncIterator[Stage]:
    """Nothing runs before it is told to; a list has this many rows a page at most."""
    async with staged(nursery, tmp_path, timeline=SLOW_TO_RUN, page_cap=request.param) as stage:
        yield stage


async def test_following_a_hundred_costs_the_pages_of_one_list(
    patient: Stage, request: pytest.FixtureRequest
) -> None:
    pages = -(-MANY // request.node.callspec.params["patient"])
    await a_hundred_under_way(patient, pages)
    calls = await patient.novita.journal.wait_for("list", 5 * pages, timeout=30)
    assert patient.novita.journal.count() == len(calls)
    asked = Counter(call.query["pageNum"] for call in calls)
    assert len(asked) == pages
    assert max(asked.values()) - min(asked.values()) <= 1


@pytest.mark.soak
async def test_a_hundred_that_run_at_once_cost_one_get_each(patient: Stage) -> None:
    await a_hundred_under_way(patient, 3)
    for gpu in patient.gpus():
        patient.cloud.run_now(gpu.id)
    await patient.until(
        lambda: len({h.body["instanceId"] for h in patient.receiver.of("instance.ready")}) == MANY, 60
    )
    # One each; where a list came in between, what the get said is asked once more.
    assert MANY <= patient.novita.journal.count("get") <= 1.2 * MANY
    assert patient.created() == 0
    assert len(patient.receiver.tried) == MANY


async def a_hundred_under_way(stage: Stage, pages: int) -> None:
    """Each with its GPU, which does not run; the journal is empty then."""
    stage.cloud.set_capacity(gpus=None)
    service = await stage.start(settings={"api_timeout": 30.0}, RATE_LIMIT_MAX_REQUESTS="1000000")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", timeout=30) as rest:
        posts = (rest.post("/api/instances", json={**BODY, "name": f"n{i}"}) for i in range(MANY))
        assert {answer.status_code for answer in await asyncio.gather(*posts)} == {201}
    await stage.novita.journal.wait_for("create", MANY, timeout=60, over=True)
    await stage.until(lambda: len(stage.service.logged("create.accepted")) == MANY, 60)
    seen = stage.novita.journal.count("list")
    await stage.novita.journal.wait_for("list", seen + 3 * pages, timeout=30, over=True)
    stage.novita.journal.clear()


async def test_it_is_told_within_one_pass_and_a_probe(stage: Stage) -> None:
    fast, slack = 0.5, 1.5
    await stage.start(timings={"fast_poll": fast})
    lags = []
    for name in ("one", "two", "three"):
        await stage.create(name)
        await stage.novita.journal.wait_for("create", len(lags) + 1, over=True)
        gpu = stage.gpus()[-1]
        stage.cloud.hold(gpu.id)
        await stage.until(lambda name=name: stage.states(name)[-1:] == ["Starting"])
        begun = asyncio.get_running_loop().time()
        stage.cloud.run_now(gpu.id)
        await stage.told(name, "instance.ready")
        lags.append(asyncio.get_running_loop().time() - begun)
    print("from running to the notice:", ", ".join(f"{lag:.2f} s" for lag in lags))
    assert max(lags) < 1.1 * fast + slack


@pytest.mark.soak
async def test_who_follows_a_service_that_ended_polls_at_once(stage: Stage) -> None:
    await stage.start(timings={"lease": 30.0})
    await stage.running()
    stage.service.terminate()
    assert await stage.service.over() == 0
    seen = stage.novita.journal.count("list")
    await stage.start(timings={"lease": 30.0})
    await stage.novita.journal.wait_for("list", seen + 2, timeout=10)


@pytest.mark.soak
async def test_it_is_asked_seldom_where_nothing_is_under_way(stage: Stage) -> None:
    await stage.start(timings={"slow_poll": 1.5, "acted_recently": 0.5})
    await stage.running()
    seen = stage.novita.journal.count("list") + 3
    await stage.novita.journal.wait_for("list", seen, timeout=20)  # nobody has acted recently by then
    begun = asyncio.get_running_loop().time()
    await stage.novita.journal.wait_for("list", seen + 3, timeout=20)
    # At the fast pace three lists take well under a second; one may still have been fast.
    assert asyncio.get_running_loop().time() - begun > 1.5 * 0.8
