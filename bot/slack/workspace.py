"""Who we are in Slack: asked once, remembered, asked again where Slack was down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.sinks.slack_answers import answer_of

_ASK_WITHIN = timedelta(seconds=10)


class Workspace:
    """One bot token, one workspace."""

    def __init__(self, client: AsyncWebClient, *, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._clock = clock
        self._team_id: str | None = None

    async def team_id(self) -> str:
        """Empty: a token that belongs to no single workspace, whose people we cannot tell from strangers.

        Raises Refused (a bad token among others) and Unavailable.
        """
        if self._team_id is None:
            answer = await answer_of(self._client.auth_test, now=self._clock(), timeout=_ASK_WITHIN)
            self._team_id = str(answer.get("team_id") or "")
        return self._team_id
