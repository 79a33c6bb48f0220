"""The service dies by SIGKILL at any moment after a command was acknowledged, again and again.

The seed fixes what is done and when it is killed, not the machine's own timing: a run is not exactly repeatable.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.sandbox.novita.faults import Drop, Fault, Hang, InvisibleFor, LateEffect, LateStatus, Slow
from bot.sandbox.slack.faults import HttpStatus
from tests.crash.aftermath import Aftermath
from tests.crash.scenes import READY, UNCONFIRMED
from tests.e2e.lives import Nursery
from tests.e2e.stage import CREATE, GPU, PATIENCE, Stage, staged

CREATES: tuple[Fault | None, ...] = (
    None,
    Drop(after_effect=True),
    Hang(after_effect=True),
    LateStatus(504),
    LateEffect(timedelta(seconds=0.6)),
    Slow(0.6),
    InvisibleFor(timedelta(seconds=0.6)),
)
"""Each makes a GPU, sooner or later; none takes longer than a create that is not shown is waited for."""
WINDOW = {"unconfirmed_after": 4.0, "lease": 1.2, "renew_every": 0.3}
LIFE = [
    (CREATE, "ready", "running"),
    ("/gpu stop {}", "stopped", "stopped"),
    ("/gpu start {}", "started", "running"),
    ("/gpu delete {}", "deleted", "deleted"),
]
"""What is said, what is told then, and the state after it."""


@pytest.fixture
async def stage(nursery: Nursery, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(nursery, tmp_path, ack_timeout=timedelta(seconds=1)) as stage:
        yield stage


class Chance:
    """What happens at one seed."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._rng = random.Random(seed)
        self._aftermath = Aftermath(stage=stage)
        self._begun: set[str] = set()
        print(f"seed {seed}")

    async def die(self) -> None:
        """At some moment of the next second and a bit."""
        await asyncio.sleep(self._rng.uniform(0, 1.2))
        self._stage.service.kill()
        assert await self._stage.service.over(PATIENCE) == -9
        self._begun |= self._aftermath.note_death()

    async def say(self, line: str) -> None:
        """Again, as Slack does, where nobody has heard it."""
        reply = await self._stage.ada.command(line, channel=GPU)
        assert reply.ok
        await self.die_some_times()
        await self._stage.slack.redeliver(reply.envelope_id, new_envelope=True)

    async def die_some_times(self) -> None:
        for _ in range(self._rng.randint(1, 2)):
            await self.die()
            await self._stage.start(timings=WINDOW)

    def disturb(self) -> None:
        """Novita, Slack and the receiver are not at their best either."""
        fault = self._rng.choice(CREATES)
        if fault is not None:
            self._stage.novita.faults.add("create", fault)
        for method in ("chat.postMessage", "chat.update"):
            if self._rng.random() < 0.3:
                self._stage.slack.fail(method, HttpStatus(500))
        self._stage.receiver.answers = self._rng.choice([200, 200, 503])

    async def live(self, name: str, deeds: int) -> None:
        """So many deeds of a life; in the end everything is as if nothing had ever been wrong."""
        stage, told = self._stage, []
        for line, event, state in LIFE[:deeds]:
            await self.say(line.format(name))
            stage.receiver.answers = 200
            await stage.until(lambda event=event: self._is_over(name, event), within=40)
            if stage.notices(name, "instance.failed"):
                assert name in self._begun
                await self._aftermath.is_sound({name: [UNCONFIRMED]})
                return
            told.append(event)
        await stage.until(lambda: stage.states(name)[-1] == state.capitalize())
        await self._aftermath.is_sound({name: [(told, state)]})
        assert stage.created() == 1

    def _is_over(self, name: str, event: str) -> bool:
        for each in (event, "failed"):
            if self._stage.notices(name, f"instance.{each}") and self._stage.hooks(name, f"instance.{each}"):
                return True
        return False


@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.soak)]
)
async def test_a_create_survives_any_death(stage: Stage, seed: int) -> None:
    chance = Chance(stage, seed)
    chance.disturb()
    await stage.start(timings=WINDOW)
    await chance.live("my-train", 1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 106))
async def test_a_whole_life_survives_deaths(stage: Stage, seed: int) -> None:
    chance = Chance(stage, seed)
    chance.disturb()
    await stage.start(timings=WINDOW)
    await chance.live("my-train", len(LIFE))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(200, 202))
async def test_many_at_once_survive_deaths(stage: Stage, seed: int) -> None:
    names = [f"n{number}" for number in range(6)]
    chance = Chance(stage, seed)
    chance.disturb()
    await stage.start(timings=WINDOW)
    replies = await asyncio.gather(*(stage.create(name) for name in names))
    await chance.die_some_times()
    stage.receiver.answers = 200
    for reply in replies:
        await stage.slack.redeliver(reply.envelope_id, new_envelope=True)
    for name in names:
        await stage.until(lambda name=name: chance._is_over(name, "ready"), within=40)
        await stage.until(lambda name=name: stage.states(name)[-1] in {"Running", "Failed"})
    outcomes = {name: [READY, *([UNCONFIRMED] if name in chance._begun else [])] for name in names}
    await chance._aftermath.is_sound(outcomes)
    assert stage.created() <= len(names)
