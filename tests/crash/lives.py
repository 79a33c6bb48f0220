"""One stage, one scene: the service dies in each life, and the last one finishes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from tests.crash import scenes
from tests.crash.aftermath import Aftermath, Finding, Kind, Outcome
from tests.crash.modes import LATE, Mode, disturb
from tests.crash.points import Point, Then, When
from tests.crash.scenes import Deed, Scene
from tests.e2e.lives import Service
from tests.e2e.stage import GPU, PATIENCE, Stage, state_of

TIMES = {
    "tick": 0.25,
    "fast_poll": 0.25,
    "slow_poll": 0.4,
    "renew_every": 0.4,
    "retry_first": 0.3,
    "retry_longest": 1.0,
    "admins_told_every": 0.4,
}
"""Seconds. Not as short as can be: what waits lets others work, and many stages share a machine."""
LEASE, LEASE_OF_TWO = 2.0, 3.0
"""Seconds until what the dead one held is free again."""
PAUSES = (0.3, 0.3, 0.5, 1.0, 1.0, 2.0, 2.0, 4.0, 8.0)
"""Of a webhook, in seconds: a receiver that fails over all the lives is not given up."""
NEVER_REPEATED = {
    ("store.instances.begin", When.AFTER),
    ("novita.create_instance", When.BEFORE),
    ("store.instances.not_made", When.BEFORE),
    ("store.instances.not_made", When.DURING),
}
"""A create was begun and nothing of it is known: nobody can tell it from one that was made."""
LATE_CALLS = {
    ("store.instances.begin", When.AFTER),
    ("novita.create_instance", When.BEFORE),
    ("novita.restart_instance", When.BEFORE),
}
"""What a frozen life has still to call has its effect, and that is followed."""
RESTARTED_TWICE: Outcome = (["ready", "started", "started"], "running")
"""Of all calls only this one has an effect each time: asked again, since its answer was lost, it is made again."""
RESTARTED_ONCE_MORE: Outcome = (["ready", "started", "started", "started"], "running")
LATE_REMOVED: Outcome = (["failed", "late_removed"], "failed")

Outcomes = Collection[Outcome | None]


class NeverCameError(Exception):
    """Nothing called the method at which it was to die."""


@dataclass(kw_only=True)
class Verdict:
    findings: list[Finding] = field(default_factory=list)
    deaths: int = 0
    repeated: int = 0
    """Told once more than needed, as a death excuses."""


class Lives:
    """The scene is played once in each life, by an instance of its own.

    `together`: so many lives share a database, which must be PostgreSQL where there are two. Any of them may be
    the one that dies, and the others go on.
    """

    def __init__(
        self, stage: Stage, scene: Scene, *, mode: Mode = Mode.CLEAN, together: int = 1, seed: int = 0
    ) -> None:
        self.stage, self._scene = stage, scene
        self._mode, self._together = mode, together
        self._lease = LEASE if together == 1 else LEASE_OF_TWO
        self._chance = Random(seed)
        self._aftermath = Aftermath(stage=stage)
        self._outcomes: dict[str, Outcomes] = {}
        self._unheard: list[str] = []
        """Envelopes that were not acknowledged."""
        self._buried: set[int] = set()
        self._serials = count(1)
        self._verdict = Verdict()
        stage.errors_meant |= scene.errors
        if together > 1:
            # A frozen one may be in the middle of a transaction, which the server ends.
            stage.errors_meant.add("database.failing")

    def name(self, number: int) -> str:
        return list(self._outcomes)[number]

    async def one_ends_at(self, method: str, when: When, *, nth: int = 1) -> None:
        await self._start()
        name = await self._prepared()
        if (method, when) in NEVER_REPEATED:
            # Its own, as a rule; on a slow machine the call that dies may be for one of an earlier life.
            self._may_be_unmade([name])
        self._arm(method, when, nth=nth)
        await self._play(name, self._scene.provoke)
        await self._death(f"{method} {when}")

    async def one_ends_as_it_starts(self, method: str, when: When, *, nth: int = 1) -> None:
        self._arm(method, when, nth=nth)
        await self._start()
        await self._death(f"{method} {when}")

    async def one_ends_on_the_wire(self, endpoint: str, fault: Deed) -> None:
        """Whose call it is nobody sees from outside: all of them end."""
        await self._signal_on_the_wire(endpoint, fault, Service.kill)
        await self._death(endpoint)

    async def one_is_asked_to_end_on_the_wire(self, endpoint: str, fault: Deed) -> None:
        """By SIGTERM: it ends well, and nothing is told twice for that."""
        await self._signal_on_the_wire(endpoint, fault, Service.terminate)
        for life in self.stage.lives:
            await self._ends(life, 0)
        self._verdict.deaths += 1
        self._may_be_unmade(self._aftermath.begun())

    async def one_is_killed(self, provoke: Deed, when: Callable[[], Any]) -> None:
        await self._start()
        name = await self._prepared()

        async def kill() -> None:
            await self.stage.until(when)
            self._signal(Service.kill)

        both = scenes.both(self._scene.provoke, provoke)
        await asyncio.gather(kill(), self._play(name, both))
        await self._death("it was killed")

    async def one_freezes_at(self, method: str, when: When) -> None:
        """Past its leases. Where there is another life, that has finished by then: nothing is left to write."""
        await self._start()
        name = await self._prepared()
        never_repeated = (method, when) in NEVER_REPEATED
        if never_repeated:
            self._outcomes[name] = (*self._outcomes[name], scenes.UNCONFIRMED, LATE_REMOVED)
        self._arm(method, when, then=Then.STOP)
        await self._play(name, self._scene.provoke)
        frozen = await self._frozen(f"{method} {when}")
        self._verdict.deaths += 1
        self._may_be_unmade(self._aftermath.note_death(frozen=True))
        if self._together == 1:
            await self.stage.later(1.5 * self._lease)
            frozen.thaw()
            return
        await self._say_it_again()
        self._verdict.findings += await self._unfinished(name)
        await self._aftermath.quiet()
        before = self._aftermath.snapshot()
        frozen.thaw()
        frozen.terminate()  # what it has in its hands it finishes first
        await self._ends(frozen, 0)
        if (method, when) not in LATE_CALLS:
            self._verdict.findings += _written(before, self._aftermath.snapshot())

    async def the_last_one_finishes(self, *names: str) -> Verdict:
        """`names`: instances that are asked for now."""
        stage, scene, findings = self.stage, self._scene, self._verdict.findings
        await self._start()
        for name in names:
            self._outcomes[name] = self._possible()
            await self._say(name)
        await scene.mend(stage, "")
        for envelope in self._unheard:
            await stage.slack.redeliver(envelope, new_envelope=True)
        findings += await self._all_unfinished()
        if self._mode.is_late:
            # What Novita does late may begin when all has been told: that is followed to its end as well.
            await stage.later(3 * LATE.total_seconds())
            findings += await self._all_unfinished()
        if not await self._becomes(lambda: scene.over(stage)):
            findings.append(Finding(kind=Kind.MISSING, what="the scene is not over"))
        findings += await self._aftermath.findings(self._outcomes, may_end=scene.may_end)
        self._verdict.repeated = self._aftermath.repeated
        return self._verdict

    async def _start(self) -> None:
        """As many as there should be."""
        timings = {**TIMES, "lease": self._lease, **self._scene.timings}
        for _ in range(self._together - len(self._alive())):
            await self.stage.start(settings=self._scene.settings, timings=timings, pauses=PAUSES, deadly=True)

    def _alive(self) -> list[Service]:
        return [life for life in self.stage.lives if life.exit_code is None]

    async def _prepared(self) -> str:
        """By a Novita that is as it should be."""
        name = f"n{len(self._outcomes)}"
        self._outcomes[name] = self._possible()
        self.stage.novita.faults.clear()
        await self._scene.prepare(self.stage, name)
        return name

    def _possible(self) -> Outcomes:
        says = self._scene.says or ""
        if says.startswith("/gpu create"):
            return (*self._scene.outcomes, *self._mode.unmade)
        if says.startswith("/gpu restart") and self._mode.is_late:
            return (*self._scene.outcomes, RESTARTED_TWICE)
        return self._scene.outcomes

    def _arm(self, method: str, when: When, *, nth: int = 1, then: Then = Then.KILL) -> None:
        Point(method=method, when=when, nth=nth, then=then, serial=next(self._serials)).arm(self.stage.armed)

    async def _play(self, name: str, provoke: Deed) -> None:
        await provoke(self.stage, name)
        disturb(self.stage.novita.faults, self._mode, self._chance)
        await self._say(name)

    async def _say(self, name: str) -> None:
        if self._scene.says is None:
            return
        reply = await self.stage.ada.command(self._scene.says.format(name), channel=GPU)
        if not reply.ok:
            self._unheard.append(reply.envelope_id)

    async def _say_it_again(self) -> None:
        """What a frozen life had heard and not acknowledged, until one that is awake hears it."""
        for _ in range(round(PATIENCE)):
            if not self._unheard:
                return
            ack = await self.stage.slack.redeliver(self._unheard[-1], new_envelope=True)
            if ack.error is None:
                self._unheard.pop()

    async def _signal_on_the_wire(
        self, endpoint: str, fault: Deed, signal: Callable[[Service], None]
    ) -> None:
        await self._start()
        name = await self._prepared()
        journal = self.stage.novita.journal
        seen = journal.count(endpoint)

        async def strike() -> None:
            await journal.wait_for(endpoint, seen + 1, PATIENCE)
            self._signal(signal)

        async def play() -> None:
            await fault(self.stage, name)
            await self._play(name, self._scene.provoke)

        await asyncio.gather(strike(), play())

    def _signal(self, signal: Callable[[Service], None]) -> None:
        for life in self._alive():
            signal(life)

    async def _death(self, where: str) -> None:
        """One of them is gone, and what it had in its hands is noted."""
        ended = [life for life in self.stage.lives if life.pid not in self._buried]
        if not await self._comes(lambda: any(life.exit_code is not None for life in ended)):
            raise NeverCameError(where)
        for life in ended:
            if life.exit_code is not None:
                await self._ends(life, -9)
        self._verdict.deaths += 1
        self._may_be_unmade(self._aftermath.note_death())

    async def _ends(self, life: Service, code: int) -> None:
        self._buried.add(life.pid)
        if (found := await life.over(PATIENCE)) != code:
            self._verdict.findings.append(Finding(kind=Kind.WRONG, what=f"it ended with {found}"))

    async def _frozen(self, where: str) -> Service:
        for _ in range(round(PATIENCE / 0.05)):
            for life in self._alive():
                if life.is_frozen:
                    return life
            await self.stage.later(0.05)
        raise NeverCameError(where)

    def _may_be_unmade(self, names: Collection[str]) -> None:
        for name in names:
            self._outcomes[name] = (*self._outcomes[name], scenes.UNCONFIRMED)

    async def _comes(self, predicate: Callable[[], Any]) -> bool:
        try:
            await self.stage.until(predicate)
        except TimeoutError:
            return False
        return True

    async def _becomes(self, predicate: Callable[[], Any]) -> bool:
        """Looked at again and again: of what Novita shows nobody is told that it changed."""
        for _ in range(round(PATIENCE / 0.1)):
            if predicate():
                return True
            await self.stage.later(0.1)
        return False

    async def _all_unfinished(self) -> list[Finding]:
        return [finding for name in self._outcomes for finding in await self._unfinished(name)]

    async def _unfinished(self, name: str) -> list[Finding]:
        if await self._comes(lambda: self._is_over(name)):
            return []
        told = [each for each in _HEARD if self.stage.notices(name, f"instance.{each}")]
        hooked = [each for each in _HEARD if self.stage.hooks(name, f"instance.{each}")]
        what = f"{name} does not end: {self.stage.states(name)}, told {told}, webhooks {hooked}"
        return [Finding(kind=Kind.WRONG, what=what)]

    def _is_over(self, name: str) -> bool:
        """Told all that one of the outcomes tells, and its card shows how it ended."""
        shown = [state_of(card) for card in self.stage.cards(name)]
        return any(
            outcome is None or (outcome[1].capitalize() in shown and self._is_told(name, outcome[0]))
            for outcome in self._outcomes[name]
        )

    def _is_told(self, name: str, events: list[str]) -> bool:
        stage = self.stage
        heard = [event for event in events if event != "late_removed"]
        return all(stage.notices(name, f"instance.{event}") for event in events) and (
            self._scene.may_end or all(stage.hooks(name, f"instance.{event}") for event in heard)
        )


_HEARD = ("ready", "started", "stopped", "failed", "deleted", "late_removed")


def _written(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[Finding]:
    return [
        Finding(kind=Kind.WRONG, what=f"a late one wrote to {table}: {sorted(set(rows) ^ set(after[table]))}")
        for table, rows in before.items()
        if rows != after[table]
    ]
