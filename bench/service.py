"""The service as a process of its own, and what can be seen of it from outside and from within."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.report import ROOT
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.slack.server import SlackServer

_READY_WITHIN = 60.0
_ENDS_WITHIN = 40.0
"""Seconds; it gives itself 30."""


@dataclass(slots=True, kw_only=True)
class Service:
    """One life."""

    folder: Path
    process: asyncio.subprocess.Process
    log: Path
    inside: Path
    rest: httpx.AsyncClient

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_seconds(self) -> float:
        """Of all its threads, since it began."""
        ticks = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        return self._status("VmRSS")

    def peak_mb(self) -> float:
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        """kB there."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))

    def beats(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Of `bench.watched`, from that moment on (seconds since 1970)."""
        if not self.inside.exists():
            return []
        lines = self.inside.read_text().splitlines()
        # The last one may be half written.
        read = [json.loads(line) for line in lines if line.endswith("}")]
        return [beat for beat in read if beat["at"] > since]

    def logged(self, *levels: str) -> list[dict[str, Any]]:
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [read for read in map(json.loads, lines) if not levels or read["level"] in levels]

    async def metrics(self) -> dict[str, float]:
        """Every sample of GET /metrics by its name with labels."""
        lines = (await self.rest.get("/metrics")).raise_for_status().text.splitlines()
        samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    async def ready(self) -> None:
        """Raises RuntimeError with what it said, if it ends or stays silent instead."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_READY_WITHIN):
                while self.process.returncode is None:
                    if await self._is_ready():
                        return
                    await asyncio.sleep(0.02)
        raise RuntimeError(f"the service did not start:\n{self.log.read_text()}")

    async def _is_ready(self) -> bool:
        try:
            return (await self.rest.get("/ready")).status_code == 200
        except httpx.TransportError:
            return False

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code; minus the signal's number where one ended it."""
        await self.rest.aclose()
        if self.process.returncode is None:
            self.process.send_signal(number)
        try:
            async with asyncio.timeout(_ENDS_WITHIN):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


@asynccontextmanager
async def serving(
    folder: Path, environ: Mapping[str, str], *, command: Sequence[str] | None = None
) -> AsyncIterator[Service]:
    """It answers."""
    service = await begin(folder, environ, command=command)
    try:
        await service.ready()
        yield service
    finally:
        await service.end()


async def begin(folder: Path, environ: Mapping[str, str], *, command: Sequence[str] | None = None) -> Service:
    """It has been started, and does not answer yet. `command`: other than with a look inside."""
    life = sum(1 for _ in folder.glob("*.log")) + 1
    log, inside, port = folder / f"life-{life}.log", folder / f"life-{life}.jsonl", _free_port()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", *(command or ["bench.watched", str(inside)])],
            cwd=folder,  # no .env there
            env={**_BASICS, **_inherited(), "DATABASE_URL": database_url(folder), "PORT": port, **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
    rest = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
    return Service(folder=folder, process=process, log=log, inside=inside, rest=rest)


def _free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


_BASICS = {
    "PYTHONPATH": str(ROOT),
    "RATE_LIMIT_MAX_REQUESTS": "1000000",
    "RATE_LIMIT_WINDOW": "60000",
    "LOG_FORMAT": "json",
}


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "BENCH_STACKS") if name in os.environ}


def database_url(folder: Path) -> str:
    return f"sqlite:///{folder}/bench.db"


def novita_settings(novita: NovitaServer) -> dict[str, str]:
    return {"NOVITA_API_KEY": novita.api_key, "NOVITA_API_BASE_URL": novita.base_url}


def slack_settings(slack: SlackServer) -> dict[str, str]:
    """Over Socket Mode."""
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_BASE_URL": slack.api_url,
    }


def stalled(beat: Mapping[str, Any]) -> float:
    """Seconds for which the loop was busy at most, less those for which other processes had its core."""
    return float(beat["busy"] - beat["queued"])
