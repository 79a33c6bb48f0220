"""How fast REST answers, by `wrk` with 10 connections: `python bench/rest.py [SECONDS] [--json FILE]`.

The service is a process of its own on a SQLite file, with the sandbox's Novita beside it and 100 running
instances in it; `RATE_LIMIT_MAX_REQUESTS` is raised. Each POST is on disk before its 201. Server, Novita and
wrk share the cores of one machine: conditions are printed beside the figures, and the CPU time that the
service took for a request (all its threads, and what goes on in the background), which depends less on them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.novita.timeline import Timeline

PORT = 38_912
BASE = f"http://127.0.0.1:{PORT}"
INSTANCES = 100
CONNECTIONS = 10
BODY = {"name": "bench", "productName": "RTX 4090 24GB", "templateId": "pytorch-jupyter"}
WANTED = {
    "GET /health": 1_000,
    "GET /api/instances": 391,
    "GET /api/instances/{id}": 1_606,
    "POST /api/instances": 462,
}
WORST_P99_MS = 200
SHORT = ("pending", "to_create", "creating", "pulling_min", "pulling_max", "to_start", "starting")
QUICK = Timeline(**{name: timedelta(seconds=0.05) for name in SHORT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    route: str
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    failed: int
    wanted: int

    @property
    def good(self) -> bool:
        return self.per_second >= self.wanted and self.p99_ms < WORST_P99_MS and not self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    rest: httpx.AsyncClient
    pid: int

    def cpu_seconds(self) -> float:
        ticks = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def serving(folder: Path, novita: NovitaServer, **environ: str) -> AsyncIterator[Service]:
    """The service, answering."""
    settings = {
        "PATH": os.environ["PATH"],
        "NOVITA_API_KEY": novita.api_key,
        "NOVITA_API_BASE_URL": novita.base_url,
        "DATABASE_URL": f"sqlite:///{folder}/bench.db",
        "PORT": str(PORT),
        "RATE_LIMIT_MAX_REQUESTS": "1000000",
        "RATE_LIMIT_WINDOW": "60000",
        "LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", env=settings | environ)
    try:
        async with httpx.AsyncClient(base_url=BASE, trust_env=False, timeout=30) as rest:
            await until_ready(rest)
            yield Service(rest=rest, pid=process.pid)
    finally:
        process.terminate()
        await process.wait()


async def until_ready(rest: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if (await rest.get("/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def fill(rest: httpx.AsyncClient) -> str:
    """100 running ones; the id of one."""
    made = [await rest.post("/api/instances", json=BODY | {"name": f"bench-{n}"}) for n in range(INSTANCES)]
    async with asyncio.timeout(120):
        while (await rest.get("/api/instances?status=running")).json()["total"] < INSTANCES:
            await asyncio.sleep(0.5)
    return str(made[0].json()["instanceId"])


async def wrk(service: Service, seconds: int, route: str, path: str, script: Path | None = None) -> Figure:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    command += ["-s", str(script)] if script else []
    before = service.cpu_seconds()
    process = await asyncio.create_subprocess_exec(*command, BASE + path, stdout=asyncio.subprocess.PIPE)
    said = (await process.communicate())[0].decode()
    spent = service.cpu_seconds() - before
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    per_second = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if per_second is None:
        raise RuntimeError(said)
    return Figure(
        route=route,
        per_second=float(per_second[1]),
        p50_ms=milliseconds(said, "50%"),
        p99_ms=milliseconds(said, "99%"),
        cpu_ms=1_000 * spent / (float(per_second[1]) * seconds),
        failed=int(failed[1]) if failed else 0,
        wanted=WANTED[route],
    )


def milliseconds(said: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", said)
    if found is None:
        raise RuntimeError(said)
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1_000}[found[2]]


def posting(folder: Path) -> Path:
    script = folder / "post.lua"
    body = json.dumps(BODY)
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = '{body}'\nwrk.headers['Content-Type'] = 'application/json'\n"
    )
    return script


async def measure(seconds: int) -> list[Figure]:
    async with NovitaServer(Cloud(clock=now, timeline=QUICK)) as novita:
        return [*await reading(seconds, novita), await writing(seconds, novita)]


async def reading(seconds: int, novita: NovitaServer) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        async with serving(Path(name), novita, NOVITA_RATE_LIMIT="10000") as service:
            one = await fill(service.rest)
            return [
                await wrk(service, seconds, "GET /health", "/health"),
                await wrk(service, seconds, "GET /api/instances", f"/api/instances?limit={INSTANCES}"),
                await wrk(service, seconds, "GET /api/instances/{id}", f"/api/instances/{one}"),
            ]


async def writing(seconds: int, novita: NovitaServer) -> Figure:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with serving(folder, novita) as service:
            return await wrk(service, seconds, "POST /api/instances", "/api/instances", posting(folder))


def table(figures: list[Figure]) -> Iterator[str]:
    yield f"{'route':<26}{'per second':>12}{'wanted':>8}{'p50 ms':>9}{'p99 ms':>9}{'cpu ms':>9}{'failed':>8}"
    for f in figures:
        yield (
            f"{f.route:<26}{f.per_second:>12.0f}{f.wanted:>8}{f.p50_ms:>9.1f}{f.p99_ms:>9.1f}{f.cpu_ms:>9.2f}{f.failed:>8}"
            f"{'' if f.good else '   below'}"
        )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", nargs="?", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    figures = asyncio.run(measure(asked.seconds))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
    print("\n".join(table(figures)))
    if asked.json:
        asked.json.write_text(json.dumps([asdict(f) for f in figures], indent=2) + "\n")
    return 0 if all(f.good for f in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
