"""`gpu-bot run` as it is, with a look inside: `python -m bench.watched FILE`.

Once a second a line of JSON is added to FILE: memory, tasks, file descriptors, and for how long the loop has
been busy at most between two looks at what has come in. Nobody is woken up for that but once a second.
With BENCH_STACKS=1 a thread notes where the loop stands when it has been busy for long: that costs time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import IO, Any

from bot import __main__ as program
from bot import app

_LONG = 0.05
"""Seconds for which the loop is busy before somebody looks where it stands."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_NOTHING = {"busy": 0.0, "own": 0.0, "queued": 0.0}


class Watch:
    """Stands between the loop and its selector: from an answer to the next question it is busy."""

    def __init__(self, loop: Any) -> None:
        self._select: Callable[..., Any] = loop._selector.select
        loop._selector.select = self._looked
        self._queue = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self.busy_since = time.perf_counter()
        self._own_since, self._queued_since = time.thread_time(), self._queued()
        self._longest = _NOTHING
        self.stacks: Counter[str] = Counter()

    def take(self) -> dict[str, float]:
        """The longest time busy since it was taken last; of that, how long the loop's thread was at work, and
        how long it was ready and had no core. Seconds."""
        taken, self._longest = self._longest, _NOTHING
        return taken

    def _looked(self, timeout: float | None = None) -> Any:
        busy, queued = time.perf_counter() - self.busy_since, self._queued() - self._queued_since
        if busy - queued > self._longest["busy"] - self._longest["queued"]:
            own = time.thread_time() - self._own_since
            self._longest = {"busy": busy, "own": own, "queued": queued}
        self.busy_since = float("inf")
        found = self._select(timeout)
        self._own_since, self.busy_since, self._queued_since = (
            time.thread_time(), time.perf_counter(), self._queued()
        )  # fmt: skip
        return found

    def _queued(self) -> float:
        return int(os.pread(self._queue, 64, 0).split()[1]) / 1e9


async def watched(run: Callable[..., Coroutine[Any, Any, int]], file: Path, *given: Any, **named: Any) -> int:
    watch = Watch(asyncio.get_running_loop())
    if os.environ.get("BENCH_STACKS"):
        thread = threading.get_ident()
        threading.Thread(target=_look_where, args=(watch, thread), daemon=True).start()
    with file.open("a") as lines:
        writing = asyncio.create_task(_write(watch, lines))
        try:
            return await run(*given, **named)
        finally:
            writing.cancel()


async def _write(watch: Watch, lines: IO[str]) -> None:
    while True:
        await asyncio.sleep(1)
        line = {"at": time.time(), **watch.take(), "tasks": len(asyncio.all_tasks()), **_process()}
        stacks, watch.stacks = watch.stacks, Counter()
        lines.write(json.dumps(line | ({"stacks": stacks.most_common(5)} if stacks else {})) + "\n")
        lines.flush()


def _process() -> dict[str, float]:
    return {
        "rss_mb": int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 2**20,
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "threads": threading.active_count(),
        "cpu": time.process_time(),
    }


def _look_where(watch: Watch, thread: int) -> None:
    while True:
        time.sleep(0.01)
        if time.perf_counter() - watch.busy_since > _LONG:
            stacks = {n: f for n, f in sys._current_frames().items() if n != threading.get_ident()}
            where = _short(traceback.extract_stack(stacks[thread]))
            others = [_short(traceback.extract_stack(f)[-3:]) for n, f in stacks.items() if n != thread]
            watch.stacks[f"{where} || {' | '.join(o for o in others if 'threading' not in o)}"] += 1


def _short(stack: Any) -> str:
    return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(stack[-12:]))


def main() -> int:
    app.run = partial(watched, app.run, Path(sys.argv[1]))  # type: ignore[assignment]
    return program.main(["run"])


if __name__ == "__main__":
    sys.exit(main())
