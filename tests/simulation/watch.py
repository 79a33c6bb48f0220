"""What may never happen, looked at when a call arrives at Novita and after every step."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.timings import Timings
from storage.cloud import Listing
from storage.records import Fate, State, Wish
from storage.store.tokens import Token, read_token
from tests.simulation.disk import DEPLOYMENT, Disk, microseconds
from tests.simulation.novita import SimulatedCloud

MOST_OFFERS = 8


class Violation(AssertionError):
    """A promise was broken."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is looked at of an instance."""

    id: str
    state: State
    wish: Wish | None
    novita_id: str | None
    attempt: int
    error: str | None


class Watch:
    def __init__(
        self,
        disk: Disk,
        cloud: SimulatedCloud,
        clock: Callable[[], datetime],
        timings: Timings,
        *,
        is_calm: bool,
    ) -> None:
        """`is_calm`: no process of ours dies or stalls, so that what it heard is what it wrote."""
        self._is_calm = is_calm
        self._disk = disk
        self._cloud = cloud
        self._clock = clock
        self._timings = timings
        self.foreign: set[str] = set()
        """Ids at Novita of what is none of ours."""
        self._lists: list[tuple[datetime, frozenset[str]]] = []
        """When each complete list began that somebody read, and whom it showed."""
        self._not_found: Counter[str] = Counter()
        """Answers that said so, by the id at Novita, since the last one that said something else."""
        self._seen: Violation | None = None
        self.creates: Counter[str] = Counter()
        """Calls that arrived, by instance."""
        self._asked: defaultdict[str, set[int]] = defaultdict(set)
        self._handed_over: set[str] = set()
        self._not_made: defaultdict[str, set[int]] = defaultdict(set)
        self._states: dict[str, State] = {}
        self.doubled = 0

    def call_arrived(self, endpoint: str, body: Any) -> None:
        """Whoever called would take an error for one of Novita's: it is raised at the end of the step."""
        try:
            self._judge_call(endpoint, body)
        except Violation as violation:
            self._seen = self._seen or violation

    def _judge_call(self, endpoint: str, body: Any) -> None:
        if endpoint == "create":
            self._create_arrived(str(body["name"]))
            return
        if body["instanceId"] in self.foreign:
            raise Violation(f"{endpoint} of {body['instanceId']}, which is not ours")
        if endpoint == "delete":
            self._delete_arrived(body["instanceId"])

    def answered(self, novita_id: str, status_code: int) -> None:
        """Of a get or a change, heard by whoever asked."""
        if status_code == 404:
            self._not_found[novita_id] += 1
        elif status_code == 200 and self._is_calm:
            self._not_found[novita_id] = 0

    def create_handed_over(self, name: str) -> None:
        self._handed_over.add(name)

    def said_to_be_not_made(self, instance_id: str, attempt: int) -> None:
        """True of what was never handed over; of all else only where the client says the same."""
        name = str(Token(deployment=DEPLOYMENT, instance_id=instance_id, attempt=attempt))
        if name not in self._handed_over:
            self._not_made[instance_id].add(attempt)

    def certainly_not_made(self, name: str) -> None:
        if (token := read_token(name)) is not None:
            self._not_made[token.instance_id].add(token.attempt)

    def list_read(self, listing: Listing) -> None:
        shown = frozenset(each.novita_id for each in listing.observations)
        self._lists.append((listing.began_at, shown))

    def lists_read(self) -> int:
        return len(self._lists)

    def _create_arrived(self, name: str) -> None:
        token = read_token(name)
        if token is None or token.deployment != DEPLOYMENT:
            raise Violation(f"a create whose name {name} is no token of ours")
        self.creates[token.instance_id] += 1
        begun = "SELECT fate FROM attempts WHERE instance_id = ? AND number = ?"
        if not self._disk.rows(begun, token.instance_id, token.attempt):
            raise Violation(f"the create {name} was not committed before it was sent")
        asked = self._asked[token.instance_id]
        if token.attempt in asked:
            raise Violation(f"the create {name} was sent twice")
        if unclear := set(range(1, token.attempt)) - self._not_made[token.instance_id]:
            raise Violation(f"the create {name} repeats {sorted(unclear)}, of which nobody knows the outcome")
        asked.add(token.attempt)

    def _delete_arrived(self, novita_id: str) -> None:
        """Only of what somebody wants gone, or what came too late."""
        found = self.row("novita_id", novita_id)
        if found is not None:
            if found.wish not in {Wish.DELETE, Wish.REMOVE} and found.state not in _OVER:
                raise Violation(f"{novita_id} was removed although {found} is wanted")
            return
        gpu = self._cloud.find(novita_id)
        token = None if gpu is None else read_token(gpu.order.name)
        found = None if token is None else self.row("id", token.instance_id)
        if found is None or token is None or found.state in _OVER:
            return
        if found.novita_id is None and found.attempt == token.attempt:
            raise Violation(f"{novita_id} was removed as late although {found} waits for it")

    def row(self, column: str, value: str) -> Row | None:
        rows = self._disk.rows(f"{_ROWS} WHERE {column} = ?", value)
        return _row(rows[0]) if rows else None

    def rows(self) -> list[Row]:
        return [_row(each) for each in self._disk.rows(_ROWS)]

    def step(self) -> None:
        """After every step."""
        if self._seen is not None:
            raise self._seen
        self._nothing_is_doubled()
        self._novita_ids_are_unique()
        for row in self.rows():
            before = self._states.get(row.id)
            self._states[row.id] = row.state
            if before is not row.state:
                self._changed(row)

    def alive(self) -> Mapping[str, list[str]]:
        """Ids at Novita of GPUs that exist and are not leaving, by instance."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for gpu in self._cloud.instances():
            token = ours(gpu.id, gpu.order.name, self.foreign)
            if token is not None and not gpu.is_leaving:
                found[token.instance_id].append(gpu.id)
        return found

    def _nothing_is_doubled(self) -> None:
        for instance_id, gpus in self.alive().items():
            if len(gpus) > 1:
                self.doubled += 1
                raise Violation(f"{instance_id} has {len(gpus)} GPUs: {', '.join(gpus)}")

    def _novita_ids_are_unique(self) -> None:
        twice = "SELECT novita_id FROM instances WHERE novita_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
        if rows := self._disk.rows(twice):
            raise Violation(f"several rows have the GPU {rows[0][0]}")

    def _changed(self, row: Row) -> None:
        if row.state is State.FAILED and row.error is not None and '"UNCONFIRMED"' in row.error:
            self._given_up_for_good_reason(row)
        if row.state is State.DELETED:
            self._gone_for_good_reason(row)

    def _given_up_for_good_reason(self, row: Row) -> None:
        begun = "SELECT begun_at FROM attempts WHERE instance_id = ? AND number = ?"
        began = self._disk.rows(begun, row.id, row.attempt)[0][0]
        lists = [at for at, _ in self._lists if microseconds(at) >= began]
        waited = timedelta(microseconds=microseconds(self._clock()) - began)
        if len(lists) < self._timings.lists_until_gone or waited < self._timings.unconfirmed_after:
            raise Violation(f"{row.id} was given up after {waited} and {len(lists)} lists")

    def _gone_for_good_reason(self, row: Row) -> None:
        """What Novita keeps out of its lists and does not find for long enough may be called gone."""
        for novita_id in self.alive().get(row.id, ()):
            without = sum(1 for _, shown in self._lists if novita_id not in shown)
            if row.novita_id == novita_id and (
                without < self._timings.lists_until_gone or not self._not_found[novita_id]
            ):
                raise Violation(
                    f"{row.id} was called deleted while {novita_id} lives, after {without} lists without it and "
                    f"{self._not_found[novita_id]} answers that it is not found"
                )

    def most_offers(self) -> int:
        fate = "SELECT count(*) FROM attempts WHERE fate = ? GROUP BY instance_id ORDER BY 1 DESC LIMIT 1"
        rows = self._disk.rows(fate, Fate.NO_CAPACITY.value)
        return rows[0][0] if rows else 0


_OVER = frozenset({State.DELETING, State.DELETED, State.FAILED})
_ROWS = "SELECT id, state, wish, novita_id, attempt, error FROM instances"


def _row(values: Any) -> Row:
    instance_id, state, wish, novita_id, attempt, error = values
    return Row(instance_id, State(state), None if wish is None else Wish(wish), novita_id, attempt, error)


def ours(novita_id: str, name: str, foreign: set[str]) -> Token | None:
    token = None if novita_id in foreign else read_token(name)
    return token if token is not None and token.deployment == DEPLOYMENT else None
