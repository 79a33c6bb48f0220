"""What has to be true when faults have ended and everything has come to rest."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, assert_never

from pydantic import TypeAdapter

from bot.audience import targets
from bot.sandbox.novita.instances import Instance as Gpu
from storage.records import EventKind, Fate, Instance, NewEvent, State, TargetKind, Wish
from storage.store.tokens import read_token
from tests.simulation.disk import DEPLOYMENT, Disk
from tests.simulation.listeners import Hearing, Hooks, Workspace
from tests.simulation.novita import SimulatedCloud
from tests.simulation.people import People
from tests.simulation.replica import CONFIGURED_HOOK
from tests.simulation.watch import MOST_OFFERS, Row, Violation, Watch

HELD_BACK_BY = 3
"""Failed tries after which an event no longer holds back later ones."""

_FACT = TypeAdapter(NewEvent)
_INSTANCE = TypeAdapter(Instance)

_ENDS_IN = {
    EventKind.READY: State.RUNNING,
    EventKind.STARTED: State.RUNNING,
    EventKind.FAILED: State.FAILED,
    EventKind.STOPPED: State.STOPPED,
    EventKind.RECLAIMED: State.STOPPED,
    EventKind.DELETED: State.DELETED,
}
_ANSWERS: dict[Wish | None, frozenset[EventKind]] = {
    Wish.CREATE: frozenset({EventKind.READY, *(_ENDS_IN.keys() - {EventKind.STARTED})}),
    Wish.START: frozenset({EventKind.READY, EventKind.REFUSED, *_ENDS_IN}),
    Wish.RESTART: frozenset({EventKind.READY, EventKind.REFUSED, *_ENDS_IN}),
    Wish.STOP: frozenset({EventKind.STOPPED, EventKind.RECLAIMED, EventKind.REFUSED, EventKind.DELETED}),
    Wish.DELETE: frozenset({EventKind.DELETED, EventKind.RECLAIMED}),
}
"""What may end a wish. Any later wish supersedes it."""


_RUNNING = re.compile(r"\*(\d+) running\*")
_COUNT_RUNNING = "SELECT count(*) FROM instances WHERE requester = ? AND state = 'running'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event as it is kept."""

    id: str
    instance_id: str
    sequence: int
    fact: NewEvent
    instance: Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    disk: Disk
    cloud: SimulatedCloud
    watch: Watch
    hooks: Hooks
    workspace: Workspace
    people: People
    purged: frozenset[str]
    """Ids of instances that were forgotten as agreed."""
    mishaps: int
    """Deaths, stalls and outages of the database, each of which may repeat what was in flight."""

    def check(self) -> None:
        rows = self.watch.rows()
        by_instance = _by_instance(self._events())
        self._every_gpu_is_somebodys(rows)
        for row in rows:
            self._row_is_true(row)
            self._events_are_whole(row, by_instance[row.id])
        self._nothing_is_billed_without_a_gpu()
        self._attempts_are_over()
        self._everything_is_told([told for each in by_instance.values() for told in each])
        self._cards_are_right(rows)
        self._homes_are_right()
        self._acknowledged_is_kept(by_instance)

    def _events(self) -> list[Told]:
        rows = self.disk.rows(
            "SELECT id, instance_id, sequence, fact, instance FROM events ORDER BY instance_id, sequence"
        )
        return [
            Told(
                id=event_id,
                instance_id=instance_id,
                sequence=sequence,
                fact=_FACT.validate_json(fact),
                instance=_INSTANCE.validate_json(instance),
            )
            for event_id, instance_id, sequence, fact, instance in rows
        ]

    def _every_gpu_is_somebodys(self, rows: list[Row]) -> None:
        owners = {row.novita_id: row for row in rows if row.novita_id is not None}
        for gpu in self.cloud.instances():
            token = read_token(gpu.order.name)
            if gpu.id in self.watch.foreign or token is None or token.deployment != DEPLOYMENT:
                continue
            owner = owners.get(gpu.id)
            if owner is None or owner.state in {State.DELETED, State.FAILED}:
                raise Violation(f"lost: {gpu.id} ({gpu.order.name}) lives on, its row being {owner}")

    def _row_is_true(self, row: Row) -> None:
        gpu = None if row.novita_id is None else self.cloud.find(row.novita_id)
        if row.wish is not None:
            raise Violation(f"{row} still waits for its wish")
        match row.state:
            case State.RUNNING:
                sound = gpu is not None and self._status(gpu) == "running"
            case State.STOPPED:
                sound = gpu is None or not gpu.holds_gpu
            case State.DELETED | State.FAILED:
                sound = gpu is None
            case State.STARTING:
                sound = gpu is not None and gpu.holds_gpu and self._status(gpu) != "running"
            case _:
                sound = False
        if not sound:
            raise Violation(f"{row} at rest, while Novita has {None if gpu is None else self._status(gpu)}")

    def _status(self, gpu: Gpu) -> str:
        return gpu.status_at(self.cloud.now())

    def _events_are_whole(self, row: Row, events: list[Told]) -> None:
        (latest,) = self.disk.rows("SELECT sequence FROM instances WHERE id = ?", row.id)[0]
        if [told.sequence for told in events] != list(range(1, latest + 1)):
            raise Violation(f"{row.id} has events {[told.sequence for told in events]} of {latest}")
        ends = [_ENDS_IN[told.fact.kind] for told in events if told.fact.kind in _ENDS_IN]
        at_rest = row.state in set(_ENDS_IN.values())
        if at_rest and (not ends or ends[-1] is not row.state):
            raise Violation(f"{row.id} is {row.state}, and the last that was told is {ends[-1:]}")
        self._wishes_are_answered(row, events)

    def _wishes_are_answered(self, row: Row, events: list[Told]) -> None:
        open_wish: Wish | None = None
        for told in events:
            if told.fact.kind is EventKind.REQUESTED:
                open_wish = told.fact.verb
            elif open_wish is not None and told.fact.kind in _ANSWERS[open_wish]:
                open_wish = None
        if open_wish is not None:
            raise Violation(
                f"{row.id} was asked to {open_wish}, and nothing was told of it: {_kinds(events)}"
            )

    def _nothing_is_billed_without_a_gpu(self) -> None:
        statement = "SELECT id, state FROM instances WHERE (billing_since IS NULL) = (state IN ('running', 'starting'))"
        if rows := self.disk.rows(statement):
            raise Violation(f"{rows[0]} is billed although it has no GPU, or the other way round")

    def _attempts_are_over(self) -> None:
        begun = "SELECT instance_id, number, fate, novita_id FROM attempts WHERE fate IN ('begun', 'late')"
        for instance_id, number, fate, novita_id in self.disk.rows(begun):
            # One that is late and was removed by somebody else, unseen, stays late.
            if fate == Fate.BEGUN or self.cloud.find(novita_id) is not None:
                raise Violation(f"attempt {number} of {instance_id} is {fate} for ever")
        if (most := self.watch.most_offers()) > MOST_OFFERS:
            raise Violation(f"{most} offers were tried for one instance")

    def _everything_is_told(self, events: list[Told]) -> None:
        rows = self.disk.rows("SELECT event_id, target_kind, target_address, state FROM deliveries")
        states = {(event_id, address): state for event_id, _kind, address, state in rows}
        wanted = {(told.id, target.address) for told in events for target in _targets(told)}
        if missing := wanted - states.keys():
            raise Violation(f"events missing: {sorted(missing)[:3]} were never to be told")
        by_id = {told.id: told for told in events}
        for event_id, kind, address, state in rows:
            self._is_told(by_id[event_id], address, state, self._hearing(TargetKind(kind), address))
        numbers = {told.id: told.sequence for told in events}
        directly = self.workspace.heard_directly.values()
        for hearing in (*self.hooks.heard.values(), self.workspace.heard, *directly):
            self._in_order(hearing, numbers)

    def _hearing(self, kind: TargetKind, address: str) -> Hearing:
        match kind:
            case TargetKind.WEBHOOK:
                return self.hooks.heard[address]
            case TargetKind.NOTICE:
                return self.workspace.heard
            case TargetKind.DIRECT:
                return self.workspace.heard_directly[address]
            case _:
                assert_never(kind)

    def _is_told(self, told: Told, address: str, state: str, hearing: Hearing) -> None:
        times = sum(1 for event_id, _ in hearing.accepted if event_id == told.id)
        what = f"{told.fact.kind} {told.sequence} of {told.instance_id} to {address}"
        match state:
            case "delivered":
                sound = times >= 1
            case "dead":
                sound = address in self.hooks.gone
            case _:
                sound = False
        if not sound:
            raise Violation(f"{what} is {state}, taken {times} times")
        if times > 1 + hearing.answers_lost[told.id] + self.mishaps:
            raise Violation(f"{what} was told {times} times, and nothing was in the way")

    def _in_order(self, hearing: Hearing, sequences: dict[str, int]) -> None:
        """For each instance; an event that failed three times may be overtaken."""
        latest: defaultdict[str, int] = defaultdict(int)
        overtakers: defaultdict[str, str] = defaultdict(str)
        seen: set[str] = set()
        for event_id, (instance_id, _) in hearing.accepted:
            sequence = sequences.get(event_id)
            if sequence is None or event_id in seen:
                continue
            seen.add(event_id)
            if sequence < latest[instance_id]:
                before = hearing.tries_at_first[overtakers[instance_id]][event_id]
                if before < HELD_BACK_BY:
                    raise Violation(f"{instance_id}: event {sequence} was told after {latest[instance_id]}")
                continue
            latest[instance_id], overtakers[instance_id] = sequence, event_id

    def _cards_are_right(self, rows: list[Row]) -> None:
        states = {row.id: row.state for row in rows}
        for instance_id, channel, ts, wanted, shown in self.disk.rows(
            "SELECT instance_id, channel, ts, wanted_version, shown_version FROM cards"
        ):
            text = self.workspace.messages.get((channel, ts))
            if shown < wanted or (text is not None and states[instance_id].capitalize() not in text):
                raise Violation(f"the card of {instance_id}, which is {states[instance_id]}, shows {text!r}")

    def _homes_are_right(self) -> None:
        for user_id, wanted, shown in self.disk.rows(
            "SELECT user_id, wanted_version, shown_version FROM people WHERE has_home"
        ):
            said = _RUNNING.search(self.workspace.homes.get(user_id, ""))
            (count,) = self.disk.rows(_COUNT_RUNNING, user_id)[0]
            if shown < wanted or (said is not None and int(said[1]) != count):
                raise Violation(
                    f"the Home tab of {user_id}, who has {count} running, shows {said and said[0]}"
                )

    def _acknowledged_is_kept(self, by_instance: dict[str, list[Told]]) -> None:
        asked: Counter[Wish] = Counter(request.verb for request in self.people.requests)
        done: Counter[Wish | None] = Counter(
            told.fact.verb
            for events in by_instance.values()
            for told in events
            if told.fact.kind is EventKind.REQUESTED
        )
        for verb, times in done.items():
            if verb is None or times > asked[verb]:
                raise Violation(f"{times} wishes of {verb} came of {asked[verb] if verb else 0} requests")
        for request in self.people.requests:
            ids = {answer.id for answer in request.answers}
            if len(ids) > 1 and not ids & self.purged:  # their request keys go with them
                raise Violation(f"{request} had several effects: {sorted(ids)}")
            for instance_id in ids - self.purged:
                if not _has_wish(by_instance[instance_id], request.verb):
                    raise Violation(f"{request} was acknowledged, and is forgotten")


def _by_instance(events: Iterable[Told]) -> defaultdict[str, list[Told]]:
    found: defaultdict[str, list[Told]] = defaultdict(list)
    for told in events:
        found[told.instance_id].append(told)
    return found


def _targets(told: Told) -> Iterator[Any]:
    yield from targets(told.instance, told.fact.kind, webhook_url=CONFIGURED_HOOK)


def _kinds(events: list[Told]) -> str:
    return ", ".join(f"{told.fact.kind.value.partition('.')[2]}({told.fact.verb or ''})" for told in events)


def _has_wish(events: list[Told], verb: Wish) -> bool:
    return any(told.fact.kind is EventKind.REQUESTED and told.fact.verb is verb for told in events)
