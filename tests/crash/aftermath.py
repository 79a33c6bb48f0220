"""What has to be true when a service that was killed, once or more, has been left to finish."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.stage import PATIENCE, Stage, is_card, is_notice, payload

Outcome = tuple[list[str], str]
"""Events that are told, less their prefix; the state in the end."""

AT_REST = {"running", "stopped", "failed", "deleted"}
WITHOUT_GPU = {"failed", "deleted"}


@dataclass(kw_only=True)
class Aftermath:
    """Of one stage. Nothing is told twice but what was in flight when the service died."""

    stage: Stage
    in_flight: Counter[str] = field(default_factory=Counter)
    """By event id and kind of target, or by instance id for a card: how often a death cut it off."""

    def note_death(self) -> set[str]:
        """The names of those whose create was begun and may never have reached Novita."""
        with _database(self.stage.directory) as database:
            for event, kind in database.execute(
                "SELECT event_id, target_kind FROM deliveries WHERE lease_token IS NOT NULL"
            ):
                self.in_flight[f"{event} {kind}"] += 1
            for (instance,) in database.execute(
                "SELECT instance_id FROM cards WHERE lease_token IS NOT NULL AND ts IS NULL"
            ):
                self.in_flight[instance] += 1
            begun = database.execute(
                "SELECT name FROM instances WHERE call = 'create' AND outcome = 'begun' AND novita_id IS NULL"
            )
            return {row["name"] for row in begun}

    async def is_sound(
        self, outcomes: Mapping[str, Collection[Outcome | None]], *, may_end: bool = False
    ) -> None:
        """`outcomes`: by name, each of which may have come; None: forgotten. `may_end`: a receiver may have said
        that it wants no more. Ends the service."""
        seen = self.stage.novita.journal.count("list")
        await self.stage.novita.journal.wait_for("list", seen + 3, timeout=PATIENCE)
        self.stage.service.terminate()
        assert await self.stage.service.over(10) == 0
        with _database(self.stage.directory) as database:
            found = dict(_outcomes(database))
            assert found.keys() <= outcomes.keys()
            wrong = {name: found.get(name) for name in outcomes if found.get(name) not in outcomes[name]}
            assert wrong == {}
            self._every_gpu_is_somebodys(database)
            self._everything_is_told(database, {"delivered", "dead"} if may_end else {"delivered"})
            self._every_card_is_right(database)

    def _every_gpu_is_somebodys(self, database: sqlite3.Connection) -> None:
        rows = database.execute("SELECT novita_id, state FROM instances").fetchall()
        assert {row["state"] for row in rows} <= AT_REST
        owned = [row["novita_id"] for row in rows if row["state"] not in WITHOUT_GPU]
        assert sorted(owned) == sorted(gpu.id for gpu in self.stage.gpus())

    def _everything_is_told(self, database: sqlite3.Connection, ends: set[str]) -> None:
        notices = Counter(
            payload(m)["event_id"]
            for channel in self.stage.workspace.channels
            for m in self.stage.messages(channel)
            if is_notice(m)
        )
        hooks = Counter(hook.id for hook in self.stage.receiver.received)
        for row in database.execute("SELECT event_id, target_kind, state FROM deliveries"):
            event, kind, state = row
            assert state in ends, dict(row)
            times = (notices if kind == "notice" else hooks)[event]
            assert (state == "delivered") <= times <= 1 + self.in_flight[f"{event} {kind}"], (
                dict(row),
                times,
            )

    def _every_card_is_right(self, database: sqlite3.Connection) -> None:
        posted = Counter(payload(m)["instance_id"] for m in self.stage.messages() if is_card(m))
        for row in database.execute(
            "SELECT cards.*, state, name FROM cards JOIN instances ON instances.id = cards.instance_id"
        ):
            assert row["shown_version"] >= row["wanted_version"], dict(row)
            assert 1 <= posted[row["instance_id"]] <= 1 + self.in_flight[row["instance_id"]], dict(row)
            shown = self.stage.workspace.board.get(row["channel"], row["ts"])
            assert row["state"].capitalize() in shown.text, (dict(row), shown.text)


def _outcomes(database: sqlite3.Connection) -> Iterator[tuple[str, Outcome]]:
    for row in database.execute("SELECT id, name, state FROM instances").fetchall():
        yield row["name"], (list(_events(database, row["id"])), row["state"])


def _events(database: sqlite3.Connection, instance: str) -> Iterator[str]:
    """Less what was asked for, and what became of a receiver. The sequence has no hole."""
    rows = database.execute(
        "SELECT kind, sequence FROM events WHERE instance_id = ? ORDER BY sequence", (instance,)
    ).fetchall()
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    kinds = (row["kind"].removeprefix("instance.") for row in rows)
    return (kind for kind in kinds if kind not in {"requested", "webhook_disabled"})


def _database(directory: Path) -> Any:
    """Only while no service is alive."""
    database = sqlite3.connect(directory / "gpu-bot.db")
    database.row_factory = sqlite3.Row
    return closing(database)
