"""Slack's text objects as HTML, for one reader. Whatever is in them is escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from itertools import groupby
from typing import Any, assert_never

from markupsafe import Markup, escape

from bot.sandbox.page.kit.links import link
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

_CODE_BLOCKS = re.compile(r"(```.+?```)", re.DOTALL)
_QUOTED = re.compile(r"(?:&gt;|>) ?")
_QUOTED_TO_THE_END = re.compile(r"(?:&gt;|>){3} ?")
_TAGS = {
    "bold": Markup("<strong>{}</strong>"),
    "italic": Markup("<em>{}</em>"),
    "strike": Markup("<s>{}</s>"),
}
_BREAK = Markup("<br>")
_CODE = re.compile(r":([a-z0-9_+'-]+):")
_AS_PICTURE = "\ufe0f"
DRAWN = frozenset(
    {"arrows_counterclockwise", "bell", "black_square_for_stop", "hourglass", "hourglass_flowing_sand"}
    | {
        "information_source",
        "key",
        "large_green_circle",
        "lock",
        "mag",
        "no_bell",
        "receipt",
        "red_circle",
        "rocket",
    }
    | {"warning", "wastebasket", "white_check_mark", "x"}
)
"""Those in emoji.svg: what a state looks like must not depend on the fonts of the machine."""
_CHARACTER = Markup('<span class="emoji" role="img" aria-label="{}">{}</span>')
# The character stays in the text, for whoever copies it.
_DRAWING = Markup(
    '<span class="emoji" role="img" aria-label="{0}">'
    '<svg aria-hidden="true"><use href="/static/emoji.svg#{1}"/></svg>'
    '<span class="visually-hidden">{2}</span></span>'
)


class Texts:
    def __init__(
        self,
        workspace: Workspace,
        *,
        reader: str,
        clock: Callable[[], datetime],
        zone: tzinfo | None = None,
    ) -> None:
        """`reader`: a user id. `zone`: None is that of this machine."""
        self._workspace = workspace
        self._reader = reader
        self._clock = clock
        self._zone = zone

    def of(self, text: Mapping[str, Any]) -> Markup:
        """A text object."""
        return self.mrkdwn(text["text"]) if text["type"] == "mrkdwn" else self.plain(text["text"])

    def plain(self, text: str) -> Markup:
        """Emoji codes are all that a plain_text object knows."""
        codes = _CODE.split(text)
        return Markup("").join(
            self.emoji(part) if place % 2 else _broken(part) for place, part in enumerate(codes)
        )

    def words(self, text: Mapping[str, Any]) -> str:
        """A plain_text object where no tag can be, such as a placeholder."""
        return with_emoji(str(text["text"]))

    def mrkdwn(self, text: str) -> Markup:
        return Markup("").join(self._paragraphs(text))

    def user(self, user_id: str) -> Markup:
        mine = " is-me" if user_id == self._reader else ""
        return Markup('<span class="mention{}">@{}</span>').format(mine, self.user_name(user_id))

    def user_name(self, user_id: str) -> str:
        user = self._workspace.users.get(user_id)
        return user_id if user is None else user.name if user.is_bot else user.real_name or user.name

    def channel(self, channel_id: str) -> Markup:
        channel = self._workspace.channels.get(channel_id)
        name = channel_id if channel is None else channel.name or "direct messages"
        return Markup('<span class="mention">#{}</span>').format(name)

    def broadcast(self, to: str) -> Markup:
        return Markup('<span class="mention is-me">@{}</span>').format(to)

    def emoji(self, name: str) -> Markup:
        drawn = character(name)
        if drawn == f":{name}:":
            return escape(drawn)
        said = name.replace("_", " ")
        # Some characters are drawn as a letter unless a picture is asked for.
        shown = drawn + _AS_PICTURE if len(drawn) == 1 else drawn
        return _DRAWING.format(said, name, shown) if name in DRAWN else _CHARACTER.format(said, shown)

    def moment(self, at: datetime, pattern: str) -> Markup:
        """Told in this machine's zone; page.js tells it again in the browser's."""
        here = told(at, pattern, now=self._clock(), zone=self._zone)
        stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Markup('<time datetime="{}" data-pattern="{}">{}</time>').format(stamp, pattern, here)

    def _paragraphs(self, text: str) -> Iterator[Markup]:
        for place, part in enumerate(_CODE_BLOCKS.split(text)):
            is_code = place % 2 == 1
            yield from [self._inline(part)] if is_code else self._quotes(part)

    def _quotes(self, text: str) -> Iterator[Markup]:
        for is_quote, lines in groupby(_lines(text), key=lambda line: line[0]):
            inside = self._inline("\n".join(line for _, line in lines))
            yield Markup("<blockquote>{}</blockquote>").format(inside) if is_quote else inside

    def _inline(self, mrkdwn: str) -> Markup:
        return self._all(pieces(mrkdwn))

    def _all(self, parts: Iterable[Piece]) -> Markup:
        return Markup("").join(map(self._piece, parts))

    def _piece(self, piece: Piece) -> Markup:  # noqa: C901, PLR0911 - one a kind
        match piece:
            case Words(text=text):
                return _broken(text)
            case Marked(mark=mark, inside=inside):
                return _TAGS[mark].format(self._all(inside))
            case Code(text=text, is_block=True):
                return Markup("<pre>{}</pre>").format(text)
            case Code(text=text):
                return Markup("<code>{}</code>").format(text)
            case Emoji(name=name):
                return self.emoji(name)
            case UserMention(user_id=user_id):
                return self.user(user_id)
            case ChannelMention(channel_id=channel_id):
                return self.channel(channel_id)
            case Broadcast(to=to):
                return self.broadcast(to)
            case Link(url=url, label=label):
                return link(url, label)
            case Moment(at=at, pattern=pattern):
                return self.moment(at, pattern)
            case _:
                assert_never(piece)


def _lines(text: str) -> Iterator[tuple[bool, str]]:
    """Each with whether it is quoted; `>>>` quotes all that follows."""
    to_the_end = False
    for line in text.split("\n"):
        mark = _QUOTED_TO_THE_END.match(line) or (None if to_the_end else _QUOTED.match(line))
        to_the_end = to_the_end or _QUOTED_TO_THE_END.match(line) is not None
        yield to_the_end or mark is not None, line[mark.end() :] if mark else line


def _broken(text: str) -> Markup:
    return _BREAK.join(escape(line) for line in text.split("\n"))
