"""What the edges ask of Operations, in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from samples import creating

from bot.asking import Acted, Actor, Asked, Defaults, Origin
from bot.errors import DeliveryNotFound, InstanceNotFound
from bot.redelivery import Tried
from bot.wishes import grant
from storage.cloud import BillingMode, Product, Secrets
from storage.records import CreateRequest, Instance, State, Wish
from storage.store.deliveries import Wanted
from storage.store.targets import TargetStatistics


@dataclass(frozen=True, kw_only=True)
class Creation:
    asked: Asked
    actor: Actor
    origin: Origin
    unique_name: bool


class FakeOperations:
    """`failure` is raised in place of the next answers, until it is taken away."""

    def __init__(self, *instances: Instance, template: str | None = "pytorch-jupyter") -> None:
        self.defaults = Defaults(
            region="CN-HK-01", gpu_count=1, disk_gb=60, template=template, billing_mode=BillingMode.SPOT
        )
        self.instances = list(instances)
        self.creations: list[Creation] = []
        self.readers: list[Actor] = []
        self.origins: list[Origin] = []
        self.secrets = Secrets(ssh_password="ssh-pa55", jupyter_url="https://j.example/?token=t0ken")
        self.failure: Exception | None = None
        self._numbers = count(1)

    async def create(self, asked: Asked, actor: Actor, origin: Origin, *, unique_name: bool) -> Instance:
        self._maybe_fail()
        self.creations.append(Creation(asked=asked, actor=actor, origin=origin, unique_name=unique_name))
        created = replace(
            creating(),
            id=f"{next(self._numbers):016}",
            name=asked.name or "generated",
            requester=actor.user_id,
            channel=origin.channel,
            request=self._filled(asked),
        )
        self.instances.append(created)
        return created

    async def get(self, ref: str | None, actor: Actor) -> Instance:
        self._maybe_fail()
        self.readers.append(actor)
        for i in reversed(self.instances):
            if ref in (i.id, i.name):
                return i
        raise InstanceNotFound(f"There is no instance called {ref}.", hint="/gpu list all")

    async def list_instances(
        self,
        actor: Actor,
        *,
        everybody: bool,
        states: frozenset[State] | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[tuple[Instance, ...], int]:
        self._maybe_fail()
        self.readers.append(actor)
        wanted = frozenset(State) - {State.DELETED} if states is None else states
        mine = [i for i in self.instances if everybody or i.requester == actor.user_id]
        found = sorted((i for i in mine if i.state in wanted), key=_age, reverse=True)
        return tuple(found[offset : offset + limit]), len(found)

    async def act(self, verb: Wish, ref: str | None, actor: Actor, origin: Origin) -> Acted:
        i = await self.get(ref, actor)
        after, event = grant(i, verb, actor.user_id, i.updated_at)
        self.instances[self.instances.index(i)] = after
        self.origins.append(origin)
        return Acted(instance=after, nothing_to_do=event is None)

    async def look_inside(self, ref: str, actor: Actor) -> tuple[Instance, Secrets]:
        i = await self.get(ref, actor)
        return i, self.secrets if i.state is State.RUNNING else Secrets()

    def _filled(self, asked: Asked) -> CreateRequest:
        return CreateRequest(
            name=asked.name or "generated",
            gpu=asked.gpu,
            gpu_count=asked.gpu_count or self.defaults.gpu_count,
            template=asked.template or self.defaults.template,
            image=asked.image,
            billing_mode=asked.billing_mode or self.defaults.billing_mode,
            regions=asked.regions or (self.defaults.region,),
            regions_only=bool(asked.regions) and asked.regions_only,
            disk_gb=asked.disk_gb or self.defaults.disk_gb,
            webhook_url=asked.webhook_url,
        )

    def _maybe_fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class FakeRedelivery:
    """`failure` is raised in place of the next answers, until it is taken away."""

    def __init__(self, *tried: Tried, statistics: tuple[TargetStatistics, ...] = ()) -> None:
        self.tried = list(tried)
        self.asked: list[Wanted] = []
        self.replayed_since: list[datetime] = []
        self._statistics = statistics

    async def list_deliveries(
        self, wanted: Wanted, *, limit: int, offset: int
    ) -> tuple[tuple[Tried, ...], int]:
        self.asked.append(wanted)
        return tuple(self.tried[offset : offset + limit]), len(self.tried)

    async def replay(self, delivery_id: str) -> Tried:
        for each in self.tried:
            if each.delivery.id == delivery_id:
                return each
        raise DeliveryNotFound(f"There is no delivery {delivery_id}.")

    async def replay_dead(self, since: datetime) -> int:
        self.replayed_since.append(since)
        return len(self.tried)

    async def statistics(self) -> tuple[TargetStatistics, ...]:
        return self._statistics


class FakeShop:
    def __init__(self, *products: Product, failure: Exception | None = None) -> None:
        self._products = products
        self._failure = failure

    async def on_sale(self, billing_mode: BillingMode) -> tuple[Product, ...]:
        if self._failure is not None:
            raise self._failure
        return tuple(p for p in self._products if p.billing_mode is billing_mode)


def _age(i: Instance) -> datetime:
    return i.created_at
