"""The store: one object for each noun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from storage.database import Database
from storage.store.cards import Cards
from storage.store.deliveries import PER_TARGET, Deliveries
from storage.store.instances import Instances
from storage.store.leases import Leases
from storage.store.people import People
from storage.store.polls import Polls
from storage.store.quarantine import Quarantine
from storage.store.targets import Targets
from storage.store.transaction import CARD_GAP, LEASE, Clock, Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    deployment: str
    """8 characters `[a-z0-9]`, in the name of every GPU that we create."""
    instances: Instances
    polls: Polls
    cards: Cards
    deliveries: Deliveries
    targets: Targets
    people: People
    quarantine: Quarantine
    leases: Leases
    generation: Callable[[], int | None]
    """See `storage.database.Database.generation`."""


def make_store(
    database: Database,
    clock: Clock,
    *,
    lease: timedelta = LEASE,
    card_gap: timedelta = CARD_GAP,
    per_target: int = PER_TARGET,
) -> Store:
    """`clock` gives aware UTC times and is asked in other threads too."""
    ledger = Ledger(database=database, clock=clock, lease=lease, card_gap=card_gap)
    return Store(
        deployment=database.deployment,
        instances=Instances(ledger),
        polls=Polls(ledger),
        cards=Cards(ledger),
        deliveries=Deliveries(ledger, per_target=per_target),
        targets=Targets(ledger),
        people=People(ledger),
        quarantine=Quarantine(ledger),
        leases=Leases(ledger),
        generation=lambda: database.generation,
    )
