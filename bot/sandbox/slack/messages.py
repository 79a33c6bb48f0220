"""The messages of a workspace: posts, threads, edits, and the ephemerals that one person sees for a while."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bot.sandbox.slack.blocktree import Block, interactive, named, words_of
from bot.sandbox.slack.errors import SlackError


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    text: str = ""
    blocks: tuple[Block, ...] = ()
    attachments: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    ts: str
    channel: str
    user: str
    content: Content
    team_id: str
    app_id: str | None = None
    bot_id: str | None = None
    thread_ts: str | None = None
    is_broadcast: bool = False
    metadata: dict[str, Any] | None = None
    edited_ts: str | None = None
    is_ephemeral: bool = False
    revision: int = 0

    @property
    def text(self) -> str:
        """The fallback: what notifications and screen readers get."""
        return self.content.text

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self.content.blocks

    @property
    def all_blocks(self) -> tuple[Block, ...]:
        """Those in attachments too."""
        attached = (block for item in self.content.attachments for block in item.get("blocks", ()))
        return (*self.blocks, *attached)

    @property
    def words(self) -> str:
        """All that a reader sees, button texts included, a line per text: the blocks, or else the text."""
        return words_of(self.all_blocks) if self.all_blocks else self.text

    @property
    def buttons(self) -> dict[str, str]:
        """Text to action_id."""
        return {
            element["text"]["text"]: element["action_id"]
            for _, element in interactive(self.all_blocks)
            if element["type"] == "button"
        }

    def as_json(self) -> dict[str, Any]:
        """As Slack shows it in answers and payloads; `metadata` is left out, as Slack does unless asked."""
        body: dict[str, Any] = {
            "type": "message",
            "user": self.user,
            "ts": self.ts,
            "text": self.text,
            "team": self.team_id,
            "blocks": list(copy.deepcopy(self.blocks)),
        }
        optional = {
            "bot_id": self.bot_id,
            "app_id": self.app_id,
            "thread_ts": self.thread_ts,
            "attachments": list(copy.deepcopy(self.content.attachments)) or None,
            "edited": {"user": self.user, "ts": self.edited_ts} if self.edited_ts else None,
        }
        return body | {key: value for key, value in optional.items() if value is not None}


class Timestamps:
    """Message ids that are times of the clock, moved on by a microsecond where two would be the same."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> str:
        since_epoch = self._clock() - datetime.fromtimestamp(0, tz=self._clock().tzinfo)
        self._last = max(self._last + 1, since_epoch // timedelta(microseconds=1))
        seconds, micros = divmod(self._last, 1_000_000)
        return f"{seconds}.{micros:06}"


@dataclass(slots=True)
class MessageBoard:
    """Only stores: who may post or edit is decided by its callers."""

    rng: Random
    _posted: dict[tuple[str, str], Message] = field(default_factory=dict)
    _whispered: dict[str, dict[str, Message]] = field(default_factory=dict)

    def name_parts(self, content: Content) -> Content:
        """Gives each block and element the id that Slack makes up where the app named none."""
        attachments = tuple(
            item | {"blocks": named(item["blocks"], self.rng)} if "blocks" in item else item
            for item in copy.deepcopy(content.attachments)
        )
        return replace(content, blocks=tuple(named(content.blocks, self.rng)), attachments=attachments)

    def add(self, message: Message) -> None:
        self._posted[message.channel, message.ts] = message

    def whisper(self, user: str, message: Message) -> None:
        self._whispered.setdefault(user, {})[message.ts] = message

    def find(self, channel: str, ts: str) -> Message | None:
        return self._posted.get((channel, ts))

    def get(self, channel: str, ts: str) -> Message:
        """Raises SlackError message_not_found, for an ephemeral one too."""
        message = self.find(channel, ts)
        if message is None:
            raise SlackError("message_not_found")
        return message

    def remove(self, message: Message) -> None:
        del self._posted[message.channel, message.ts]

    def find_whispered(self, user: str, ts: str) -> Message | None:
        return self._whispered.get(user, {}).get(ts)

    def remove_whispered(self, user: str, ts: str) -> None:
        self._whispered.get(user, {}).pop(ts, None)

    def forget_whispered(self, user: str) -> None:
        self._whispered.pop(user, None)

    def history(self, channel: str) -> list[Message]:
        return sorted((m for m in self._posted.values() if m.channel == channel), key=_age)

    def seen_by(self, user: str, channel: str) -> list[Message]:
        return sorted([*self.history(channel), *self._whispers(user, channel)], key=_age)

    def thread(self, channel: str, ts: str) -> list[Message]:
        """The parent and its replies."""
        return [m for m in self.history(channel) if ts in {m.ts, m.thread_ts}]

    def _whispers(self, user: str, channel: str) -> Iterator[Message]:
        return (m for m in self._whispered.get(user, {}).values() if m.channel == channel)


def _age(message: Message) -> tuple[int, ...]:
    return tuple(map(int, message.ts.split(".")))
