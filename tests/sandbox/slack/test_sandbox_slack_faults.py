from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
import pytest
from sandbox_slack_app import Clock
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.faults import (
    ANY_METHOD,
    CloseConnection,
    DropReply,
    ErrorCode,
    Hang,
    HttpStatus,
    RateLimited,
)
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace


async def post(client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel="C0GPU", text="t")


async def test_an_ordered_error_comes_as_often_as_ordered(
    server: SlackServer, client: AsyncWebClient
) -> None:
    server.fail("chat.postMessage", ErrorCode("fatal_error"), times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError, match="fatal_error"):
            await post(client)
    await post(client)
    assert len(server.person("U0ADA").sees("C0GPU")) == 1
    assert server.journal.count("chat.postMessage") == 3
    assert [call.error for call in server.journal.calls()] == ["fatal_error", "fatal_error", None]


async def test_a_status_code_is_not_slacks_answer(server: SlackServer, client: AsyncWebClient) -> None:
    server.fail(ANY_METHOD, HttpStatus(503))
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.status_code == 503


async def test_a_rate_limit_names_the_seconds_to_wait(server: SlackServer, client: AsyncWebClient) -> None:
    server.fail("auth.test", RateLimited(timedelta(seconds=7)))
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"
    assert caught.value.response["error"] == "ratelimited"


async def test_the_sdks_own_retry_gets_through_a_rate_limit(
    server: SlackServer, client: AsyncWebClient
) -> None:
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    server.fail("auth.test", RateLimited(timedelta(0)))
    await client.auth_test()
    assert server.journal.count("auth.test") == 2


async def test_a_dropped_reply_has_been_acted_upon(server: SlackServer, client: AsyncWebClient) -> None:
    server.fail("chat.postMessage", DropReply())
    with pytest.raises(aiohttp.ClientError):
        await post(client)
    assert len(server.person("U0ADA").sees("C0GPU")) == 1


async def test_a_closed_connection_has_done_nothing(server: SlackServer, client: AsyncWebClient) -> None:
    server.fail("chat.postMessage", CloseConnection())
    with pytest.raises(aiohttp.ClientError):
        await post(client)
    assert server.person("U0ADA").sees("C0GPU") == []


@pytest.mark.parametrize(("fault", "posted"), [(Hang(), 0), (Hang(after_acting=True), 1)])
async def test_a_hanging_call_ends_when_the_server_closes(
    server: SlackServer, client: AsyncWebClient, fault: Hang, posted: int
) -> None:
    server.fail("chat.postMessage", fault)
    call = asyncio.create_task(post(client))
    await server.wait_for(lambda: server.journal.count("chat.postMessage"))
    assert not call.done()
    async with asyncio.timeout(0.9):
        await server.close()
        with pytest.raises(aiohttp.ClientError):
            await call
    assert len(server.person("U0ADA").sees("C0GPU")) == posted


async def test_cleared_faults_do_not_come(server: SlackServer, client: AsyncWebClient) -> None:
    server.fail("auth.test", ErrorCode("fatal_error"))
    server.faults.clear()
    await client.auth_test()


async def test_posts_to_one_channel_are_limited_once_limits_are_on(
    server: SlackServer, client: AsyncWebClient, clock: Clock
) -> None:
    for _ in range(6):
        await post(client)
    server.limit_rates()
    for _ in range(5):
        await post(client)
    clock.advance(seconds=1.5)
    with pytest.raises(SlackApiError) as caught:
        await post(client)
    assert caught.value.response.headers["Retry-After"] == "4"
    await client.chat_postMessage(channel="C0LAB", text="another channel")
    clock.advance(seconds=4)
    await post(client)


async def test_a_method_is_limited_over_all_channels(
    server: SlackServer, client: AsyncWebClient, workspace: Workspace
) -> None:
    server.limit_rates()
    for _ in range(50):
        await client.conversations_info(channel="C0GPU")
    with pytest.raises(SlackApiError, match="ratelimited"):
        await client.conversations_info(channel="C0LAB")


async def test_a_response_url_is_limited_by_itself(
    server: SlackServer, session: aiohttp.ClientSession, workspace: Workspace
) -> None:
    server.limit_rates()
    urls = [f"{server.url}/{workspace.response_urls.issue('U0ADA', 'C0GPU')}" for _ in range(2)]
    statuses = []
    for url in (urls[0], urls[0], urls[1]):
        async with session.post(url, json={"text": "t"}) as response:
            statuses.append(response.status)
    assert statuses == [200, 429, 200]


async def test_waiting_in_vain_says_what_has_happened(server: SlackServer, client: AsyncWebClient) -> None:
    await client.auth_test()
    with pytest.raises(TimeoutError, match=r"0 connections; last calls: auth.test ok; violations: none"):
        await server.wait_for(lambda: False, timeout=0.01)
