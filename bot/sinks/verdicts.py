"""What a sink says after one try. Nothing here is raised: a failure is an answer too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    status_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Not accepted, or not known to be: try again."""

    reason: str
    status_code: int | None = None
    after: timedelta | None = None
    """Not sooner than this; None: as the schedule says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """No later try can succeed."""

    reason: str
    status_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The target wants nothing any more, neither this nor what follows."""

    reason: str
    status_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The card is there as it should look."""

    channel: str
    """Another than the card's: it is in the requester's direct messages now."""
    ts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Somebody deleted the card's message: it has to be posted anew."""


Verdict = Delivered | Later | Dead | Gone
CardVerdict = Shown | Lost | Later | Dead

WORDS: dict[type[Verdict | CardVerdict], str] = {
    Delivered: "delivered",
    Shown: "delivered",
    Later: "later",
    Lost: "lost",
    Dead: "dead",
    Gone: "gone",
}
"""For who counts."""
