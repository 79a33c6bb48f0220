"""What became of each event at each target, and sending it again. For programs with a key, and operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.errors import UPGRADING, DeliveryNotFound, TryAgain
from storage.errors import Unreadable
from storage.records import Delivery, DeliveryAttempt
from storage.store.deliveries import Wanted
from storage.store.store import Store
from storage.store.targets import TargetStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    delivery: Delivery
    attempts: tuple[DeliveryAttempt, ...]


class Redelivery:
    def __init__(self, store: Store, *, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake

    async def list_deliveries(
        self, wanted: Wanted, *, limit: int, offset: int
    ) -> tuple[tuple[Tried, ...], int]:
        """Newest first, and how many there are in all."""
        found, total = await self._store.deliveries.list_deliveries(wanted, limit=limit, offset=offset)
        tries = await self._store.deliveries.attempts([delivery.id for delivery in found])
        return tuple(Tried(delivery=d, attempts=tries.get(d.id, ())) for d in found), total

    async def replay(self, delivery_id: str) -> Tried:
        """Due now, under the same `webhook-id`. Raises DeliveryNotFound, TryAgain."""
        try:
            delivery = await self._store.deliveries.replay(delivery_id)
        except Unreadable as error:
            raise TryAgain(UPGRADING) from error
        if delivery is None:
            raise DeliveryNotFound(f"There is no delivery {delivery_id}.")
        self._wake()
        tries = await self._store.deliveries.attempts([delivery_id])
        return Tried(delivery=delivery, attempts=tries.get(delivery_id, ()))

    async def replay_dead(self, since: datetime) -> int:
        """All that were written since then and have been given up; how many those are."""
        replayed = await self._store.deliveries.replay_dead(since)
        if replayed:
            self._wake()
        return replayed

    async def statistics(self) -> tuple[TargetStatistics, ...]:
        return await self._store.targets.statistics()
