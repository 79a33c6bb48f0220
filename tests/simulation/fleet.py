"""The processes of a run: how they begin, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from tests.simulation.disk import microseconds
from tests.simulation.faults import BY_AWAITS, OURSELVES, Weather
from tests.simulation.replica import Replica, Surroundings

_OVER = """
SELECT id FROM instances WHERE state IN ('failed', 'deleted') AND wish IS NULL AND updated_at < ?
"""


class Fleet:
    def __init__(
        self,
        around: Surroundings,
        weather: Weather,
        note: Callable[[str], None],
        struck: Callable[[str], None],
    ) -> None:
        self._around = around
        self._weather = weather
        self._dice = around.dice
        self._note = note
        self._struck = struck
        self._loop = asyncio.get_running_loop()
        self._replicas: list[Replica] = []
        self.begun = 0
        self.mishaps = 0
        """Deaths, stalls and outages of the database, each of which may repeat what was in flight."""
        self.purged: set[str] = set()
        """Ids of instances that were forgotten as agreed."""

    def start(self) -> None:
        self.begun += 1
        self._replicas.append(Replica(f"replica-{self.begun}", self._around))

    def start_if_none(self) -> None:
        if not self._replicas:
            self.start()

    def end(self) -> None:
        for replica in self._replicas:
            replica.kill()

    def tick(self) -> None:
        for replica in tuple(self._replicas):
            if replica.process.is_dead:
                self._restart(replica)  # it ended by itself, for want of a database
            replica.tick()

    def one_that_answers(self) -> Replica | None:
        able = [each for each in self._replicas if not each.process.is_dead and not each.process.is_stalled]
        return self._dice.choice(able) if able else None

    def is_busy(self) -> bool:
        return any(each.process.tasks or each.process.is_stalled for each in self._replicas)

    def stumble(self) -> None:
        possible = sorted(self._weather.kinds & OURSELVES)
        if not possible or not self._replicas:
            return
        kind = self._dice.choice(possible)
        replica = self._dice.choice(self._replicas)
        if kind in BY_AWAITS and self._dice.random() < 0.7:
            self._stumble_later(replica, kind)
        else:
            self._stumble(replica, kind)

    def stumble_over_a_request(self, replica: Replica) -> None:
        if possible := sorted(self._weather.kinds & BY_AWAITS):
            self._stumble_later(replica, self._dice.choice(possible))

    def _stumble_later(self, replica: Replica, kind: str) -> None:
        """At one of the awaits to come, so that every one of them has its turn."""
        replica.process.after_pauses(self._dice.randint(1, 25), lambda: self._stumble(replica, kind))

    def _stumble(self, replica: Replica, kind: str) -> None:
        if replica not in self._replicas or kind not in self._weather.kinds:
            return  # it is over with that process, or peace has come
        self._note(f"{replica.name} {kind}")
        self._struck(kind)
        self.mishaps += 1
        match kind:
            case "killed":
                self._restart(replica)
            case "stopped":
                self._replicas.remove(replica)
                self._loop.create_task(replica.stop())
                self.start()
            case "moved":
                self._replicas.remove(replica)
                replica.kill()
                self._loop.call_later(self._dice.uniform(0, 20), self.start)
            case "stalled":
                lease = self._around.pace.timings.lease.total_seconds()
                replica.process.stall(self._dice.uniform(0.5, 2.5) * lease)
            case "clock jumps":
                self._sleep(self._dice.uniform(15, 90))
            case "database away":
                self._weather.change(frozenset({kind}))
            case "purged":
                self._purge(replica)
            case _:
                raise NotImplementedError(kind)

    def _restart(self, replica: Replica) -> None:
        self._replicas.remove(replica)
        replica.kill()
        self.start()

    def _sleep(self, seconds: float) -> None:
        """All of them on one machine, which was suspended."""
        for replica in self._replicas:
            replica.process.stall(seconds)

    def _purge(self, replica: Replica) -> None:
        before = self._around.clock() - timedelta(seconds=self._dice.choice((30, 60)))
        self.purged |= {row[0] for row in self._around.disk.rows(_OVER, microseconds(before))}
        replica.process.spawn(replica.purge(before))
