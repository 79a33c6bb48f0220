"""Slack's mrkdwn taken apart: what is bold, what is code, what mentions whom; each client draws it its way.

Syntax: docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from bot.sandbox.slack.dates import is_known

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
_ESCAPES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    text: str
    is_block: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Emoji:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMention:
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMention:
    channel_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """`here`, `channel` and the like."""

    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    url: str
    label: str
    """Empty where the URL speaks for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    at: datetime
    pattern: str
    """With tokens that `dates.told` knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    mark: Literal["bold", "italic", "strike"]
    inside: tuple[Piece, ...]


Piece = Words | Code | Emoji | UserMention | ChannelMention | Broadcast | Link | Moment | Marked


def pieces(mrkdwn: str) -> Iterator[Piece]:
    """In order, with Slack's three escapes undone."""
    end = 0
    for mark in _MARKS.finditer(mrkdwn):
        if mark.start() > end:
            yield Words(text=_unescaped(mrkdwn[end : mark.start()]))
        yield _marked(mark)
        end = mark.end()
    if end < len(mrkdwn):
        yield Words(text=_unescaped(mrkdwn[end:]))


def _marked(mark: re.Match[str]) -> Piece:
    kind = str(mark.lastgroup)
    inside = mark[kind]
    match kind:
        case "block" | "code":
            return Code(text=_unescaped(inside.strip("\n")), is_block=kind == "block")
        case "entity":
            return _entity(inside)
        case "emoji":
            return Emoji(name=inside)
        case "bold" | "italic" | "strike":
            return Marked(mark=kind, inside=tuple(pieces(inside)))
        case _:
            raise AssertionError(kind)


def _entity(inside: str) -> Piece:
    target, _, label = inside.partition("|")
    match target[:1]:
        case "@":
            return UserMention(user_id=target[1:])
        case "#":
            return ChannelMention(channel_id=target[1:])
        case "!" if target.startswith("!date^"):
            return _moment(target, _unescaped(label))
        case "!":
            return Broadcast(to=target[1:])
        case _:
            return Link(url=_unescaped(target), label=_unescaped(label))


def _moment(target: str, fallback: str) -> Piece:
    _, epoch, *rest = target.split("^")
    pattern = rest[0] if rest else ""
    if not pattern or not is_known(pattern):
        return Words(text=fallback)
    try:
        return Moment(at=datetime.fromtimestamp(int(epoch), tz=UTC), pattern=_unescaped(pattern))
    except (ValueError, OverflowError, OSError):
        return Words(text=fallback)


def _unescaped(text: str) -> str:
    # In one pass: `&amp;lt;` is somebody's own `&lt;`.
    return re.sub("|".join(_ESCAPES), lambda escape: _ESCAPES[escape[0]], text)
