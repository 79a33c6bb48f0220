"""Rows of `deliveries`: which may go out now, and how one is read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, Select, Text, and_, bindparam, exists, func, or_, select

from storage.columns import leniently
from storage.records import Delivery, DeliveryState, Event, Target, TargetKind
from storage.store.transaction import LEFT, MOST, NOW, Time, is_due, is_held
from storage.store.unreadable import refuse_unread
from storage.tables import cards, deliveries, events

HOLDS_BACK = 3
"""Failed attempts after which an event no longer holds back later ones."""

PER_TARGET = bindparam("per_target", type_=Integer())
PASSED = bindparam("passed", expanding=True, type_=Text())
"""Keys of those that hold nobody back."""

_OWN = (
    *("id", "target_kind", "target_address", "state", "attempts", "due_at"),
    *("last_status_code", "last_error", "delivered_at", "created_at"),
)
_OF_EVENT = ("id", "instance_id", "sequence", "fact", "instance")
COLUMNS = (
    *(leniently(deliveries.c[name]) for name in _OWN),
    *(leniently(events.c[name]).label(f"event_{name}") for name in _OF_EVENT),
)
_NAMES = (*_OWN, *(f"event_{name}" for name in _OF_EVENT))

_other = deliveries.alias("other")


def select_deliveries() -> Select[Any]:
    return select(*COLUMNS).join_from(deliveries, events, deliveries.c.event_id == events.c.id)


def read_delivery(row: Row[Any]) -> Delivery:
    """Of a row that begins with `COLUMNS`. Raises Unreadable."""
    refuse_unread(_NAMES, row)
    event = Event(
        id=row.event_id,
        instance_id=row.event_instance_id,
        sequence=row.event_sequence,
        fact=row.event_fact,
        instance=row.event_instance,
    )
    return Delivery(
        id=row.id,
        event=event,
        target=Target(kind=row.target_kind, address=row.target_address),
        state=row.state,
        attempts=row.attempts,
        due_at=row.due_at,
        last_status_code=row.last_status_code,
        last_error=row.last_error,
        delivered_at=row.delivered_at,
        created_at=row.created_at,
    )


def select_ready() -> Select[tuple[str]]:
    """Keys of those that may go out, longest due first: in order for each instance and target, and no more
    at once for any target than PER_TARGET. By the parameters NOW, MOST, LEFT and PASSED."""
    order = (deliveries.c.due_at, deliveries.c.sequence, deliveries.c.id)
    target = (deliveries.c.target_kind, deliveries.c.target_address)
    ready = (
        select(
            deliveries.c.id,
            *target,
            func.row_number().over(partition_by=target, order_by=order).label("place"),
        )
        .where(is_due(deliveries, NOW), deliveries.c.id.not_in(LEFT))
        .where(~_waits_for_another(NOW), ~_waits_for_card())
        .subquery("ready")
    )
    busy = _in_flight(NOW)
    free = PER_TARGET - func.coalesce(busy.c.count, 0)
    same = and_(busy.c.target_kind == ready.c.target_kind, busy.c.target_address == ready.c.target_address)
    first = select(ready.c.id).join_from(ready, busy, same, isouter=True).where(ready.c.place <= free)
    return select(deliveries.c.id).where(deliveries.c.id.in_(first)).order_by(*order).limit(MOST)


def _waits_for_another(now: Time) -> ColumnElement[bool]:
    """Of the same instance and target: one in flight, or an earlier one that goes first."""
    goes_first = and_(
        _other.c.sequence < deliveries.c.sequence,
        or_(_other.c.attempts < HOLDS_BACK, _other.c.due_at <= now),
        _other.c.id.not_in(PASSED),
    )
    return exists().where(
        _other.c.instance_id == deliveries.c.instance_id,
        _other.c.target_kind == deliveries.c.target_kind,
        _other.c.target_address == deliveries.c.target_address,
        _other.c.id != deliveries.c.id,
        _other.c.state == DeliveryState.PENDING,
        or_(goes_first, is_held(_other, now)),
    )


def _waits_for_card() -> ColumnElement[bool]:
    """A notice is a reply to the card, unless that was given up: then it goes its own way."""
    unposted = exists().where(
        cards.c.instance_id == deliveries.c.instance_id, cards.c.ts.is_(None), cards.c.due_at.is_not(None)
    )
    return and_(deliveries.c.target_kind == TargetKind.NOTICE, unposted)


def _in_flight(now: Time) -> Any:
    return (
        select(deliveries.c.target_kind, deliveries.c.target_address, func.count().label("count"))
        .where(is_held(deliveries, now))
        .group_by(deliveries.c.target_kind, deliveries.c.target_address)
        .subquery("busy")
    )
