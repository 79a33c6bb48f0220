"""Socket Mode, kept alive: two connections, and a watchdog for what the SDK does not notice.

Two, because on a refresh the SDK closes the old socket before it opens the new one, and what is pressed in
between would be lost. The watchdog, because a ticket that died makes the SDK try the same address for ever
(slackapi/python-slack-sdk issues 1446 and 1110).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.metrics import Metrics

log = structlog.get_logger(__name__)

_CONNECTIONS = 2
_NEW_TICKET_AFTER = timedelta(seconds=30)
_NEW_HANDLER_AFTER = timedelta(minutes=2)
_PING_EVERY = 10.0


class _Handler(AsyncSocketModeHandler):
    """Knows which envelopes it has not acknowledged yet, and how long that took of the others."""

    def __init__(self, app: AsyncApp, app_token: str, metrics: Metrics) -> None:
        super().__init__(app, app_token, logger=_quiet_logger(), ping_interval=_PING_EVERY)
        self.client.proxy = app.client.proxy  # the SDK asks the environment once more
        self.unanswered: set[asyncio.Task[Any]] = set()
        self._metrics = metrics

    async def handle(  # type: ignore[override]
        self, client: SocketModeClient, req: SocketModeRequest
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the SDK runs each envelope in a task of its own
        self.unanswered.add(task)
        began = self._metrics.start()
        try:
            await super().handle(client, req)
            self._metrics.acknowledged("socket", began)
        finally:
            self.unanswered.discard(task)


@dataclass(slots=True)
class _Line:
    """One connection, whichever handler holds it at present."""

    handler: _Handler
    connecting: asyncio.Task[None]
    down_since: datetime | None
    handler_since: datetime


class SocketModeSupervisor:
    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        *,
        clock: Callable[[], datetime],
        metrics: Metrics | None = None,
    ) -> None:
        self._app = app
        self._app_token = app_token
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._lines: list[_Line] = []
        self._down_since: datetime | None = None

    async def start(self, *, within: timedelta) -> None:
        """Returns when one connection stands, or after `within`: Slack may be down, and we go on trying."""
        self._down_since = self._clock()
        self._lines = [self._new_line() for _ in range(_CONNECTIONS)]
        waiting = [line.connecting for line in self._lines]
        await asyncio.wait(waiting, timeout=within.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        await self.watch()
        if self._down_since is not None:
            log.warning("slack.disconnected")

    async def watch(self) -> None:
        """One round of the watchdog."""
        for line in self._lines:
            await self._watch(line)
        self._note(connected=any(line.down_since is None for line in self._lines))

    async def close(self, *, within: timedelta) -> None:
        """`within`: so long it waits until everything that came in is acknowledged."""
        unanswered = {task for line in self._lines for task in line.handler.unanswered}
        if unanswered:
            await asyncio.wait(unanswered, timeout=within.total_seconds())
        lines, self._lines = self._lines, []
        await asyncio.gather(*(_hang_up(line) for line in lines))

    @property
    def connections(self) -> int:
        """That stood when the watchdog last looked."""
        return sum(line.down_since is None for line in self._lines)

    def unhealthy_since(self) -> datetime | None:
        """None while at least one connection stands."""
        return self._down_since

    async def _watch(self, line: _Line) -> None:
        now = self._clock()
        if await line.handler.client.is_connected():
            line.down_since = None
            return
        line.down_since = line.down_since or now
        if now - max(line.down_since, line.handler_since) >= _NEW_HANDLER_AFTER:
            log.debug("connection.replaced", since=line.down_since)
            await _hang_up(line)
            fresh = self._new_line()
            line.handler, line.connecting = fresh.handler, fresh.connecting
            line.handler_since = now
        elif now - line.down_since >= _NEW_TICKET_AFTER:
            # Makes the SDK's own loop ask for a new address instead of trying the dead one again.
            line.handler.client.wss_uri = None

    def _note(self, *, connected: bool) -> None:
        if connected and self._down_since is not None:
            log.info("slack.connected", since=self._down_since)
            self._down_since = None
        elif not connected and self._down_since is None:
            self._down_since = self._clock()
            log.warning("slack.disconnected")

    def _new_line(self) -> _Line:
        handler = _Handler(self._app, self._app_token, self._metrics)
        connecting = asyncio.create_task(handler.client.connect())  # type: ignore[no-untyped-call]
        now = self._clock()
        return _Line(handler=handler, connecting=connecting, down_since=now, handler_since=now)


async def _hang_up(line: _Line) -> None:
    line.connecting.cancel()
    await asyncio.gather(line.connecting, return_exceptions=True)
    await line.handler.client.close()  # type: ignore[no-untyped-call]


def _quiet_logger() -> logging.Logger:
    """The SDK logs a traceback at every failed try; `slack.disconnected` says it once."""
    logger = logging.getLogger("bot.slack.socket_mode")
    logger.setLevel(logging.CRITICAL)
    return logger
