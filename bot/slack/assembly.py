"""The Slack side put together: client, Bolt app, listeners, and the connection that carries them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import Response

from bot.catalog import Catalog
from bot.metrics import Metrics
from bot.operations import Operations
from bot.sinks.slack_answers import Refused, Unavailable
from bot.slack.answering import Answering
from bot.slack.buying import Buying
from bot.slack.client import SlackClient
from bot.slack.connection import SocketModeSupervisor
from bot.slack.conversation import Conversation
from bot.slack.events import Events
from bot.slack.forms import Forms
from bot.slack.http_mode import HttpMode
from bot.slack.listeners import Listeners
from bot.slack.people import People
from bot.slack.presses import Presses
from bot.slack.replies import Replies
from bot.slack.workspace import Workspace

log = structlog.get_logger(__name__)

_CONNECT_WITHIN = timedelta(seconds=5)
_FINISH_WITHIN = timedelta(seconds=10)


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
        self,
        access: Access,
        operations: Operations,
        catalog: Catalog,
        *,
        clock: Callable[[], datetime],
        metrics: Metrics | None = None,
    ) -> None:
        metrics = metrics or Metrics()
        self.client = SlackClient(bot_token=access.bot_token, base_url=access.api_base_url, metrics=metrics)
        self._workspace = Workspace(self.client, clock=clock)
        self._replies = Replies(self.client, clock=clock)
        app = _bolt_app(self.client, access.bot_token)
        people = People(self.client, self._workspace, clock=clock)
        buying = Buying(operations, people, catalog, clock=clock)
        conversation = Conversation(operations, people, buying, clock=clock)
        answering = Answering(self._replies)
        forms = Forms(conversation, buying, answering, self.client, clock=clock)
        Listeners(
            conversation=conversation,
            buying=buying,
            forms=forms,
            presses=Presses(conversation, buying, forms, answering),
            events=Events(conversation, buying, forms, answering, self.client, clock=clock),
            answering=answering,
            replies=self._replies,
        ).register(app)
        self.handle_http: Callable[[Request], Awaitable[Response]] | None = None
        """HTTP mode; None: off."""
        if access.signing_secret is not None:
            self.handle_http = HttpMode(app, access.signing_secret, clock=clock, metrics=metrics).handle
        self._socket_mode: SocketModeSupervisor | None = None
        if access.app_token is not None:
            self._socket_mode = SocketModeSupervisor(app, access.app_token, clock=clock, metrics=metrics)

    async def start(self) -> None:
        """Raises nothing: Slack may be down. Who we are is asked again at the first command then."""
        connecting = [] if self._socket_mode is None else [self._socket_mode.start(within=_CONNECT_WITHIN)]
        await asyncio.gather(self._ask_who_we_are(), *connecting)

    async def watch(self) -> None:
        if self._socket_mode is not None:
            await self._socket_mode.watch()

    async def close(self) -> None:
        """What was asked before is answered, if it takes no longer than some seconds."""
        if self._socket_mode is not None:
            await self._socket_mode.close(within=_FINISH_WITHIN)
        await self._replies.drain(_FINISH_WITHIN)

    def unhealthy_since(self) -> datetime | None:
        """Of what Slack sends us; None also in HTTP mode, where silence is no sign."""
        return None if self._socket_mode is None else self._socket_mode.unhealthy_since()

    def connections(self) -> int | None:
        """That stand; None: HTTP mode only."""
        return None if self._socket_mode is None else self._socket_mode.connections

    async def _ask_who_we_are(self) -> None:
        try:
            async with asyncio.timeout(_CONNECT_WITHIN.total_seconds()):
                await self._workspace.team_id()
        except (Refused, Unavailable, TimeoutError) as error:
            log.warning("slack.unidentified", why=str(error) or "no answer in time")


def _bolt_app(client: AsyncWebClient, bot_token: str) -> AsyncApp:
    async def authorize() -> AuthorizeResult:
        # Asking Slack who we are would come before every ack; whose workspace it is, `People` judges.
        return AuthorizeResult(enterprise_id=None, team_id=None, bot_token=bot_token)

    return AsyncApp(
        logger=_quiet_logger(),
        client=client,
        authorize=authorize,
        signing_secret="",
        request_verification_enabled=False,  # `HttpMode` has done it
        raise_error_for_unhandled_request=True,  # so that it is acknowledged all the same
    )


def _quiet_logger() -> logging.Logger:
    """Bolt warns of things that are meant so, such as a client with a token beside `authorize`."""
    logger = logging.getLogger("bot.slack.bolt")
    logger.setLevel(logging.ERROR)
    return logger
