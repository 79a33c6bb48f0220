"""From a slash command to its acknowledgement: `python -m bench.ack [--rate N] [--seconds S] [--burst N]`.

Commands come over Socket Mode at a steady rate, whoever is still waiting, from fifty people who have a
thousand running instances between them; a sixth of them are creates that are carried out. Then, with
`--burst`, so many at one moment. Timed where Slack stands: from the frame that is sent to the frame that
acknowledges it. Not answered means: an empty acknowledgement, and nothing later through the response_url.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from random import Random

from bench.followed import follow, prepare
from bench.novita import apart, now
from bench.report import Report, arguments, quantile
from bench.service import Service, serving, slack_settings, stalled
from bot.sandbox.slack.delivery import Ack
from bot.sandbox.slack.installation import App
from bot.sandbox.slack.journal import RESPONSE_URL
from bot.sandbox.slack.people import Channel, User
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

WORST_P99_MS = 300
SLACKS_LIMIT_MS = 3_000
"""What a burst is held to."""
FOLLOWED = 1_000
PEOPLE = tuple(f"U0P{number:02}" for number in range(50))
CHANNEL = "C0GPU"
LATE_ANSWER = 12.0
"""Seconds: what takes longer is answered with that it took too long."""
KINDS = ("list", "status", "offers", "quote", "create", "help")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    kind: str
    person: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    command: Command
    ack: Ack

    @property
    def milliseconds(self) -> float:
        return self.ack.took.total_seconds() * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`missing`: answers that never came. `lost`: creates that were acknowledged and left no instance."""

    title: str
    answered: Sequence[Answered]
    missing: int
    lost: int
    violations: Sequence[str]
    stall_ms: float
    cpu_seconds: float
    seconds: float

    worst_p99_ms: float

    @property
    def is_good(self) -> bool:
        p99 = quantile((a.milliseconds for a in self.answered), 0.99)
        failed = any(a.ack.error for a in self.answered)
        unsound = self.missing or self.lost or self.violations or failed
        return not unsound and p99 is not None and p99 < self.worst_p99_ms


def commands(seed: int) -> Iterator[Command]:
    """Without end, every kind as often as any other."""
    rng, numbers = Random(seed), count()
    for kind in cycle(KINDS):
        number = rng.randrange(FOLLOWED)
        lines = {
            "list": rng.choice(("/gpu list", "/gpu", "/gpu list all")),
            "status": f"/gpu status gpu-{number}",
            "offers": rng.choice(("/gpu offers", "/gpu offers 4090")),
            "quote": "/gpu create 4090",
            "create": f"/gpu create 4090 made-{seed}-{next(numbers)} --template pytorch-jupyter",
            "help": rng.choice(("/gpu help", "/gpu help create")),
        }
        yield Command(kind=kind, person=PEOPLE[number % len(PEOPLE)], line=lines[kind])


@asynccontextmanager
async def staged() -> AsyncIterator[tuple[Service, SlackServer]]:
    with tempfile.TemporaryDirectory(prefix="gpu-bot-bench-") as name:
        folder = Path(name)
        deployment = await prepare(folder)
        async with apart(deployment, FOLLOWED) as novita, SlackServer(workspace()) as slack:
            await follow(folder, novita.gpus, people=PEOPLE, channel=CHANNEL)
            environ = {**novita.settings, **slack_settings(slack), "DEFAULT_TEMPLATE": "pytorch-jupyter"}
            async with serving(folder, environ) as service:
                await slack.wait_connected(2, timeout=30)
                await asyncio.sleep(5)  # the catalogue, and the first pass, which writes every row
                yield service, slack


def workspace() -> Workspace:
    app = App()
    bot = User(id=app.user_id, name=app.name, is_bot=True)
    users = [bot, *(User(id=each, name=each.lower()) for each in PEOPLE)]
    channel = Channel(id=CHANNEL, name="gpu", members={user.id for user in users})
    return Workspace(clock=now, users=users, channels=[channel], app=app)


async def measure(rate: float, seconds: float, burst: int) -> list[Run]:
    async with staged() as (service, slack):
        steady = [1 / rate] * int(rate * seconds)
        runs = [await run(f"{rate:g} a second for {seconds:g} s", 1, steady, service, slack)]
        if burst:
            runs.append(await run(f"{burst} at once", 2, [0.0] * burst, service, slack))
        return runs


async def run(title: str, seed: int, pauses: Sequence[float], service: Service, slack: SlackServer) -> Run:
    total, answers = await instances(service), successful(slack)
    began, cpu = time.time(), service.cpu_seconds()
    answered = await sent(seed, pauses, slack)
    seconds, cpu = time.time() - began, service.cpu_seconds() - cpu
    stall = max(map(stalled, service.beats(since=began)), default=0.0)
    owed = sum(not a.ack.payload for a in answered if a.ack.error is None)
    missing = await still_owed(owed, answers, slack)
    made = sum(a.command.kind == "create" and a.ack.error is None for a in answered)
    show(answered, slack)
    return Run(
        title=title,
        answered=answered,
        missing=missing,
        lost=max(0, made - (await instances(service) - total)),
        violations=tuple(slack.violations),
        stall_ms=stall * 1000,
        cpu_seconds=cpu,
        seconds=seconds,
        worst_p99_ms=WORST_P99_MS if any(pauses) else SLACKS_LIMIT_MS,
    )


async def sent(seed: int, pauses: Sequence[float], slack: SlackServer) -> list[Answered]:
    """At their moments, whoever has not been answered yet. What is shown is drawn later: that takes time."""
    loop = asyncio.get_running_loop()
    at, under_way = loop.time(), []
    for command, pause in zip(commands(seed), pauses, strict=False):
        await asyncio.sleep(max(0.0, at - loop.time()))
        under_way.append(asyncio.create_task(ask(command, slack)))
        at += pause
    return await asyncio.gather(*under_way)


async def ask(command: Command, slack: SlackServer) -> Answered:
    channel, (name, _, text) = slack.workspace.channels[CHANNEL], command.line.partition(" ")
    delivery = slack.payloads.command(command.person, channel, name, text)
    return Answered(command=command, ack=await slack.deliver(delivery))


async def still_owed(owed: int, before: int, slack: SlackServer) -> int:
    with suppress(TimeoutError):
        await slack.wait_for(lambda: successful(slack) - before >= owed, LATE_ANSWER)
    return max(0, owed - (successful(slack) - before))


def successful(slack: SlackServer) -> int:
    return sum(call.error is None for call in slack.journal.calls(RESPONSE_URL))


def show(answered: Sequence[Answered], slack: SlackServer) -> None:
    """What Slack would not have taken is a violation."""
    for each in answered:
        if each.ack.payload:
            slack.inspector.message("answer to a command", each.ack.payload)


async def instances(service: Service) -> int:
    return int((await service.rest.get("/api/instances?limit=1")).json()["total"])


def rows(run: Run) -> list[dict[str, object]]:
    by_kind = {kind: [a for a in run.answered if a.command.kind == kind] for kind in KINDS}
    return [row(kind, found) for kind, found in {**by_kind, "all": run.answered}.items()]


def row(kind: str, found: Sequence[Answered]) -> dict[str, object]:
    times = [a.milliseconds for a in found]
    return {
        "command": kind,
        "sent": len(found),
        "p50 ms": quantile(times, 0.5),
        "p95 ms": quantile(times, 0.95),
        "p99 ms": quantile(times, 0.99),
        "max ms": max(times, default=None),
        "answered in the ack": sum(bool(a.ack.payload) for a in found),
        "failed": sum(a.ack.error is not None for a in found),
    }


def soundness(run: Run) -> dict[str, object]:
    return {
        "run": run.title,
        "answers that never came": run.missing,
        "creates lost": run.lost,
        "violations": len(run.violations),
        "longest stall ms": run.stall_ms,
        "service cpu s": run.cpu_seconds,
        "in s": run.seconds,
    }


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--rate", type=float, default=50, help="commands a second (default: 50)")
    parser.add_argument("--seconds", type=float, default=10, help="for so long (default: 10)")
    parser.add_argument("--burst", type=int, default=0, help="and then so many at once")
    asked = parser.parse_args()
    report = Report(name="ack")
    runs = asyncio.run(measure(asked.rate, asked.seconds, asked.burst))
    tables = {each.title: rows(each) for each in runs} | {"Soundness": [soundness(each) for each in runs]}
    report.end(tables, violations=[v for each in runs for v in each.violations])
    return 0 if all(each.is_good for each in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
