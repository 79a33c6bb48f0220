"""The simulated Novita as a process of its own, so that what it takes delays nobody who measures.

`python -m bench.novita DEPLOYMENT GPUS`: that many run when it says where it is, named as a service of this
deployment names them. To each line it says how many calls each pass over the list has cost so far, the last
one left out; it ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from bench.report import ROOT, arguments
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.novita.timeline import Timeline
from storage.store.tokens import Token

_LONGEST_LINE = 2**24
_SHORT = ("pending", "to_create", "creating", "pulling_min", "pulling_max", "to_start", "starting", "to_stop")
QUICK = Timeline(**{name: timedelta(seconds=0.05) for name in _SHORT})
"""What is created runs at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Novita:
    url: str
    api_key: str
    gpus: tuple[str, ...]
    """Their ids at Novita, in the order of their instances' ids."""
    process: asyncio.subprocess.Process

    async def passes(self) -> list[int]:
        """Calls of each pass over the list of instances that is over."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"passes\n")
        passes: list[int] = json.loads(await self.process.stdout.readline())
        return passes

    @property
    def settings(self) -> dict[str, str]:
        return {"NOVITA_API_KEY": self.api_key, "NOVITA_API_BASE_URL": self.url}


def now() -> datetime:
    return datetime.now(UTC)


def instance_id(number: int) -> str:
    return f"{number:016d}"


def fill(cloud: Cloud, deployment: str, gpus: int, *, held: int = 0) -> tuple[str, ...]:
    """`held`: so many of the last ones do not get to running."""
    cloud.set_capacity(gpus=None)
    made = [
        cloud.create_in_console(
            str(Token(deployment=deployment, instance_id=instance_id(number), attempt=1)),
            billingMode="spot",
        ).id
        for number in range(gpus)
    ]
    for number, gpu in enumerate(made):
        if number < gpus - held:
            cloud.run_now(gpu)
        else:
            cloud.hold(gpu)
    return tuple(made)


@asynccontextmanager
async def apart(deployment: str, gpus: int, *, held: int = 0) -> AsyncIterator[Novita]:
    """In a process of its own, which ends with this."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "bench.novita", deployment, str(gpus), "--held", str(held)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=_LONGEST_LINE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        said = json.loads(await process.stdout.readline())
        yield Novita(url=said["url"], api_key=said["api_key"], gpus=tuple(said["gpus"]), process=process)
    finally:
        process.stdin.close()
        await process.wait()


async def _serve(deployment: str, gpus: int, held: int) -> None:
    cloud = Cloud(clock=now, timeline=QUICK)
    made = fill(cloud, deployment, gpus, held=held)
    async with NovitaServer(cloud) as server:
        print(json.dumps({"url": server.base_url, "api_key": server.api_key, "gpus": made}), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(list(_passes(server))), flush=True)


def _passes(server: NovitaServer) -> Iterator[int]:
    pages = [int(call.query["pageNum"]) for call in server.journal.calls("list")]
    starts = [place for place, page in enumerate(pages) if page <= 1]
    yield from (after - before for before, after in pairwise(starts))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("deployment")
    parser.add_argument("gpus", type=int)
    parser.add_argument("--held", type=int, default=0, help="so many of them do not get to running")
    asked = parser.parse_args()
    asyncio.run(_serve(asked.deployment, asked.gpus, asked.held))


if __name__ == "__main__":
    main()
