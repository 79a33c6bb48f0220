"""Which verb a state allows, and what the wish makes of it. Pure.

| state     | start | stop | restart | delete |
|-----------|-------|------|---------|--------|
| creating  | -     | no   | no      | yes    |
| starting  | -     | yes  | -       | yes    |
| running   | -     | yes  | yes     | yes    |
| stopping  | no    | -    | no      | yes    |
| stopped   | yes   | -    | no      | yes    |
| failed    | no    | no   | no      | yes    |
| deleting  | no    | no   | no      | -      |
| deleted   | no    | no   | no      | -      |

`-`: nothing happens, and nobody is told off. `no`: InvalidState, with what to do instead.
"""

from __future__ import annotations

from datetime import datetime

from bot import transitions
from bot.errors import InvalidState
from storage.records import EventKind, Instance, NewEvent, State, Wish

_ALLOWED = {
    Wish.START: {State.STOPPED},
    Wish.STOP: {State.STARTING, State.RUNNING},
    Wish.RESTART: {State.RUNNING},
    Wish.DELETE: set(State) - {State.DELETING, State.DELETED},
}
_NOTHING_TO_DO = {
    Wish.START: {State.CREATING, State.STARTING, State.RUNNING},
    Wish.STOP: {State.STOPPING, State.STOPPED},
    Wish.RESTART: {State.STARTING},
    Wish.DELETE: {State.DELETING, State.DELETED},
}


def grant(i: Instance, verb: Wish, actor: str | None, now: datetime) -> tuple[Instance, NewEvent | None]:
    """The record with the wish in it and the event of the request; the record as it is where nothing happens.

    `actor` is a Slack user id, None for REST. Raises InvalidState.
    """
    if _repeats_nothing(i, verb):
        return i, None
    if i.state not in _ALLOWED[verb] and not _takes_over(i, verb):
        raise InvalidState(f"{i.name} is {i.state}: it cannot be {_DONE[verb]} now.", hint=_instead(i))
    event = NewEvent(kind=EventKind.REQUESTED, at=now, actor=actor, verb=verb)
    return transitions.wished(i, verb, actor, now), event


def _repeats_nothing(i: Instance, verb: Wish) -> bool:
    return i.state in _NOTHING_TO_DO[verb] and not _takes_over(i, verb)


def _takes_over(i: Instance, verb: Wish) -> bool:
    """It is being stopped or deleted from outside, where nobody wished it here: a wish makes it certain."""
    in_passing = {Wish.STOP: State.STOPPING, Wish.DELETE: State.DELETING}
    return i.wish is None and in_passing.get(verb) is i.state


_DONE = {
    Wish.START: "started",
    Wish.STOP: "stopped",
    Wish.RESTART: "restarted",
    Wish.DELETE: "deleted",
}


def _instead(i: Instance) -> str | None:
    match i.state:
        case State.CREATING | State.FAILED:
            return f"/gpu delete {i.name}"
        case State.STOPPED:
            return f"/gpu start {i.name}"
        case State.STOPPING:
            return f"/gpu status {i.name}"
        case _:
            return "/gpu list"
