"""The demo in this process, for what its arguments and its surroundings change."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pty
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
import structlog
from demo_service import in_order

from bot import demo as demo_module
from bot.demo import demo
from bot.sandbox.slack.inspection import Inspector


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Logging, environment and signals are one for the whole process."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    monkeypatch.setattr(os, "environ", {**kept, "TMPDIR": str(tmp_path)})
    root = logging.getLogger()
    before = (root.handlers, root.level, logging.raiseExceptions)
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level, logging.raiseExceptions = before
    for name in ("bot", "storage"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


@contextlib.contextmanager
def typing(text: str) -> Iterator[TextIO]:
    """A pipe that gives this and ends."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    with os.fdopen(reading) as stream:
        yield stream


def played(text: str, monkeypatch: pytest.MonkeyPatch, *, script: Path | None = None, port: int = 0) -> int:
    with typing(text) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        return demo(script=script, port=port, page_port=0, speed=500)


def test_lines_are_played_until_quit(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = (
        "/gpu create 4090 a --template pytorch-jupyter\n\nwait\ncloud stop a\nwait\n"
        "cloud stop b\ncloud down\n/gpu delete a\nwait\nquit\n/gpu help\n"
    )
    assert played(lines, monkeypatch) == 0
    out, _ = capfd.readouterr()
    in_order(
        out,
        "gpu-bot demo:",
        "🟢 a is ready",
        "a was stopped.",
        "It was stopped outside this bot",
        "? Novita has no GPU for b",
        "The API is down",
        "? Novita is down, so this has to wait: a is deleting",
    )
    in_order(out, "instance.ready · running · sequence 2 · signature verified", "instance.stopped · stopped")
    assert "/gpu help" not in out


@pytest.mark.parametrize("stdin", ["at its end", "closed", "absent"])
def test_where_nobody_types_it_plays_by_itself(
    stdin: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_module, "MAIN_JOB", "# Nothing much.\n/gpu help\n")
    with typing("") as stream:
        if stdin == "closed":
            stream.close()
        monkeypatch.setattr(sys, "stdin", None if stdin == "absent" else stream)
        assert demo(script=None, port=0, page_port=0, speed=500) == 0
    in_order(capfd.readouterr().out, "Nobody is here to type", "— Nothing much.", "/gpu help", "For example")


def test_a_script_goes_before_what_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script"
    script.write_text("/gpu list\n")
    assert played("/gpu help\n", monkeypatch, script=script) == 0
    out, err = capfd.readouterr()
    assert "You have no instance." in out
    assert "For example" not in out
    assert err == ""


@pytest.mark.parametrize(
    ("speed", "port", "told"),
    [
        (0.0, 0, "--speed: read 0; allowed: 0.1 to 1000\n"),
        (1e9, 0, "--speed: read 1e+09; allowed: 0.1 to 1000\n"),
        (float("nan"), 0, "--speed: read nan; allowed: 0.1 to 1000\n"),
        (10.0, 99_999, 'PORT: read "99999"; allowed: 0 to 65535, where 0 is any free one\n'),
    ],
)
def test_bad_arguments_are_one_line_and_2(
    speed: float, port: int, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert demo(script=None, port=port, page_port=0, speed=speed) == 2
    assert capfd.readouterr() == ("", told)


@pytest.mark.parametrize(
    ("content", "told"), [(None, "No such file or directory"), (b"\xff\xfe/gpu", "it is not UTF-8")]
)
def test_a_script_that_cannot_be_read_is_said(
    content: bytes | None, told: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script"
    if content is not None:
        script.write_bytes(content)
    assert demo(script=script, port=0, page_port=0, speed=10) == 2
    assert capfd.readouterr() == ("", f"--script: cannot read {script}: {told}\n")


def test_a_bad_log_setting_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    os.environ["LOG_LEVEL"] = "loud"
    assert demo(script=None, port=0, page_port=0, speed=10) == 2
    assert capfd.readouterr().err.startswith('LOG_LEVEL: read "loud"')


def test_a_port_that_is_taken_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert played("/gpu list\n", monkeypatch, port=port) == 1
    assert f"Cannot listen at 127.0.0.1, port {port}: Address already in use." in capfd.readouterr().err


def test_the_log_goes_to_stderr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    os.environ["LOG_LEVEL"] = "info"
    assert played("/gpu help\n", monkeypatch) == 0
    out, err = capfd.readouterr()
    assert "database.migrated" in err
    assert "database.migrated" not in out


def test_a_reader_who_leaves_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert played("/gpu help\nwait\n/gpu help\n", monkeypatch) == 0


def test_at_a_terminal_a_person_types(monkeypatch: pytest.MonkeyPatch) -> None:
    hands, terminal = pty.openpty()
    os.environ["TERM"] = "xterm"
    shown = io.BytesIO()

    def watch() -> None:
        keys = [(b"gpu \xe2\x80\xba ", b"/gpu list\r"), (b"You have no instance.", b"wait\r")]
        keys.append((b"Nothing is under way.", b"\x04"))
        with contextlib.suppress(OSError):
            while chunk := os.read(hands, 65_536):
                shown.write(chunk)
                if keys and keys[0][0] in shown.getvalue():
                    os.write(hands, keys.pop(0)[1])

    watching = threading.Thread(target=watch)
    watching.start()
    with os.fdopen(terminal, "r", closefd=False) as stdin, os.fdopen(terminal, "w") as stdout:
        for name, stream in (("stdin", stdin), ("stdout", stdout), ("stderr", stdout)):
            monkeypatch.setattr(sys, name, stream)
        assert demo(script=None, port=0, page_port=0, speed=500) == 0
    watching.join(10)
    os.close(hands)
    in_order(shown.getvalue().decode(), "You are ada in #gpu.", "/gpu list", "Nothing is under way.")


def test_what_slack_would_not_take_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def inspect(inspector: Inspector, where: str, _payload: object) -> None:
        inspector.record(where, "an emoji too many")

    monkeypatch.setattr(Inspector, "message", inspect)
    assert played("/gpu help\n", monkeypatch) == 0
    assert "? Slack would not have taken this: answer to a command: an emoji" in capfd.readouterr().out
