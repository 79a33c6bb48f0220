"""A Novita that answers from memory: each call can be made to fail, hang, or work and then fail."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from samples import CONNECTION

from bot.errors import NotSent, NovitaNotFound
from bot.novita.budget import Priority
from storage.cloud import (
    BillingMode,
    Cluster,
    Connection,
    Details,
    Listing,
    Observation,
    Order,
    Phase,
    Product,
    Secrets,
    Template,
)

CLUSTERS = (
    Cluster(id="cn-hongkong-1", name="CN-HK-01 (Hong Kong)"),
    Cluster(id="us-ca-6", name="US-CA-06 (California)"),
)
TEMPLATE = Template(id="107672", name="pytorch-jupyter", channel="official", image="pytorch:1")


class FakeNovita:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.calls: list[str] = []
        self._moved = asyncio.Event()
        self.instances: dict[str, Observation] = {}
        self.orders: list[Order] = []
        self.connection: Connection = CONNECTION
        self.complete = True
        self.secrets = Secrets()
        self.before: dict[str, list[BaseException]] = defaultdict(list)
        """Raised by the next calls of that name, instead of doing anything."""
        self.after: dict[str, list[BaseException]] = defaultdict(list)
        """Raised by the next calls of that name, after they have taken effect."""
        self.refusing: NotSent | None = None
        self.pause = timedelta(0)
        self.gates: dict[str, asyncio.Event] = {}
        """Calls of that name wait for it before they do anything."""

    def count(self, call: str) -> int:
        return self.calls.count(call)

    async def called(self, call: str) -> None:
        """Returns when that call is on its way."""
        while not self.count(call):
            self._moved.clear()
            await asyncio.wait_for(self._moved.wait(), 5)

    def refusal(self) -> NotSent | None:
        return self.refusing

    def list_pause(self) -> timedelta:
        return self.pause

    def show(self, novita_id: str, phase: Phase, **changes: object) -> None:
        old = self.instances[novita_id]
        self.instances[novita_id] = replace(old, phase=phase, status=phase.value, **changes)

    def appear(self, novita_id: str, name: str, phase: Phase = Phase.PROVISIONING) -> None:
        self.instances[novita_id] = Observation(
            novita_id=novita_id, name=name, status=phase.value, phase=phase
        )

    async def list_products(self, billing_mode: BillingMode) -> tuple[Product, ...]:
        await self._enter("products")
        return tuple(
            Product(
                id=product_id,
                name="RTX 4090 24GB",
                billing_mode=billing_mode,
                usd_per_gpu_hour=Decimal(price),
                available=True,
                regions=(region,),
            )
            for product_id, price, region in (("hk", "0.36", "CN-HK-01"), ("ca", "0.40", "US-CA-06"))
        )

    async def list_clusters(self) -> tuple[Cluster, ...]:
        await self._enter("clusters")
        return CLUSTERS

    async def list_templates(self) -> tuple[Template, ...]:
        await self._enter("templates")
        return (TEMPLATE,)

    async def get_template(self, template_id: str) -> Template:
        await self._enter("template")
        raise NovitaNotFound(f"Novita has no template {template_id}.", code="TEMPLATE_NOT_FOUND")

    async def list_instances(self) -> Listing:
        began_at = self._clock()
        await self._enter("list")
        return Listing(began_at=began_at, observations=tuple(self.instances.values()))

    async def get_instance(self, novita_id: str, *, priority: Priority = Priority.PERSON) -> Details:
        assert isinstance(priority, Priority)
        await self._enter("get")
        if novita_id not in self.instances:
            raise NovitaNotFound("Gone.")
        return Details(
            observation=self.instances[novita_id],
            connection=self.connection,
            complete=self.complete,
            secrets=self.secrets,
        )

    async def create_instance(self, order: Order) -> str:
        await self._enter("create")
        self.orders.append(order)
        novita_id = f"n{len(self.orders)}"
        self.appear(novita_id, order.name)
        self._leave("create")
        return novita_id

    async def start_instance(self, novita_id: str) -> None:
        await self._act("start", novita_id, Phase.PROVISIONING)

    async def stop_instance(self, novita_id: str) -> None:
        await self._act("stop", novita_id, Phase.STOPPED)

    async def restart_instance(self, novita_id: str) -> None:
        await self._act("restart", novita_id, Phase.PROVISIONING)

    async def delete_instance(self, novita_id: str) -> None:
        await self._enter("delete")
        if self.instances.pop(novita_id, None) is None:
            raise NovitaNotFound("Gone.")
        self._leave("delete")

    async def _act(self, verb: str, novita_id: str, phase: Phase) -> None:
        await self._enter(verb)
        self.show(novita_id, phase)
        self._leave(verb)

    async def _enter(self, call: str) -> None:
        self.calls.append(call)
        self._moved.set()
        if call in self.gates:
            await self.gates[call].wait()
        if self.before[call]:
            raise self.before[call].pop(0)

    def _leave(self, call: str) -> None:
        if self.after[call]:
            raise self.after[call].pop(0)


class FakeProbe:
    """Answers what it is told to."""

    def __init__(self) -> None:
        self.answering = True
        self.asked = 0

    async def answers(self, _endpoints: object) -> bool:
        self.asked += 1
        return self.answering
