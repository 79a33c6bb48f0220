"""A backlog after an outage: `python -m bench.deliveries [--pending N] [--targets N]`.

So many events wait for their receivers, evenly many for each; one of the receivers takes what is sent and
never answers. Timed: until all others have theirs. Meanwhile something new happens twice a second (creates
that Novita refuses), which a receiver without a backlog is told: its lag is from the event to its arrival.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.followed import follow, prepare
from bench.novita import fill, now
from bench.receivers import DEAD, Receivers
from bench.report import Report, arguments, quantile
from bench.service import Service, novita_settings, serving, stalled
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.faults import Status
from bot.sandbox.novita.server import NovitaServer
from storage.records import Target, TargetKind

WORST_FRESH_S = 5
WITHIN = 900.0
FRESH = "fresh"
PAUSE = 0.5
REFUSED = Status(400, {"code": 400, "reason": "INVALID_PARAMETER", "message": "refused by the benchmark"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    pending: int
    targets: int
    expected: int
    delivered: int
    repeated: int
    seconds: float
    cpu_seconds: float
    rss_mb: float
    stall_ms: float
    fresh: Sequence[float]
    asked: int
    """Fresh events that were caused; each has to come."""

    @property
    def is_good(self) -> bool:
        p95 = quantile(self.fresh, 0.95)
        whole = self.delivered == self.expected and len(self.fresh) == self.asked and not self.repeated
        return whole and p95 is not None and p95 <= WORST_FRESH_S


async def measure(pending: int, targets: int) -> Drained:
    cloud = Cloud(clock=now)
    with tempfile.TemporaryDirectory(prefix="gpu-bot-bench-") as name:
        folder = Path(name)
        deployment = await prepare(folder)
        gpus = fill(cloud, deployment, pending // targets)
        async with NovitaServer(cloud) as novita, Receivers() as hooks:
            novita.faults.add("create", REFUSED, times=None)
            paths = [DEAD, *(f"hook-{n}" for n in range(1, targets))]
            waiting = [Target(kind=TargetKind.WEBHOOK, address=hooks.url(path)) for path in paths]
            await follow(folder, gpus, people=["U0ADA"], channel=None, targets=waiting)
            environ = {
                **novita_settings(novita),
                "WEBHOOK_ALLOWED_HOSTS": "127.0.0.0/8",
                "NOVITA_RATE_LIMIT": "1000",
            }
            async with serving(folder, environ) as service:
                return await drained(service, hooks, pending, targets)


async def drained(service: Service, hooks: Receivers, pending: int, targets: int) -> Drained:
    expected = pending // targets * (targets - 1)
    began, asked = now(), count()
    asking = asyncio.create_task(happen(service, hooks, asked))
    await until_delivered(hooks, expected)
    seconds, cpu = (now() - began).total_seconds(), service.cpu_seconds()
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.sleep(WORST_FRESH_S)
    old = [(each.path, each.webhook_id) for each in hooks.arrivals if each.path != FRESH]
    fresh = [each for each in hooks.arrivals if each.path == FRESH]
    return Drained(
        pending=pending,
        targets=targets,
        expected=expected,
        delivered=len(set(old)),
        repeated=len(old) - len(set(old)) + len(fresh) - len({each.webhook_id for each in fresh}),
        seconds=seconds,
        cpu_seconds=cpu,
        rss_mb=service.resident_mb(),
        stall_ms=1000 * max(map(stalled, service.beats(since=began.timestamp() + 1))),
        fresh=[each.lag for each in fresh],
        asked=next(asked),
    )


async def until_delivered(hooks: Receivers, expected: int) -> None:
    """Or not, within `WITHIN`."""
    try:
        async with asyncio.timeout(WITHIN):
            while sum(each.path != FRESH for each in hooks.arrivals) < expected:
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass


async def happen(service: Service, hooks: Receivers, asked: Iterator[int]) -> None:
    """Until it is cancelled, between two requests."""
    while True:
        body = {"name": "fresh", "productName": "RTX 4090 24GB", "templateId": "pytorch-jupyter"}
        asking = service.rest.post("/api/instances", json={**body, "webhookUrl": hooks.url(FRESH)})
        (await asyncio.shield(asking)).raise_for_status()
        next(asked)
        await asyncio.sleep(PAUSE)


def rows(d: Drained) -> list[dict[str, object]]:
    return [
        {
            "pending": d.pending,
            "targets": d.targets,
            "delivered": d.delivered,
            "of": d.expected,
            "repeated": d.repeated,
            "s": d.seconds,
            "per second": d.delivered / d.seconds,
            "cpu s": d.cpu_seconds,
            "cpu ms each": 1000 * d.cpu_seconds / max(d.delivered, 1),
            "rss MB": d.rss_mb,
            "stall ms": d.stall_ms,
        }
    ]


def fresh(d: Drained) -> list[dict[str, object]]:
    return [
        {
            "fresh events": len(d.fresh),
            "of": d.asked,
            "p50 s": quantile(d.fresh, 0.5),
            "p95 s": quantile(d.fresh, 0.95),
            "max s": max(d.fresh, default=None),
        }
    ]


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--pending", type=int, default=10_000, help="deliveries (default: 10000)")
    parser.add_argument("--targets", type=int, default=10, help="receivers, the dead one too (default: 10)")
    asked = parser.parse_args()
    report = Report(name="deliveries")
    done = asyncio.run(measure(asked.pending, asked.targets))
    report.end({"Backlog": rows(done), "Lag of what happens meanwhile": fresh(done)})
    return 0 if done.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
