"""Slack's texts as they look in a client: mentions are names, dates are local, codes are emoji."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from rich.style import Style
from rich.text import Text

from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.terminal.emoji import character, with_emoji

_MARKS = re.compile(
    r"```(?P<block>.+?)```"
    r"|`(?P<code>[^`\n]+)`"
    r"|<(?P<entity>[^<>\n]+)>"
    r"|:(?P<emoji>[a-z0-9_+'-]+):"
    r"|(?<![\w*])\*(?P<bold>\S(?:[^*\n]*\S)?)\*(?![\w*])"
    r"|(?<![\w_])_(?P<italic>\S(?:[^_\n]*\S)?)_(?![\w_])"
    r"|(?<![\w~])~(?P<strike>\S(?:[^~\n]*\S)?)~(?![\w~])",
    re.DOTALL,
)
_INSIDE = {"bold": Style(bold=True), "italic": Style(italic=True), "strike": Style(strike=True)}
_CODE = Style(color="yellow")
_MENTION = Style(color="cyan", bold=True)
_LINK = Style(color="blue", underline=True)

_ESCAPES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
_UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_TOKEN = re.compile(r"\{(\w+)\}")
_RELATIVE = {-1: "yesterday", 0: "today", 1: "tomorrow"}
_FORMATS = {
    "date_num": "%Y-%m-%d",
    "date": "%B %-d, %Y",
    "date_short": "%b %-d, %Y",
    "date_long": "%A, %B %-d, %Y",
    "time": "%H:%M",
    "time_secs": "%H:%M:%S",
}


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
        for words, style in self._spans(visible(mrkdwn), Style()):
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

    def _spans(self, text: str, style: Style) -> Iterator[tuple[str, Style]]:
        end = 0
        for mark in _MARKS.finditer(text):
            yield _unescaped(text[end : mark.start()]), style
            yield from self._marked(mark, style)
            end = mark.end()
        yield _unescaped(text[end:]), style

    def _marked(self, mark: re.Match[str], style: Style) -> Iterator[tuple[str, Style]]:
        kind = str(mark.lastgroup)
        inside = mark[kind]
        match kind:
            case "block" | "code":
                yield _unescaped(inside.strip("\n")), style + _CODE
            case "entity":
                words, own = self._entity(inside)
                yield words, style + own
            case "emoji":
                yield character(inside), style
            case _:
                yield from self._spans(inside, style + _INSIDE[kind])

    def _entity(self, inside: str) -> tuple[str, Style]:
        target, _, label = inside.partition("|")
        match target[0]:
            case "@":
                return f"@{self.user(target[1:])}", _MENTION
            case "#":
                return self.channel(target[1:]), _MENTION
            case "!" if target.startswith("!date^"):
                return self._date(target, label), Style()
            case "!":
                return f"@{target[1:]}", _MENTION
            case _:
                return _unescaped(f"{label} ({target})" if label else target), _LINK

    def _date(self, target: str, fallback: str) -> str:
        parts = target.split("^")
        try:
            at = datetime.fromtimestamp(int(parts[1]), tz=UTC).astimezone(self._zone)
            return _TOKEN.sub(lambda token: self._of_date(token[1], at), parts[2])
        except (ValueError, KeyError, IndexError):
            return _unescaped(fallback)

    def _of_date(self, token: str, at: datetime) -> str:
        """Raises KeyError for a token that Slack does not have."""
        shape = _FORMATS[token.removesuffix("_pretty")]
        if token.endswith("_pretty"):
            days = at.date() - self._clock().astimezone(self._zone).date()
            return _RELATIVE.get(days // timedelta(days=1)) or at.strftime(shape)
        return at.strftime(shape)


def _unescaped(text: str) -> str:
    # In one pass: `&amp;lt;` is somebody's own `&lt;`.
    return re.sub("|".join(_ESCAPES), lambda escape: _ESCAPES[escape[0]], text)
