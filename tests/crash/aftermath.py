"""What has to be true when a service that was killed, once or more, has been left to finish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, NullPool, RowMapping, create_engine, select, text
from sqlalchemy.engine import make_url

from storage.store.tokens import read_token
from storage.tables import metadata
from tests.e2e.stage import PATIENCE, Stage, is_card, is_notice, payload

Outcome = tuple[list[str], str]
"""Events that are told, less their prefix; the state in the end."""

AT_REST = {"running", "stopped", "failed", "deleted"}
WITHOUT_GPU = {"failed", "deleted"}
LASTING = ("instances", "attempts", "events", "deliveries", "delivery_attempts", "quarantine")
"""Tables in which nothing changes while nothing happens. A card that was edited too late is made again."""


_BUSY = (
    "deliveries WHERE due_at IS NOT NULL",
    "cards WHERE due_at IS NOT NULL",
    "instances WHERE due_at IS NOT NULL",
)


class Kind(StrEnum):
    LOST = "lost"
    """A GPU runs that no row owns, or a row owns one that is not there."""
    DOUBLED = "doubled"
    """A GPU was bought twice, or something was told twice that no death excuses."""
    MISSING = "missing"
    """It was not told, or its card shows something else."""
    WRONG = "wrong"
    """It ended as it must not, or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    kind: Kind
    what: str


@dataclass(kw_only=True)
class Aftermath:
    """Of one stage. Nothing is told twice but what was in flight when the service died."""

    stage: Stage
    in_flight: Counter[str] = field(default_factory=Counter)
    """By event id and kind of target, or by instance id for a card: how often a death cut it off."""
    repeated: int = 0
    """Told once more than needed, as a death excuses."""

    def note_death(self, *, frozen: bool = False) -> set[str]:
        """The names of those whose create was begun and may never have reached Novita.

        `frozen`: it goes on later, and commits then a lease that has lapsed by that time.
        """
        held = "due_at IS NOT NULL" if frozen else "lease_token IS NOT NULL"
        with self._database() as database:
            for row in _rows(database, f"SELECT event_id, target_kind FROM deliveries WHERE {held}"):
                self.in_flight[f"{row['event_id']} {row['target_kind']}"] += 1
            for row in _rows(database, f"SELECT instance_id FROM cards WHERE {held} AND ts IS NULL"):
                self.in_flight[row["instance_id"]] += 1
        return self.begun()

    def begun(self) -> set[str]:
        """The names of those whose create may have reached Novita, or may not."""
        unknown = (
            "SELECT name FROM instances WHERE call = 'create' AND outcome = 'begun' AND novita_id IS NULL"
        )
        with self._database() as database:
            return {row["name"] for row in _rows(database, unknown)}

    def snapshot(self) -> dict[str, list[str]]:
        """All that lasts, by table."""
        with self._database() as database:
            return {name: sorted(str(dict(row)) for row in _all(database, name)) for name in LASTING}

    async def is_sound(
        self, outcomes: Mapping[str, Collection[Outcome | None]], *, may_end: bool = False
    ) -> None:
        """Ends the service. See `findings`."""
        found = await self.findings(outcomes, may_end=may_end)
        assert found == [], found

    async def findings(
        self, outcomes: Mapping[str, Collection[Outcome | None]], *, may_end: bool = False
    ) -> list[Finding]:
        """`outcomes`: by name, each of which may have come; None: forgotten. `may_end`: a receiver may have said
        that it wants no more. Ends every life."""
        if not await self.quiet():
            return [Finding(kind=Kind.MISSING, what="it does not come to rest"), *(await self._ends_well())]
        return [*(await self._ends_well()), *self._found(outcomes, may_end=may_end)]

    async def quiet(self) -> bool:
        """Three lists, and nothing is under way after them. False: it never comes to that."""
        for _ in range(20):
            seen = self.stage.novita.journal.count("list")
            await self.stage.novita.journal.wait_for("list", seen + 3, timeout=PATIENCE)
            with self._database() as database:
                if not any(database.scalar(text(f"SELECT count(*) FROM {busy}")) for busy in _BUSY):
                    return True
        return False

    async def _ends_well(self) -> list[Finding]:
        alive = [life for life in self.stage.lives if life.exit_code is None]
        for life in alive:
            life.terminate()
        codes = [await life.over(20) for life in alive]
        return [Finding(kind=Kind.WRONG, what=f"SIGTERM ended it with {code}") for code in codes if code != 0]

    def _found(
        self, outcomes: Mapping[str, Collection[Outcome | None]], *, may_end: bool
    ) -> Iterator[Finding]:
        with self._database() as database:
            self._note_overtaken(database)
            yield from _settled(dict(_outcomes(database)), outcomes)
            yield from _numbered(database)
            yield from self._owned(database)
            yield from self._told(database, {"delivered", "dead"} if may_end else {"delivered"})
            yield from self._shown(database)
        yield from self._bought_once()
        yield from self._one_id_each()

    def _note_overtaken(self, database: Connection) -> None:
        """A life that stood still for longer than its leases tells what is told again meanwhile, or before."""
        deliveries = {
            row["id"]: f"{row['event_id']} {row['target_kind']}"
            for row in _rows(database, "SELECT id, event_id, target_kind FROM deliveries")
        }
        for line in (line for life in self.stage.lives for line in life.log):
            match line.get("event"):
                case "card.overtaken":
                    self.in_flight[line["instance"]] += 1
                case "delivery.overtaken":
                    self.in_flight[deliveries[line["delivery"]]] += 1
                case _:
                    pass

    def _owned(self, database: Connection) -> Iterator[Finding]:
        rows = _rows(database, "SELECT novita_id, name, state FROM instances")
        owned = {row["novita_id"]: row["name"] for row in rows if row["state"] not in WITHOUT_GPU}
        there = {gpu.id: gpu.order.name for gpu in self.stage.gpus()}
        for novita_id in there.keys() - owned.keys() - self.stage.strangers:
            yield Finding(kind=Kind.LOST, what=f"{there[novita_id]} runs and is nobody's")
        for novita_id in owned.keys() - there.keys():
            yield Finding(kind=Kind.LOST, what=f"{owned[novita_id]} has no GPU at Novita ({novita_id})")
        for novita_id in self.stage.strangers - there.keys():
            yield Finding(kind=Kind.WRONG, what=f"{novita_id} was removed, and is not ours")

    def _bought_once(self) -> Iterator[Finding]:
        names = [gpu.order.name for gpu in self.stage.cloud._instances.values()]
        tokens = [token for token in map(read_token, names) if token is not None]
        for instance, times in Counter(token.instance_id for token in tokens).items():
            if times > 1:
                yield Finding(kind=Kind.DOUBLED, what=f"{instance} was bought {times} times")

    def _one_id_each(self) -> Iterator[Finding]:
        ids: dict[tuple[str, int], set[str]] = {}
        for hook in self.stage.receiver.tried:
            ids.setdefault((hook.body["instanceId"], hook.body["sequence"]), set()).add(hook.id)
        for about, different in ids.items():
            if len(different) > 1:
                yield Finding(kind=Kind.DOUBLED, what=f"{about} came with {sorted(different)}")

    def _told(self, database: Connection, ends: set[str]) -> Iterator[Finding]:
        told = Counter(f"{hook.id} webhook" for hook in self.stage.receiver.received)
        for channel in self.stage.workspace.channels:
            kind = "direct" if channel.startswith("D") else "notice"
            heard = (m for m in self.stage.messages(channel) if is_notice(m))
            told.update(f"{payload(m)['event_id']} {kind}" for m in heard)
        for row in _rows(database, "SELECT event_id, target_kind, state FROM deliveries"):
            event, kind = row["event_id"], row["target_kind"]
            times = told[f"{event} {kind}"]
            yield from self._times(f"{event} {kind}", times, at_least=row["state"] == "delivered")
            if row["state"] not in ends:
                yield Finding(kind=Kind.MISSING, what=f"{dict(row)}")

    def _shown(self, database: Connection) -> Iterator[Finding]:
        posted = Counter(
            payload(m)["instance_id"]
            for channel in self.stage.workspace.channels
            for m in self.stage.messages(channel)
            if is_card(m)
        )
        cards = "SELECT cards.*, state, name FROM cards JOIN instances ON instances.id = cards.instance_id"
        for row in _rows(database, cards):
            yield from self._times(row["instance_id"], posted[row["instance_id"]], at_least=True)
            if row["shown_version"] < row["wanted_version"] or row["ts"] is None:
                yield Finding(kind=Kind.MISSING, what=f"the card of {row['name']} is behind")
                continue
            shown = self.stage.workspace.board.get(row["channel"], row["ts"]).text
            if row["state"].capitalize() not in shown:
                yield Finding(
                    kind=Kind.MISSING, what=f"{row['name']} is {row['state']}, its card says {shown}"
                )

    def _times(self, what: str, times: int, *, at_least: bool) -> Iterator[Finding]:
        if times < at_least:
            yield Finding(kind=Kind.MISSING, what=f"{what} counts as told, and was not")
        if times > 1 + self.in_flight[what]:
            yield Finding(kind=Kind.DOUBLED, what=f"{what} was told {times} times")
        self.repeated += max(times - 1, 0)

    @contextmanager
    def _database(self) -> Iterator[Connection]:
        url = make_url(self.stage.database_url)
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            yield connection


def _settled(
    found: Mapping[str, Outcome], outcomes: Mapping[str, Collection[Outcome | None]]
) -> Iterator[Finding]:
    for name in found.keys() - outcomes.keys():
        yield Finding(kind=Kind.WRONG, what=f"nobody asked for {name}")
    for name, allowed in outcomes.items():
        if found.get(name) not in allowed:
            yield Finding(kind=Kind.WRONG, what=f"{name} ended as {found.get(name)}, not as one of {allowed}")
    for name, (_, state) in found.items():
        if state not in AT_REST:
            yield Finding(kind=Kind.WRONG, what=f"{name} is still {state}")


def _outcomes(database: Connection) -> Iterator[tuple[str, Outcome]]:
    """Less what was asked for, and what became of a receiver."""
    for row in _rows(database, "SELECT id, name, state FROM instances"):
        kinds = [event["kind"].removeprefix("instance.") for event in _events(database, row["id"])]
        told = [kind for kind in kinds if kind not in {"requested", "webhook_disabled"}]
        yield row["name"], (told, row["state"])


def _numbered(database: Connection) -> Iterator[Finding]:
    for row in _rows(database, "SELECT id, name FROM instances"):
        numbers = [event["sequence"] for event in _events(database, row["id"])]
        if numbers != list(range(1, len(numbers) + 1)):
            yield Finding(kind=Kind.MISSING, what=f"the events of {row['name']} are {numbers}")


def _events(database: Connection, instance: str) -> list[RowMapping]:
    ordered = "SELECT kind, sequence FROM events WHERE instance_id = :id ORDER BY sequence"
    return _rows(database, ordered, id=instance)


def _rows(database: Connection, words: str, **values: Any) -> list[RowMapping]:
    return list(database.execute(text(words), values).mappings())


def _all(database: Connection, table: str) -> list[RowMapping]:
    return list(database.execute(select(metadata.tables[table])).mappings())
