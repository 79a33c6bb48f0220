"""Instances that are followed already, written by the thousand: as many creates would take an hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from sqlalchemy import insert

from bench.novita import instance_id, now
from bench.service import database_url
from storage.cloud import BillingMode, Connection, Endpoint, Offer, Phase, Spot
from storage.database import migrate, open_database
from storage.records import CreateRequest, EventKind, Fate, Instance, NewEvent, Outcome, State, Target, Wish
from storage.store.eventrows import write_event
from storage.store.rows import insert_instance
from storage.store.transaction import Ledger, Transaction
from storage.tables import attempts, cards

T = TypeVar("T")

_TOGETHER = 500
"""Rows in one transaction."""
_AGE = timedelta(hours=5)
_OFFER = Offer(
    product_id="4090.16c62g",
    product_name="RTX 4090 24GB",
    cluster_id="us-ca-6",
    region="US-CA-06 (California)",
    billing_mode=BillingMode.SPOT,
    gpu_count=1,
    usd_per_gpu_hour=Decimal("0.35"),
)
_REQUEST = CreateRequest(
    name="",
    gpu="4090",
    gpu_count=1,
    template="pytorch-jupyter",
    image=None,
    billing_mode=BillingMode.SPOT,
    regions=(),
    regions_only=False,
    disk_gb=60,
)


async def prepare(folder: Path) -> str:
    """A database of this version; its deployment."""
    url = database_url(folder)
    await migrate(url)
    database = await open_database(url)
    await database.close()
    return database.deployment


async def follow(
    folder: Path,
    gpus: Sequence[str],
    *,
    people: Sequence[str],
    channel: str | None,
    held: int = 0,
    targets: Sequence[Target] = (),
) -> None:
    """One row for each GPU, all running but the last `held`, which start. `targets`: who has yet to be told
    that it is ready."""
    database = await open_database(database_url(folder))
    ledger = Ledger(database=database, clock=now)
    try:
        for first in range(0, len(gpus), _TOGETHER):
            numbers = range(first, min(first + _TOGETHER, len(gpus)))
            rows = [
                _instance(n, gpus[n], people[n % len(people)], channel, runs=n < len(gpus) - held)
                for n in numbers
            ]
            await ledger.write(_writing(rows, tuple(targets)))
    finally:
        await database.close()


def _writing(rows: Sequence[Instance], targets: tuple[Target, ...]) -> Callable[[Transaction], None]:
    def work(transaction: Transaction) -> None:
        for row in rows:
            _write(transaction, row, targets)

    return work


def _write(transaction: Transaction, row: Instance, targets: tuple[Target, ...]) -> None:
    due_at = None if row.wish is None else transaction.now
    insert_instance(transaction, row, due_at=due_at)  # type: ignore[arg-type]
    asked = NewEvent(kind=EventKind.REQUESTED, at=row.created_at, actor=row.requester, verb=Wish.CREATE)
    write_event(transaction, replace(row, sequence=1), asked, ())
    if row.ready_at is not None:
        ready = NewEvent(kind=EventKind.READY, at=row.ready_at, elapsed=row.ready_at - row.created_at)
        write_event(transaction, row, ready, targets)
    attempt = {"number": 1, "begun_at": row.created_at, "fate": Fate.BOUND, "novita_id": row.novita_id}
    transaction.connection.execute(insert(attempts), {"instance_id": row.id, "offer": row.offer, **attempt})
    if row.channel is not None:
        transaction.connection.execute(insert(cards), _card(row))


def _card(row: Instance) -> dict[str, object]:
    """As it was posted and edited long ago."""
    versions = {"wanted_version": 3, "shown_version": 3, "attempts": 0}
    ts = f"{row.created_at.timestamp():.6f}"
    return {"instance_id": row.id, "channel": row.channel, "ts": ts, "edited_at": row.ready_at, **versions}


def _instance(number: int, gpu: str, person: str, channel: str | None, *, runs: bool) -> Instance:
    asked_at = (now() - _AGE if runs else now()) + timedelta(milliseconds=number)
    name = f"gpu-{number}"
    ordered = Instance(
        id=instance_id(number),
        name=name,
        requester=person,
        team_id="T0SANDBOX",
        channel=channel,
        request=replace(_REQUEST, name=name),
        created_at=asked_at,
        state=State.STARTING,
        wish=Wish.CREATE,
        wished_by=person,
        wished_at=asked_at,
        call=Wish.CREATE,
        called_at=asked_at,
        outcome=Outcome.ACCEPTED,
        tries=1,
        attempt=1,
        offer=_OFFER,
        first_usd_per_hour=_OFFER.usd_per_hour,
        novita_id=gpu,
        bound_at=asked_at,
        status="pulling",
        phase=Phase.PROVISIONING,
        seen_at=asked_at,
        underway=True,
        spot=Spot.UNDISTURBED,
        billing_since=asked_at,
        sequence=1,
        acted_at=asked_at,
        updated_at=asked_at,
    )
    return _running(ordered, asked_at + timedelta(minutes=2)) if runs else ordered


def _running(ordered: Instance, at: datetime) -> Instance:
    urls = (Endpoint(port=8888, protocol="http", url=f"https://{ordered.novita_id}-8888.example.com"),)
    return replace(
        ordered,
        state=State.RUNNING,
        wish=None,
        status="running",
        phase=Phase.RUNNING,
        seen_at=at,
        last_started_at=at,
        connection=Connection(ssh="ssh -p 30000 root@proxy.example.com", endpoints=urls),
        connection_complete=True,
        probe_began_at=at,
        answering=True,
        ready_at=at,
        usable_at=at,
        sequence=2,
        updated_at=at,
    )
