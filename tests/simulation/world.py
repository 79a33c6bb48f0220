"""One seeded run: people, faults and processes for a while, then peace, then the reckoning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from storage.records import State
from tests.simulation.clockwork import SimulatedLoop, clock_of, drawn_ids, undisturbed
from tests.simulation.disk import DEPLOYMENT, microseconds, the_disk
from tests.simulation.ending import Ending
from tests.simulation.fate import Fate
from tests.simulation.faults import FATE, OURSELVES, Weather
from tests.simulation.fleet import Fleet
from tests.simulation.listeners import Hooks, Workspace
from tests.simulation.market import MARKET
from tests.simulation.novita import Door, SimulatedCloud
from tests.simulation.people import People
from tests.simulation.plan import Plan, Run, plan_of
from tests.simulation.process import keep_tasks
from tests.simulation.replica import Surroundings
from tests.simulation.trace import Trace
from tests.simulation.watch import Violation, Watch

_MOST_SECONDS_TO_REST = 1800
"""Of peace; with the settings as delivered a create may be tried for half an hour."""

_STUMBLES_OVER_A_REQUEST = 0.3
"""Of requests: what follows on one are the awaits that matter most."""


def simulate(seed: int, plan: Plan | None = None) -> Run:
    """Never raises what the run did wrong: that is in its `violation`."""
    disk = the_disk()
    disk.empty()
    with drawn_ids(seed), undisturbed(), asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(World.of(seed, plan or plan_of(seed)))


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
        self._fleet = Fleet(
            self._around, self.weather, lambda what: self.trace.note("process", what), self._struck
        )
        self._error: BaseException | None = None

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
        except Violation as error:
            violation = str(error)
        self._fleet.end()
        return self._run(violation)

    async def _turbulence(self) -> None:
        for _ in range(self._plan.replicas):
            self._fleet.start()
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
            (self._fleet.stumble, 14),
            (_nothing, 18),
        )
        self._dice.choices([step for step, _ in steps], [weight for _, weight in steps])[0]()

    def _somebody_looks(self) -> None:
        if (replica := self._fleet.one_that_answers()) is not None:
            replica.process.spawn(self._people.look(replica.operations))

    def _somebody_asks(self) -> None:
        replica = self._fleet.one_that_answers()
        if replica is None:
            return
        rows = self._disk.rows("SELECT id, name FROM instances ORDER BY created_at, id")
        request = self._people.next_request([word for row in rows for word in row])
        self.trace.note("people", f"{request} at {replica.name}")
        replica.process.spawn(self._people.ask(request, replica.operations))
        if self._dice.random() < _STUMBLES_OVER_A_REQUEST:
            self._fleet.stumble_over_a_request(replica)

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

    async def _pass(self, seconds: float) -> None:
        left = seconds
        while True:
            self._fleet.tick()
            await asyncio.sleep(min(left, 1.0))
            left -= 1.0
            self._look()
            if left <= 0:
                return

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
        self._fleet.start_if_none()
        await self._come_to_rest()
        await self._stay()
        if not self._is_at_rest():  # a list showed late what was kept out of it
            await self._come_to_rest()
            await self._stay()
        if not self._is_at_rest():
            raise Violation(f"did not stay at rest: {self._restless()}")

    async def _come_to_rest(self) -> None:
        deadline = self._loop.time() + _MOST_SECONDS_TO_REST
        while not self._is_quiet():
            if self._loop.time() > deadline:
                raise Violation(f"does not come to rest: {self._restless()}")
            if self._only_held_are_left():
                self._fate.release_all()
            deadline += await self._hurry()
            await self._pass(1)

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
        return self._around.door.waiting > 0 or self._fleet.is_busy()

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
            purged=frozenset(self._fleet.purged),
            mishaps=self._fleet.mishaps,
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
        self._fleet.mishaps += 1
        return True

    def _struck(self, kind: str) -> None:
        self.trace.count(kind)

    def _failed(self, error: BaseException) -> None:
        self._error = self._error or error

    def _run(self, violation: str | None) -> Run:
        hearings = {**self._hooks.heard, **self._workspace.heard_directly, "slack": self._workspace.heard}
        accepted = [(place, event) for place, each in hearings.items() for event, _ in each.accepted]
        return Run(
            seed=self._seed,
            digest=self.trace.digest(),
            steps=self._plan.steps,
            creates=sum(self._watch.creates.values()),
            restarts=self._fleet.begun - self._plan.replicas,
            seconds=self._loop.time(),
            faults=self.trace.counts,
            told=len(set(accepted)),
            repeated=len(accepted) - len(set(accepted)),
            violation=violation,
            trace=tuple(self.trace.latest) if violation else (),
        )


def _nothing() -> None:
    pass
