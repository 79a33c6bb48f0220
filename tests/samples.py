"""Instances to begin a test with; each test changes what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from storage.cloud import BillingMode, Connection, Endpoint, Offer, Phase
from storage.records import CreateRequest, Instance, Outcome, State, Wish

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


REQUEST = CreateRequest(
    name="my-train",
    gpu="4090",
    gpu_count=1,
    template="pytorch-jupyter",
    image=None,
    billing_mode=BillingMode.SPOT,
    regions=("CN-HK-01",),
    regions_only=False,
    disk_gb=60,
)

OFFER = Offer(
    product_id="4090.16c62g",
    product_name="RTX 4090 24GB",
    cluster_id="cn-hongkong-1",
    region="CN-HK-01 (Hong Kong)",
    billing_mode=BillingMode.SPOT,
    gpu_count=1,
    usd_per_gpu_hour=Decimal("0.36"),
)

CONNECTION = Connection(
    ssh="ssh -p 32787 root@proxy.cn-hongkong-1.gpu-instance.novita.ai",
    jupyter="https://a1-8888.example.com",
    endpoints=(Endpoint(port=8888, protocol="http", url="https://a1-8888.example.com"),),
)


def creating(**changes: Any) -> Instance:
    """Just asked for; nothing begun."""
    fresh = Instance(
        id="abcdef0123456789",
        name="my-train",
        requester="U1",
        team_id="T1",
        channel="C1",
        request=REQUEST,
        created_at=NOW,
        state=State.CREATING,
        wish=Wish.CREATE,
        wished_by="U1",
        wished_at=NOW,
        acted_at=NOW,
        updated_at=NOW,
    )
    return replace(fresh, **changes)


def unknown(**changes: Any) -> Instance:
    """A create whose outcome is not known."""
    return replace(
        creating(call=Wish.CREATE, called_at=NOW, outcome=Outcome.UNKNOWN, attempt=1, offer=OFFER, tries=1),
        **changes,
    )


def starting(**changes: Any) -> Instance:
    """Created and accepted, not usable yet."""
    return replace(
        unknown(outcome=Outcome.ACCEPTED),
        **{
            "state": State.STARTING,
            "novita_id": "n1",
            "bound_at": NOW,
            "billing_since": NOW,
            "status": "pulling",
            "phase": Phase.PROVISIONING,
            **changes,
        },
    )


def running(**changes: Any) -> Instance:
    """Usable, its wish spent."""
    spent = starting(call=None, called_at=None, outcome=None, tries=0, wish=None)
    usable = {
        "state": State.RUNNING,
        "status": "running",
        "phase": Phase.RUNNING,
        "connection": CONNECTION,
        "connection_complete": True,
        "answering": True,
        "ready_at": NOW,
        "usable_at": NOW,
    }
    return replace(spent, **usable | changes)


def stopped(**changes: Any) -> Instance:
    over = {
        "state": State.STOPPED,
        "status": "exited",
        "phase": Phase.STOPPED,
        "connection": None,
        "connection_complete": False,
        "answering": False,
        "usable_at": None,
        "billing_since": None,
    }
    return running(**over | changes)
