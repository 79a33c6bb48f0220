"""Socket Mode stays connected, whatever Slack and the SDK do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from clocks import Clock
from loglines import logged
from measured import tally
from samples import seconds
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.metrics import Metrics
from bot.sandbox.slack.faults import HttpStatus
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.socketmode import Reason
from bot.sandbox.slack.workspace import Workspace
from bot.slack import connection
from bot.slack.connection import SocketModeSupervisor

OPEN = "apps.connections.open"
SOON = timedelta(seconds=5)


async def nothing() -> None:
    pass


async def eventually(true: Callable[[], object], *, between: Callable[[], Awaitable[None]] = nothing) -> None:
    """For what nobody signals: a state of the SDK."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)
            await between()


class Line:
    """A supervisor, the server that it is connected to, and an app with one slow command."""

    def __init__(self, server: SlackServer, clock: Clock) -> None:
        self.server = server
        self.clock = clock
        self.gate = asyncio.Event()
        self.gate.set()
        self.metrics = Metrics()
        self.supervisor = SocketModeSupervisor(
            self._app(), server.app_token, clock=clock, metrics=self.metrics
        )

    async def command(self) -> bool:
        return (await self.server.person("U0ADA").command("/gpu", channel="C0GPU")).ok

    async def watched(self, until: Callable[[], bool]) -> None:
        """Rounds of the watchdog until it has seen what the SDK knows a moment after the server."""
        await self.supervisor.watch()
        await eventually(until, between=self.supervisor.watch)

    async def connected(self, lines: int = 2) -> None:
        await self.server.wait_connected(lines)
        await self.watched(self.is_up)

    def is_up(self) -> bool:
        return all(line.down_since is None for line in self.supervisor._lines)

    def is_down(self) -> bool:
        return self.supervisor.unhealthy_since() is not None

    async def cut(self) -> None:
        """All connections broken, and nothing but errors at the try to connect again."""
        self.server.fail(OPEN, HttpStatus(503), times=1000)
        before = self.server.journal.count(OPEN)
        self.server.drop_connections()
        await self.server.wait_for(lambda: self.server.journal.count(OPEN) >= before + 2)

    def mended(self) -> None:
        self.server.faults.clear()

    def _app(self) -> AsyncApp:
        async def authorize() -> AuthorizeResult:
            return AuthorizeResult(enterprise_id=None, team_id=None, bot_token=self.server.bot_token)

        client = AsyncWebClient(self.server.bot_token, base_url=self.server.api_url, retry_handlers=[])
        app = AsyncApp(client=client, authorize=authorize, signing_secret="")

        @app.command("/gpu")
        async def command(ack: Callable[[], Awaitable[None]]) -> None:
            await self.gate.wait()
            await ack()

        return app


@pytest.fixture
async def line(monkeypatch) -> AsyncIterator[Line]:
    """Not started yet."""
    monkeypatch.setattr(connection, "_PING_EVERY", 0.3)
    clock = Clock()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SlackServer(Workspace(clock=clock)))
        made = Line(server, clock)
        stack.push_async_callback(made.supervisor.close, within=seconds(1))
        yield made
    assert server.violations == []


def loops_of(handler: AsyncSocketModeHandler) -> list[asyncio.Future[None]]:
    client = handler.client
    loops = [client.message_processor, client.message_receiver, client.current_session_monitor]
    return [loop for loop in loops if loop is not None]


async def test_there_are_two_connections(line: Line):
    with capture_logs() as logs:
        await line.supervisor.start(within=SOON)
    await line.connected()
    assert line.supervisor.unhealthy_since() is None
    assert [entry["event"] for entry in logs] == ["slack.connected"]
    assert await line.command()


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "link_disabled"])
async def test_while_one_connection_is_refreshed_the_other_stays(line: Line, reason: Reason):
    await line.supervisor.start(within=SOON)
    await line.connected()
    asked = line.server.journal.count(OPEN)
    await line.server.socket.disconnect(reason, most=1)
    heard = [await line.command() for _ in range(4)]
    # Slack goes on sending on a connection that it has warned of; what is on its way as the app hangs up is lost.
    assert heard.count(False) <= (reason == "warning")
    await line.server.wait_for(lambda: line.server.journal.count(OPEN) == asked + 1)
    await line.connected()
    assert line.supervisor.unhealthy_since() is None


async def test_it_is_unhealthy_while_no_connection_stands(line: Line):
    await line.supervisor.start(within=SOON)
    await line.connected()
    await line.cut()
    line.clock.advance(60)
    with capture_logs() as logs:
        await line.watched(line.is_down)
        line.clock.advance(5)
        await line.supervisor.watch()
    assert line.supervisor.unhealthy_since() == line.clock.now - seconds(5)
    line.mended()
    with capture_logs() as later:
        await line.connected()
    assert line.supervisor.unhealthy_since() is None
    assert [entry["event"] for entry in logs + later] == ["slack.disconnected", "slack.connected"]
    assert await line.command()


async def test_with_one_connection_left_it_is_healthy(line: Line):
    await line.supervisor.start(within=SOON)
    await line.connected()
    line.server.fail(OPEN, HttpStatus(503), times=1000)
    line.server.socket.connections[0].abort()
    await line.watched(lambda: not line.is_up())
    assert line.supervisor.unhealthy_since() is None
    line.mended()
    await line.connected()


async def test_a_dead_ticket_is_given_up_after_30_s(line: Line):
    await line.supervisor.start(within=SOON)
    await line.connected()
    asked = line.server.journal.count(OPEN)
    line.server.socket.kill_next_ticket(2)
    line.server.drop_connections()
    await line.server.wait_for(lambda: line.server.journal.count(OPEN) == asked + 2)
    await line.watched(line.is_down)
    line.clock.advance(29)
    await line.supervisor.watch()
    assert line.server.journal.count(OPEN) == asked + 2
    line.clock.advance(1)
    await line.watched(line.is_up)
    assert line.server.journal.count(OPEN) >= asked + 4
    assert await line.command()


async def test_a_handler_that_stays_down_is_replaced_every_two_minutes(line: Line):
    await line.supervisor.start(within=SOON)
    await line.connected()
    first = [entry.handler for entry in line.supervisor._lines]
    await line.cut()
    await line.watched(line.is_down)
    down_since = line.supervisor.unhealthy_since()

    async def replaced(after: float) -> int:
        line.clock.advance(after)
        with logged(details=True) as logs:
            await line.supervisor.watch()
        return [entry["event"] for entry in logs].count("connection.replaced")

    assert [await replaced(after) for after in (119, 1, 119, 1)] == [0, 2, 0, 2]
    assert all(handler.client.aiohttp_client_session.closed for handler in first)
    assert line.supervisor.unhealthy_since() == down_since
    line.mended()
    await line.connected()
    assert await line.command()


async def test_slack_may_be_down_at_the_start(line: Line):
    line.server.fail(OPEN, HttpStatus(503), times=1000)
    began = asyncio.get_running_loop().time()
    with capture_logs() as logs:
        await line.supervisor.start(within=seconds(0.2))
    assert asyncio.get_running_loop().time() - began < 2
    assert line.supervisor.unhealthy_since() == line.clock.now
    assert [entry["event"] for entry in logs] == ["slack.disconnected"]
    line.mended()
    await line.connected()
    assert line.supervisor.unhealthy_since() is None


@pytest.mark.parametrize("state", ["connected", "connecting", "cut", "refreshing", "idle"])
async def test_closing_leaves_nothing_behind(line: Line, state: str):
    before = asyncio.all_tasks()
    if state == "connecting":
        line.server.fail(OPEN, HttpStatus(503), times=1000)
    if state != "idle":
        await line.supervisor.start(within=SOON if state != "connecting" else seconds(0.05))
    handlers = [entry.handler for entry in line.supervisor._lines]
    if state == "cut":
        await line.connected()
        await line.cut()
    if state == "refreshing":
        await line.connected()
        await line.server.socket.disconnect("refresh_requested")
    await line.supervisor.close(within=SOON)
    assert all(handler.client.aiohttp_client_session.closed for handler in handlers)
    assert all(loop.done() for handler in handlers for loop in loops_of(handler))
    await line.server.wait_for(lambda: not line.server.connections)
    # What the server does for a connection ends a moment after it.
    await eventually(lambda: not [t for t in asyncio.all_tasks() - before if "slack_" in str(t.get_coro())])
    await line.supervisor.watch()


async def test_what_came_in_is_acknowledged_before_the_end(line: Line):
    await line.supervisor.start(within=SOON)
    line.gate.clear()
    asked = asyncio.create_task(line.command())
    await eventually(lambda: any(entry.handler.unanswered for entry in line.supervisor._lines))
    closing = asyncio.create_task(line.supervisor.close(within=SOON))
    line.gate.set()
    assert await asked
    await closing
    assert line.supervisor._lines == []


async def test_what_is_never_acknowledged_does_not_hold_up_the_end(line: Line):
    line.server.socket.ack_timeout = seconds(0.2)
    await line.supervisor.start(within=SOON)
    line.gate.clear()
    assert not await line.command()
    await line.supervisor.close(within=seconds(0.05))
    line.gate.set()


async def test_the_connections_that_stand_are_counted(line: Line):
    assert line.supervisor.connections == 0
    await line.supervisor.start(within=SOON)
    await line.connected()
    assert line.supervisor.connections == 2
    await line.cut()
    await line.watched(line.is_down)
    assert line.supervisor.connections == 0


async def test_the_time_to_each_acknowledgement_is_measured(line: Line):
    await line.supervisor.start(within=SOON)
    await line.connected()
    assert await line.command()
    assert await line.command()
    await eventually(lambda: tally(line.metrics, "slack_ack_duration_seconds") == {("socket",): 2})
