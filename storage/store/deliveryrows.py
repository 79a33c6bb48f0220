"""Rows of `deliveries`: which may go out now, and how one is read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
)

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

_due, _other = deliveries.alias("due"), deliveries.alias("other")


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


def select_ready(*, lateral: bool) -> Select[tuple[str]]:
    """Keys of those that may go out, longest due first: in order for each instance and target, and no more
    at once for any target than PER_TARGET. By the parameters NOW, MOST, LEFT and PASSED.

    Only the first few of each target are looked at, however many wait. `lateral`: PostgreSQL would look for
    them in the whole table otherwise; SQLite knows no such word, and goes from key to row without it.
    """
    waiting = select(*_target(_due)).where(_due.c.due_at <= NOW).distinct().subquery("waiting")
    ready = _placed(_firsts(waiting, lateral=lateral))
    busy = _in_flight(NOW)
    free = PER_TARGET - func.coalesce(busy.c.count, 0)
    chosen = select(ready.c.id).join_from(ready, busy, _same_target(busy, ready), isouter=True)
    keys = select(deliveries.c.id).where(deliveries.c.id.in_(chosen.where(ready.c.place <= free)))
    return keys.order_by(*_order(deliveries)).limit(MOST)


def _firsts(waiting: FromClause, *, lateral: bool) -> FromClause:
    if not lateral:
        is_first = deliveries.c.id.in_(_first_of(waiting))
        return select(deliveries).join_from(waiting, deliveries, is_first).subquery("firsts")
    first = _first_of(waiting).lateral("first")
    of_each = select(deliveries).join_from(waiting, first, true())
    return of_each.join(deliveries, deliveries.c.id == first.c.id).subquery("firsts")


def _first_of(target: FromClause) -> Select[tuple[str]]:
    return (
        select(_due.c.id)
        .where(_same_target(_due, target), is_due(_due, NOW), _due.c.id.not_in(LEFT))
        .where(~_waits_for_another(NOW), ~_waits_for_card())
        .order_by(*_order(_due))
        .limit(PER_TARGET)
        .correlate(target)
    )


def _placed(firsts: FromClause) -> FromClause:
    place = func.row_number().over(partition_by=_target(firsts), order_by=_order(firsts))
    return select(firsts.c.id, *_target(firsts), place.label("place")).subquery("ready")


def _waits_for_another(now: Time) -> ColumnElement[bool]:
    """Of the same instance and target: one in flight, or an earlier one that goes first."""
    goes_first = and_(
        _other.c.sequence < _due.c.sequence,
        or_(_other.c.attempts < HOLDS_BACK, _other.c.due_at <= now),
        _other.c.id.not_in(PASSED),
    )
    return exists().where(
        _other.c.instance_id == _due.c.instance_id,
        _same_target(_other, _due),
        _other.c.id != _due.c.id,
        _other.c.state == DeliveryState.PENDING,
        or_(goes_first, is_held(_other, now)),
    )


def _waits_for_card() -> ColumnElement[bool]:
    """A notice is a reply to the card, unless that was given up: then it goes its own way."""
    unposted = exists().where(
        cards.c.instance_id == _due.c.instance_id, cards.c.ts.is_(None), cards.c.due_at.is_not(None)
    )
    return and_(_due.c.target_kind == TargetKind.NOTICE, unposted)


def _in_flight(now: Time) -> FromClause:
    return (
        select(*_target(deliveries), func.count().label("count"))
        .where(is_held(deliveries, now))
        .group_by(*_target(deliveries))
        .subquery("busy")
    )


def _target(table: FromClause) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return table.c.target_kind, table.c.target_address


def _same_target(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    return and_(one.c.target_kind == other.c.target_kind, one.c.target_address == other.c.target_address)


def _order(table: FromClause) -> tuple[ColumnElement[Any], ...]:
    """An index has them in this order, target by target."""
    return table.c.due_at, table.c.sequence, table.c.id
