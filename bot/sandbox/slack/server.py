"""A simulated Slack on loopback: a workspace behind Slack's real protocols.

workspace -- state and rules            person   -- what people do and see
webapi    -- the app calls Slack        delivery -- Slack calls the app: socketmode or httpmode
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Self, TypeVar

from aiohttp import web

from bot.sandbox.slack.changes import Change
from bot.sandbox.slack.delivery import Ack, AckLog, Delivery, Kind, Transport
from bot.sandbox.slack.events import events_of
from bot.sandbox.slack.faults import Fault, FaultBook
from bot.sandbox.slack.httpmode import HttpMode
from bot.sandbox.slack.inspection import Inspector
from bot.sandbox.slack.journal import Journal
from bot.sandbox.slack.payloads import Payloads
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.ratelimits import RateLimits
from bot.sandbox.slack.signals import Signal
from bot.sandbox.slack.socketmode import SocketMode
from bot.sandbox.slack.webapi import WebApi
from bot.sandbox.slack.workspace import Workspace

T = TypeVar("T")


class SlackServer:
    """Commands and interactions go over Socket Mode, or to `events_url` once it is set.

    `event_retries`: the pauses before an event that was not acknowledged is sent again (Slack: at once, a
    minute, five minutes); none here unless asked for. `ack_timeout` is by the loop's clock, all else by
    the workspace's.
    """

    def __init__(  # noqa: PLR0913 (keywords with defaults; who needs none writes none)
        self,
        workspace: Workspace,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        bot_token: str = "xoxb-sandbox",  # noqa: S107 (of the simulation)
        app_token: str = "xapp-sandbox",  # noqa: S107 (of the simulation)
        signing_secret: str = "sandbox-signing-secret",  # noqa: S107 (of the simulation)
        ack_timeout: timedelta = timedelta(seconds=3),
        ping_interval: timedelta = timedelta(seconds=30),
        event_retries: Sequence[timedelta] = (),
    ) -> None:
        self.workspace = workspace
        self.bot_token, self.app_token, self.signing_secret = bot_token, app_token, signing_secret
        self.event_retries = tuple(event_retries)
        self.deliveries: dict[str, Delivery] = {}
        self.payloads = Payloads(workspace, self._respond_url)
        self.signal = Signal()
        self.inspector = Inspector(self.signal.notify)
        self.log = AckLog(self.signal.notify)
        self.socket = self._socket_mode(ack_timeout, ping_interval)
        self.http = HttpMode(
            clock=workspace.clock, signing_secret=signing_secret, log=self.log, ack_timeout=ack_timeout
        )
        self.api = WebApi(
            workspace=workspace,
            inspector=self.inspector,
            signal=self.signal,
            bot_token=bot_token,
            app_token=app_token,
            connect=self.socket.issue_address,
        )
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None
        self._people: dict[str, Person] = {}
        self._echoes: set[asyncio.Task[Ack]] = set()
        workspace.subscribe(lambda _: self.signal.notify())
        workspace.subscribe(self._echo)

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def api_url(self) -> str:
        """For `base_url` of Slack's SDKs."""
        return f"{self.url}/api/"

    @property
    def events_url(self) -> str | None:
        return self.http.url

    @events_url.setter
    def events_url(self, url: str | None) -> None:
        self.http.url = url

    @property
    def violations(self) -> list[str]:
        """What the app did that Slack would not accept; empty for a sound app."""
        return self.inspector.violations

    @property
    def journal(self) -> Journal:
        return self.api.journal

    @property
    def faults(self) -> FaultBook:
        return self.api.faults

    @property
    def acks(self) -> list[Ack]:
        return self.log.acks

    @property
    def connections(self) -> int:
        return len(self.socket.connections)

    async def start(self) -> None:
        """Raises OSError if the port is taken."""
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self.api.handle)
        app.router.add_post("/respond/{number}/{secret}", self.api.handle_response_url)
        app.router.add_get("/link", self.socket.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.socket.address = f"ws://{self._host}:{self._port}/link"

    async def close(self) -> None:
        """Ends hanging answers and open connections first, so that nothing is waited for."""
        self.api.closing.set()
        for echo in tuple(self._echoes):
            echo.cancel()
        await self.socket.close()
        await self.http.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def person(self, user_id: str) -> Person:
        """Raises SlackError user_not_found."""
        if user_id not in self._people:
            self._people[user_id] = Person(self, self.workspace.user(user_id).id)
        return self._people[user_id]

    def fail(self, method: str, fault: Fault, times: int = 1) -> None:
        """The next `times` calls of `method` go wrong; see `faults`."""
        self.faults.order(method, fault, times)

    def limit_rates(self) -> None:
        """From now on with Slack's own limits."""
        self.api.rate_limits = RateLimits(self.workspace.clock)

    async def deliver(self, delivery: Delivery) -> Ack:
        self.deliveries[delivery.envelope_id] = delivery
        ack = await self._transport().deliver(delivery)
        if delivery.kind is not Kind.EVENT:
            return ack
        for attempt, pause in enumerate(self.event_retries, start=1):
            if ack.error is None or ack.wants_no_retry:
                break
            await asyncio.sleep(pause.total_seconds())
            ack = await self._transport().deliver(_again(delivery, attempt))
        return ack

    async def redeliver(self, envelope_id: str, *, new_envelope: bool = False, attempt: int = 1) -> Ack:
        """The same payload once more, in the same envelope or in a new one. What the ack says is not shown to
        anybody. Raises KeyError."""
        delivery = self.deliveries[envelope_id]
        if new_envelope:
            delivery = replace(delivery, envelope_id=self.payloads.envelope_id())
            self.deliveries[delivery.envelope_id] = delivery
        return await self._transport().deliver(_again(delivery, attempt))

    def drop_connections(self) -> None:
        self.socket.drop_connections()

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:  # noqa: ASYNC109
        """The first true value of `predicate`, tried now and whenever something changes here: state, a call,
        an ack, a connection. Raises TimeoutError, with the last calls and violations."""
        try:
            return await self.signal.wait_for(predicate, timeout)
        except TimeoutError:
            raise TimeoutError(self._situation()) from None

    async def wait_connected(self, connections: int = 1, timeout: float = 5.0) -> None:  # noqa: ASYNC109
        await self.wait_for(lambda: self.connections >= connections, timeout)

    def _socket_mode(self, ack_timeout: timedelta, ping_interval: timedelta) -> SocketMode:
        return SocketMode(
            app_id=self.workspace.app.id,
            rng=Random(self.workspace.rng.getrandbits(64)),
            log=self.log,
            inspector=self.inspector,
            ack_timeout=ack_timeout,
            ping_interval=ping_interval,
        )

    def _echo(self, change: Change) -> None:
        """What the app itself has said, it hears as well, in the order in which it said it."""
        message = getattr(change, "message", None)
        if self._runner is None or message is None or message.app_id != self.workspace.app.id:
            return
        for event in events_of(self.workspace, change):
            echo = asyncio.create_task(self.deliver(self.payloads.event(event)))
            self._echoes.add(echo)
            echo.add_done_callback(self._echoes.discard)

    def _transport(self) -> Transport:
        return self.socket if self.events_url is None else self.http

    def _respond_url(self, path: str) -> str:
        return f"{self.url}/{path}"

    def _situation(self) -> str:
        calls = ", ".join(f"{call.method} {call.error or 'ok'}" for call in self.journal.calls()[-10:])
        connections = f"{self.connections} connections"
        return f"{connections}; last calls: {calls or 'none'}; violations: {self.violations or 'none'}"


def _again(delivery: Delivery, attempt: int) -> Delivery:
    return replace(delivery, retry_attempt=attempt, retry_reason="http_timeout")
