"""What happens in the workspace, told in the terminal while it happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, tzinfo
from typing import assert_never

from rich.console import OverflowMethod, RenderableType
from rich.style import Style
from rich.text import Text

from bot.sandbox.hook import Arrival
from bot.sandbox.slack.blocktree import Block
from bot.sandbox.slack.changes import (
    Change,
    EphemeralDeleted,
    EphemeralEdited,
    EphemeralShown,
    HomePublished,
    InteractionFailed,
    MessageDeleted,
    MessageEdited,
    MessagePosted,
    ViewClosed,
    ViewOpened,
    ViewUpdated,
)
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.terminal.blocks import DIM, body, label_and_value, styled
from bot.sandbox.terminal.frames import BAR, FRAME, barred, framed
from bot.sandbox.terminal.modal import form
from bot.sandbox.terminal.mrkdwn import Reader, visible
from bot.sandbox.terminal.screen import Screen

_BOT = Style(color="green", bold=True)
_PERSON = Style(color="magenta", bold=True)
_NOVITA = Style(color="yellow", bold=True)
_WEBHOOK = Style(color="blue", bold=True)
_WRONG = Style(color="red")
_STATES = {"🟢": "green", "❌": "red", "⏳": "yellow", "🔄": "yellow", "⌛": "yellow"}
_INDENT = 2


class Scene:
    """`observe` is meant for the workspace's feed. `private` counts what each person alone was shown."""

    def __init__(
        self,
        workspace: Workspace,
        screen: Screen,
        *,
        clock: Callable[[], datetime],
        zone: tzinfo | None = None,
    ) -> None:
        """`zone`: in which times are told; None is that of this machine."""
        self._workspace = workspace
        self._screen = screen
        self._clock = clock
        self._reader = Reader(workspace, clock=clock, zone=zone)
        self._drawn: dict[str, Message] = {}
        self._forms: dict[str, str] = {}
        self.private: Counter[str] = Counter()
        self.public = 0
        """What the bot has said to all."""
        self.home_of: str | None = None
        """Who has the Home tab open: it is drawn for them alone, whenever it is published."""

    def observe(self, change: Change) -> None:
        match change:
            case MessagePosted(message=message):
                self._posted(message)
            case MessageEdited(message=message):
                self._edited(message)
            case MessageDeleted(message=message):
                self._say(self._head(message, "deleted"))
            case EphemeralShown(user=user, message=message) | EphemeralEdited(user=user, message=message):
                self.private[user] += 1
                self._whispered(user, message)
            case EphemeralDeleted(user=user):
                self.note(f"What only {self._reader.user(user)} saw is gone.")
            case ViewOpened(user=user, view=view) | ViewUpdated(user=user, view=view):
                self._opened(user, view)
            case ViewClosed(user=user, view=view):
                self._forms.pop(view.id, None)
                self.note(f"The form {view.title!r} of {self._reader.user(user)} is closed.")
            case HomePublished(user=user, view=view):
                self._published(user, view)
            case InteractionFailed(what=what, error=error):
                self._say(self._who("Slack", _WRONG), Text(f"{what} failed: {error}", _WRONG))
            case _:
                assert_never(change)

    def typed(self, user_id: str, channel_id: str, line: str) -> None:
        where = self._reader.channel(channel_id)
        self._say(self._who(self._reader.user(user_id), _PERSON, where), Text(line, Style(bold=True)))

    def does(self, user_id: str, what: str) -> None:
        self._screen.show(Text(""), self._who(self._reader.user(user_id), _PERSON, what))

    def home(self, user_id: str, view: View) -> None:
        """As it is, even if it was drawn before."""
        self._forms.pop(view.id, None)
        self._opened(user_id, view)

    def pressed(self, user_id: str, button: str, asked: tuple[str, ...]) -> None:
        """`asked`: what Slack's confirmation dialog said, empty where there is none."""
        head = self._who(self._reader.user(user_id), _PERSON, f"presses {button}")
        self._say(head, *(Text(f"│ {line}", DIM) for line in asked))

    def sent(self, user_id: str, values: Iterable[tuple[str, str]]) -> None:
        """A form, with what was filled in last."""
        head = self._who(self._reader.user(user_id), _PERSON, "sends the form")
        self._say(head, *(Text(f"{field}: {value}", Style(bold=True)) for field, value in values))

    def complained(self, complaints: Mapping[str, str]) -> None:
        """About a form that was not taken; by block_id."""
        lines = (Text(f"✗ {field}: {complaint}", _WRONG) for field, complaint in complaints.items())
        self._say(self._who(self._workspace.app.name, _BOT, "the form was not taken"), *lines)

    def arrived(self, arrival: Arrival) -> None:
        facts = [
            arrival.status,
            f"sequence {arrival.sequence}",
            "signature verified" if arrival.verified else "SIGNATURE WRONG",
        ]
        if arrival.verified and arrival.answered != 200:
            facts.append(f"answered {arrival.answered}")
        head = Text.assemble(self._who("webhook", _WEBHOOK), " ", (arrival.event, Style(bold=True)))
        # One line: cut in a terminal, whole in a file.
        overflow: OverflowMethod = "ellipsis" if self._screen.is_terminal else "ignore"
        shown = Text(visible(" ".join(arrival.body.split())), DIM, no_wrap=True, overflow=overflow)
        style = DIM if arrival.verified else _WRONG
        self._say(head.append(f" · {' · '.join(facts)}", style), shown)

    def novita(self, text: str) -> None:
        self._say(self._who("Novita", _NOVITA), Text(text))

    def note(self, text: str) -> None:
        """From the demo itself."""
        self._screen.show(Text(""), Text(text, DIM))

    def lines(self, *lines: str) -> None:
        """As they are."""
        self._screen.show(*(Text(line, overflow="ignore") for line in lines))

    def hint(self, text: str) -> None:
        self._screen.show(Text(""), Text(f"? {text}", Style(color="yellow")))

    def caption(self, text: str) -> None:
        self._screen.show(Text(""), Text(f"— {text}", Style(bold=True, italic=True)))

    def _posted(self, message: Message) -> None:
        if message.user != self._workspace.app.user_id:
            self._written(message)
            return
        self.public += 1
        self._drawn[message.ts] = message
        if message.thread_ts is not None:
            self._in_thread(message)
        elif len(message.all_blocks) > 1:
            self._framed(message)
        else:
            self._say(self._head(message), *body(message, self._reader, self._width))

    def _written(self, message: Message) -> None:
        """By a person."""
        parent = self._workspace.board.find(message.channel, message.thread_ts or "")
        marks = [self._reader.channel(message.channel), *([self._thread_of(parent)] if parent else [])]
        head = self._who(self._reader.user(message.user), _PERSON, *marks)
        self._say(head, styled(self._reader.text(message.text), Style(bold=True)))

    def _thread_of(self, parent: Message) -> str:
        return f"thread of {_name_in(self._reader, parent)}"

    def _edited(self, message: Message) -> None:
        """Whole where its first words or its buttons changed; otherwise what changed."""
        before = self._drawn.get(message.ts)
        self._drawn[message.ts] = message
        if before is None or _gist(before) != _gist(message) or len(message.all_blocks) < 2:
            self._framed(message, "edited")
            return
        for line in self._news(before, message):
            self._screen.show(line, indent=_INDENT)

    def _news(self, before: Message, after: Message) -> Iterator[Text]:
        name = _name_in(self._reader, after)
        old = {text.plain for text in self._texts(before.all_blocks)}
        for text in self._texts(after.all_blocks):
            if text.plain not in old:
                label, value = label_and_value(text)
                yield Text.assemble((f"✎ {name}  ", DIM), label, "  " if label else "", value)

    def _texts(self, blocks: Iterable[Block]) -> Iterator[Text]:
        """Field by field, and line by line what is not in fields."""
        for block in blocks:
            yield from (self._reader.text(field["text"]) for field in block.get("fields", ()))
            yield from self._reader.text(_text_of(block)).split("\n")

    def _in_thread(self, message: Message) -> None:
        parent = self._workspace.board.find(message.channel, str(message.thread_ts))
        about = self._thread_of(parent) if parent else "thread"
        self._say(self._head(message, about), barred(body(message, self._reader, self._width - BAR)))

    def _framed(self, message: Message, mark: str = "") -> None:
        inside = body(message, self._reader, self._width - FRAME)
        self._say(self._head(message, mark), framed(inside, color=self._color(message), width=self._width))

    def _whispered(self, user: str, message: Message) -> None:
        only = f"only {self._reader.user(user)} sees this"
        self._say(self._head(message, only), *body(message, self._reader, self._width))

    def _published(self, user: str, view: View) -> None:
        if user == self.home_of:
            self._opened(user, view)

    def _opened(self, user: str, view: View) -> None:
        """Typing into it changes it too; it is drawn again only when the app changed it."""
        if self._forms.get(view.id) == view.hash:
            return
        self._forms[view.id] = view.hash
        self.private[user] += 1
        inside = form(view, self._reader, self._width - FRAME)
        drawing = framed(inside, color="cyan", width=self._width, title=view.title or None)
        what = "the Home tab" if view.type == "home" else "a form"
        mark = f"{what} that only {self._reader.user(user)} sees"
        self._say(self._who(self._workspace.app.name, _BOT, mark), drawing)

    def _color(self, message: Message) -> str:
        first = next(self._texts(message.all_blocks), Text())
        return next((color for emoji, color in _STATES.items() if first.plain.startswith(emoji)), "white")

    def _head(self, message: Message, mark: str = "") -> Text:
        where = self._reader.channel(message.channel)
        return self._who(self._workspace.app.name, _BOT, *([] if message.is_ephemeral else [where]), mark)

    def _who(self, name: str, style: Style, *marks: str) -> Text:
        head = Text.assemble((name, style), " ", (self._reader.time(self._clock()), DIM))
        shown = " · ".join(mark for mark in marks if mark)
        return head.append(f"  {shown}" if shown else "", DIM)

    def _say(self, head: Text, *parts: RenderableType) -> None:
        self._screen.show(Text(""), head)
        self._screen.show(*parts, indent=_INDENT)

    @property
    def _width(self) -> int:
        return self._screen.width - _INDENT


def _gist(message: Message) -> tuple[str, tuple[str, ...]]:
    return _first_text(message), tuple(message.buttons)


def _name_in(reader: Reader, card: Message) -> str:
    """What is bold at the end of its first text, or the message's own words."""
    return reader.text(_first_text(card).rpartition("  ")[2]).plain


def _first_text(message: Message) -> str:
    return next(filter(None, map(_text_of, message.all_blocks)), message.text)


def _text_of(block: Block) -> str:
    """Empty where it has none; that of a markdown block is no object."""
    text = block.get("text", "")
    return str(text["text"] if isinstance(text, dict) else text)
