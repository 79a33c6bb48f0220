"""Records that the tests of the sinks send."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from samples import running

from storage.cloud import Connection
from storage.records import (
    Card,
    Delivery,
    DeliveryState,
    Event,
    EventKind,
    Instance,
    NewEvent,
    Target,
    TargetKind,
)

NOW = datetime(2026, 11, 23, 15, 4, 5, 678900, tzinfo=UTC)


def an_instance(**changes: Any) -> Instance:
    usual = {
        "id": "abcdefgh12345678",
        "requester": "U0ADA",
        "channel": "C0GPU",
        "novita_id": "nov-1",
        "connection": Connection(
            ssh="ssh root@proxy.example -p 41234", jupyter="https://x-8888.proxy.example/"
        ),
    }
    return running(**usual | changes)


def an_event(kind: EventKind = EventKind.READY, *, instance: Instance | None = None, **changes: Any) -> Event:
    fact = NewEvent(kind=kind, at=NOW, elapsed=timedelta(seconds=92.5))
    return Event(
        id="evt_0001",
        instance_id="abcdefgh12345678",
        sequence=2,
        fact=replace(fact, **changes),
        instance=instance or an_instance(),
    )


def a_delivery(event: Event | None = None, *, address: str = "slack") -> Delivery:
    kind = TargetKind.NOTICE if address == "slack" else TargetKind.WEBHOOK
    return Delivery(
        id="dlv_0001",
        event=event or an_event(),
        target=Target(kind=kind, address=address),
        state=DeliveryState.PENDING,
        attempts=0,
        due_at=NOW,
    )


def a_card(**changes: Any) -> Card:
    fresh = Card(
        instance_id="abcdefgh12345678",
        channel="C0GPU",
        ts=None,
        wanted_version=1,
        shown_version=0,
        edited_at=None,
        attempts=0,
    )
    return replace(fresh, **changes)
