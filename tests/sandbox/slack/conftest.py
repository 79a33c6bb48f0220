from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import aiohttp
import pytest
from sandbox_slack_app import Clock, RawApp
from sandbox_slack_blocks import Opener
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.person import Person
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workspace(clock: Clock) -> Workspace:
    return Workspace(clock=clock, seed=7)


@pytest.fixture
async def server(workspace: Workspace) -> AsyncIterator[SlackServer]:
    server = SlackServer(workspace, ack_timeout=timedelta(seconds=1))
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(server: SlackServer, session: aiohttp.ClientSession) -> AsyncWebClient:
    return AsyncWebClient(server.bot_token, base_url=server.api_url, session=session, retry_handlers=[])


@pytest.fixture
async def connect_app(
    server: SlackServer, session: aiohttp.ClientSession
) -> AsyncIterator[Callable[[], Awaitable[RawApp]]]:
    async with AsyncExitStack() as stack:

        async def connect() -> RawApp:
            app = await RawApp(server, session).connect()
            stack.push_async_callback(app.close)
            return app

        yield connect


@pytest.fixture
async def app(connect_app: Callable[[], Awaitable[RawApp]]) -> RawApp:
    return await connect_app()


@pytest.fixture
def ada(server: SlackServer) -> Person:
    return server.person("U0ADA")


@pytest.fixture
def opened(ada: Person, client: AsyncWebClient, app: RawApp) -> Opener:
    return Opener(ada, client)


@pytest.fixture
def bolt(client: AsyncWebClient) -> AsyncApp:
    return AsyncApp(client=client)


@pytest.fixture
async def bolt_running(
    server: SlackServer, bolt: AsyncApp
) -> AsyncIterator[Callable[..., Awaitable[AsyncSocketModeHandler]]]:
    """Connects Bolt's own handler, once its listeners are registered."""
    async with AsyncExitStack() as stack:

        async def run(ping_interval: float = 1) -> AsyncSocketModeHandler:
            before = server.connections
            handler = AsyncSocketModeHandler(bolt, server.app_token, ping_interval=ping_interval)
            stack.push_async_callback(handler.close_async)
            await handler.connect_async()
            await server.wait_connected(before + 1)
            return handler

        yield run
