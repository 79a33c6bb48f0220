"""What a service leaves behind: its database against Novita, Slack and the receivers."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from bench.receivers import Receivers
from bench.service import Service
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.slack.server import SlackServer
from storage.store.tokens import read_token

_FINISHED = {"failed", "deleted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    lost: int
    """GPUs that bill and no row has."""
    doubled: int
    """Instances for which Novita made more than one GPU."""
    untold: int
    """Events that a target did not get, and cards that do not show the latest."""
    repeated: int
    errors: int
    """Lines of level ERROR in the log."""
    which: Sequence[str]


async def look_back(
    services: Sequence[Service], cloud: Cloud, slack: SlackServer, hooks: Receivers
) -> Aftermath:
    """Ends the last one."""
    await services[-1].end()
    with closing(sqlite3.connect(services[-1].folder / "bench.db")) as database:
        rows = database.execute("SELECT novita_id, state FROM instances").fetchall()
        deliveries = database.execute("SELECT event_id, target_kind, state FROM deliveries").fetchall()
        behind = database.execute(
            "SELECT instance_id FROM cards WHERE shown_version < wanted_version"
        ).fetchall()
    owned = {gpu for gpu, state in rows if state not in _FINISHED}
    told = {"webhook": Counter(each.webhook_id for each in hooks.arrivals), "notice": _notices(slack)}
    untold = [
        f"{kind} {event} {state}"
        for event, kind, state in deliveries
        if state != "delivered" or (kind in told and not told[kind][event])
    ]
    made = Counter(_instance(gpu.order.name) for gpu in [*cloud.instances(), *cloud.removed_instances()])
    return Aftermath(
        lost=sum(gpu.id not in owned for gpu in cloud.instances() if not gpu.is_leaving),
        doubled=sum(times > 1 for times in made.values()),
        untold=len(untold) + len(behind),
        repeated=sum(times - 1 for counts in told.values() for times in counts.values()),
        errors=sum(len(service.logged("ERROR", "CRITICAL")) for service in services),
        which=[*untold, *(f"card {card}" for (card,) in behind)],
    )


def _notices(slack: SlackServer) -> Counter[str]:
    """By event id, wherever they were posted."""
    messages = (m for channel in slack.workspace.channels for m in slack.workspace.board.history(channel))
    payloads = ((m.metadata or {}).get("event_payload") or {} for m in messages)
    return Counter(payload["event_id"] for payload in payloads if "event_id" in payload)


def _instance(name: str) -> str:
    token = read_token(name)
    return name if token is None else token.instance_id
