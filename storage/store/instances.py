"""Instances, as people and workers see them. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.engine import Connection

from storage.cloud import Offer
from storage.records import Attempt, Fate, Instance, NewCard, NewEvent, State, Target, Totals, Wish
from storage.store import steps
from storage.store.counting import Counts, count_instances, sum_up
from storage.store.finding import Find, find_instance, list_names
from storage.store.keys import RequestKey, served
from storage.store.past import Launch, latest_events, recent_launches
from storage.store.purging import purge
from storage.store.rows import read_instance, select_instances
from storage.store.steps import Leased, Settlement
from storage.store.strays import settle_stray
from storage.store.transaction import Ledger, Transaction, renew
from storage.store.unreadable import LeftAlone, readable
from storage.store.wishes import Addition, Decide, Wished, add_instance, record_wish
from storage.tables import instances


class Instances:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._left = LeftAlone(instances)

    async def add(  # noqa: PLR0913 - all of it is one transaction
        self,
        instance: Instance,
        *,
        due_after: timedelta = timedelta(0),
        key: RequestKey | None,
        event: NewEvent,
        card: NewCard | None,
        unique_name: bool,
        targets: tuple[Target, ...] = (),
    ) -> Instance:
        """Due at once, or after so long, with `event` as its first one.

        Idempotent by `key`: a known one returns the earlier instance and writes nothing.
        Raises NameInUse, where `unique_name` asks for it; KeyReused.
        """
        wanted = Addition(
            instance=instance,
            due_after=due_after,
            event=event,
            key=key,
            card=card,
            targets=targets,
            unique_name=unique_name,
        )
        return await self._ledger.write(lambda transaction: add_instance(transaction, wanted), urgent=True)

    async def served(self, key: RequestKey) -> Instance | None:
        """What an earlier request with this key was answered; None: it is new. Raises KeyReused."""

        def work(connection: Connection) -> Instance | None:
            return served(Transaction(connection=connection, now=self._ledger.clock()), key)

        return await self._ledger.read(work)

    async def wish(self, find: Find, *, key: RequestKey | None, decide: Decide) -> Wished:
        """Voids the lease and makes the instance due. `decide` must be pure; what it raises rolls back.

        Idempotent by `key`. Where `decide` changes nothing and tells nothing, only the key is written.
        Raises NoSuchInstance, Ambiguous, KeyReused.
        """
        return await self._ledger.write(
            lambda transaction: record_wish(transaction, find, key, decide), urgent=True
        )

    async def get(self, find: Find) -> Instance:
        """Raises NoSuchInstance, Ambiguous."""
        return await self._ledger.read(lambda connection: find_instance(connection, find))

    async def list_instances(
        self,
        *,
        requester: str | None = None,
        states: Collection[State] | None = None,
        include_deleted: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[tuple[Instance, ...], int]:
        """Newest first, and how many there are in all. `states` wins over `include_deleted`.

        One that only a later version can read counts and is missing.
        """
        conditions = _conditions(requester, states, include_deleted=include_deleted)

        def work(connection: Connection) -> tuple[tuple[Instance, ...], int]:
            newest = select_instances(*conditions).order_by(
                instances.c.created_at.desc(), instances.c.id.desc()
            )
            rows = connection.execute(newest.limit(limit).offset(offset))
            total = connection.scalar(select(func.count()).select_from(instances).where(*conditions))
            return readable(rows, read_instance), total or 0

        return await self._ledger.read(work)

    async def names(self, requester: str | None = None) -> tuple[str, ...]:
        """Of all that are not deleted, newest first."""
        return await self._ledger.read(lambda connection: list_names(connection, requester))

    async def counts(self) -> Counts:
        """Short, however many there are."""
        now = self._ledger.clock()
        return await self._ledger.read(lambda connection: count_instances(connection, now))

    async def totals(self, requester: str | None = None) -> Totals:
        """None: of everybody's."""
        return await self._ledger.read(lambda connection: sum_up(connection, requester))

    async def launches(self, limit: int) -> tuple[Launch, ...]:
        """The latest that got ready, newest first."""
        return await self._ledger.read(lambda connection: recent_launches(connection, limit))

    async def history(self, instance_id: str, limit: int) -> tuple[NewEvent, ...]:
        """Latest first."""
        return await self._ledger.read(lambda connection: latest_events(connection, instance_id, limit))

    async def lease_due(self, limit: int, at_work: Collection[str] = ()) -> tuple[Leased, ...]:
        """Each due row goes to one worker, longest due first. What cannot be read is left to others.

        `at_work`: tokens of what this process has in flight. Their leases may have lapsed while it stood
        still; it does not get those rows once more, beside itself.
        """
        lease, left = self._ledger.lease, self._left
        return await self._ledger.write(
            lambda transaction: steps.lease_due(transaction, limit, at_work, lease, left)
        )

    async def renew(self, tokens: Iterable[str]) -> int:
        """One statement for all leases of a replica; how many of them it still has."""
        lease = self._ledger.lease
        return await self._ledger.write(lambda transaction: renew(transaction, instances, tokens, lease))

    async def begin(self, leased: Leased, *, call: Wish, offer: Offer | None = None) -> Leased | None:
        """Commits that a call will be made, before it is made. A create gets its attempt here.

        None: lease lost, or overtaken by a wish or an observation; no call may be made, the row is due.
        """
        lease = self._ledger.lease
        return await self._ledger.write(
            lambda transaction: steps.begin(transaction, leased, call, offer, lease)
        )

    async def bind(self, instance_id: str, attempt: int, novita_id: str, *, at: datetime) -> bool:
        """The GPU of this attempt has this id. Idempotent; needs no lease, for an id is never dropped.

        False: the row has another GPU or a later attempt, is over, or was purged: the attempt is late.
        """
        return await self._ledger.write(
            lambda transaction: steps.bind(transaction, instance_id, attempt, novita_id, at)
        )

    async def not_made(self, instance_id: str, attempt: int, *, fate: Fate = Fate.NOT_MADE) -> None:
        """The create certainly had no effect. Idempotent; needs no lease."""
        await self._ledger.write(lambda transaction: steps.not_made(transaction, instance_id, attempt, fate))

    async def attempts(self, instance_id: str) -> tuple[Attempt, ...]:
        """Every create that was begun for it, first to last."""
        return await self._ledger.read(lambda connection: steps.list_attempts(connection, instance_id))

    async def settle(  # noqa: PLR0913 - all of it is one transaction
        self,
        leased: Leased,
        after: Instance,
        *,
        event: NewEvent | None = None,
        targets: tuple[Target, ...] = (),
        due_at: datetime | None,
        decided: bool = True,
    ) -> bool:
        """Writes what differs between `leased.instance` and `after`, tells `event`, and ends the lease.

        False: lease lost, or overtaken; nothing was written, and the row is due where the lease was ours.
        `decided=False`: facts learned by a call that was made; only a newer wish overtakes those.
        """
        settlement = Settlement(after=after, event=event, targets=targets, due_at=due_at, decided=decided)
        return await self._ledger.write(lambda transaction: steps.settle(transaction, leased, settlement))

    async def settle_stray(
        self, attempt: Attempt, novita_id: str, *, event: NewEvent, targets: tuple[Target, ...] = ()
    ) -> bool:
        """A late GPU was removed. Idempotent: False, and nothing told, the second time."""
        return await self._ledger.write(
            lambda transaction: settle_stray(transaction, attempt, novita_id, event, targets)
        )

    async def purge(self, before: datetime) -> int:
        """Forgets finished instances that nothing happened to since then. Their attempts stay."""
        return await self._ledger.write(lambda transaction: purge(transaction, before))


def _conditions(
    requester: str | None, states: Collection[State] | None, *, include_deleted: bool
) -> tuple[ColumnElement[bool], ...]:
    mine = () if requester is None else (instances.c.requester == requester,)
    if states is not None:
        return (*mine, instances.c.state.in_(states))
    return mine if include_deleted else (*mine, instances.c.state != State.DELETED)
