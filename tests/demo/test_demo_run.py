"""The whole demo, as people and CI start it."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from demo_service import QUICK, SECONDS, command, environment, in_order, play

QUOTED = ("/gpu create 4090 my-train", "Nothing is rented yet.", "[ Launch ]", "presses Launch")
ANSWERED = (*QUOTED, "only ada sees this", "Creating my-train: 4090")
"""The answer and the card come by different ways, now this one first, now that."""
MAIN_JOB = (
    *QUOTED,
    "│ ⏳ Creating  my-train",
    "[ Status ]  [ Delete ]",
    "🔄 Starting  my-train",
    "CN-HK-01 (Hong Kong)",
    "@ada 🟢 my-train is ready.",
    "/gpu list",
    "My instances (1)",
    "/gpu status my-train",
    "Novita says running",
    "/gpu ssh my-train",
    "SSH password:",
    "/gpu stop my-train",
    "my-train was stopped by @ada.",
    "/gpu start my-train",
    "my-train is running again.",
    "/gpu delete my-train",
    "my-train was deleted by @ada.",
)
WEBHOOKS = tuple(
    f"instance.{event} · {status} · sequence {number} · signature verified"
    for event, status, number in (
        ("ready", "running", 2),
        ("stopped", "stopped", 4),
        ("started", "running", 6),
        ("deleted", "deleted", 8),
    )
)


@pytest.mark.slow
def test_with_nobody_there_it_plays_the_main_job_and_ends(tmp_path: Path) -> None:
    run = play(None, folder=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    in_order(run.stdout, "gpu-bot demo:", "curl http://127.0.0.1:", "Nobody is here to type", *MAIN_JOB)
    in_order(run.stdout, *ANSWERED)
    in_order(run.stdout, *WEBHOOKS)
    assert "\x1b" not in run.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_script_is_played_to_its_end(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(
        "# A form\n/gpu create\nfill gpu=4090 template=pytorch name=a\nwait\nwhat?\nas gus\n/gpu\n"
    )
    run = play("/gpu help\n", "--script", str(script), folder=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    in_order(
        run.stdout,
        "— A form",
        "/gpu create",
        "╭─ Rent a GPU",
        "sends the form",
        "template: pytorch",
        "🟢 a is ready",
        "? That is no line of the demo.",
        "Gus Single",
        "🔒 Guests",
    )
    assert "/gpu help" not in run.stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_in_order_in_the_midst_of_a_create(number: signal.Signals, tmp_path: Path) -> None:
    with started(tmp_path, "--speed", "1") as demo:
        demo.type("/gpu create 4090 my-train --template pytorch-jupyter\nwait\n")
        demo.until("Novita says")
        demo.end(number)
    assert "Traceback" not in demo.shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_rest_is_where_it_says(tmp_path: Path) -> None:
    with started(tmp_path) as demo:
        address = demo.until(r"curl (http://127\.0\.0\.1:\d+/api/instances)")
        answer = httpx.get(address, trust_env=False)
        assert answer.json()["instances"] == []
        demo.end(signal.SIGTERM)


@pytest.mark.slow
def test_a_reader_who_leaves_ends_it(tmp_path: Path) -> None:
    line = f"yes /gpu list 2>&- | {' '.join(command(*QUICK))} | head -n 3; exit ${{PIPESTATUS[1]}}"
    run = in_bash(line, tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(run.stdout.splitlines()) == 3


@pytest.mark.slow
def test_standard_input_may_be_closed(tmp_path: Path) -> None:
    run = in_bash(f"exec {' '.join(command(*QUICK))} <&-", tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert "my-train was deleted" in run.stdout


@pytest.mark.slow
def test_somebody_at_a_terminal_is_shown_what_to_type(tmp_path: Path) -> None:
    with started(tmp_path, TERM="xterm") as demo:
        demo.until("Type this first:")
        demo.type("/gpu lisz\x7ft\r")
        demo.until("You have no instance.")
        demo.type("wait\r")
        demo.until("Nothing is under way.")
        demo.type("\x04")
        demo.wait()
    assert "ada in #gpu › " in demo.shown


def in_bash(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )


class Demo:
    """One that was started before a pseudo terminal."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], more: dict[str, str]) -> None:
        self.shown = ""
        self._hands, terminal = pty.openpty()
        temporary = {"TMPDIR": str(folder), "TERM": "dumb", "COLUMNS": "90", **more}
        self._process = subprocess.Popen(
            command(*(arguments or QUICK)),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=folder,
            env=environment(**temporary),
            start_new_session=True,
        )
        os.close(terminal)

    def type(self, keys: str) -> None:
        os.write(self._hands, keys.encode())

    def until(self, pattern: str) -> str:
        """The first group of what fits, or all of it."""
        deadline = time.monotonic() + SECONDS
        while (found := re.search(pattern, self.shown)) is None:
            ready, _, _ = select.select([self._hands], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{pattern!r} is not there:\n{self.shown}"
            self._read()
        return found[found.re.groups and 1]

    def end(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        self.wait()

    def wait(self) -> None:
        while self._read():
            pass
        assert self._process.wait(SECONDS) == 0, self.shown

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._hands)

    def _read(self) -> bool:
        """False once the other side has closed it."""
        try:
            chunk = os.read(self._hands, 65_536)
        except OSError:
            return False
        self.shown += chunk.decode(errors="replace").replace("\r\n", "\n")
        return True


@contextmanager
def started(folder: Path, *arguments: str, **more: str) -> Iterator[Demo]:
    demo = Demo(folder, arguments, more)
    try:
        yield demo
    finally:
        demo.close()
