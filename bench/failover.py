"""What becomes of the work when replicas are killed: `python -m bench.failover [MINUTES] [--json FILE]`.

Two replicas on one PostgreSQL, their clocks five minutes apart, between the sandbox's Slack and Novita.
People create, stop, start and delete without a pause; every ten seconds one replica is killed by SIGKILL and
another one started. In the end all is left to finish, and what was bought and told is compared with the rows.
Leases are those of life (20 s). All share the cores of one machine: conditions stand beside the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import itertools
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.e2e.lives import Nursery, Service
from tests.e2e.replicas import Replicas
from tests.e2e.stage import CREATE, GPU, staged
from tests.storage.storage_postgres import clone, running_server

_HELD = """
SELECT lease_token FROM instances WHERE lease_token IS NOT NULL AND due_at IS NOT NULL
UNION SELECT lease_token FROM deliveries WHERE lease_token IS NOT NULL
UNION SELECT lease_token FROM cards WHERE lease_token IS NOT NULL
"""
_COUNTS = """
SELECT (SELECT count(*) FROM instances) AS instances,
       (SELECT count(*) FROM deliveries) AS deliveries,
       (SELECT count(*) FROM instances WHERE error LIKE '%UNCONFIRMED%') AS unconfirmed
"""

TIMINGS = {
    "lease": 20.0,
    "renew_every": 7.0,
    "fast_poll": 1.0,
    "slow_poll": 2.0,
    "tick": 0.5,
    "unconfirmed_after": 8.0,
    "startup_timeout": 120.0,
}
ALIVE = 12
"""Instances that people keep."""
FIVE_MINUTES = 300.0
LEFT_TO_FINISH = 120.0
WORST_TAKEOVER = 30.0


@dataclass(kw_only=True)
class Figures:
    minutes: float
    kills: int = 0
    commands: int = 0
    unheard: int = 0
    """Commands that reached a dying replica and were said again."""
    instances: int = 0
    unconfirmed: int = 0
    """Begun by a dying replica, and never sent."""
    deliveries: int = 0
    lost: int = 0
    doubled: int = 0
    missing: int = 0
    unfinished: int = 0
    """Still under way two minutes after the last command."""
    repeated: int = 0
    """Told twice: killed between sending and noting it."""
    slowest_takeover_s: float = 0.0
    longest_without_a_list_s: float = 0.0
    faults: list[str] = field(default_factory=list)
    """Which GPUs, instances and deliveries those are."""
    conditions: dict[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        return (
            not (self.lost or self.doubled or self.missing or self.unfinished)
            and self.slowest_takeover_s < WORST_TAKEOVER
        )


class Load:
    """People, until they are told to stop."""

    def __init__(self, replicas: Replicas, figures: Figures, seed: int) -> None:
        self._replicas = replicas
        self._figures = figures
        self._rng = random.Random(seed)
        self._asked = 0
        self.over = False

    async def run(self) -> None:
        while not self.over:
            await self._say(self._next())
            await asyncio.sleep(self._rng.uniform(0.2, 0.8))

    def _next(self) -> str:
        rows = self._replicas.rows(
            "SELECT name, state FROM instances WHERE state NOT IN ('failed', 'deleted')"
        )
        by_state = {
            state: [row["name"] for row in rows if row["state"] == state] for state in ("running", "stopped")
        }
        chosen = self._rng.choices(("delete", "stop", "start"), weights=(2, 2, 3))[0]
        candidates = by_state["stopped" if chosen == "start" else "running"]
        if len(rows) < ALIVE or not candidates:
            self._asked += 1
            return CREATE.format(f"load-{self._asked}")
        return f"/gpu {chosen} {self._rng.choice(candidates)}"

    async def _say(self, line: str) -> None:
        self._figures.commands += 1
        stage = self._replicas.stage
        reply = await stage.ada.command(line, channel=GPU)
        while not reply.ok and not self.over:
            self._figures.unheard += 1
            await asyncio.sleep(0.2)
            reply = await stage.ada.command(line, channel=GPU)


class Killer:
    def __init__(self, replicas: Replicas, figures: Figures, seed: int) -> None:
        self._replicas = replicas
        self._figures = figures
        self._rng = random.Random(seed)
        self._takeovers: list[asyncio.Task[None]] = []

    async def run(self, until: float, every: float) -> None:
        while time.monotonic() + every < until:
            await asyncio.sleep(every)
            await self._kill(self._rng.choice(self._replicas.alive))
            await start(self._replicas)
        await asyncio.gather(*self._takeovers)

    async def _kill(self, victim: Service) -> None:
        held = self._held()
        await self._replicas.kill(victim)
        self._figures.kills += 1
        self._takeovers.append(asyncio.create_task(self._watch(held, time.monotonic())))

    async def _watch(self, held: set[str], killed_at: float) -> None:
        """Until the last row that was under way then is so no more, or is another's."""
        while held & self._held():
            await asyncio.sleep(0.2)
        took = time.monotonic() - killed_at
        self._figures.slowest_takeover_s = max(self._figures.slowest_takeover_s, round(took, 1))

    def _held(self) -> set[str]:
        return {row["lease_token"] for row in self._replicas.rows(_HELD)}


async def start(replicas: Replicas) -> None:
    """Every other one on a machine whose clock is wrong."""
    ahead = FIVE_MINUTES * (len(replicas.stage.lives) % 2)
    await replicas.start(timings=TIMINGS, ahead=ahead)


async def run(url: str, asked: argparse.Namespace) -> Figures:
    figures = Figures(minutes=asked.minutes)
    with tempfile.TemporaryDirectory() as folder, Nursery.shared() as nursery:
        async with staged(nursery, Path(folder)) as stage:
            replicas = Replicas(stage=stage, url=url)
            for _ in range(2):
                await start(replicas)
            load = Load(replicas, figures, asked.seed)
            people = asyncio.create_task(load.run())
            until = time.monotonic() + asked.minutes * 60
            await Killer(replicas, figures, asked.seed).run(until, asked.every)
            load.over = True
            await people
            await finish(replicas)
            judge(replicas, figures)
    return figures


async def finish(replicas: Replicas) -> None:
    deadline = time.monotonic() + LEFT_TO_FINISH
    while not replicas.is_idle() and time.monotonic() < deadline:
        await asyncio.sleep(0.5)


def judge(replicas: Replicas, figures: Figures) -> None:
    audit = replicas.audit()
    figures.lost, figures.doubled = len(audit.lost), len(audit.doubled)
    figures.missing, figures.repeated = len(audit.missing), len(audit.repeated)
    figures.unfinished = len(replicas.unfinished())
    figures.faults = [*replicas.unfinished(), *audit.lost, *audit.doubled, *audit.missing]
    (counts,) = replicas.rows(_COUNTS)
    figures.instances, figures.deliveries = counts["instances"], counts["deliveries"]
    figures.unconfirmed = counts["unconfirmed"]
    lists = [call.at for call in replicas.stage.novita.journal.calls("list")]
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(lists)]
    figures.longest_without_a_list_s = round(max(gaps, default=0.0), 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float, nargs="?", default=5.0)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="keep the figures there")
    asked = parser.parse_args()
    with (
        running_server() as server,
        clone(server, "failover") as url,
        contextlib.redirect_stdout(io.StringIO()),  # at its end the stage prints what every replica logged
    ):
        figures = asyncio.run(run(url, asked))
    figures.conditions = {
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": sys.version.split()[0],
    }
    for name, value in asdict(figures).items():
        print(f"{name:<26} {value}")
    if asked.json is not None:
        asked.json.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")
    return 0 if figures.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
