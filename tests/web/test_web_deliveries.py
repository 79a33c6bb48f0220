"""GET /api/deliveries and replays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fake_operations import FakeRedelivery
from samples import NOW, running

from bot.redelivery import Tried
from storage.records import (
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    Event,
    EventKind,
    NewEvent,
    Target,
    TargetKind,
)
from storage.store.deliveries import Wanted
from storage.store.targets import TargetStatistics

SECRET = "https://hooks.example.com:8443/a/s3cret?token=s3cret"


def tried(address=SECRET, **changes):
    fact = NewEvent(kind=EventKind.READY, at=NOW)
    event = Event(id="evt-1", instance_id="abcdef0123456789", sequence=2, fact=fact, instance=running())
    kind = TargetKind.NOTICE if address == "slack" else TargetKind.WEBHOOK
    usual = {
        "id": "dlv-1",
        "event": event,
        "target": Target(kind=kind, address=address),
        "state": DeliveryState.DEAD,
        "attempts": 1,
        "due_at": None,
        "created_at": NOW,
    }
    attempts = (
        DeliveryAttempt(number=1, at=NOW, status_code=500, error="answered 500"),
        DeliveryAttempt(number=2, at=NOW, error="cannot connect"),
    )
    return Tried(delivery=Delivery(**usual | changes), attempts=attempts)


async def test_a_delivery_is_shown_with_every_try_and_without_the_receivers_secret(build):
    rest = await build(redelivery=FakeRedelivery(tried()))

    answer = await rest.http.get("/api/deliveries")

    at = "2026-11-23T12:00:00.000Z"
    assert answer.json() == {
        "deliveries": [
            {
                "id": "dlv-1",
                "webhookId": "evt-1",
                "event": "instance.ready",
                "instanceId": "abcdef0123456789",
                "sequence": 2,
                "kind": "webhook",
                "target": "https://hooks.example.com:8443",
                "state": "dead",
                "attempts": 2,
                "history": [
                    {"number": 1, "at": at, "statusCode": 500, "error": "answered 500"},
                    {"number": 2, "at": at, "statusCode": None, "error": "cannot connect"},
                ],
                "createdAt": at,
                "dueAt": None,
                "deliveredAt": None,
            }
        ],
        "total": 1,
        "limit": 50,
        "offset": 0,
    }


async def test_the_list_is_narrowed_as_asked(build):
    redelivery = FakeRedelivery()
    rest = await build(redelivery=redelivery)
    asked = "state=dead&kind=webhook&instanceId=abc&limit=1&offset=2"

    answer = await rest.http.get(f"/api/deliveries?{asked}")

    assert (answer.json()["limit"], answer.json()["offset"]) == (1, 2)
    assert redelivery.asked == [Wanted(state=DeliveryState.DEAD, kind=TargetKind.WEBHOOK, instance_id="abc")]


@pytest.mark.parametrize("asked", ["state=lost", "kind=mail", "limit=0", "limit=101", "offset=-1"])
async def test_a_wrong_query_is_400(rest, asked):
    answer = await rest.http.get(f"/api/deliveries?{asked}")

    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, asked.split("=")[0])


async def test_one_is_replayed_under_its_own_webhook_id(build):
    rest = await build(redelivery=FakeRedelivery(tried("slack", state=DeliveryState.PENDING)))

    answer = await rest.http.post("/api/deliveries/dlv-1/replay")

    assert answer.status_code == 202
    shown = answer.json()
    assert (shown["webhookId"], shown["state"], shown["target"]) == ("evt-1", "pending", "slack")


async def test_there_is_no_replay_of_what_is_not_there(rest):
    answer = await rest.http.post("/api/deliveries/nothing/replay")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "DELIVERY_NOT_FOUND")


async def test_all_that_died_since_a_time_are_replayed(build):
    redelivery = FakeRedelivery(tried(), tried())
    rest = await build(redelivery=redelivery)

    answer = await rest.http.post("/api/deliveries/replay", json={"since": "2026-11-23T13:00:00+01:00"})

    assert (answer.status_code, answer.json()) == (202, {"replayed": 2})
    assert redelivery.replayed_since == [datetime(2026, 11, 23, 12, tzinfo=UTC)]


@pytest.mark.parametrize("body", [{}, {"since": "yesterday"}, {"since": "2026-11-23T13:00:00"}])
async def test_since_is_a_time_with_its_zone(rest, body):
    assert (await rest.http.post("/api/deliveries/replay", json=body)).status_code == 400


async def test_statistics_show_how_each_target_fares(build):
    hook = TargetStatistics(
        target=Target(kind=TargetKind.WEBHOOK, address=SECRET),
        pending=1,
        delivered=2,
        dead=3,
        last_delivered_at=None,
        failing_since=NOW,
        disabled_at=NOW,
        reason="the receiver wants no more (410)",
    )
    rest = await build(redelivery=FakeRedelivery(statistics=(hook,)))

    answer = await rest.http.get("/api/deliveries/statistics")

    assert answer.json() == {
        "targets": [
            {
                "kind": "webhook",
                "target": "https://hooks.example.com:8443",
                "pending": 1,
                "delivered": 2,
                "dead": 3,
                "lastDeliveredAt": None,
                "failingSince": "2026-11-23T12:00:00.000Z",
                "disabledAt": "2026-11-23T12:00:00.000Z",
                "reason": "the receiver wants no more (410)",
            }
        ]
    }
