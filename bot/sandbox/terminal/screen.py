"""Where the conversation appears: lines that scroll by, and below them, where somebody types, a prompt."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from bot.sandbox.terminal.frames import Behind

_WIDTH_OF_A_FILE = 100
_WIDEST = 120
"""Longer lines are hard to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The last line of the terminal; it fits into its width."""

    text: Text
    back: int
    """Cells from the end of the text to the cursor."""


class Screen:
    """`gone` is called once nobody can read it any more: the pipe is closed, or the terminal."""

    def __init__(self, stream: TextIO, *, gone: Callable[[], None]) -> None:
        self._stream = stream
        self._gone = gone
        self._lost = False
        self._prompt: Callable[[int], Prompt] | None = None
        if isinstance(stream, io.TextIOWrapper):
            # An emoji that the encoding lacks is a question mark, not the end.
            stream.reconfigure(errors="replace")
        self._console = _Console(
            file=stream,
            highlight=False,
            markup=False,
            emoji=False,
            width=None if stream.isatty() else _WIDTH_OF_A_FILE,
        )

    @property
    def is_terminal(self) -> bool:
        return self._console.is_terminal

    @property
    def width(self) -> int:
        return min(self._console.width, _WIDEST)

    def show(self, *parts: RenderableType, indent: int = 0) -> None:
        """Each on lines of its own."""
        with self._above_the_prompt():
            for part in parts:
                self._print(part, indent)

    def log(self, text: str) -> None:
        """As it is: a line of the log."""
        with self._above_the_prompt():
            self._stream.write(text)
            self._stream.flush()

    def prompt(self, draw: Callable[[int], Prompt] | None) -> None:
        """`draw` is given the width, whenever the line is drawn anew; None: there is no such line."""
        with self._guarded():
            self._erase()
            self._prompt = draw
            self._draw()

    def _print(self, part: RenderableType, indent: int) -> None:
        if isinstance(part, Text) and part.overflow == "ignore":
            # Wrapped by the terminal alone, it can be copied in one piece.
            self._console.print(Text(" " * indent) + part, soft_wrap=True)
            return
        self._console.print(Behind(" " * indent, part), width=self.width, end="")

    @contextmanager
    def _above_the_prompt(self) -> Iterator[None]:
        with self._guarded():
            self._erase()
            yield
            self._draw()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whoever wants to show something is in the midst of other work, which a lost reader must not end."""
        try:
            yield
        except OSError:
            if not self._lost:
                self._lost = True
                self._gone()

    def _erase(self) -> None:
        if self._prompt is not None:
            self._stream.write("\r\x1b[K")

    def _draw(self) -> None:
        if self._prompt is not None:
            prompt = self._prompt(self._console.width)
            self._console.print(prompt.text, end="", soft_wrap=True)
            self._stream.write(f"\x1b[{prompt.back}D" if prompt.back else "")
            self._stream.flush()


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """rich would end the process here; the demo ends in order instead."""
        raise BrokenPipeError


class LogStream(io.TextIOBase):
    """What a log handler writes to where log and conversation share a terminal."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def write(self, text: str) -> int:
        self._screen.log(text)
        return len(text)

    def isatty(self) -> bool:
        return True
