"""What a seed stands for, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from bot.novita.limits import Limits
from bot.sandbox.novita.routes import FirstPage
from bot.timings import Timings
from tests.simulation.faults import EVERY

MOST_STEPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast the service is set to be."""

    timings: Timings
    limits: Limits
    cloud_speed: float


AS_DELIVERED = Pace(timings=Timings(), limits=Limits(), cloud_speed=1)
BRISK = Pace(
    timings=Timings(
        unconfirmed_after=timedelta(seconds=20),
        give_up_after=timedelta(seconds=60),
        startup_timeout=timedelta(seconds=45),
        repeat_after=timedelta(seconds=8),
        retry_first=timedelta(seconds=1),
        retry_longest=timedelta(seconds=8),
        usable_wait=timedelta(seconds=15),
        fast_poll=timedelta(seconds=4),
        slow_poll=timedelta(seconds=10),
        acted_recently=timedelta(seconds=6),
        delayed_after=timedelta(seconds=5),
        lease=timedelta(seconds=10),
        renew_every=timedelta(seconds=3),
        catalog_check=timedelta(seconds=30),
    ),
    limits=Limits(
        timeout=timedelta(seconds=8),
        retry_delay=timedelta(seconds=0.5),
        max_retry_delay=timedelta(seconds=2),
        breaker_timeout=timedelta(seconds=10),
        person_wait=timedelta(seconds=5),
        poll_wait=timedelta(seconds=10),
        max_pause=timedelta(seconds=10),
    ),
    cloud_speed=4,
)
"""A tenth of the waiting: what takes minutes with the settings as delivered is over in many fewer steps."""


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
        steps=dice.randint(MOST_STEPS // 2, MOST_STEPS),
        replicas=dice.choice((1, 1, 1, 2, 2, 3)),
        pace=AS_DELIVERED if dice.random() < 0.03 else BRISK,
        kinds=frozenset(dice.sample(EVERY, most)),
        first_page=dice.choice(("both", "both", "both", 0, 1)),
        page_cap=dice.choice((100, 100, 100, 2)),
    )
