"""Who somebody is: a full member of our workspace, or a guest or stranger, who may nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.asking import Actor
from bot.errors import TryAgain
from bot.sinks.slack_answers import Refused, Unavailable, Why, answer_of
from bot.slack.workspace import Workspace

_KEPT = timedelta(minutes=10)
_LOOK_UP_WITHIN = timedelta(seconds=2)
"""Slack gives a command three seconds in all."""


@dataclass(frozen=True, slots=True)
class _Known:
    actor: Actor
    at: datetime


class People:
    def __init__(
        self, client: AsyncWebClient, workspace: Workspace, *, clock: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._workspace = workspace
        self._clock = clock
        self._known: dict[str, _Known] = {}

    async def actor(self, user_id: str) -> Actor:
        """Looked up once in ten minutes. Raises TryAgain: who cannot be looked up may nothing for now."""
        known = self._known.get(user_id)
        if known is not None and self._clock() - known.at < _KEPT:
            return known.actor
        actor = await self._look_up(user_id)
        self._known[user_id] = _Known(actor, self._clock())
        return actor

    async def _look_up(self, user_id: str) -> Actor:
        try:
            async with asyncio.timeout(_LOOK_UP_WITHIN.total_seconds()):
                return await self._told_by_slack(user_id)
        except (Refused, Unavailable, TimeoutError) as error:
            raise TryAgain("Slack does not say who you are just now. Please try again.") from error

    async def _told_by_slack(self, user_id: str) -> Actor:
        team_id = await self._workspace.team_id()
        try:
            answer = await answer_of(
                lambda: self._client.users_info(user=user_id), now=self._clock(), timeout=_LOOK_UP_WITHIN
            )
        except Refused as refusal:
            if refusal.why is not Why.NOBODY:
                raise
            # Slack shows us everybody of our own workspace.
            return Actor(user_id=user_id, full_member=False)
        return _read(answer["user"], team_id)


def _read(user: Mapping[str, Any], team_id: str) -> Actor:
    outsider = ("is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted")
    at_home = bool(team_id) and team_id in _teams(user)
    # Slack's own bot says that it is none; it repeats what anybody tells it to.
    full = at_home and user["id"] != "USLACKBOT" and not any(user.get(flag) for flag in outsider)
    return Actor(user_id=user["id"], team_id=user.get("team_id"), full_member=full)


def _teams(user: Mapping[str, Any]) -> set[str]:
    """In an Enterprise Grid a person belongs to several workspaces."""
    return {user.get("team_id", ""), *user.get("enterprise_user", {}).get("teams", ())}
