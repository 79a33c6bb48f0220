"""What goes wrong on demand, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

ENDPOINTS = frozenset(
    {"create", "list", "get", "start", "stop", "restart", "delete"}
    | {"products", "clusters", "template", "templates", "auths"}
)
EVERY = "*"
_NO_HEADERS: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """This status instead of the work. Body None is Novita's flat error, a gateway's page for 502 and 504."""

    code: int
    body: dict[str, Any] | str | None = None
    headers: tuple[tuple[str, str], ...] = _NO_HEADERS


@dataclass(frozen=True, slots=True)
class LateStatus:
    """Does the work and answers this status all the same."""

    code: int = 504
    body: dict[str, Any] | str | None = None
    headers: tuple[tuple[str, str], ...] = _NO_HEADERS


@dataclass(frozen=True, slots=True)
class RateLimited:
    """429 with Novita's own error body; `retry_after` in seconds, None without the header."""

    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """These words for an answer; `after_effect`: and the work is done."""

    text: str
    content_type: str = "application/json"
    status: int = 200
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """The usual answer, after so many seconds; the work is done at the end of them."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Takes the request and says nothing; closes the connection after so many seconds, or with the server."""

    seconds: float | None = None
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Closes the connection without an answer; `after_effect`: once the work is done (accept-then-drop)."""

    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class LateEffect:
    """Answers this status now, None closes the connection; the work is done when the delay is over.

    By the cloud's clock, as is that of InvisibleFor; work that is refused then leaves no trace.
    """

    delay: timedelta
    code: int | None = 504


@dataclass(frozen=True, slots=True)
class InvisibleFor:
    """Creates and says so, but list and get do not know the instance until the delay is over."""

    delay: timedelta


Fault = Status | LateStatus | RateLimited | Body | Slow | Hang | Drop | LateEffect | InvisibleFor


@dataclass(slots=True, kw_only=True, eq=False)
class Rule:
    """One fault that was added. `seen` and `fired` count the endpoint's calls since."""

    endpoint: str
    fault: Fault
    times: int | None
    skip: int
    seen: int = 0
    fired: int = 0

    def sees(self, endpoint: str) -> bool:
        """Whether it would fire at this call."""
        if self.endpoint not in {endpoint, EVERY}:
            return False
        self.seen += 1
        return self.seen > self.skip and (self.times is None or self.fired < self.times)


@dataclass(slots=True)
class Faults:
    """The rules in the order of their adding: of those that would fire at a call, the first one does."""

    rules: list[Rule] = field(default_factory=list)
    is_down: bool = False
    down_status: int | None = None

    def add(self, endpoint: str, fault: Fault, *, times: int | None = 1, skip: int = 0) -> Rule:
        """`endpoint` is one of ENDPOINTS or "*". `skip` calls from now on are spared; `times` None: for ever.

        Raises ValueError for a name that no endpoint has, and for a fault that the endpoint cannot have.
        """
        if endpoint not in ENDPOINTS | {EVERY}:
            raise ValueError(f"no endpoint {endpoint!r}")
        if isinstance(fault, InvisibleFor) and endpoint != "create":
            raise ValueError("only a create can be invisible")
        rule = Rule(endpoint=endpoint, fault=fault, times=times, skip=skip)
        self.rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        self.rules.remove(rule)

    def clear(self) -> None:
        """No faults any more, and up."""
        self.rules.clear()
        self.up()

    def down(self, status: int | None = None) -> None:
        """Every call gets this status, or None: its connection reset. `NovitaServer.refuse` goes further."""
        self.is_down, self.down_status = True, status

    def up(self) -> None:
        self.is_down = False

    def take(self, endpoint: str) -> Fault | None:
        """What happens to the call that has just come in; every rule counts it."""
        eager = [rule for rule in self.rules if rule.sees(endpoint)]
        if self.is_down:
            return Drop(after_effect=False) if self.down_status is None else Status(self.down_status)
        if not eager:
            return None
        eager[0].fired += 1
        return eager[0].fault
