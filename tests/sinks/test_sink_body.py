from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from sink_samples import NOW, an_event, an_instance

from bot.sinks.body import webhook_body
from storage.cloud import Connection
from storage.records import WEBHOOK_EVENTS, EventKind, Failure, Reason, State

ERROR = Failure(code="STARTUP_TIMEOUT", message="It was not running 10 minutes after it was created.")


def fields(event) -> dict:
    return json.loads(webhook_body(event))


def test_ready_says_what_the_documented_receiver_reads():
    assert fields(an_event(EventKind.READY)) == {
        "event": "instance.ready",
        "instanceId": "abcdefgh12345678",
        "status": "running",
        "timestamp": "2026-11-23T15:04:05.678Z",
        "sequence": 2,
        "novitaInstanceId": "nov-1",
        "elapsedTime": 92500,
        "instance": {
            "id": "abcdefgh12345678",
            "name": "my-train",
            "connectionDetails": {
                "ssh": "ssh root@proxy.example -p 41234",
                "jupyter": "https://x-8888.proxy.example/",
            },
        },
    }


def test_failed_says_why_and_no_way_to_connect():
    failed = an_instance(state=State.FAILED, error=ERROR, novita_id=None)
    assert fields(an_event(EventKind.FAILED, instance=failed, error=ERROR, elapsed=None)) == {
        "event": "instance.failed",
        "instanceId": "abcdefgh12345678",
        "status": "failed",
        "timestamp": "2026-11-23T15:04:05.678Z",
        "sequence": 2,
        "error": {"code": "STARTUP_TIMEOUT", "message": ERROR.message},
    }


def test_a_failure_told_by_the_record_alone_is_told():
    failed = an_instance(state=State.FAILED, error=ERROR)
    assert fields(an_event(EventKind.FAILED, instance=failed))["error"]["code"] == "STARTUP_TIMEOUT"


def test_a_failure_without_any_word_still_has_an_error_object():
    failed = an_instance(state=State.FAILED)
    assert set(fields(an_event(EventKind.FAILED, instance=failed))["error"]) == {"code", "message"}


def test_a_stop_because_of_an_error_carries_both_reason_and_error():
    stopped = an_instance(state=State.STOPPED, reason=Reason.STARTUP_TIMEOUT, error=ERROR)
    event = an_event(EventKind.STOPPED, instance=stopped, reason=Reason.STARTUP_TIMEOUT, error=ERROR)
    assert fields(event)["reason"] == "startup_timeout"
    assert fields(event)["error"]["code"] == "STARTUP_TIMEOUT"


def test_a_stop_that_was_asked_for_has_no_reason():
    assert "reason" not in fields(an_event(EventKind.STOPPED, instance=an_instance(state=State.STOPPED)))


def test_both_connection_keys_are_there_when_the_image_has_neither():
    bare = an_instance(connection=Connection())
    assert fields(an_event(instance=bare))["instance"]["connectionDetails"] == {"ssh": None, "jupyter": None}


def test_both_connection_keys_are_there_when_no_connection_is_known():
    gone = an_instance(state=State.DELETED, connection=None)
    told = fields(an_event(EventKind.DELETED, instance=gone))
    assert told["instance"]["connectionDetails"] == {"ssh": None, "jupyter": None}


def test_reclaiming_says_when():
    marked = an_instance(reclaim_at=NOW + timedelta(minutes=30))
    assert fields(an_event(EventKind.RECLAIMING, instance=marked))["reclaimAt"] == "2026-11-23T15:34:05.678Z"


def test_only_reclaiming_has_a_reclaim_time():
    marked = an_instance(reclaim_at=NOW + timedelta(minutes=30))
    assert "reclaimAt" not in fields(an_event(EventKind.STOPPED, instance=marked))


def test_a_time_of_another_zone_is_told_in_utc():
    event = an_event(at=NOW.astimezone(timezone(timedelta(hours=8))))
    assert fields(event)["timestamp"] == "2026-11-23T15:04:05.678Z"


@pytest.mark.parametrize("kind", sorted(WEBHOOK_EVENTS))
def test_the_same_event_gives_the_same_bytes_at_any_time(kind):
    first, second = an_event(kind), an_event(kind)
    assert webhook_body(first) == webhook_body(second)


@pytest.mark.parametrize("kind", sorted(WEBHOOK_EVENTS))
def test_the_largest_body_stays_below_20_kb(kind):
    escaped = "\x01" * 50_000
    largest = an_instance(
        name=escaped,
        novita_id=escaped,
        connection=Connection(ssh=escaped, jupyter=escaped),
        error=Failure(code=escaped, message=escaped),
        reclaim_at=NOW,
    )
    for error in (None, largest.error):
        body = webhook_body(an_event(kind, instance=largest, error=error, reason=Reason.STOPPED_OUTSIDE))
        assert len(body) < 20_000


def test_a_clipped_text_shows_that_it_was_clipped():
    event = an_event(EventKind.FAILED, error=replace(ERROR, message="x" * 5000))
    assert fields(event)["error"]["message"] == "x" * 699 + "…"


def test_bytes_are_utf_8():
    event = an_event(EventKind.FAILED, error=replace(ERROR, message="größer ☂"))
    assert "größer ☂".encode() in webhook_body(event)
