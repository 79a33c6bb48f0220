from __future__ import annotations

import asyncio
import contextlib
import io
import os
import pty
import termios
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from demo_world import Terminal, nothing
from rich.text import Text

from bot.sandbox.terminal.lines import Keyboard, Lines, PipedLines, ScriptLines
from bot.sandbox.terminal.screen import Screen

SECONDS = 5.0


async def rest_of(lines: Lines) -> list[str]:
    found = []
    while (line := await asyncio.wait_for(lines.next(), SECONDS)) is not None:
        found.append(line)
    return found


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(descriptor)


async def test_a_script_gives_its_lines_and_ends() -> None:
    assert await rest_of(ScriptLines(["a", "b"])) == ["a", "b"]


async def test_a_script_may_pause_before_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    lines = ScriptLines(["a", "b"], pause=1.5)
    assert [await lines.next(), await lines.next(), await lines.next()] == ["a", "b", None]
    assert paused == [1.5, 1.5]


async def test_a_pipe_is_read_line_by_line_as_it_comes(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    lines = PipedLines(reading)
    first = asyncio.create_task(lines.next())
    os.write(writing, b"/gpu ")
    os.write(writing, "list\nzwei ü".encode()[:-1])
    assert await asyncio.wait_for(first, SECONDS) == "/gpu list"
    os.write(writing, "ü".encode()[1:] + b"\xff\nlast")
    os.close(writing)
    assert await rest_of(lines) == ["zwei ü\ufffd", "last"]
    assert await lines.next() is None


async def test_a_pipe_is_read_no_further_than_it_is_asked_to(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    lines = PipedLines(reading)
    os.write(writing, b"a\nb\n")
    assert await asyncio.wait_for(lines.next(), SECONDS) == "a"
    os.write(writing, b"c\n")
    await asyncio.sleep(0)
    assert os.read(reading, 100) == b"c\n"


async def test_a_line_that_was_put_back_comes_first(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    lines = PipedLines(reading)
    os.write(writing, b"a\nb\n")
    os.close(writing)
    first = await lines.next()
    assert first is not None
    lines.put_back(first)
    assert await rest_of(lines) == ["a", "b"]


async def test_a_file_and_dev_null_are_read_to_their_end(tmp_path: Path) -> None:
    """The loop cannot wait for either of them."""
    script = tmp_path / "script"
    script.write_text("a\nb")
    for name, expected in ((script, ["a", "b"]), (Path(os.devnull), [])):
        descriptor = os.open(name, os.O_RDONLY)
        assert await rest_of(PipedLines(descriptor)) == expected
        os.close(descriptor)


async def test_a_descriptor_that_is_closed_has_no_lines(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    assert await rest_of(PipedLines(reading)) == []
    os.close(writing)


async def test_waiting_for_a_pipe_can_be_ended(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    waiting = asyncio.create_task(PipedLines(reading).next())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    os.write(writing, b"a\n")
    assert await PipedLines(reading).next() == "a"


async def test_a_pipe_that_somebody_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    """Another process at the other end of a terminal may do so, and one may be woken for nothing."""
    reading, writing = pipe
    os.set_blocking(reading, False)
    lines = PipedLines(reading)
    real_read, empty_handed = os.read, [BlockingIOError()]

    def read(descriptor: int, length: int) -> bytes:
        if empty_handed:
            raise empty_handed.pop()
        return real_read(descriptor, length)

    os.write(writing, b"a\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "read", read)
        assert await asyncio.wait_for(lines.next(), SECONDS) == "a"


class Typist:
    """A keyboard that is a pseudo terminal, and the screen that shows what is typed on it."""

    def __init__(self) -> None:
        self.hands, self.terminal = pty.openpty()
        self.stream = Terminal()
        self.name = "ada in #gpu"
        self.screen = Screen(self.stream, gone=nothing)
        self.keyboard = Keyboard(self.terminal, self.screen, lambda: f"{self.name} › ")

    def type(self, keys: str) -> None:
        os.write(self.hands, keys.encode())

    async def line(self) -> str | None:
        return await asyncio.wait_for(self.keyboard.next(), SECONDS)

    def close(self) -> None:
        for descriptor in (self.hands, self.terminal):
            with contextlib.suppress(OSError):
                os.close(descriptor)


@pytest.fixture
async def typist(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Typist]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    typist = Typist()
    yield typist
    typist.close()


async def test_what_is_typed_becomes_a_line(typist: Typist) -> None:
    async with typist.keyboard:
        typist.type("/gpu lisx\x7ft\r")
        assert await typist.line() == "/gpu list"


async def test_the_prompt_shows_who_types_and_what(typist: Typist) -> None:
    async with typist.keyboard:
        assert typist.stream.getvalue().endswith("ada in #gpu › ")
        typist.name = "ben in #gpu"
        typist.type("/gpu\n/gpu s")
        assert await typist.line() == "/gpu"
        assert typist.stream.getvalue().endswith("\r\x1b[Kben in #gpu › /gpu s")


async def test_what_happens_appears_above_the_line_that_is_typed(typist: Typist) -> None:
    async with typist.keyboard:
        typist.type("x\n/gpu\x1b[D")
        assert await typist.line() == "x"
        typist.stream.truncate(0)
        typist.screen.show(Text("news"))
        assert typist.stream.getvalue().replace("\x00", "") == "\r\x1b[Knews\nada in #gpu › /gpu\x1b[1D"


async def test_the_prompt_never_reaches_the_last_column(typist: Typist) -> None:
    async with typist.keyboard:
        typist.type("x\n" + "0123456789" * 5)
        assert await typist.line() == "x"
        last = typist.stream.getvalue().rpartition("\x1b[K")[2]
        assert len(last) < 40
        assert last.endswith("789")


async def test_a_terminal_that_fails_is_the_end(typist: Typist, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int, _length: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    async with typist.keyboard:
        typist.type("a")
        assert await typist.line() is None


@pytest.mark.parametrize("end", ["\x04", "hang up"])
async def test_the_end_of_input_ends_the_lines(typist: Typist, end: str) -> None:
    async with typist.keyboard:
        typist.type("last\r")
        assert await typist.line() == "last"
        if end == "hang up":
            os.close(typist.hands)
        else:
            typist.type(end)
        assert await typist.line() is None
        typist.screen.show(Text("still shown"))


async def test_the_terminal_is_left_as_it_was(typist: Typist) -> None:
    before = termios.tcgetattr(typist.terminal)
    async with typist.keyboard:
        assert not termios.tcgetattr(typist.terminal)[3] & termios.ECHO
        assert termios.tcgetattr(typist.terminal)[3] & termios.ISIG
    assert termios.tcgetattr(typist.terminal) == before
    assert typist.stream.getvalue().endswith("\r\x1b[K")


async def test_being_woken_for_nothing_is_no_end(typist: Typist, monkeypatch: pytest.MonkeyPatch) -> None:
    real_read, empty_handed = os.read, [BlockingIOError()]

    def read(descriptor: int, length: int) -> bytes:
        if empty_handed:
            raise empty_handed.pop()
        return real_read(descriptor, length)

    monkeypatch.setattr(os, "read", read)
    async with typist.keyboard:
        typist.type("a\r")
        assert await typist.line() == "a"
    assert not empty_handed


def test_a_screen_without_prompt_writes_no_escape() -> None:
    stream = io.StringIO()
    screen = Screen(stream, gone=nothing)
    screen.prompt(None)
    screen.log("a log line\n")
    assert stream.getvalue() == "a log line\n"
