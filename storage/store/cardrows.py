"""Making cards due, with the requesters' Home tabs: every write to an instance that they show passes here."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, Boolean, and_, bindparam, case, insert, type_coerce, update

from storage.columns import Moment, Span
from storage.records import Instance, NewCard, State
from storage.store.homerows import bump_homes_of
from storage.store.transaction import Transaction
from storage.tables import cards

RESTING = (State.RUNNING, State.STOPPED, State.FAILED, State.DELETED)
"""Somebody waits for these: their cards are edited first, and at once."""

_now = bindparam("now", type_=Moment())
_gap_over = type_coerce(cards.c.edited_at, BigInteger) + bindparam("gap", type_=Span())
_soonest = case(
    (bindparam("at_once", type_=Boolean()), _now),
    (_gap_over > _now, _gap_over),
    else_=_now,
)
_BUMP = (
    update(cards)
    .where(cards.c.instance_id == bindparam("row_id"))
    .values(
        wanted_version=cards.c.wanted_version + 1,
        # A card that failed waits as Slack asked, whatever is new.
        due_at=case((and_(cards.c.attempts > 0, cards.c.due_at > _now), cards.c.due_at), else_=_soonest),
    )
)


def add_card(transaction: Transaction, instance_id: str, card: NewCard) -> None:
    values = {
        "instance_id": instance_id,
        "channel": card.channel,
        "response_url": card.response_url,
        "wanted_version": 1,
        "shown_version": 0,
        "attempts": 0,
        "due_at": transaction.now,
    }
    transaction.connection.execute(insert(cards), values)
    bump_homes_of(transaction, [instance_id])


def bump_card(transaction: Transaction, instance: Instance) -> None:
    bump_cards(transaction, [(instance.id, instance.state)])


def bump_cards(transaction: Transaction, changed: Iterable[tuple[str, State]]) -> None:
    """Without effect for an instance that has no card."""
    # In the order in which whoever renews leases takes them, or the two could wait for each other.
    rows = sorted(changed)
    when = {"now": transaction.now, "gap": transaction.card_gap}
    parameters = [{"row_id": row_id, "at_once": state in RESTING, **when} for row_id, state in rows]
    if parameters:
        transaction.connection.execute(_BUMP, parameters)
        bump_homes_of(transaction, [row_id for row_id, _ in rows])
