"""Records that the tests of the sinks send."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from storage.cloud import BillingMode, Connection, Offer
from storage.records import (
    Card,
    CreateRequest,
    Delivery,
    DeliveryState,
    Event,
    EventKind,
    Instance,
    NewEvent,
    State,
    Target,
    TargetKind,
)

NOW = datetime(2026, 11, 23, 15, 4, 5, 678900, tzinfo=UTC)


def an_instance(**changes) -> Instance:
    return replace(
        Instance(
            id="abcdefgh12345678",
            name="my-train",
            requester="U0ALICE",
            team_id="T0TEAM",
            channel="C0GPU",
            request=CreateRequest(
                name="my-train",
                gpu="4090",
                gpu_count=1,
                template="pytorch",
                image=None,
                billing_mode=BillingMode.SPOT,
                regions=("CN-HK-01",),
                regions_only=False,
                disk_gb=60,
            ),
            created_at=NOW - timedelta(minutes=3),
            state=State.RUNNING,
            wish=None,
            wished_by=None,
            wished_at=NOW - timedelta(minutes=3),
            offer=Offer(
                product_id="1",
                product_name="RTX 4090 24GB",
                cluster_id="cn-hongkong-1",
                region="CN-HK-01",
                billing_mode=BillingMode.SPOT,
                gpu_count=1,
                usd_per_gpu_hour=Decimal("0.35"),
            ),
            novita_id="nov-1",
            ready_at=NOW,
            usable_at=NOW,
            billing_since=NOW - timedelta(minutes=3),
            connection=Connection(
                ssh="ssh root@proxy.example -p 41234", jupyter="https://x-8888.proxy.example/"
            ),
            connection_complete=True,
            sequence=2,
            acted_at=NOW,
            updated_at=NOW,
        ),
        **changes,
    )


def an_event(kind: EventKind = EventKind.READY, *, instance: Instance | None = None, **fact) -> Event:
    return Event(
        id="evt_0001",
        instance_id="abcdefgh12345678",
        sequence=2,
        fact=NewEvent(**({"kind": kind, "at": NOW, "elapsed": timedelta(seconds=92.5)} | fact)),
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


def a_card(**changes) -> Card:
    return replace(
        Card(
            instance_id="abcdefgh12345678",
            channel="C0GPU",
            ts=None,
            wanted_version=1,
            shown_version=0,
            edited_at=None,
            attempts=0,
        ),
        **changes,
    )
