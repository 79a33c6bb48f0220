"""The service as a process of its own: what it writes, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.crash.service import Orders

ROOT = Path(__file__).parents[2]
_LONGEST_LINE = 2**20


class Service:
    """One life of the service, from its start to its exit."""

    def __init__(self, pid: int, output: asyncio.StreamReader, changed: Callable[[], None]) -> None:
        self.pid = pid
        self.lines: list[str] = []
        self.exit_code: int | None = None
        self.port = 0
        """Of REST; 0: not ready yet."""
        self._changed = changed
        self._output = output
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def program(cls, environ: Mapping[str, str], cwd: Path, changed: Callable[[], None]) -> Self:
        """`python -m bot`, with nothing of this process's environment."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot",
            cwd=cwd, env=dict(environ), limit=_LONGEST_LINE,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        service = cls(process.pid, process.stdout, changed)
        service._reading = asyncio.create_task(service._read(process.wait))
        return service

    @classmethod
    async def born(cls, nursery: Nursery, orders: Orders, changed: Callable[[], None]) -> Self:
        reader, writer = await asyncio.open_unix_connection(nursery.address, limit=_LONGEST_LINE)
        writer.write((json.dumps(asdict(orders)) + "\n").encode())
        service = cls(json.loads(await reader.readline())["pid"], reader, changed)
        service._reading = asyncio.create_task(service._read(_nothing, writer))
        return service

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line.get("event") == event]

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def is_frozen(self) -> bool:
        """By SIGSTOP."""
        try:
            words = Path(f"/proc/{self.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return words.rpartition(") ")[2].startswith("T")

    async def over(self, within: float = 10.0) -> int:
        """The exit code; minus the signal's number where one ended it."""
        assert self._reading is not None
        async with asyncio.timeout(within):
            await asyncio.shield(self._reading)
        assert self.exit_code is not None
        return self.exit_code

    def _signal(self, number: signal.Signals) -> None:
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _read(
        self, end: Callable[[], Awaitable[int | None]], writer: asyncio.StreamWriter | None = None
    ) -> None:
        async for line in self._output:
            self._take(line.decode().rstrip())
            self._changed()
        code = await end()
        self.exit_code = self.exit_code if code is None else code
        if writer is not None:
            writer.close()
        self._changed()

    def _take(self, line: str) -> None:
        said = json.loads(line) if line.startswith("{") else {}
        if "exit" in said:
            self.exit_code = said["exit"]
            return
        self.lines.append(line)
        if said.get("event") == "service.ready":
            self.port = said["port"]
        elif " service.ready " in line:
            self.port = int(re.findall(r" port=(\d+)", line)[0])


class Nursery:
    """The process that services are forked from; see `tests.crash.service`."""

    _one: ClassVar[Nursery | None] = None
    _users: ClassVar[int] = 0

    @classmethod
    @contextmanager
    def shared(cls) -> Iterator[Nursery]:
        """One for all who have it at the same time."""
        cls._one = cls._one or cls()
        cls._users += 1
        try:
            yield cls._one
        finally:
            cls._users -= 1
            if not cls._users:
                cls._one.close()
                cls._one = None

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gpu-bot-"))
        self.address = str(self._folder / "nursery")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.service", self.address],
            cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def close(self) -> None:
        self._process.communicate(timeout=10)
        shutil.rmtree(self._folder)


async def _nothing() -> None:
    """Its exit code came with its last line."""
