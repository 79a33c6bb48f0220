"""Steady traffic for a long time, with restarts: `make soak MINUTES=60`.

In Slack somebody asks for a GPU every few seconds, has it stopped, started and deleted when that is told;
others ask for lists, offers and help, and a program reads by REST. Now and then a webhook is refused, and
Slack or Novita answers with an error. In the first half of the time the service is ended again and again,
by SIGTERM and by SIGKILL in turn. Then it is left alone, and what it needs must not grow: a straight line
is laid through the last two thirds of that life.

In the end: GPUs that no row knows of, rows with more than one GPU, events that were not told: all 0. What was
told twice is counted; only a kill may cause it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count, cycle
from pathlib import Path
from random import Random

import httpx

from bench.aftermath import Aftermath, look_back
from bench.novita import QUICK, now
from bench.receivers import Receivers
from bench.report import Report, arguments
from bench.service import Service, begin, novita_settings, slack_settings
from bench.trend import GROWTH, trends
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.faults import Status
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.slack.faults import HttpStatus
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

CHANNEL = "C0GPU"
PEOPLE = ("U0ADA", "U0BEN", "U0CLEO")
RESTARTS = 6
STEPS = (
    ("/gpu create 4090 {} --template pytorch-jupyter", "instance.ready"),
    ("/gpu stop {}", "instance.stopped"),
    ("/gpu start {}", "instance.started"),
    ("/gpu delete {}", "instance.deleted"),
)
QUESTIONS = ("/gpu list", "/gpu offers", "/gpu help", "/gpu list all", "/gpu status", "/gpu create 4090")
TOLD_WITHIN, TIMES = 90.0, 4
"""Seconds for one step, and how often it is asked for before it is missing."""
FAULT_EVERY = 47.0
TIMELINE = replace(QUICK, connection_after=timedelta(seconds=0.2), usable_after=timedelta(seconds=0.5))


@dataclass(slots=True, kw_only=True)
class Soak:
    folder: Path
    cloud: Cloud
    novita: NovitaServer
    slack: SlackServer
    hooks: Receivers
    services: list[Service] = field(default_factory=list)
    kills: int = 0
    finished: int = 0
    missing: list[str] = field(default_factory=list)
    """Steps that were not told."""
    unanswered: Counter[str] = field(default_factory=Counter)
    """Commands that nobody acknowledged, by Slack's own word: without a connection they are not even sent."""

    async def start(self) -> None:
        places = {**novita_settings(self.novita), **slack_settings(self.slack)}
        rest = {"WEBHOOK_URL": self.hooks.url("hook"), "DEFAULT_TEMPLATE": "pytorch-jupyter"}
        service = await begin(self.folder, {**places, **rest, "NOVITA_RATE_LIMIT": "1000"})
        try:
            await service.ready()
        except BaseException:
            await service.end()
            raise
        self.services.append(service)
        await self.slack.wait_connected(timeout=60)

    async def restart(self) -> None:
        killed = len(self.services) % 2 == 0
        self.kills += killed
        await self.services[-1].end(signal.SIGKILL if killed else signal.SIGTERM)
        await self.start()

    async def say(self, person: str, line: str) -> bool:
        with suppress(TimeoutError):
            reply = await self.slack.person(person).command(line, channel=CHANNEL)
            self.unanswered[reply.error or ""] += not reply.ok
            return reply.ok
        return False

    async def live(self, number: int) -> None:
        """The life of one instance."""
        name, person = f"soak-{number}", PEOPLE[number % len(PEOPLE)]
        for line, event in STEPS:
            if not await self._step(person, line.format(name), name, event):
                self.missing.append(f"{name} {event}")
                return
        self.finished += 1

    async def _step(self, person: str, line: str, name: str, event: str) -> bool:
        for _ in range(TIMES):
            while not await self.say(person, line):
                await asyncio.sleep(1)
            with suppress(TimeoutError):
                async with asyncio.timeout(TOLD_WITHIN):
                    await self._told(name, event)
                return True
        return False

    async def _told(self, name: str, event: str) -> None:
        while not any(
            each.body["event"] == event and (each.body.get("instance") or {}).get("name") == name
            for each in self.hooks.arrivals
        ):
            await self.hooks.change()


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Soak]:
    cloud, slack = Cloud(clock=now, timeline=TIMELINE), SlackServer(Workspace(clock=now))
    cloud.set_capacity(gpus=None)
    async with AsyncExitStack() as stack:
        novita = await stack.enter_async_context(NovitaServer(cloud))
        await stack.enter_async_context(slack)
        hooks = await stack.enter_async_context(Receivers())
        slack.limit_rates()
        soak = Soak(folder=folder, cloud=cloud, novita=novita, slack=slack, hooks=hooks)
        try:
            await soak.start()
            yield soak
        finally:
            if soak.services:
                await soak.services[-1].end()


async def measure(minutes: float, every: float, folder: Path) -> tuple[Soak, Aftermath]:
    async with staged(folder) as soak:
        async with background(soak):
            lives = asyncio.create_task(traffic(soak, minutes, every))
            for _ in range(RESTARTS):
                await asyncio.sleep(minutes * 30 / (RESTARTS + 1))
                await soak.restart()
            await lives
        await asyncio.sleep(5)  # the last cards
        aftermath = await look_back(soak.services, soak.cloud, soak.slack, soak.hooks)
        return soak, aftermath


async def traffic(soak: Soak, minutes: float, every: float) -> None:
    """Returns when the last life is over."""
    ends_at, lives = time.monotonic() + minutes * 60, []
    for number in count():
        lives.append(asyncio.create_task(soak.live(number)))
        if time.monotonic() + every > ends_at:
            break
        await asyncio.sleep(every)
    await asyncio.gather(*lives)


@asynccontextmanager
async def background(soak: Soak) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work(soak)) for work in (ask, read, disturb)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()


async def ask(soak: Soak) -> None:
    people = Random(1)
    for line in cycle(QUESTIONS):
        await soak.say(people.choice(PEOPLE), line)
        await asyncio.sleep(1)


async def read(soak: Soak) -> None:
    for path in cycle(("/api/instances", "/health", "/api/deliveries", "/metrics", "/api/products")):
        with suppress(httpx.HTTPError, RuntimeError):  # while it is restarted
            await soak.services[-1].rest.get(path)
        await asyncio.sleep(1)


async def disturb(soak: Soak) -> None:
    def refuse_webhook() -> None:
        soak.hooks.refusing += 1

    troubles: Sequence[Callable[[], object]] = (
        refuse_webhook,
        lambda: soak.slack.fail("chat.postMessage", HttpStatus(503)),
        lambda: soak.novita.faults.add("list", Status(502)),
        lambda: soak.slack.fail("chat.update", HttpStatus(500)),
        lambda: soak.novita.faults.add("get", Status(500)),
        soak.slack.drop_connections,
    )
    for trouble in cycle(troubles):
        await asyncio.sleep(FAULT_EVERY)
        trouble()


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--every", type=float, default=12, help="seconds between two creates (default: 12)")
    asked = parser.parse_args()
    report = Report(name="soak")
    with tempfile.TemporaryDirectory(prefix="gpu-bot-bench-") as folder:
        soak, aftermath = asyncio.run(measure(asked.minutes, asked.every, Path(folder)))
        lives = [service.beats() for service in soak.services]
        grown = trends(lives[-1])
        told = {
            "instances": soak.finished,
            "missing": len(soak.missing) + aftermath.untold,
            "lost GPUs": aftermath.lost,
            "doubled GPUs": aftermath.doubled,
            "told twice": aftermath.repeated,
            "restarts": len(soak.services) - 1,
            "of those killed": soak.kills,
            "no service": soak.unanswered["dispatch_failed"],
            "unanswered": soak.unanswered["operation_timeout"],
            "violations": len(soak.slack.violations),
            "errors logged": aftermath.errors,
        }
        tables = {"Told": [told], "The last life, its first third left out": [t.row() for t in grown]}
        more = {"missing": soak.missing, "violations": soak.slack.violations, "beats": lives}
        report.end(tables, **more, untold=aftermath.which)
    is_flat = all(abs(t.an_hour) <= GROWTH[t.name] for t in grown if t.name in GROWTH)
    is_sound = not (told["missing"] or told["lost GPUs"] or told["doubled GPUs"] or soak.slack.violations)
    return 0 if is_sound and is_flat and not aftermath.errors else 1


if __name__ == "__main__":
    sys.exit(main())
