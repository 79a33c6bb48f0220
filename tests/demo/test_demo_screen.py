from __future__ import annotations

import io
import logging
import os

import pytest
from demo_world import Terminal, nothing
from rich.text import Text

from bot.sandbox.terminal.frames import Behind, barred
from bot.sandbox.terminal.screen import LogStream, Prompt, Screen


def prompt(_width: int) -> Prompt:
    return Prompt(text=Text("> "), back=0)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    return Terminal()


def test_a_wide_terminal_is_not_filled_and_a_file_has_one_width(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert Screen(terminal, gone=nothing).width == 120
    assert Screen(io.StringIO(), gone=nothing).width == 100
    monkeypatch.setenv("COLUMNS", "60")
    assert Screen(terminal, gone=nothing).width == 60


def test_parts_are_indented_line_by_line() -> None:
    stream = io.StringIO()
    Screen(stream, gone=nothing).show(
        Text("one\ntwo"), Text(""), Text("x" * 150, overflow="ignore"), indent=2
    )
    assert stream.getvalue() == f"  one\n  two\n  \n  {'x' * 150}\n"


def test_log_lines_and_conversation_share_the_terminal(terminal: Terminal) -> None:
    screen = Screen(terminal, gone=nothing)
    screen.prompt(prompt)
    handler = logging.StreamHandler(LogStream(screen))
    handler.emit(logging.makeLogRecord({"msg": "careful"}))
    assert LogStream(screen).isatty()
    assert terminal.getvalue() == "> \r\x1b[Kcareful\n> "


def test_a_reader_who_has_gone_is_told_of_once_and_breaks_nothing() -> None:
    reading, writing = os.pipe()
    told: list[bool] = []
    with os.fdopen(writing, "w") as stream:
        screen = Screen(stream, gone=lambda: told.append(True))
        os.close(reading)
        for _ in range(3):
            screen.show(Text("anybody there?"))
            screen.log("anybody there?")
        assert told == [True]
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, writing)
        os.close(devnull)


def test_what_an_encoding_lacks_is_a_question_mark() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Screen(stream, gone=nothing).show(Text("🟢 ready"), barred([Text("notice")]))
    stream.flush()
    assert raw.getvalue() == b"? ready\n? notice\n"


def test_lines_behind_something_are_wrapped_before_the_edge() -> None:
    stream = io.StringIO()
    Screen(stream, gone=nothing).show(Behind("  " * 5, Text("word " * 30)))
    assert all(line.startswith(" " * 10) and len(line) <= 100 for line in stream.getvalue().splitlines())
