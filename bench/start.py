"""How long `gpu-bot run` takes to answer /health, and what it weighs then: `python bench/start.py [RUNS]`.

Slack and Novita are the sandbox's servers, in this process. The first run warms the file cache and is not
counted. Conditions are printed beside the figures: on a shared machine read them as upper bounds.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

PORT = 38_911
WITHIN = 30.0


def now() -> datetime:
    return datetime.now(UTC)


async def one_start(novita: NovitaServer, slack: SlackServer, folder: Path) -> tuple[float, int]:
    """Seconds to the first 200, and resident memory in MB two seconds later."""
    environ = {
        "PATH": os.environ["PATH"],
        "NOVITA_API_KEY": novita.api_key,
        "NOVITA_API_BASE_URL": novita.base_url,
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_BASE_URL": slack.api_url,
        "DATABASE_URL": f"sqlite:///{folder}/bench.db",
        "PORT": str(PORT),
        "LOG_LEVEL": "error",
    }
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "bot"], env=environ)
    try:
        seconds = await answering(begun)
        await asyncio.sleep(2)
        return seconds, resident_mb(process.pid)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def answering(begun: float) -> float:
    async with httpx.AsyncClient(trust_env=False) as http:
        while time.perf_counter() - begun < WITHIN:
            try:
                if (await http.get(f"http://127.0.0.1:{PORT}/health")).status_code == 200:
                    return time.perf_counter() - begun
            except httpx.TransportError:
                await asyncio.sleep(0.01)
    raise TimeoutError(f"no answer within {WITHIN} s")


def resident_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


async def main(runs: int) -> None:
    async with (
        NovitaServer(Cloud(clock=now)) as novita,
        SlackServer(Workspace(clock=now)) as slack,
    ):
        with tempfile.TemporaryDirectory() as folder:
            found = [await one_start(novita, slack, Path(folder)) for _ in range(runs + 1)][1:]
    times, sizes = zip(*found, strict=True)
    print(
        f"{runs} starts, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {sys.version.split()[0]}"
    )
    print(f"to /health 200: {min(times):.2f} to {max(times):.2f} s, median {statistics.median(times):.2f} s")
    print(f"resident: {min(sizes)} to {max(sizes)} MB, median {statistics.median(sizes):.0f} MB")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
