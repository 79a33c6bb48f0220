"""Cards: the one Slack message of each instance. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, case, select, update
from sqlalchemy.engine import Connection

from storage.columns import leniently
from storage.records import Card, Instance
from storage.store.cardrows import RESTING, bump_cards
from storage.store.rows import COLUMNS, read_instance
from storage.store.taking import take
from storage.store.transaction import FREED, MOST, NOW, Ledger, Transaction, claim, claiming, is_due, renew
from storage.store.unreadable import LeftAlone, sort_out
from storage.tables import cards, instances

CARD_FIELDS = tuple(column.name for column in fields(Card))
CARD_COLUMNS = tuple(cards.c[name] for name in CARD_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedCard:
    card: Card
    instance: Instance
    token: str


_URGENCY = (case((instances.c.state.in_(RESTING), 0), else_=1), cards.c.due_at)


class Cards:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._left = LeftAlone(cards)

    async def get(self, instance_id: str) -> Card | None:
        def work(connection: Connection) -> Card | None:
            row = connection.execute(select(*CARD_COLUMNS).where(cards.c.instance_id == instance_id)).first()
            return None if row is None else Card(**row._asdict())

        return await self._ledger.read(work)

    async def instance_at(self, channel: str, ts: str) -> str | None:
        """The id of the instance whose card this message is."""
        card = select(cards.c.instance_id).where(cards.c.channel == channel, cards.c.ts == ts)
        return await self._ledger.read(lambda connection: connection.scalar(card))

    async def lease_due(self, limit: int, at_work: Collection[str] = ()) -> tuple[LeasedCard, ...]:
        """First those of instances that came to rest, then the longest due.

        Those of instances that cannot be read are left to others. `at_work`: as of instances.
        """
        lease, left = self._ledger.lease, self._left
        return await self._ledger.write(
            lambda transaction: _lease_due(transaction, limit, at_work, lease, left)
        )

    async def renew(self, tokens: Iterable[str]) -> int:
        """How many of the leases were still the bearer's."""
        lease = self._ledger.lease
        return await self._ledger.write(lambda transaction: renew(transaction, cards, tokens, lease))

    async def settle(
        self,
        leased: LeasedCard,
        *,
        shown_version: int,
        ts: str | None = None,
        channel: str | None = None,
        forget_response_url: bool = True,
    ) -> bool:
        """Slack shows `shown_version` now; due again where more is wanted.

        False: lease lost. The edit may have put the old over the new: it is to be shown once more.
        `ts` and `channel` None: as they were.
        """
        values: dict[str, Any] = {"shown_version": shown_version, "attempts": 0}
        values |= {"ts": ts} if ts is not None else {}
        values |= {"channel": channel} if channel is not None else {}
        values |= {"response_url": None} if forget_response_url else {}
        return await self._ledger.write(lambda transaction: _settle(transaction, leased, values))

    async def later(self, leased: LeasedCard, at: datetime) -> bool:
        """It failed; again at that time, whatever is new before it. False: lease lost, as `settle` says."""
        values = {"attempts": cards.c.attempts + 1, "due_at": at}
        return await self._ledger.write(
            lambda transaction: _release(transaction, leased, values) or _overtaken(transaction, leased)
        )

    async def move(self, leased: LeasedCard, channel: str) -> bool:
        """To be posted anew, there; due now, for whoever leases it next. False: lease lost."""
        values = {"channel": channel, "ts": None}
        return await self._ledger.write(lambda transaction: _release(transaction, leased, values))

    async def lost(self, leased: LeasedCard) -> bool:
        """Somebody deleted the message: to be posted anew, as `move`."""
        return await self._ledger.write(lambda transaction: _release(transaction, leased, {"ts": None}))


_CLAIM = claiming(
    cards,
    select(cards.c.instance_id)
    .join_from(cards, instances, cards.c.instance_id == instances.c.id)
    .where(is_due(cards, NOW))
    .order_by(*_URGENCY)
    .limit(MOST)
    .with_for_update(skip_locked=True, of=cards),
)


def _lease_due(
    transaction: Transaction, limit: int, at_work: Collection[str], lease: timedelta, left: LeftAlone
) -> tuple[LeasedCard, ...]:
    return take(
        transaction,
        left,
        at_work,
        lambda others: claim(transaction, _CLAIM, limit, lease, left=others),
        lambda tokens: _read_leased(transaction, tokens),
    )


def _read_leased(
    transaction: Transaction, tokens: Mapping[str, str]
) -> tuple[list[LeasedCard], dict[str, str]]:
    rows = transaction.connection.execute(
        select(*COLUMNS, *CARD_COLUMNS)
        .join_from(cards, instances, cards.c.instance_id == instances.c.id)
        .where(cards.c.instance_id.in_(tokens))
        .order_by(*_URGENCY)
    )

    def read(row: Row[Any]) -> LeasedCard:
        card = read_card(row[len(COLUMNS) :])
        return LeasedCard(card=card, instance=read_instance(row), token=tokens[card.instance_id])

    return sort_out(rows, read, key=lambda row: row.instance_id)


def read_card(values: Iterable[Any]) -> Card:
    """Of values in the order of `CARD_COLUMNS`."""
    return Card(**dict(zip(CARD_FIELDS, values, strict=False)))


def _settle(transaction: Transaction, leased: LeasedCard, values: dict[str, Any]) -> bool:
    row = transaction.connection.execute(
        select(cards.c.wanted_version, leniently(instances.c.state))
        .join_from(cards, instances, cards.c.instance_id == instances.c.id)
        .where(cards.c.instance_id == leased.card.instance_id, cards.c.lease_token == leased.token)
        .with_for_update(of=cards)
    ).first()
    if row is None:
        return _overtaken(transaction, leased)
    soonest = transaction.now if row.state in RESTING else transaction.now + transaction.card_gap
    due_at = None if row.wanted_version <= values["shown_version"] else soonest
    return _release(transaction, leased, {**values, "edited_at": transaction.now, "due_at": due_at})


def _release(transaction: Transaction, leased: LeasedCard, values: Mapping[str, Any]) -> bool:
    held = (cards.c.instance_id == leased.card.instance_id, cards.c.lease_token == leased.token)
    statement = update(cards).where(*held).values(**values, **FREED)
    return transaction.change(statement) == 1


def _overtaken(transaction: Transaction, leased: LeasedCard) -> Literal[False]:
    """A process that slept past its lease edits late. Whoever has the lease now does not know of it."""
    if leased.card.ts is not None:
        bump_cards(transaction, [(leased.card.instance_id, leased.instance.state)])
    return False
