"""What was: the events of one instance, and how long earlier ones took until they were ready."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.engine import Connection

from storage.records import NewEvent
from storage.tables import events, instances


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One instance that got ready."""

    product_name: str
    source: str
    """Its image, or its template as typed."""
    took: timedelta
    """From the request to the first moment that it was usable."""


_RECENT = (
    select(instances.c.offer, instances.c.request, instances.c.created_at, instances.c.ready_at)
    .where(instances.c.ready_at.is_not(None), instances.c.offer.is_not(None))
    .order_by(instances.c.created_at.desc())
)


def recent_launches(connection: Connection, limit: int) -> tuple[Launch, ...]:
    return tuple(
        Launch(
            product_name=offer.product_name,
            source=request.image or request.template or "",
            took=ready_at - created_at,
        )
        for offer, request, created_at, ready_at in connection.execute(_RECENT.limit(limit))
    )


def latest_events(connection: Connection, instance_id: str, limit: int) -> tuple[NewEvent, ...]:
    facts = select(events.c.fact).where(events.c.instance_id == instance_id)
    return tuple(connection.scalars(facts.order_by(events.c.sequence.desc()).limit(limit)))
