"""Slack's texts as they look in a client: mentions are names, dates are local, codes are emoji."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, tzinfo
from typing import assert_never

from rich.style import Style
from rich.text import Text

from bot.sandbox.slack.dates import told
from bot.sandbox.slack.emoji import character, with_emoji
from bot.sandbox.slack.mrkdwn import (
    Broadcast,
    ChannelMention,
    Code,
    Emoji,
    Link,
    Marked,
    Moment,
    Piece,
    UserMention,
    Words,
    pieces,
)
from bot.sandbox.slack.workspace import Workspace

_INSIDE = {"bold": Style(bold=True), "italic": Style(italic=True), "strike": Style(strike=True)}
_CODE = Style(color="yellow")
_MENTION = Style(color="cyan", bold=True)
_LINK = Style(color="blue", underline=True)

_UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    """Without what would move the cursor or change the terminal: somebody else wrote the text."""
    return _UNSEEN.sub("", text)


class Reader:
    def __init__(
        self, workspace: Workspace, *, clock: Callable[[], datetime], zone: tzinfo | None = None
    ) -> None:
        """`zone`: of the reader; None is that of this machine."""
        self._workspace = workspace
        self._clock = clock
        self._zone = zone

    def text(self, mrkdwn: str) -> Text:
        read = Text()
        for words, style in self._spans(pieces(visible(mrkdwn)), Style()):
            read.append(words, style)
        return read

    def plain(self, text: str) -> Text:
        """Of a plain_text object: emoji codes are all that it knows."""
        return Text(with_emoji(visible(text)))

    def user(self, user_id: str) -> str:
        user = self._workspace.users.get(user_id)
        return user_id if user is None else user.name

    def channel(self, channel_id: str) -> str:
        """`#gpu`; of direct messages, who speaks with the app."""
        channel = self._workspace.channels.get(channel_id)
        if channel is None:
            return channel_id
        if channel.name:
            return f"#{channel.name}"
        others = sorted(channel.members - {self._workspace.app.user_id})
        return f"direct messages with {', '.join(map(self.user, others))}"

    def time(self, at: datetime) -> str:
        return at.astimezone(self._zone).strftime("%H:%M:%S")

    def _spans(self, parts: Iterable[Piece], style: Style) -> Iterator[tuple[str, Style]]:
        for piece in parts:
            if isinstance(piece, Marked):
                yield from self._spans(piece.inside, style + _INSIDE[piece.mark])
            else:
                words, own = self._span(piece)
                yield words, style + own

    def _span(  # noqa: PLR0911 - one a kind
        self, piece: Words | Code | Emoji | UserMention | ChannelMention | Broadcast | Link | Moment
    ) -> tuple[str, Style]:
        match piece:
            case Words(text=text):
                return text, Style()
            case Code(text=text):
                return text, _CODE
            case Emoji(name=name):
                return character(name), Style()
            case UserMention(user_id=user_id):
                return f"@{self.user(user_id)}", _MENTION
            case ChannelMention(channel_id=channel_id):
                return self.channel(channel_id), _MENTION
            case Broadcast(to=to):
                return f"@{to}", _MENTION
            case Link(url=url, label=label):
                return f"{label} ({url})" if label else url, _LINK
            case Moment(at=at, pattern=pattern):
                return told(at, pattern, now=self._clock(), zone=self._zone), Style()
            case _:
                assert_never(piece)
