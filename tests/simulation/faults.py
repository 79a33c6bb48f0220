"""Everything that goes wrong, by name. A run draws some of them; each comes and goes like weather."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from bot.sandbox.novita.faults import (
    Body,
    Drop,
    Fault,
    Hang,
    InvisibleFor,
    LateEffect,
    LateStatus,
    RateLimited,
    Slow,
    Status,
)
from bot.sandbox.novita.refusals import error_body

CHANGES = frozenset({"create", "start", "stop", "restart", "delete"})
LOOKUPS = frozenset({"products", "clusters", "template", "templates"})
ALL = CHANGES | LOOKUPS | {"list", "get"}

_NO_CAPACITY = error_body(
    400, "INSUFFICIENT_RESOURCE", "insufficient resource, please choose another product"
)
_INVALID_STATE = error_body(400, "REQUEST", "invalid state change")
_NOT_FOUND = error_body(404, "RESOURCE_NOT_FOUND", "instance not found")
_GATEWAY = "<html><body>slow down</body></html>"


@dataclass(frozen=True, slots=True)
class Kind:
    endpoints: frozenset[str]
    draw: Callable[[Random], Fault]


NOVITA = {
    "reply dropped after acceptance": Kind(CHANGES, lambda _: Drop(after_effect=True)),
    "connection broken": Kind(ALL, lambda _: Drop(after_effect=False)),
    "500": Kind(ALL, lambda _: Status(500)),
    "504 then late": Kind(CHANGES, lambda dice: LateEffect(timedelta(seconds=dice.uniform(0.2, 45)), 504)),
    "504 though done": Kind(CHANGES, lambda _: LateStatus(504)),
    "429": Kind(ALL, lambda dice: RateLimited(dice.choice((None, 1, 4, 15)))),
    "429 from a gateway": Kind(CHANGES, lambda _: Status(429, _GATEWAY)),
    "invisible at first": Kind(
        frozenset({"create"}), lambda dice: InvisibleFor(timedelta(seconds=dice.uniform(0.5, 45)))
    ),
    "unreadable": Kind(ALL, lambda _: Body(_GATEWAY, content_type="text/html", after_effect=True)),
    "hangs": Kind(ALL, lambda dice: Hang(60, after_effect=dice.random() < 0.5)),
    "slow": Kind(ALL, lambda dice: Slow(dice.uniform(0.5, 7))),
    "no capacity": Kind(frozenset({"create", "start"}), lambda _: Status(400, _NO_CAPACITY)),
    "invalid state": Kind(CHANGES - {"create"}, lambda _: Status(400, _INVALID_STATE)),
    "409 though done": Kind(CHANGES, lambda _: LateStatus(409, error_body(409, "CONFLICT", "conflict"))),
    "change finds nothing": Kind(CHANGES - {"create"}, lambda _: Status(404, _NOT_FOUND)),
    "get finds nothing": Kind(frozenset({"get"}), lambda _: Status(404, _NOT_FOUND)),
}
"""At Novita, as answers to single calls."""

NOVITA_AS_A_WHOLE = frozenset({"unreachable", "down"})

LISTS = frozenset({"list misses some", "list is empty", "list is old", "list is short"})

SLACK = frozenset(
    {"slack answers 500", "slack asks to wait", "slack hangs", "slack answer lost", "slack breaks off"}
)

HOOKS = frozenset(
    {
        "hook refuses",
        "hook hangs",
        "hook answer lost",
        "hook answers 500",
        "hook asks to wait",
        "hook is gone",
    }
)

OURSELVES = frozenset({"killed", "stopped", "stalled", "clock jumps", "database away", "moved", "purged"})
"""To processes, their database and their time."""

BY_AWAITS = frozenset({"killed", "stalled", "clock jumps"})
"""Of those, what can hit between any two awaits."""

GPU_FATE = frozenset(
    {
        "console stops",
        "console starts",
        "console deletes",
        "reclaim notice",
        "reclaimed",
        "status error",
        "held",
        "removal fails",
    }
)
FATE = GPU_FATE | {"no balance", "stock runs out", "card deleted"}
"""To what we rent, from outside."""

EVERY = tuple(sorted({*NOVITA, *NOVITA_AS_A_WHOLE, *LISTS, *SLACK, *HOOKS, *OURSELVES, *FATE}))

LONGEST = 40.0
"""Seconds that one lasts."""


class Weather:
    """Which kinds are about at present. Those that a run did not draw never come."""

    def __init__(self, kinds: frozenset[str], seconds: Callable[[], float], dice: Random) -> None:
        self.kinds = kinds
        self._seconds = seconds
        self._dice = dice
        self._until: dict[str, float] = {}

    def change(self, among: frozenset[str] | None = None) -> str | None:
        """Something comes up for a while; what, if anything does."""
        possible = sorted(self.kinds - OURSELVES - FATE if among is None else self.kinds & among)
        if not possible:
            return None
        kind = self._dice.choice(possible)
        self._until[kind] = self._seconds() + self._dice.uniform(1, LONGEST)
        return kind

    def clear(self) -> None:
        self.kinds = frozenset()
        self._until.clear()

    def is_about(self, kind: str) -> bool:
        return self._until.get(kind, 0) > self._seconds()

    def strikes(self, *kinds: str, chance: float = 0.5) -> str | None:
        """One of them that is about, as often as `chance` says."""
        about = [kind for kind in kinds if self.is_about(kind)]
        if not about or self._dice.random() > chance:
            return None
        return self._dice.choice(about)

    def strikes_call(self, endpoint: str) -> str | None:
        """Changes, of which there are few, are struck out of a clear sky too: they are what costs money."""
        kinds = [name for name, kind in NOVITA.items() if endpoint in kind.endpoints]
        drawn = [name for name in kinds if name in self.kinds]
        if endpoint in CHANGES and drawn and self._dice.random() < _OUT_OF_A_CLEAR_SKY[endpoint == "create"]:
            return self._dice.choice(drawn)
        return self.strikes(*kinds)


_OUT_OF_A_CLEAR_SKY = (0.1, 0.35)
"""Of changes, and of creates."""
