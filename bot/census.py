"""What the database says of everything together: for who watches the service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from storage.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    instances: Mapping[str, int] = field(default_factory=dict)
    """By state, every state."""
    due: int = 0
    """Instances with a step that is due."""
    usd_per_hour: Decimal = Decimal(0)
    """Of what is billed at present."""
    pending: int = 0
    """Deliveries, as all below."""
    dead: int = 0
    oldest_pending_at: datetime | None = None
    quarantined: int = 0
    """GPUs with our mark that no instance accounts for."""
    listed_at: datetime | None = None
    """Beginning of the latest complete list of Novita's instances."""


async def take_census(store: Store) -> Census:
    """Four short reads."""
    counts, backlog, quarantined, polls = await asyncio.gather(
        store.instances.counts(), store.deliveries.backlog(), store.quarantine.size(), store.polls.last()
    )
    return Census(
        instances={state.value: count for state, count in counts.by_state.items()},
        due=counts.due,
        usd_per_hour=counts.usd_per_hour,
        pending=backlog.pending,
        dead=backlog.dead,
        oldest_pending_at=backlog.oldest_at,
        quarantined=quarantined,
        listed_at=polls.listed_at,
    )
