"""How many instances there are, and what they cost. Reads few rows whole: counts come from indexes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.engine import Connection

from storage.columns import Unread, leniently
from storage.records import State, Totals
from storage.tables import instances


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    by_state: Mapping[State, int]
    """Every state, also those that no instance is in."""
    due: int
    """With a step that is due."""
    usd_per_hour: Decimal
    """Of all that are billed at present."""


_UNDER_WAY = (State.CREATING, State.STARTING, State.STOPPING, State.DELETING)

_MAY_BILL = tuple(state for state in State if state is not State.DELETED)
"""As a list of words, which an index finds; most rows are of instances that are gone."""

_BY_STATE = select(leniently(instances.c.state), func.count()).group_by(instances.c.state)
# By offer, of which there are few: its price is in JSON, which two databases would read in two ways.
_BILLED = (
    select(leniently(instances.c.offer), func.count())
    .where(
        instances.c.state.in_(_MAY_BILL),
        instances.c.billing_since.is_not(None),
        instances.c.offer.is_not(None),
    )
    .group_by(instances.c.offer)
)


def count_instances(connection: Connection, now: datetime) -> Counts:
    found = {row[0]: row[1] for row in connection.execute(_BY_STATE)}
    due = select(func.count()).select_from(instances).where(instances.c.due_at <= now)
    return Counts(
        by_state={state: found.get(state, 0) for state in State},
        due=connection.scalar(due) or 0,
        usd_per_hour=_usd_per_hour(connection),
    )


def sum_up(connection: Connection, requester: str | None) -> Totals:
    """What a person wants to know of it. `requester`: whose; None: everybody's."""
    whose = () if requester is None else (instances.c.requester == requester,)
    found = {row[0]: row[1] for row in connection.execute(_BY_STATE.where(*whose))}
    return Totals(
        running=found.get(State.RUNNING, 0),
        under_way=sum(found.get(state, 0) for state in _UNDER_WAY),
        stopped=found.get(State.STOPPED, 0),
        usd_per_hour=_usd_per_hour(connection, *whose),
    )


def _usd_per_hour(connection: Connection, *whose: ColumnElement[bool]) -> Decimal:
    found = connection.execute(_BILLED.where(*whose))
    billed = [(offer, count) for offer, count in found if type(offer) is not Unread]
    return sum((offer.usd_per_hour * count for offer, count in billed), Decimal(0))
