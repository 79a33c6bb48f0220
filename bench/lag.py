"""From running at Novita to being told: `python -m bench.lag [--instances N]`.

So many are asked for in Slack at once; each runs 25 to 65 s later, as at Novita. The service has its usual
settings, and Slack its limits. Done twice: with an app inside that answers as soon as the machine runs, timed
from there, and with one that takes 8 s, timed from its first answer: it is not told as usable before that.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bench.novita import now
from bench.receivers import Receivers
from bench.report import Report, arguments, quantile
from bench.service import novita_settings, serving, slack_settings
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.novita.timeline import NOTHING, Timeline
from bot.sandbox.slack.changes import Change, MessagePosted
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from storage.store.tokens import read_token

WORST_P95_S = 5
AT_ONCE = replace(Timeline(), connection_after=NOTHING, usable_after=NOTHING)
WITHIN = 300.0
CHANNEL = "C0GPU"
PEOPLE = ("U0ADA", "U0BEN", "U0CLEO")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lags:
    """Seconds, one for each instance that was told."""

    title: str
    webhook: Sequence[float]
    notice: Sequence[float]
    expected: int

    @property
    def is_good(self) -> bool:
        p95 = quantile(self.webhook, 0.95)
        all_told = len(self.webhook) == len(self.notice) == self.expected
        return all_told and p95 is not None and p95 <= WORST_P95_S


class Notices:
    """When which event was told in a thread of Slack's."""

    def __init__(self) -> None:
        self.at: dict[str, datetime] = {}

    def observe(self, change: Change) -> None:
        if isinstance(change, MessagePosted):
            event_id = ((change.message.metadata or {}).get("event_payload") or {}).get("event_id")
            if event_id is not None:
                self.at.setdefault(event_id, now())


async def measure(instances: int) -> list[Lags]:
    return [
        await once("from running", AT_ONCE, instances, NOTHING),
        await once("from usable", Timeline(), instances, Timeline().usable_after),
    ]


async def once(title: str, timeline: Timeline, instances: int, after: timedelta) -> Lags:
    cloud, notices = Cloud(clock=now, timeline=timeline), Notices()
    cloud.set_capacity(gpus=None)
    with tempfile.TemporaryDirectory(prefix="gpu-bot-bench-") as name:
        async with (
            NovitaServer(cloud) as novita,
            SlackServer(Workspace(clock=now)) as slack,
            Receivers() as hooks,
        ):
            slack.limit_rates()
            slack.workspace.subscribe(notices.observe)
            environ = {
                **novita_settings(novita), **slack_settings(slack), "WEBHOOK_URL": hooks.url("configured")
            }  # fmt: skip
            async with serving(Path(name), environ):
                await slack.wait_connected(2, timeout=30)
                await asyncio.sleep(3)
                await ask(instances, slack)
                await told(instances, slack, hooks, notices)
                running = {i: at + after for i, at in running_at(cloud).items()}
                return found(title, instances, running, hooks, notices)


async def ask(instances: int, slack: SlackServer) -> None:
    lines = [f"/gpu create 4090 lag-{n} --template pytorch-jupyter" for n in range(instances)]
    people = [slack.person(PEOPLE[n % len(PEOPLE)]) for n in range(instances)]
    asked = zip(people, lines, strict=True)
    replies = await asyncio.gather(*(who.command(line, channel=CHANNEL) for who, line in asked))
    if failed := [reply.error for reply in replies if not reply.ok]:
        raise RuntimeError(f"not acknowledged: {failed}")


async def told(instances: int, slack: SlackServer, hooks: Receivers, notices: Notices) -> None:
    """Or not, within `WITHIN`."""
    try:
        async with asyncio.timeout(WITHIN):
            while len(hooks.arrivals) < instances:
                await hooks.change()
            await slack.wait_for(lambda: len(notices.at) >= instances, WITHIN)
    except TimeoutError:
        pass


def running_at(cloud: Cloud) -> dict[str, datetime]:
    """By the instance's id."""
    tokens = {read_token(gpu.order.name): gpu for gpu in cloud.instances()}
    return {token.instance_id: gpu.leg.rests_at for token, gpu in tokens.items() if token is not None}


def found(
    title: str, expected: int, running: Mapping[str, datetime], hooks: Receivers, notices: Notices
) -> Lags:
    ready = [each for each in hooks.arrivals if each.body["event"] == "instance.ready"]
    since = {each.webhook_id: running[each.body["instanceId"]] for each in ready}
    return Lags(
        title=title,
        webhook=[(each.at - since[each.webhook_id]).total_seconds() for each in ready],
        notice=[(at - since[i]).total_seconds() for i, at in notices.at.items() if i in since],
        expected=expected,
    )


def rows(lags: Sequence[Lags]) -> list[dict[str, object]]:
    return [
        {
            "timed": each.title,
            "told": name,
            "instances": len(times),
            "of": each.expected,
            "min s": min(times, default=None),
            "p50 s": quantile(times, 0.5),
            "p95 s": quantile(times, 0.95),
            "max s": max(times, default=None),
        }
        for each in lags
        for name, times in (("webhook", each.webhook), ("Slack's notice", each.notice))
    ]


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--instances", type=int, default=20, help="how many (default: 20)")
    asked = parser.parse_args()
    report = Report(name="lag")
    lags = asyncio.run(measure(asked.instances))
    report.end({"Lag": rows(lags)}, lags={each.title: [each.webhook, each.notice] for each in lags})
    return 0 if all(each.is_good for each in lags) else 1


if __name__ == "__main__":
    sys.exit(main())
