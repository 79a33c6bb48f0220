"""What was: the events of one instance, and how long earlier ones took until they were ready."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.engine import Connection

from storage.columns import leniently
from storage.records import NewEvent
from storage.store.unreadable import readable, refuse_unread
from storage.tables import events, instances


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One instance that got ready."""

    product_name: str
    source: str
    """Its image, or its template as typed."""
    took: timedelta
    """From the request to the first moment that it was usable."""


_NAMES = ("offer", "request", "created_at", "ready_at")
_RECENT = (
    select(*(leniently(instances.c[name]) for name in _NAMES))
    .where(instances.c.ready_at.is_not(None), instances.c.offer.is_not(None))
    .order_by(instances.c.created_at.desc())
)


def recent_launches(connection: Connection, limit: int) -> tuple[Launch, ...]:
    return readable(connection.execute(_RECENT.limit(limit)), _read_launch)


def latest_events(connection: Connection, instance_id: str, limit: int) -> tuple[NewEvent, ...]:
    facts = select(leniently(events.c.fact)).where(events.c.instance_id == instance_id)
    rows = connection.execute(facts.order_by(events.c.sequence.desc()).limit(limit))
    return readable(rows, _read_fact)


def _read_launch(row: Row[Any]) -> Launch:
    refuse_unread(_NAMES, row)
    return Launch(
        product_name=row.offer.product_name,
        source=row.request.image or row.request.template or "",
        took=row.ready_at - row.created_at,
    )


def _read_fact(row: Row[Any]) -> NewEvent:
    refuse_unread(("fact",), row)
    fact: NewEvent = row.fact
    return fact
