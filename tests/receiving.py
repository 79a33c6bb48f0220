"""The receivers of docs/examples as processes of their own, started just as a reader of that page would."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
PROGRAMS = {"python": (sys.executable, "receiver.py"), "node": ("node", "receiver.mjs")}


def tool(name: str) -> str:
    """Its path; without it the test is skipped, which is a failure in CI."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


class ReceiverProcess:
    def __init__(self, process: subprocess.Popen[str], changed: Callable[[], None]) -> None:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("listening at "), first
        self.url = first.removeprefix("listening at ").strip()
        self.older_url = self.url.replace("/webhook", "/older")
        self.lines: list[str] = []
        self._process = process
        self._changed = changed
        self._printed = threading.Condition()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._printed:
                self.lines.append(line.rstrip())
                self._printed.notify_all()
            self._changed()

    def wait_for(self, line: str, within: float = 30) -> None:
        with self._printed:
            assert self._printed.wait_for(lambda: line in self.lines, within), self.lines

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._reading.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def receiving(
    program: str, environ: Mapping[str, str], changed: Callable[[], None] = lambda: None
) -> Iterator[ReceiverProcess]:
    """`changed` is called in a thread of its own after each line that it prints."""
    interpreter, file = PROGRAMS[program]
    process = subprocess.Popen(
        [tool(interpreter), str(EXAMPLES / file)],
        env={"PORT": "0", **environ},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    receiver = ReceiverProcess(process, changed)
    try:
        yield receiver
    finally:
        receiver.close()
