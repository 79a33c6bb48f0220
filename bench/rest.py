"""How fast REST answers, by `wrk` with 10 connections: `python -m bench.rest [SECONDS]`.

The service is a process of its own on a SQLite file, with the sandbox's Novita beside it and 100 running
instances in it; `RATE_LIMIT_MAX_REQUESTS` is raised. Each POST is on disk before its 201. Server, Novita and
wrk share the cores of one machine: conditions are printed beside the figures, and the CPU time that the
service took for a request (all its threads, and what goes on in the background), which depends less on them.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from bench.novita import QUICK, now
from bench.report import Report, arguments
from bench.service import Service, novita_settings, serving
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.server import NovitaServer

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
QUIET = {"LOG_LEVEL": "warn"}


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
    process = await asyncio.create_subprocess_exec(
        *command, str(service.rest.base_url.join(path)), stdout=asyncio.subprocess.PIPE
    )
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
        async with serving(
            Path(name), {**QUIET, **novita_settings(novita), "NOVITA_RATE_LIMIT": "10000"}
        ) as service:
            one = await fill(service.rest)
            return [
                await wrk(service, seconds, "GET /health", "/health"),
                await wrk(service, seconds, "GET /api/instances", f"/api/instances?limit={INSTANCES}"),
                await wrk(service, seconds, "GET /api/instances/{id}", f"/api/instances/{one}"),
            ]


async def writing(seconds: int, novita: NovitaServer) -> Figure:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with serving(folder, {**QUIET, **novita_settings(novita)}) as service:
            return await wrk(service, seconds, "POST /api/instances", "/api/instances", posting(folder))


def rows(figures: Sequence[Figure]) -> list[dict[str, object]]:
    return [
        {
            "route": f.route,
            "per second": f.per_second,
            "wanted": f.wanted,
            "p50 ms": f.p50_ms,
            "p99 ms": f.p99_ms,
            "cpu ms": f.cpu_ms,
            "failed": f.failed,
            "missed": "" if f.good else "below",
        }
        for f in figures
    ]


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("seconds", nargs="?", type=int, default=5, help="for each route (default: 5)")
    asked = parser.parse_args()
    report = Report(name="rest")
    figures = asyncio.run(measure(asked.seconds))
    report.end({"REST": rows(figures)}, figures=[asdict(f) for f in figures])
    return 0 if all(f.good for f in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
