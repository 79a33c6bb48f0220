"""What happened to an instance, a line an event, for whoever asks how it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from bot.messages import wording
from bot.messages.blocks import Block, section
from bot.messages.mrkdwn import clean, date, duration
from storage.records import EventKind, NewEvent, Reason, Wish

_MOST = 8


def latest(history: Sequence[NewEvent]) -> Block | None:
    """`history`: the latest first. At most eight of them."""
    if not history:
        return None
    lines = [f"{date(event.at)}  {what_happened(event)}" for event in history[:_MOST]]
    return section("\n".join(["*Latest events*", *lines]), block_id="history")


def what_happened(event: NewEvent) -> str:
    """`stop asked by @ben`, `ready after 2 min 3 s`, `failed: …`: without the instance's name."""
    told = ", ".join(_parts(event))
    noted = event.note is not None and event.kind in (EventKind.READY, EventKind.STARTED)
    return f"{told}. {clean(event.note or '', 120).removesuffix('.')}" if noted else told


def _parts(event: NewEvent) -> Iterator[str]:
    told = _fact(event)
    yield f"{told}: {wording.failure_in_short(event.error)}" if event.error is not None else told
    if event.reason in _ADDED:
        yield _ADDED[event.reason]


_ADDED = {
    Reason.STOPPED_OUTSIDE: "outside this bot",
    Reason.STARTED_OUTSIDE: "started outside this bot",
    Reason.DELETED_OUTSIDE: "outside this bot",
    Reason.STARTUP_TIMEOUT: "since it was not usable in time",
}
"""What the event itself does not say."""


_ENDED = {
    EventKind.READY: "ready",
    EventKind.STARTED: "running again",
    EventKind.FAILED: "failed",
    EventKind.STOPPED: "stopped",
    EventKind.DELETED: "deleted",
}
"""A wait; the event knows how long it was."""


def _fact(event: NewEvent) -> str:  # noqa: PLR0911 - one return a kind
    match event.kind:
        case EventKind.REQUESTED:
            verb = event.verb.value if event.verb is not None else "a change"
            return f"{verb} asked {wording.by_whom(event.actor)}"
        case EventKind.STOPPED if event.reason is Reason.START_FAILED:
            return "did not start"
        case EventKind.READY | EventKind.STARTED | EventKind.FAILED | EventKind.STOPPED | EventKind.DELETED:
            return f"{_ENDED[event.kind]}{_took(event)}"
        case EventKind.RECLAIMING:
            return "Novita said that it takes the spot GPU back"
        case EventKind.RECLAIMED:
            return "Novita took the spot GPU back"
        case EventKind.REFUSED:
            return f"Novita refused to {_verb(event.verb)} it"
        case EventKind.LATE_REMOVED:
            return "a GPU that turned up late was removed"
        case EventKind.WEBHOOK_DISABLED:
            return "a webhook that is told about it gets nothing more"
        case _:
            assert_never(event.kind)


def _took(event: NewEvent) -> str:
    return f" after {duration(event.elapsed)}" if event.elapsed is not None else ""


def _verb(verb: Wish | None) -> str:
    return verb.value if verb is not None else "change"
