"""What most tests of the store need first: instances in some state, and a look into the tables."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Table, func, select
from storage_samples import Clock, event, id_of, instance

from storage.database import Database
from storage.records import Attempt, Card, Instance, NewCard, NewEvent, Target, Wish
from storage.store.finding import Find
from storage.store.steps import Leased
from storage.store.store import Store
from storage.store.tokens import Token
from storage.tables import attempts, events, instances


class World:
    def __init__(self, store: Store, database: Database, clock: Clock) -> None:
        self.store = store
        self.database = database
        self.clock = clock

    async def add(
        self,
        number: int = 1,
        *,
        card: NewCard | None = None,
        targets: tuple[Target, ...] = (),
        **changes: Any,
    ) -> Instance:
        return await self.store.instances.add(
            instance(number, **changes),
            key=None,
            event=event(),
            card=card,
            unique_name=False,
            targets=targets,
        )

    async def add_bound(self, number: int = 1, **changes: Any) -> Instance:
        """Has the GPU `nv-<number>`."""
        defaults = {
            "novita_id": f"nv-{number}",
            "attempt": 1,
            "call": Wish.CREATE,
            "called_at": self.clock.now,
        }
        return await self.add(number, **(defaults | changes))

    async def add_begun(self, number: int = 1, **changes: Any) -> Leased:
        """Its first create was begun; the lease is held."""
        await self.add(number, **changes)
        begun = await self.store.instances.begin(await self.lease(number), call=Wish.CREATE)
        assert begun is not None
        return begun

    async def lease(self, number: int = 1) -> Leased:
        leased = await self.store.instances.lease_due(100)
        return next(each for each in leased if each.instance.id == id_of(number))

    async def get(self, number: int = 1) -> Instance:
        return await self.store.instances.get(Find(ref=id_of(number)))

    async def change(self, number: int = 1, **changes: Any) -> Instance:
        """By a wish."""
        wished = await self.store.instances.wish(
            Find(ref=id_of(number)), key=None, decide=lambda before: (replace(before, **changes), None)
        )
        return wished.instance

    async def due_at(self, number: int = 1, table: Table = instances) -> datetime | None:
        (key,) = table.primary_key.columns
        return await self.value(select(table.c.due_at).where(key == id_of(number)))

    async def set_idle(self) -> None:
        """Nothing is due, nothing is leased."""
        idle = instances.update().values(due_at=None, lease_token=None, leased_until=None)
        await self.database.write(lambda connection: connection.execute(idle))

    async def tell(self, number: int, fact: NewEvent, *targets: Target) -> None:
        """Writes an event with its deliveries, without changing the instance."""
        touch = instances.update().where(instances.c.id == id_of(number)).values(due_at=self.clock.now)
        await self.database.write(lambda connection: connection.execute(touch))
        leased = await self.lease(number)
        assert await self.store.instances.settle(
            leased, leased.instance, event=fact, targets=targets, due_at=None
        )

    async def card(self, number: int = 1) -> Card:
        card = await self.store.cards.get(id_of(number))
        assert card is not None
        return card

    async def attempt(self, number: int = 1, attempt: int = 1) -> Attempt:
        rows = await self.rows(attempts)
        return next(
            Attempt(**row) for row in rows if (row["instance_id"], row["number"]) == (id_of(number), attempt)
        )

    async def kinds(self, number: int = 1) -> list[str]:
        rows = await self.rows(events)
        mine = sorted((row["sequence"], row["kind"]) for row in rows if row["instance_id"] == id_of(number))
        assert [sequence for sequence, _ in mine] == list(range(1, len(mine) + 1))
        return [kind for _, kind in mine]

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        def work(connection: Any) -> list[dict[str, Any]]:
            return [dict(row._mapping) for row in connection.execute(select(table))]

        return await self.database.read(work)

    async def count(self, table: Table) -> int:
        found: int = await self.value(select(func.count()).select_from(table))
        return found

    async def value(self, statement: Any) -> Any:
        return await self.database.read(lambda connection: connection.scalar(statement))

    def token(self, number: int = 1, attempt: int = 1, *, deployment: str | None = None) -> str:
        """The name at Novita."""
        own = self.store.deployment
        return str(Token(deployment=deployment or own, instance_id=id_of(number), attempt=attempt))
