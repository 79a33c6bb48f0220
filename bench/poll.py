"""What it costs to follow so many instances: `python -m bench.poll [COUNT ...]`.

A service follows them at its usual settings, first while nothing is under way (the slow pace) and then while
one instance does not get to running (the fast pace); Slack is connected, and nobody does anything. A pass is
the list, page by page, and writing what changed. `calls s` is what all its calls took together, though some
of them are under way at the same time.
A stall is the longest time for which the loop did not look at what had come in, less the time for which other
processes had its core; `own` is how much of that its thread was at work, and not waiting for another thread.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.followed import follow, prepare
from bench.novita import Novita, apart, now
from bench.report import Report, arguments
from bench.service import Service, serving, slack_settings, stalled
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

PEOPLE = ("U0ADA", "U0BEN", "U0CLEO")
PAGE = 100
LONGEST_STALL_MS = 100
LONGEST_PASS_S = 10
LIGHTEST_MB, LIGHT_MB, LIGHT_FOR = 110, 150, 1_000
MANY = 1_000
"""More than so many need a larger budget of calls than the usual one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Of one number of instances at one pace; times in seconds, memory in MB."""

    followed: int
    under_way: int
    seconds: float
    passes: int
    pass_s: float | None
    """The mean of them, the first one after the start left out."""
    calls_s: float | None
    """Until Novita had answered, of all its calls together."""
    calls_a_pass: int | None
    """The most."""
    calls_a_minute: float
    cpu_a_minute: float
    rss: float
    peak: float
    stall: float
    stall_own: float

    @property
    def misses(self) -> list[str]:
        pages = -(-self.followed // PAGE)
        missed = {
            "pages": self.calls_a_pass is not None and self.calls_a_pass > max(pages, 1),
            "pass": self.pass_s is not None and self.followed > MANY and self.pass_s > LONGEST_PASS_S,
            "memory": self.followed <= LIGHT_FOR and self.rss > LIGHT_MB,
            "idle memory": self.followed <= PAGE and self.rss > LIGHTEST_MB,
            "stall": self.stall * 1000 > LONGEST_STALL_MS,
        }
        return [name for name, is_missed in missed.items() if is_missed]


async def measure(counts: Sequence[int], seconds: float) -> list[Figure]:
    return [await one(count, seconds, under_way=under_way) for count in counts for under_way in (0, 1)]


async def one(followed: int, seconds: float, *, under_way: int) -> Figure:
    with tempfile.TemporaryDirectory(prefix="gpu-bot-bench-") as name:
        folder = Path(name)
        deployment = await prepare(folder)
        async with (
            apart(deployment, followed, held=under_way) as novita,
            SlackServer(Workspace(clock=now)) as slack,
        ):
            await follow(folder, novita.gpus, people=PEOPLE, channel="C0GPU", held=under_way)
            async with serving(folder, settings(novita, slack, followed)) as service:
                await settled(service, slack)
                return await watch(service, novita, seconds, under_way=under_way)


def settings(novita: Novita, slack: SlackServer, followed: int) -> dict[str, str]:
    many = {"NOVITA_RATE_LIMIT": "1000"} if followed > MANY else {}
    return {**novita.settings, **slack_settings(slack), **many}


async def settled(service: Service, slack: SlackServer) -> None:
    """The catalogue is warm, and the first pass, which writes every row, is over."""
    await slack.wait_connected(timeout=30)
    async with asyncio.timeout(120):
        while sum(polled(await service.metrics(), "count").values()) < 1:
            await asyncio.sleep(0.5)
    await asyncio.sleep(5)


async def watch(service: Service, novita: Novita, seconds: float, *, under_way: int) -> Figure:
    earlier = len(await novita.passes())
    before, cpu, began = await service.metrics(), service.cpu_seconds(), time.time()
    await asyncio.sleep(seconds)
    lasted = time.time() - began
    cpu_spent = service.cpu_seconds() - cpu
    after = await service.metrics()
    beats = [beat for beat in service.beats(since=began + 1) if beat["at"] < began + lasted]
    longest = max(beats, key=stalled)
    passes = grown(before, after, 'gpu_bot_poll_duration_seconds_count{outcome="complete"}')
    calls = grown(before, after, 'gpu_bot_novita_call_duration_seconds_count{call="list_instances"}')
    return Figure(
        followed=len(novita.gpus),
        under_way=under_way,
        seconds=lasted,
        passes=int(passes),
        pass_s=share(grown(before, after, 'gpu_bot_poll_duration_seconds_sum{outcome="complete"}'), passes),
        calls_s=share(
            grown(before, after, 'gpu_bot_novita_call_duration_seconds_sum{call="list_instances"}'), passes
        ),
        calls_a_pass=max((await novita.passes())[earlier:], default=None),
        calls_a_minute=calls * 60 / lasted,
        cpu_a_minute=cpu_spent * 60 / lasted,
        rss=service.resident_mb(),
        peak=service.peak_mb(),
        stall=stalled(longest),
        stall_own=longest["own"],
    )


def polled(metrics: Mapping[str, float], what: str) -> dict[str, float]:
    start = f"gpu_bot_poll_duration_seconds_{what}"
    return {name: value for name, value in metrics.items() if name.startswith(start)}


def grown(before: Mapping[str, float], after: Mapping[str, float], name: str) -> float:
    return after.get(name, 0.0) - before.get(name, 0.0)


def share(whole: float, parts: float) -> float | None:
    return whole / parts if parts else None


def rows(figures: Sequence[Figure]) -> list[dict[str, object]]:
    return [
        {
            "followed": f.followed,
            "pace": "fast" if f.under_way else "slow",
            "passes": f.passes,
            "pass s": f.pass_s,
            "calls s": f.calls_s,
            "calls/pass": f.calls_a_pass,
            "calls/min": f.calls_a_minute,
            "cpu s/min": f.cpu_a_minute,
            "rss MB": f.rss,
            "peak MB": f.peak,
            "stall ms": f.stall * 1000,
            "own ms": f.stall_own * 1000,
            "missed": ", ".join(f.misses),
        }
        for f in figures
    ]


def one_more(figures: Sequence[Figure]) -> list[dict[str, object]]:
    """Between neighbouring numbers of instances at the same pace."""
    pairs = [
        (a, b) for a in figures for b in figures if a.under_way == b.under_way and a.followed < b.followed
    ]
    close = [(a, b) for a, b in pairs if not any(a.followed < f.followed < b.followed for f in figures)]
    return [
        {
            "from": a.followed,
            "to": b.followed,
            "pace": "fast" if a.under_way else "slow",
            "cpu ms/pass": _each(a, b, _cpu_a_pass(b), _cpu_a_pass(a), 1000),
            "rss KB": _each(a, b, b.rss, a.rss, 1024),
        }
        for a, b in close
    ]


def _cpu_a_pass(f: Figure) -> float | None:
    return share(f.cpu_a_minute * f.seconds / 60, f.passes)


def _each(a: Figure, b: Figure, after: float | None, before: float | None, factor: float) -> float | None:
    known = after is not None and before is not None
    return (after - before) * factor / (b.followed - a.followed) if known else None  # type: ignore[operator]


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[10, 100, 1_000, 10_000], metavar="COUNT")
    parser.add_argument("--seconds", type=float, default=65, help="to measure each for (default: 65)")
    asked = parser.parse_args()
    report = Report(name="poll")
    figures = asyncio.run(measure(asked.counts, asked.seconds))
    tables = {"Following": rows(figures), "One more instance": one_more(figures)}
    report.end(tables, figures=[asdict(f) for f in figures])
    return 1 if any(f.misses for f in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
