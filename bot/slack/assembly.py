"""The Slack side put together: client, Bolt app, listeners, and the connection that carries them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import Response

from bot.catalog import Catalog
from bot.operations import Operations
from bot.slack.connection import SocketModeSupervisor
from bot.slack.conversation import Conversation
from bot.slack.listeners import Listeners
from bot.slack.people import People
from bot.slack.workspace import Workspace

_CONNECT_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How the workspace is reached; the settings of the same names."""

    bot_token: str
    app_token: str | None
    signing_secret: str | None
    api_base_url: str


class SlackSide:
    """Nothing is called before `start`."""

    def __init__(
        self, access: Access, operations: Operations, catalog: Catalog, *, clock: Callable[[], datetime]
    ) -> None:
        # Tries once: what has to be repeated, the outbox repeats.
        self.client = AsyncWebClient(
            token=access.bot_token, base_url=access.api_base_url, timeout=10, retry_handlers=[]
        )
        self._workspace = Workspace(self.client)
        app = self._bolt_app(access)
        people = People(self.client, self._workspace, clock=clock)
        conversation = Conversation(operations, people, catalog, clock=clock)
        Listeners(conversation, self.client, clock=clock).register(app)
        self.handle_http: Callable[[Request], Awaitable[Response]] | None = None
        """HTTP mode; None: off."""
        if access.signing_secret is not None:
            self.handle_http = AsyncSlackRequestHandler(app).handle
        self._socket_mode: SocketModeSupervisor | None = None
        if access.app_token is not None:
            self._socket_mode = SocketModeSupervisor(app, access.app_token, clock=clock)

    async def start(self) -> None:
        """Raises nothing: Slack may be down. Who we are is asked again at the first command then."""
        with contextlib.suppress(SlackApiError, aiohttp.ClientError, TimeoutError):
            await self._workspace.identity()
        if self._socket_mode is not None:
            await self._socket_mode.start(within=_CONNECT_WITHIN)

    async def watch(self) -> None:
        if self._socket_mode is not None:
            await self._socket_mode.watch()

    async def close(self) -> None:
        if self._socket_mode is not None:
            await self._socket_mode.close()

    def unhealthy_since(self) -> datetime | None:
        """Of what Slack sends us; None also in HTTP mode, where silence is no sign."""
        return None if self._socket_mode is None else self._socket_mode.unhealthy_since()

    def _bolt_app(self, access: Access) -> AsyncApp:
        async def authorize() -> AuthorizeResult:  # a method's `self` would confuse Bolt
            return await self._workspace.identity()

        return AsyncApp(
            logger=_quiet_logger(),
            client=self.client,
            authorize=authorize,
            signing_secret=access.signing_secret or "",
            request_verification_enabled=access.signing_secret is not None,
        )


def _quiet_logger() -> logging.Logger:
    """Bolt warns of things that are meant so, such as a client with a token beside `authorize`."""
    logger = logging.getLogger("bot.slack.bolt")
    logger.setLevel(logging.ERROR)
    return logger
