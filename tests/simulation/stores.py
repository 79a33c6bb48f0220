"""The real store, less the looks that find nothing: those are asked of SQLite directly, and are most of all."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.timings import Timings
from storage.store.cards import Cards, LeasedCard
from storage.store.deliveries import Deliveries, LeasedDelivery
from storage.store.instances import Instances
from storage.store.people import LeasedHome, People
from storage.store.steps import Leased
from storage.store.store import Store, make_store
from storage.store.transaction import Ledger
from tests.simulation.disk import Disk, DiskAccess
from tests.simulation.novita import Witness

HasDue = Callable[[str], bool]


def quick_store(
    access: DiskAccess, disk: Disk, clock: Callable[[], datetime], timings: Timings, witness: Witness
) -> Store:
    store = make_store(access, clock, lease=timings.lease, card_gap=timings.card_gap)
    ledger = Ledger(database=access, clock=clock, lease=timings.lease, card_gap=timings.card_gap)

    def has_due(table: str) -> bool:
        return disk.has_due(clock(), table)

    return replace(
        store,
        instances=_Instances(ledger, has_due, witness),
        cards=_Cards(ledger, has_due),
        deliveries=_Deliveries(ledger, has_due),
        people=_People(ledger, has_due),
    )


class _Instances(Instances):
    def __init__(self, ledger: Ledger, has_due: HasDue, witness: Witness) -> None:
        super().__init__(ledger)
        self._has_due = has_due
        self._witness = witness

    async def not_made(self, instance_id: str, attempt: int, **more: Any) -> None:
        self._witness.said_to_be_not_made(instance_id, attempt)
        await super().not_made(instance_id, attempt, **more)

    async def lease_due(self, limit: int, at_work: Collection[str] = ()) -> tuple[Leased, ...]:
        return await super().lease_due(limit, at_work) if self._has_due("instances") else ()


class _Cards(Cards):
    def __init__(self, ledger: Ledger, has_due: HasDue) -> None:
        super().__init__(ledger)
        self._has_due = has_due

    async def lease_due(self, limit: int, at_work: Collection[str] = ()) -> tuple[LeasedCard, ...]:
        return await super().lease_due(limit, at_work) if self._has_due("cards") else ()


class _Deliveries(Deliveries):
    def __init__(self, ledger: Ledger, has_due: HasDue, **options: Any) -> None:
        super().__init__(ledger, **options)
        self._has_due = has_due

    async def lease_due(self, limit: int, at_work: Collection[str] = ()) -> tuple[LeasedDelivery, ...]:
        return await super().lease_due(limit, at_work) if self._has_due("deliveries") else ()


class _People(People):
    def __init__(self, ledger: Ledger, has_due: HasDue) -> None:
        super().__init__(ledger)
        self._has_due = has_due

    async def lease_homes(self, limit: int, at_work: Collection[str] = ()) -> tuple[LeasedHome, ...]:
        return await super().lease_homes(limit, at_work) if self._has_due("people") else ()
