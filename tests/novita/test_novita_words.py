"""Every call to Novita is counted once, by its own name and by what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from measured import tally

from bot import errors
from bot.errors import NovitaError
from bot.metrics import Metrics
from bot.novita.breaker import BreakerOpen
from bot.novita.budget import OverBudget
from bot.novita.client import NovitaClient
from bot.novita.limits import Limits
from bot.novita.words import word_of

LIMITS = Limits(person_wait=timedelta(0), poll_wait=timedelta(0), max_retries=1, retry_delay=timedelta(0))


@asynccontextmanager
async def opened(clock, answer: Callable[[httpx.Request], httpx.Response], **limits) -> AsyncIterator:
    metrics = Metrics()
    client = NovitaClient(
        base_url="https://api.novita.ai",
        api_key="k",
        clock=clock,
        limits=Limits(**{name: getattr(LIMITS, name) for name in Limits.__slots__} | limits),
        transport=httpx.MockTransport(answer),
        metrics=metrics,
    )
    yield client, metrics
    await client.aclose()


async def test_an_answer_is_counted_and_timed_under_the_name_of_the_call(clock):
    async with opened(clock, lambda _: httpx.Response(200, json={"data": []})) as (novita, metrics):
        await novita.list_clusters()
        await novita.delete_instance("a-secret-id")
    assert tally(metrics, "novita_calls") == {("list_clusters", "ok"): 1, ("delete_instance", "ok"): 1}
    assert tally(metrics, "novita_call_duration_seconds") == {("list_clusters",): 1, ("delete_instance",): 1}
    assert b"a-secret-id" not in metrics.text()


async def test_each_try_of_a_look_up_is_a_call(clock):
    async with opened(clock, lambda _: httpx.Response(503)) as (novita, metrics):
        with pytest.raises(NovitaError):
            await novita.list_clusters()
    assert tally(metrics, "novita_calls") == {("list_clusters", "unavailable"): 2}


async def test_what_was_held_back_here_is_no_call_that_took_time(clock):
    async with opened(clock, lambda _: httpx.Response(500), breaker_threshold=1) as (novita, metrics):
        for _ in range(2):
            with pytest.raises(NovitaError):
                await novita.stop_instance("i")
        assert novita.is_held_back
    assert tally(metrics, "novita_calls") == {
        ("stop_instance", "unknown"): 1,
        ("stop_instance", "breaker_open"): 1,
    }
    assert tally(metrics, "novita_call_duration_seconds") == {("stop_instance",): 1}


async def test_what_is_left_of_the_budget_can_be_read(clock):
    answer = httpx.Response(200, json={"data": []})
    async with opened(clock, lambda _: answer, calls_per_minute=2) as (novita, metrics):
        assert novita.calls_left == 2
        await novita.list_clusters()
        assert novita.calls_left == 1
        await novita.list_clusters()
        with pytest.raises(NovitaError):
            await novita.stop_instance("i")
        assert novita.calls_left == 0
        await clock.advance(60)
        assert novita.calls_left == 2
    assert tally(metrics, "novita_calls")["stop_instance", "over_budget"] == 1


async def test_while_novita_asks_us_to_wait_nothing_is_left_of_the_budget(clock):
    limited = httpx.Response(429, headers={"Retry-After": "20"})
    async with opened(clock, lambda _: limited) as (novita, metrics):
        with pytest.raises(NovitaError):
            await novita.start_instance("i")
        assert novita.calls_left == 0
    assert tally(metrics, "novita_calls") == {("start_instance", "rate_limited"): 1}


async def test_a_call_that_nobody_waits_for_any_more_is_counted(clock):
    begun = asyncio.Event()

    async def never(_: httpx.Request) -> httpx.Response:
        begun.set()
        return await asyncio.Future()

    async with opened(clock, never) as (novita, metrics):
        waiting = asyncio.create_task(novita.get_instance("i"))
        await begun.wait()
        waiting.cancel()
        await asyncio.wait({waiting})
    assert tally(metrics, "novita_calls") == {("get_instance", "cancelled"): 1}


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (errors.NovitaRefused("x"), "refused"),
        (errors.InsufficientResource("x"), "no_capacity"),
        (errors.NovitaNotFound("x"), "not_found"),
        (errors.BadCredentials("x"), "bad_credentials"),
        (errors.NovitaUnavailable("x"), "unavailable"),
        (errors.NovitaUnavailable("x", status_code=429), "rate_limited"),
        (errors.NotSent("x"), "not_sent"),
        (errors.NotSent("x", status_code=429), "rate_limited"),
        (errors.OutcomeUnknown("x"), "unknown"),
        (BreakerOpen("x"), "breaker_open"),
        (OverBudget("x"), "over_budget"),
    ],
)
def test_each_kind_of_error_has_its_word(error, word):
    assert word_of(error) == word
