"""Making Home tabs due: every change that somebody's Home tab shows passes here."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, Update, bindparam, case, select, type_coerce, update

from storage.columns import Moment, Span
from storage.store.transaction import Transaction
from storage.tables import instances, people

_now = bindparam("now", type_=Moment())
_gap_over = type_coerce(people.c.edited_at, BigInteger) + bindparam("gap", type_=Span())
_DUE = {
    "wanted_version": people.c.wanted_version + 1,
    "due_at": case(
        # One that failed waits as Slack asked, and one that is due already is due.
        (people.c.due_at.is_not(None), people.c.due_at),
        (_gap_over > _now, _gap_over),
        else_=_now,
    ),
}
_BUMP = update(people).where(people.c.has_home, people.c.user_id == bindparam("whose")).values(_DUE)
_REQUESTER = select(instances.c.requester).where(instances.c.id == bindparam("row_id")).scalar_subquery()
_BUMP_REQUESTER = update(people).where(people.c.has_home, people.c.user_id == _REQUESTER).values(_DUE)


def bump_homes(transaction: Transaction, user_ids: Iterable[str]) -> None:
    """Without effect for who never opened theirs."""
    _bump(transaction, _BUMP, [{"whose": user_id} for user_id in user_ids])


def bump_homes_of(transaction: Transaction, instance_ids: Iterable[str]) -> None:
    """Those of the requesters of these instances."""
    _bump(transaction, _BUMP_REQUESTER, [{"row_id": instance_id} for instance_id in instance_ids])


def _bump(transaction: Transaction, statement: Update, rows: list[dict[str, object]]) -> None:
    when = {"now": transaction.now, "gap": transaction.card_gap}
    if rows:
        transaction.connection.execute(statement, [row | when for row in rows])
