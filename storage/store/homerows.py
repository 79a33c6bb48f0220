"""Making Home tabs due: every change that somebody's Home tab shows passes here."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, bindparam, case, select, type_coerce, update

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
_REQUESTERS = (
    select(people.c.user_id)
    .join(instances, instances.c.requester == people.c.user_id)
    .where(people.c.has_home, instances.c.id.in_(bindparam("row_ids", expanding=True)))
    .order_by(people.c.user_id)  # as whoever renews leases takes them, or the two could wait for each other
    .with_for_update(key_share=True, of=people)
)
_BUMP_REQUESTERS = update(people).where(people.c.user_id.in_(_REQUESTERS)).values(_DUE)


def bump_homes(transaction: Transaction, user_ids: Iterable[str]) -> None:
    """Without effect for who never opened theirs."""
    rows = [{"whose": user_id, **_times(transaction)} for user_id in user_ids]
    if rows:
        transaction.connection.execute(_BUMP, rows)


def bump_homes_of(transaction: Transaction, instance_ids: Iterable[str]) -> None:
    """Those of the requesters of these instances, each once."""
    ids = list(instance_ids)
    if ids:
        transaction.connection.execute(_BUMP_REQUESTERS, {"row_ids": ids, **_times(transaction)})


def _times(transaction: Transaction) -> dict[str, object]:
    return {"now": transaction.now, "gap": transaction.card_gap}
