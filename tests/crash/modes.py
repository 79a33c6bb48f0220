"""How Novita is while the service dies: five ways to take a call that changes something."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import assert_never

from bot.sandbox.novita.faults import Drop, Fault, Faults, InvisibleFor, LateEffect, Slow, Status
from tests.crash.aftermath import Outcome
from tests.crash.scenes import UNCONFIRMED

CHANGES = ("start", "stop", "restart", "delete")
LATE = timedelta(seconds=0.6)
"""Well within the time for which an unknown create is looked for."""
_TIMES = 2
"""So often is a change spoilt: it is asked for until it is reached, and some time it must be."""
_CALLS = 20


class Mode(StrEnum):
    CLEAN = "clean"
    DROPPED = "reply dropped"
    """It is done, and the connection breaks."""
    REFUSED = "500"
    """It is not done, and nobody can tell."""
    LATE = "504, then late"
    """It is done, well after the answer that says that it is not known."""
    MIXED = "mixed"
    """Each call by chance; lists fail as well."""

    @property
    def is_late(self) -> bool:
        """Something may happen after it was asked for again."""
        return self in {Mode.LATE, Mode.MIXED}

    @property
    def unmade(self) -> tuple[Outcome, ...]:
        """How a create ends that was asked for in this mode and did not work."""
        return (UNCONFIRMED,) if self in {Mode.REFUSED, Mode.MIXED} else ()


def disturb(faults: Faults, mode: Mode, chance: Random) -> None:
    """From now on. What a scene has ordered for the next call comes first."""
    match mode:
        case Mode.CLEAN:
            pass
        case Mode.DROPPED:
            _all(faults, Drop(after_effect=True), creates=None)
        case Mode.REFUSED:
            _all(faults, Status(500), creates=None)
        case Mode.LATE:
            _all(faults, LateEffect(LATE), creates=None)
        case Mode.MIXED:
            _mix(faults, chance)
        case _:
            assert_never(mode)


def _all(faults: Faults, fault: Fault, *, creates: int | None) -> None:
    faults.add("create", fault, times=creates)
    for verb in CHANGES:
        faults.add(verb, fault, times=_TIMES)


_CHANGED: Mapping[str, Fault] = {
    "as usual": Slow(0.0),
    "dropped": Drop(after_effect=True),
    "500": Status(500),
    "late": LateEffect(LATE),
}
_CREATED: Mapping[str, Fault] = {**_CHANGED, "unseen": InvisibleFor(LATE)}


def _mix(faults: Faults, chance: Random) -> None:
    for _ in range(_CALLS):
        faults.add("create", chance.choice(list(_CREATED.values())))
    for verb in CHANGES:
        for _ in range(_TIMES):
            faults.add(verb, chance.choice(list(_CHANGED.values())))
    faults.add("list", Status(503), times=2, skip=chance.randrange(6))
