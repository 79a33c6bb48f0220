"""Where the lines come from: a script, a pipe or file, a keyboard."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import termios
import tty
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol, Self

from rich.style import Style
from rich.text import Text

from bot.sandbox.terminal.editor import Editor
from bot.sandbox.terminal.screen import Prompt, Screen

_CHUNK = 65_536
_PROMPT = Style(color="magenta")


class Lines(Protocol):
    async def next(self) -> str | None:
        """None: there are no more."""


class ScriptLines:
    def __init__(self, lines: Iterable[str], *, pause: float = 0.0) -> None:
        """`pause`: seconds before each, for those who watch."""
        self._lines = deque(lines)
        self._pause = pause

    async def next(self) -> str | None:
        if not self._lines:
            return None
        await asyncio.sleep(self._pause)
        return self._lines.popleft()


class PipedLines:
    """Reads no further than it is asked to, so that `yes |` is no danger. Does not close the descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._lines: deque[str] = deque()
        self._begun = ""
        self._ended = False

    async def next(self) -> str | None:
        while not self._lines and not self._ended:
            self._take(await self._chunk())
        return self._lines.popleft() if self._lines else None

    def put_back(self, line: str) -> None:
        self._lines.appendleft(line)

    def _take(self, chunk: bytes) -> None:
        self._ended = not chunk
        text = self._begun + self._decoder.decode(chunk, final=self._ended)
        *lines, self._begun = text.split("\n")
        self._lines.extend(lines)
        if self._ended and self._begun:
            self._lines.append(self._begun)

    async def _chunk(self) -> bytes:
        try:
            await _readable(self._descriptor)
            return os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return await self._chunk()
        except OSError:
            return b""  # closed, or a terminal that has gone: the end


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:
        return  # A file, or /dev/null: always readable, and nothing that can be waited for.
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


class Keyboard:
    """A terminal, key by key: what happens meanwhile appears above the line that is being typed."""

    def __init__(self, descriptor: int, screen: Screen, prompt: Callable[[], str]) -> None:
        self._descriptor = descriptor
        self._screen = screen
        self._prompt = prompt
        self._editor = Editor()
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._settings = termios.tcgetattr(descriptor)

    async def __aenter__(self) -> Self:
        # Ctrl-C stays a signal.
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)
        asyncio.get_running_loop().add_reader(self._descriptor, self._typed)
        self._screen.prompt(self._drawn)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._screen.prompt(None)
        with contextlib.suppress(termios.error):  # the terminal itself may have gone
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._settings)

    async def next(self) -> str | None:
        self._screen.prompt(self._drawn)
        return await self._lines.get()

    def _typed(self) -> None:
        try:
            chunk = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        for line in self._editor.feed(self._decoder.decode(chunk)):
            self._lines.put_nowait(line)
        if not chunk or self._editor.ended:
            self._lines.put_nowait(None)
            self._close()
        self._screen.prompt(self._drawn)

    def _close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)

    def _drawn(self, width: int) -> Prompt:
        prompt = Text(self._prompt(), _PROMPT)
        # The last column stays free: a terminal would wrap there.
        text, back = self._editor.shown(width - prompt.cell_len - 1)
        return Prompt(text=prompt + Text(text), back=back)
