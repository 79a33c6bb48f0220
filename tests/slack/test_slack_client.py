"""Every call to Slack's Web API is counted, by its method and by what became of it."""

from __future__ import annotations

import asyncio

import pytest
from clocks import Clock
from measured import tally
from samples import seconds
from slack_sdk.errors import SlackApiError

from bot.metrics import Metrics
from bot.sandbox.slack.faults import ErrorCode, HttpStatus, RateLimited
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from bot.slack.client import SlackClient


def client_of(server: SlackServer, metrics: Metrics) -> SlackClient:
    return SlackClient(bot_token=server.bot_token, base_url=server.api_url, metrics=metrics)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (None, "ok"),
        (ErrorCode("invalid_auth"), "refused"),
        (RateLimited(retry_after=seconds(3)), "rate_limited"),
        (HttpStatus(503), "unavailable"),
    ],
)
async def test_each_answer_has_its_word(fault, word):
    metrics = Metrics()
    async with SlackServer(Workspace(clock=Clock())) as server:
        if fault is not None:
            server.fail("auth.test", fault)
        await asyncio.gather(client_of(server, metrics).auth_test(), return_exceptions=True)
    assert tally(metrics, "slack_calls") == {("auth.test", word): 1}


async def test_what_cannot_be_reached_is_counted_too():
    metrics = Metrics()
    async with SlackServer(Workspace(clock=Clock())) as server:
        client = client_of(server, metrics)
    with pytest.raises(OSError, match="Cannot connect"):
        await client.auth_test()
    assert tally(metrics, "slack_calls") == {("auth.test", "unavailable"): 1}


async def test_a_refusal_is_raised_as_it_came():
    async with SlackServer(Workspace(clock=Clock())) as server:
        server.fail("users.info", ErrorCode("user_not_found"))
        with pytest.raises(SlackApiError, match="user_not_found"):
            await client_of(server, Metrics()).users_info(user="U0NOBODY")
