"""What happened to an instance, a line an event."""

from __future__ import annotations

from datetime import timedelta

import pytest
from samples import NOW

from bot.messages.history import latest, what_happened
from storage.records import EventKind, Failure, NewEvent, Reason, Wish

STOCK = Failure(code="INSUFFICIENT_RESOURCE", message="No <stock>")
TOOK = timedelta(seconds=123)
NOTE = "Its endpoints did not answer within 120 s."


@pytest.mark.parametrize(
    ("kind", "fact", "line"),
    [
        (EventKind.REQUESTED, {"actor": "U2", "verb": Wish.STOP}, "stop asked by <@U2>"),
        (EventKind.REQUESTED, {"verb": Wish.CREATE}, "create asked through the REST API"),
        (EventKind.REQUESTED, {"actor": "U2"}, "a change asked by <@U2>"),
        (EventKind.READY, {"elapsed": TOOK}, "ready after 2 min 3 s"),
        (EventKind.READY, {"note": NOTE}, "ready. Its endpoints did not answer within 120 s"),
        (EventKind.STARTED, {"reason": Reason.STARTED_OUTSIDE}, "running again, started outside this bot"),
        (EventKind.FAILED, {"error": STOCK}, "failed: `INSUFFICIENT_RESOURCE`: No &lt;stock&gt;"),
        (EventKind.STOPPED, {"elapsed": TOOK, "verb": Wish.STOP}, "stopped after 2 min 3 s"),
        (EventKind.STOPPED, {"reason": Reason.STOPPED_OUTSIDE}, "stopped, outside this bot"),
        (
            EventKind.STOPPED,
            {"reason": Reason.START_FAILED, "error": STOCK},
            "did not start: `INSUFFICIENT_RESOURCE`: No &lt;stock&gt;",
        ),
        (EventKind.DELETED, {"reason": Reason.DELETED_OUTSIDE}, "deleted, outside this bot"),
        (EventKind.RECLAIMING, {}, "Novita said that it takes the spot GPU back"),
        (EventKind.RECLAIMED, {"reason": Reason.RECLAIMED}, "Novita took the spot GPU back"),
        (EventKind.REFUSED, {"verb": Wish.STOP}, "Novita refused to stop it"),
        (EventKind.REFUSED, {}, "Novita refused to change it"),
        (EventKind.LATE_REMOVED, {}, "a GPU that turned up late was removed"),
        (EventKind.WEBHOOK_DISABLED, {"note": "x"}, "a webhook that is told about it gets nothing more"),
    ],
)
def test_an_event_is_told_in_a_few_words(kind, fact, line):
    assert what_happened(NewEvent(kind=kind, at=NOW, **fact)) == line


def test_what_has_no_history_has_no_block():
    assert latest(()) is None
