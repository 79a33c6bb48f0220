"""What the edges ask of Operations, in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from samples import creating

from bot.asking import Actor, Asked, Defaults, Origin
from bot.errors import InstanceNotFound
from storage.cloud import BillingMode
from storage.records import CreateRequest, Instance, State


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


def _age(i: Instance) -> datetime:
    return i.created_at
