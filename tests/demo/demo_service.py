"""The demo as it is started, in this process and in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUICK = ("--speed", "200")
SECONDS = 60
"""For a run that takes a few on an idle machine."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bot", "demo", *arguments]


def environment(**more: str) -> dict[str, str]:
    """Without what the machine that runs the tests may have set."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "SYSTEMROOT")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return {**found, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "TZ": "UTC", **more}


def play(
    lines: Sequence[str] | str | None,
    *arguments: str,
    folder: Path,
    more: Mapping[str, str] | None = None,
    program: Sequence[str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """`lines` on standard input; None: it is /dev/null."""
    text = lines if lines is None or isinstance(lines, str) else "\n".join(lines)
    return subprocess.run(
        [*(program or command()), *QUICK, *arguments],
        **({"stdin": subprocess.DEVNULL} if text is None else {"input": text}),  # type: ignore[call-overload]
        cwd=folder,
        env=environment(**(more or {})),
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )


def in_order(text: str, *wanted: str) -> None:
    """Each after the one before it; says which one is missing."""
    at = 0
    for words in wanted:
        found = text.find(words, at)
        assert found >= 0, f"{words!r} is not there, or not after what comes before it, in:\n{text}"
        at = found + len(words)
