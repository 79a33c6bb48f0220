"""One seeded run: people, faults and processes for a while, then peace, then the reckoning."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from bot.sandbox.novita.routes import FirstPage
from storage.records import State
from tests.simulation.clockwork import SimulatedLoop, Stuck, clock_of, drawn_ids
from tests.simulation.disk import DEPLOYMENT, microseconds, the_disk
from tests.simulation.ending import Ending
from tests.simulation.fate import Fate
from tests.simulation.faults import BY_AWAITS, EVERY, FATE, OURSELVES, Weather
from tests.simulation.listeners import Hooks, Workspace
from tests.simulation.market import MARKET
from tests.simulation.novita import Door, SimulatedCloud
from tests.simulation.people import People
from tests.simulation.process import keep_tasks
from tests.simulation.replica import AS_DELIVERED, BRISK, Pace, Replica, Surroundings
from tests.simulation.trace import Trace
from tests.simulation.watch import Violation, Watch

_MOST_SECONDS_TO_REST = 1800
"""Of peace; with the settings as delivered a create may be tried for half an hour."""


_STUMBLES_OVER_A_REQUEST = 0.3
"""Of requests: what follows on one are the awaits that matter most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a seed stands for."""

    steps: int
    replicas: int
    pace: Pace
    kinds: frozenset[str]
    first_page: FirstPage
    page_cap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of a seed."""

    seed: int
    digest: str
    steps: int
    creates: int
    restarts: int
    seconds: float
    """Of simulated time."""
    faults: Counter[str] = field(default_factory=Counter)
    told: int
    repeated: int
    violation: str | None = None
    trace: tuple[str, ...] = ()


def plan_of(seed: int) -> Plan:
    dice = Random(f"plan {seed}")
    # A few kinds at a time: where everything fails always, nothing gets far enough to fail in a new way.
    most = dice.choice((0, 3, 6, 10, 20, len(EVERY)))
    return Plan(
        steps=dice.randint(30, 55),
        replicas=dice.choice((1, 1, 1, 2, 2, 3)),
        pace=AS_DELIVERED if dice.random() < 0.03 else BRISK,
        kinds=frozenset(dice.sample(EVERY, most)),
        first_page=dice.choice(("both", "both", "both", 0, 1)),
        page_cap=dice.choice((100, 100, 100, 2)),
    )


def simulate(seed: int, plan: Plan | None = None) -> Run:
    """Never raises what the run did wrong: that is in its `violation`."""
    disk = the_disk()
    disk.empty()
    with drawn_ids(seed), _undisturbed(), asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(World.of(seed, plan or plan_of(seed)))


@contextmanager
def _undisturbed() -> Iterator[None]:
    gc.disable()  # what a run makes lives as long as the run
    try:
        with warnings.catch_warnings():
            # Of a process that was killed, between a task's making and its first step.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            yield
    finally:
        gc.enable()


class World:
    def __init__(self, seed: int, plan: Plan) -> None:
        self._loop = asyncio.get_running_loop()
        keep_tasks(self._loop)
        self._seed = seed
        self._plan = plan
        self._dice = Random(f"world {seed}")
        self._disk = the_disk()
        self._clock = clock_of(self._loop)
        self.trace = Trace(self._loop.time)
        self.weather = Weather(plan.kinds, self._loop.time, self._dice)
        self._cloud = SimulatedCloud(
            clock=self._clock,
            speed=plan.pace.cloud_speed,
            catalogue=MARKET,
            seed=seed,
            missing=lambda: self.weather.is_about("list misses some"),
        )
        self._watch = Watch(
            self._disk,
            self._cloud,
            self._clock,
            plan.pace.timings,
            is_calm=not plan.kinds & OURSELVES,
        )
        self._hooks = Hooks(self.weather, self._dice, self._struck)
        self._workspace = Workspace(self.weather, self._dice, self._struck)
        self._people = People(self._dice, lambda what: self.trace.note("people", what))
        self._fate = Fate(self._cloud, self._workspace, self._dice)
        self._around = self._surroundings()
        self._replicas: list[Replica] = []
        self._restarts = 0
        self._mishaps = 0
        self._error: BaseException | None = None
        self._purged: set[str] = set()

    @staticmethod
    async def of(seed: int, plan: Plan) -> Run:
        world = World(seed, plan)
        with world.trace.listening():
            return await world.live()

    async def live(self) -> Run:
        violation = None
        try:
            await self._turbulence()
            await self._peace()
            self._ending().check()
        except (Violation, Stuck) as error:
            violation = f"{type(error).__name__}: {error}"
        for replica in self._replicas:
            replica.kill()
        return self._run(violation)

    async def _turbulence(self) -> None:
        for _ in range(self._plan.replicas):
            self._start_replica()
        self._watch.foreign |= self._fate.strangers(DEPLOYMENT)
        await self._pass(1)
        for _ in range(self._plan.steps):
            self._take_step()
            await self._pass(self._dice.choice((0, 0, 0.1, 0.5, 1, 2, 4, 7)))

    def _take_step(self) -> None:
        steps: tuple[tuple[Callable[[], None], int], ...] = (
            (self._somebody_asks, 34),
            (self._somebody_looks, 2),
            (self._weather_changes, 20),
            (self._fate_strikes, 14),
            (self._we_stumble, 14),
            (self._nothing, 18),
        )
        self._dice.choices([step for step, _ in steps], [weight for _, weight in steps])[0]()

    def _nothing(self) -> None:
        pass

    def _able(self) -> list[Replica]:
        return [each for each in self._replicas if not each.process.is_dead and not each.process.is_stalled]

    def _somebody_looks(self) -> None:
        if able := self._able():
            replica = self._dice.choice(able)
            replica.process.spawn(self._people.look(replica.operations))

    def _somebody_asks(self) -> None:
        able = self._able()
        if not able:
            return
        rows = self._disk.rows("SELECT id, name FROM instances ORDER BY created_at, id")
        request = self._people.next_request([word for row in rows for word in row])
        replica = self._dice.choice(able)
        self.trace.note("people", f"{request} at {replica.name}")
        replica.process.spawn(self._people.ask(request, replica.operations))
        if self._dice.random() < _STUMBLES_OVER_A_REQUEST:
            self._stumble_soon(replica, sorted(self.weather.kinds & BY_AWAITS))

    def _weather_changes(self) -> None:
        kind = self.weather.change()
        if kind is not None:
            self.trace.note("weather", kind)
            self._fate.draw_unlucky()
        self._cloud.blank = self.weather.is_about("list is empty")

    def _fate_strikes(self) -> None:
        possible = sorted(self.weather.kinds & FATE)
        kind = self._dice.choice(possible) if possible else None
        if kind is not None and (what := self._fate.strike(kind)) is not None:
            self._struck(kind)
            self.trace.note("fate", f"{kind}: {what}")

    def _we_stumble(self) -> None:
        possible = sorted(self.weather.kinds & OURSELVES)
        if not possible or not self._replicas:
            return
        kind = self._dice.choice(possible)
        replica = self._dice.choice(self._replicas)
        if kind in BY_AWAITS and self._dice.random() < 0.7:
            self._stumble_soon(replica, [kind])
        else:
            self._stumble(kind, replica)

    def _stumble_soon(self, replica: Replica, kinds: list[str]) -> None:
        """At one of the awaits to come, so that every one of them has its turn."""
        if kinds:
            kind = self._dice.choice(kinds)
            replica.process.after_pauses(self._dice.randint(1, 25), lambda: self._stumble(kind, replica))

    def _stumble(self, kind: str, replica: Replica) -> None:
        if replica not in self._replicas:
            return
        self.trace.note("process", f"{replica.name} {kind}")
        self._struck(kind)
        match kind:
            case "killed":
                self._restart(replica)
            case "stopped":
                self._replicas.remove(replica)
                self._loop.create_task(replica.stop())
                self._start_replica()
            case "stalled":
                lease = self._plan.pace.timings.lease.total_seconds()
                replica.process.stall(self._dice.uniform(0.5, 2.5) * lease)
            case "clock jumps":
                asleep = self._dice.uniform(15, 90)
                for each in self._replicas:
                    each.process.stall(asleep)
            case "moved":
                self._replicas.remove(replica)
                replica.kill()
                self._loop.call_later(self._dice.uniform(0, 20), self._start_replica)
            case "database away":
                self.weather.change(frozenset({"database away"}))
            case "purged":
                self._purge(replica)
            case _:
                raise NotImplementedError(kind)
        self._mishaps += 1

    def _restart(self, replica: Replica) -> None:
        self._replicas.remove(replica)
        replica.kill()
        self._start_replica()

    def _start_replica(self) -> None:
        self._restarts += 1
        replica = Replica(f"replica-{self._restarts}", self._around)
        self._replicas.append(replica)

    def _purge(self, replica: Replica) -> None:
        before = self._clock() - timedelta(seconds=self._dice.choice((30, 60)))
        over = self._disk.rows(
            "SELECT id FROM instances WHERE state IN ('failed', 'deleted') AND wish IS NULL AND updated_at < ?",
            microseconds(before),
        )
        self._purged |= {row[0] for row in over}
        replica.process.spawn(replica.purge(before))

    async def _pass(self, seconds: float) -> None:
        left = seconds
        while True:
            self._tick()
            await asyncio.sleep(min(left, 1.0))
            left -= 1.0
            self._look()
            if left <= 0:
                return

    def _tick(self) -> None:
        for replica in tuple(self._replicas):
            if replica.process.is_dead:
                self._restart(replica)  # it ended by itself, for want of a database
            replica.tick()

    def _look(self) -> None:
        self._watch.step()
        if self._error is not None:
            error, self._error = self._error, None
            raise error if isinstance(error, Violation) else Violation(f"unexpected {error!r}") from error
        if self.trace.broken:
            raise Violation(f"an error of ours: {self.trace.broken[0]}")

    async def _peace(self) -> None:
        """Faults have ended. Time passes until nothing is left to be done."""
        self.weather.clear()
        self._cloud.blank = False
        self._fate.make_peace()
        self.trace.note("weather", "peace")
        began = self._loop.time()
        if not self._replicas:
            self._start_replica()
        while not self._is_quiet():
            if self._loop.time() - began > _MOST_SECONDS_TO_REST:
                raise Violation(f"does not come to rest: {self._restless()}")
            if self._only_held_are_left():
                self._fate.release_all()
            began += await self._hurry()
            await self._pass(1)
        await self._stay()
        if not self._is_at_rest():
            raise Violation(f"did not stay at rest: {self._restless()}")

    async def _stay(self) -> None:
        """Until everything that is not there any more would have been missed."""
        enough = self._watch.lists_read() + self._plan.pace.timings.lists_until_gone + 1
        slow_poll = self._plan.pace.timings.slow_poll.total_seconds()
        for _ in range(20):
            await asyncio.sleep(slow_poll)
            await self._pass(3)
            if self._watch.lists_read() >= enough:
                return
        raise Violation("Novita is not listed any more")

    def _only_held_are_left(self) -> bool:
        """Nobody here wishes them anywhere, so nobody but whoever holds them will ever end it."""
        waiting = self._waiting_rows()
        return bool(waiting) and all(
            state == State.STARTING and wish is None for _, state, wish, *_ in waiting
        )

    async def _hurry(self) -> float:
        """Where only notices wait for their time, it is now. How many seconds were left out."""
        if self._waiting_rows() or not self._cloud.is_at_rest() or self._is_busy():
            return 0
        due = self._disk.next_told()
        left = 0 if due is None else (due - microseconds(self._clock())) / 1e6
        if left < 2:
            return 0
        await asyncio.sleep(left)
        return left

    def _is_quiet(self) -> bool:
        return self._is_at_rest() and not self._is_busy()

    def _is_at_rest(self) -> bool:
        told = self._disk.next_told() is None
        return told and not self._waiting_rows() and self._cloud.is_at_rest()

    def _waiting_rows(self) -> list[tuple[str, ...]]:
        return self._disk.rows(
            "SELECT id, state, wish, call, outcome, due_at FROM instances WHERE wish IS NOT NULL"
            " OR due_at IS NOT NULL OR state NOT IN ('running', 'stopped', 'failed', 'deleted')"
        )

    def _is_busy(self) -> bool:
        waiting = self._around.door.waiting > 0
        return waiting or any(each.process.tasks or each.process.is_stalled for each in self._replicas)

    def _restless(self) -> str:
        told = self._disk.next_told()
        return f"{self._waiting_rows()} {told}, busy {self._is_busy()}, Novita {self._cloud.is_at_rest()}"

    def _ending(self) -> Ending:
        return Ending(
            disk=self._disk,
            cloud=self._cloud,
            watch=self._watch,
            hooks=self._hooks,
            workspace=self._workspace,
            people=self._people,
            purged=frozenset(self._purged),
            mishaps=self._mishaps,
        )

    def _surroundings(self) -> Surroundings:
        plan = self._plan
        return Surroundings(
            disk=self._disk,
            cloud=self._cloud,
            door=Door(
                self._cloud,
                self.weather,
                self._watch,
                self._dice,
                self._struck,
                first_page=plan.first_page,
                page_cap=plan.page_cap,
            ),
            hooks=self._hooks,
            workspace=self._workspace,
            witness=self._watch,
            clock=self._clock,
            dice=self._dice,
            pace=plan.pace,
            database_is_away=self._database_is_away,
            failed=self._failed,
        )

    def _database_is_away(self) -> bool:
        if self.weather.strikes("database away", chance=0.2) is None:
            return False
        self._mishaps += 1
        return True

    def _struck(self, kind: str) -> None:
        self.trace.count(kind)

    def _failed(self, error: BaseException) -> None:
        self._error = self._error or error

    def _run(self, violation: str | None) -> Run:
        hearings = {**self._hooks.heard, "slack": self._workspace.heard}
        accepted = [(place, event) for place, each in hearings.items() for event, _ in each.accepted]
        return Run(
            seed=self._seed,
            digest=self.trace.digest(),
            steps=self._plan.steps,
            creates=sum(self._watch.creates.values()),
            restarts=self._restarts - self._plan.replicas,
            seconds=self._loop.time(),
            faults=self.trace.counts,
            told=len(set(accepted)),
            repeated=len(accepted) - len(set(accepted)),
            violation=violation,
            trace=tuple(self.trace.latest) if violation else (),
        )
