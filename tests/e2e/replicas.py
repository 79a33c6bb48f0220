"""Several services on one PostgreSQL, and what has to be true of what they did together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.e2e.lives import Service
from tests.e2e.stage import PATIENCE, Stage, is_notice, payload

WITHOUT_GPU = {"failed", "deleted"}
_UNFINISHED = """
SELECT 'instance' AS what, name AS which, state || ' ' || wish AS how FROM instances WHERE wish IS NOT NULL
UNION ALL SELECT 'delivery', id, target_kind FROM deliveries WHERE state = 'pending'
UNION ALL SELECT 'card', instance_id, shown_version || ' of ' || wanted_version
    FROM cards WHERE shown_version < wanted_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Each is a list of faults; `repeated` is what a death between sending and noting may bring about."""

    lost: list[str]
    """GPUs that bill and that no row has."""
    doubled: list[str]
    """Instances for which a create was sent more than once."""
    missing: list[str]
    """Deliveries that were not made: event and kind of target."""
    repeated: list[str]

    @property
    def is_sound(self) -> bool:
        return not (self.lost or self.doubled or self.missing)


@dataclass(kw_only=True)
class Replicas:
    stage: Stage
    url: str
    alive: list[Service] = field(default_factory=list)

    async def start(self, **how: Any) -> Service:
        """As `Stage.start`; returns when all that are alive have their connection to Slack."""
        service = await self.stage.start(DATABASE_URL=self.url, **how)
        self.alive.append(service)
        if not how.get("http_mode"):
            await self.stage.slack.wait_connected(len(self.alive), timeout=PATIENCE)
        return service

    async def kill(self, service: Service) -> None:
        service.kill()
        assert await service.over(PATIENCE) == -9
        self.alive.remove(service)

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as reader:
            return reader.execute(statement).fetchall()

    def instances_in(self, state: str) -> dict[str, str]:
        """Names by id."""
        rows = self.rows("SELECT id, name, state FROM instances")
        return {row["id"]: row["name"] for row in rows if row["state"] == state}

    def creates(self) -> Counter[str]:
        """That reached Novita, by the instance in the name there: `gb-<deployment>-<instance>-a<attempt>`."""
        calls = self.stage.novita.journal.calls("create")
        return Counter(call.body["name"].split("-")[2] for call in calls)

    def is_idle(self) -> bool:
        return not self.unfinished()

    def unfinished(self) -> list[str]:
        """What is under way, and what waits to be told."""
        return [f"{row['what']} {row['which']} {row['how']}" for row in self.rows(_UNFINISHED)]

    def audit(self) -> Audit:
        """When all is idle."""
        return Audit(
            lost=sorted(self._lost()),
            doubled=sorted(instance for instance, posts in self.creates().items() if posts > 1),
            missing=sorted(self._missing()),
            repeated=sorted(self._repeated()),
        )

    def _lost(self) -> Iterator[str]:
        rows = self.rows("SELECT novita_id, state FROM instances WHERE novita_id IS NOT NULL")
        owned = {row["novita_id"] for row in rows if row["state"] not in WITHOUT_GPU}
        return (gpu.id for gpu in self.stage.gpus() if gpu.id not in owned)

    def _told(self) -> dict[str, Counter[str]]:
        notices = [
            payload(message)["event_id"]
            for channel in self.stage.workspace.channels
            for message in self.stage.messages(channel)
            if is_notice(message)
        ]
        hooks = [hook.id for hook in self.stage.receiver.received]
        return {"notice": Counter(notices), "webhook": Counter(hooks)}

    def _missing(self) -> Iterator[str]:
        told = self._told()
        for row in self.rows("SELECT event_id, target_kind, state FROM deliveries"):
            event, kind = row["event_id"], row["target_kind"]
            if row["state"] != "delivered" or not told[kind][event]:
                yield f"{event} {kind} {row['state']}"

    def _repeated(self) -> Iterator[str]:
        for kind, events in self._told().items():
            yield from (f"{event} {kind} {times}" for event, times in events.items() if times > 1)
