"""How long `gpu-bot run` takes to be ready, and what it weighs then: `python -m bench.start [RUNS]`.

Slack and Novita are the sandbox's servers, in this process. The first run migrates and warms the file cache,
and is not counted. On a shared machine read the figures as upper bounds.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.novita import now
from bench.report import Report, arguments, quantile
from bench.service import begin, novita_settings, slack_settings
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

_SETTLED_AFTER = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """`seconds` to the first 200 of /ready; `resident_mb` two seconds later."""

    seconds: float
    resident_mb: float


async def one_start(novita: NovitaServer, slack: SlackServer, folder: Path) -> Start:
    environ = {**novita_settings(novita), **slack_settings(slack)}
    began = time.perf_counter()
    service = await begin(folder, environ, command=["bot"])
    try:
        await service.ready()
        seconds = time.perf_counter() - began
        await asyncio.sleep(_SETTLED_AFTER)
        return Start(seconds=seconds, resident_mb=service.resident_mb())
    finally:
        await service.end()


async def measure(runs: int) -> list[Start]:
    async with NovitaServer(Cloud(clock=now)) as novita, SlackServer(Workspace(clock=now)) as slack:
        with tempfile.TemporaryDirectory(prefix="gpu-bot-bench-") as folder:
            return [await one_start(novita, slack, Path(folder)) for _ in range(runs + 1)][1:]


def row(name: str, values: list[float]) -> dict[str, object]:
    return {"of": name, "least": min(values), "median": quantile(values, 0.5), "most": max(values)}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=5, help="how many are counted (default: 5)")
    asked = parser.parse_args()
    report = Report(name="start")
    starts = asyncio.run(measure(asked.runs))
    times = row("to /ready 200, s", [start.seconds for start in starts])
    report.end({"Starts": [times, row("resident, MB", [start.resident_mb for start in starts])]})


if __name__ == "__main__":
    main()
