"""How far something that is under way has come: its steps as signs with words, and the time it takes.

As of the moment of rendering: an edit comes when something changes, never by the clock, so nothing here may
read as though it ticked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.messages import wording
from bot.messages.mrkdwn import code, date, duration
from storage.cloud import Phase
from storage.records import Instance, Outcome, State, Wish

_DONE, _NOW, _OPEN = "●", "◐", "○"


@dataclass(frozen=True, slots=True)
class _Step:
    done: str
    doing: str


@dataclass(frozen=True, slots=True)
class _Way:
    steps: tuple[_Step, ...]
    reached: int
    """So many are done; the next one is being done."""

    @property
    def doing(self) -> str:
        return self.steps[self.reached].doing


_ASKED = _Step("asked for", "asking")
_ACCEPTED = _Step("accepted by Novita", "asking Novita")
_RUNNING = _Step("running at Novita", "starting at Novita")
_RUNNING_AGAIN = _Step("running again at Novita", "restarting at Novita")
_USABLE = _Step("usable", "waiting until it answers")
_STOPPED = _Step("stopped", "stopping at Novita")
_GONE = _Step("gone", "waiting until it is gone")
_NEVER_RENTED = _Step("gone", "making sure that no GPU was rented")


def steps(i: Instance) -> str | None:
    """`● ordered  ◐ *now placing it in CN-HK-01*  then  ○ image pulled …`; None: nothing is under way."""
    way = _way(i)
    if way is None:
        return None
    done = [f"{_DONE} {step.done}" for step in way.steps[: way.reached]]
    still = [f"{_OPEN} {step.done}" for step in way.steps[way.reached + 1 :]]
    return "  ".join([*done, f"{_NOW} *now {way.doing}*", *(["then"] if still else []), *still])


def doing(i: Instance) -> str | None:
    """`pulling the image`: the step that it is at."""
    way = _way(i)
    return None if way is None else way.doing


def timing(i: Instance, now: datetime, usual: timedelta | None) -> str:
    """What Novita says, how long it has taken, and how long it usually takes."""
    parts = [f"{duration(now - i.wished_at)} so far, as of {date(now)}"]
    if i.status is not None:
        parts.insert(0, f"Novita says {code(i.status, 60)}")
    if usual is not None:
        parts.append(_expectation(i, now, usual))
    return " · ".join(parts)


def _expectation(i: Instance, now: datetime, usual: timedelta) -> str:
    likely = i.wished_at + usual
    then = f"so about {date(likely)}" if likely > now else "longer this time"
    return f"usually {duration(usual)}, {then}"


def _way(i: Instance) -> _Way | None:
    match i.state:
        case State.CREATING:
            return _creating(i)
        case State.STARTING:
            return _starting(i)
        case State.STOPPING:
            return _asked(i, Wish.STOP, _STOPPED) if i.wish is Wish.STOP else _Way((_STOPPED,), 0)
        case State.DELETING if i.novita_id is None:
            return _Way((_ASKED, _NEVER_RENTED), 1)
        case State.DELETING:
            return _asked(i, Wish.DELETE, _GONE) if i.wish is Wish.DELETE else _Way((_GONE,), 0)
        case _:
            return None


def _creating(i: Instance) -> _Way:
    place = wording.region_in_short(i)
    where = f" in {place}" if place else ""
    placed = _Step(f"placed{where}", f"placing it{where}")
    ordered = _Step("ordered", "ordering at Novita")
    pulled = _Step("image pulled", "pulling the image")
    return _Way((ordered, placed, pulled, _RUNNING, _USABLE), _created_as_far_as(i))


def _created_as_far_as(i: Instance) -> int:
    if i.phase is Phase.RUNNING:
        return 4
    if i.novita_id is not None:
        return 2
    sent = i.call is Wish.CREATE and i.outcome not in (None, Outcome.NOT_MADE)
    return 1 if sent else 0


def _starting(i: Instance) -> _Way:
    runs = i.phase is Phase.RUNNING
    match i.wish:
        case Wish.CREATE:
            return _creating(i)
        case Wish.START:
            return _asked(i, Wish.START, _RUNNING, _USABLE, first_is_done=runs)
        case Wish.RESTART:
            # Until Novita shows that it acts, what runs is still the run before.
            return _asked(i, Wish.RESTART, _RUNNING_AGAIN, _USABLE, first_is_done=runs and i.underway)
        case _:
            return _Way((_RUNNING, _USABLE), 1 if runs else 0)


def _asked(i: Instance, verb: Wish, *after: _Step, first_is_done: bool = False) -> _Way:
    accepted = i.call is verb and (i.outcome is Outcome.ACCEPTED or i.underway)
    reached = (3 if first_is_done else 2) if accepted else 1
    return _Way((_ASKED, _ACCEPTED, *after), reached)
