"""What an interaction lends to the app: a trigger_id (once, 3 s) and a response_url (5 posts, 30 min)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from bot.sandbox.slack.blocktree import random_name
from bot.sandbox.slack.errors import SlackError

TRIGGER_LIFE = timedelta(seconds=3)
RESPONSE_URL_LIFE = timedelta(minutes=30)
RESPONSE_URL_POSTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """`view_id`: the modal in which the interaction happened, None outside one."""

    user: str
    view_id: str | None
    issued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseUrl:
    """`original_ts`: the message whose button was pressed. A command or a shortcut has none, hence nothing to
    replace."""

    user: str
    channel: str
    original_ts: str | None
    original_is_ephemeral: bool = False
    issued_at: datetime


@dataclass(slots=True)
class Triggers:
    clock: Callable[[], datetime]
    rng: Random
    _issued: dict[str, Trigger] = field(default_factory=dict)
    _spent: set[str] = field(default_factory=set)

    def issue(self, user: str, view_id: str | None = None) -> str:
        number = self.rng.randrange(10**12, 10**13)
        trigger_id = f"{number}.{self.rng.randrange(10**12)}.{self.rng.getrandbits(128):032x}"
        self._issued[trigger_id] = Trigger(user=user, view_id=view_id, issued_at=self.clock())
        return trigger_id

    def spend(self, trigger_id: str) -> Trigger:
        """Raises SlackError invalid_trigger_id, exchanged_trigger_id or expired_trigger_id."""
        trigger = self._issued.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger_id in self._spent:
            raise SlackError("exchanged_trigger_id")
        if self.clock() - trigger.issued_at > TRIGGER_LIFE:
            raise SlackError("expired_trigger_id")
        self._spent.add(trigger_id)
        return trigger


@dataclass(slots=True)
class ResponseUrls:
    """Keyed by the path below the server's address."""

    clock: Callable[[], datetime]
    rng: Random
    _issued: dict[str, ResponseUrl] = field(default_factory=dict)
    _posts: dict[str, int] = field(default_factory=dict)

    def issue(self, user: str, channel: str) -> str:
        return self._add(ResponseUrl(user=user, channel=channel, original_ts=None, issued_at=self.clock()))

    def issue_for_message(self, user: str, channel: str, ts: str, *, is_ephemeral: bool) -> str:
        url = ResponseUrl(
            user=user,
            channel=channel,
            original_ts=ts,
            original_is_ephemeral=is_ephemeral,
            issued_at=self.clock(),
        )
        return self._add(url)

    def get(self, path: str) -> ResponseUrl:
        """Raises SlackError no_such_url, used_url or expired_url."""
        url = self._issued.get(path)
        if url is None:
            raise SlackError("no_such_url")
        if self._posts[path] >= RESPONSE_URL_POSTS:
            raise SlackError("used_url")
        if self.clock() - url.issued_at > RESPONSE_URL_LIFE:
            raise SlackError("expired_url")
        return url

    def count(self, path: str) -> None:
        self._posts[path] += 1

    def _add(self, url: ResponseUrl) -> str:
        path = f"respond/{self.rng.randrange(10**12)}/{random_name(self.rng, 24)}"
        self._issued[path] = url
        self._posts[path] = 0
        return path
