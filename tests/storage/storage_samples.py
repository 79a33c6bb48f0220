"""Builders: a value of each noun, to be changed where a test is about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from storage.cloud import BillingMode, Connection, Endpoint, Listing, Observation, Offer, Phase, Spot
from storage.records import (
    CreateRequest,
    EventKind,
    Failure,
    Instance,
    NewEvent,
    Reason,
    State,
    Target,
    TargetKind,
    Wish,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NOTICE = Target(kind=TargetKind.NOTICE, address="slack")
HOOK = Target(kind=TargetKind.WEBHOOK, address="https://hooks.example.com/a")
OTHER_HOOK = Target(kind=TargetKind.WEBHOOK, address="https://hooks.example.com/b")

REQUEST = CreateRequest(
    name="train",
    gpu="4090",
    gpu_count=2,
    template="t-1",
    image=None,
    billing_mode=BillingMode.SPOT,
    regions=("CN-HK-01", "US-CA-06"),
    regions_only=False,
    disk_gb=60,
    max_usd_per_hour=Decimal("1.50"),
)
OFFER = Offer(
    product_id="p-1",
    product_name="RTX 4090 24GB",
    cluster_id="cn-hongkong-1",
    region="CN-HK-01",
    billing_mode=BillingMode.SPOT,
    gpu_count=2,
    usd_per_gpu_hour=Decimal("0.35"),
)
CONNECTION = Connection(
    ssh="ssh root@example.com -p 22",
    endpoints=(Endpoint(port=8888, protocol="http", url="https://e.example.com"),),
)
FAILURE = Failure(code="STARTUP_TIMEOUT", message="It did not start in time.")


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def id_of(number: int) -> str:
    return f"{number:016d}"


def instance(number: int = 1, **changes: object) -> Instance:
    """A create that was just asked for."""
    fresh = Instance(
        id=id_of(number),
        name=f"train-{number}",
        requester="U1",
        team_id="T1",
        channel="C1",
        request=REQUEST,
        created_at=NOW + number * SECOND,
        state=State.CREATING,
        wish=Wish.CREATE,
        wished_by="U1",
        wished_at=NOW,
        acted_at=NOW,
        updated_at=NOW,
    )
    return replace(fresh, **changes)


def full_instance() -> Instance:
    """Every field has a value that is not its default."""
    return instance(
        7,
        state=State.FAILED,
        wish=Wish.REMOVE,
        call=Wish.CREATE,
        called_at=NOW,
        outcome=None,
        tries=3,
        retry_at=NOW + SECOND,
        refusal=FAILURE,
        attempt=2,
        offer=OFFER,
        first_usd_per_hour=Decimal("0.70"),
        novita_id="nv-7",
        bound_at=NOW,
        status="running",
        phase=Phase.RUNNING,
        seen_at=NOW,
        underway=True,
        absent_lists=2,
        absent_for=timedelta(days=2, microseconds=7),
        not_found_at=NOW,
        status_error="boom",
        spot=Spot.UNDISTURBED,
        reclaim_at=NOW,
        last_started_at=NOW,
        delayed_since=NOW,
        connection=CONNECTION,
        connection_complete=True,
        probe_began_at=NOW,
        answering=True,
        ready_at=NOW,
        usable_at=NOW,
        reclaim_told_at=NOW,
        reason=Reason.RECLAIMED,
        error=FAILURE,
        billing_since=NOW,
        billed_usd=Decimal("12.3400"),
        version=9,
    )


def event(kind: EventKind = EventKind.REQUESTED, **changes: object) -> NewEvent:
    return replace(NewEvent(kind=kind, at=NOW, actor="U1"), **changes)


def observation(novita_id: str, name: str = "", **changes: object) -> Observation:
    seen = Observation(novita_id=novita_id, name=name, status="running", phase=Phase.RUNNING)
    return replace(seen, **changes)


def listing(began_at: datetime, *observations: Observation) -> Listing:
    return Listing(began_at=began_at, observations=observations)
