from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from string import ascii_letters, digits
from typing import Self

from bot.sandbox.novita.catalogue import BillingMode, Cluster, Product
from bot.sandbox.novita.orders import Order
from bot.sandbox.novita.timeline import FOREVER, NOTHING, Leg

_TO_RUNNING = frozenset(
    {"toCreate", "creating", "pulling", "toStart", "starting", "toRestart", "restarting", "running"}
)
STATUSES = _TO_RUNNING | frozenset(
    {"pending", "toStop", "stopping", "exited", "toRemove", "removing", "removed"}
    | {"toReset", "resetting", "migrating", "freezing"}
)
STOPPABLE = _TO_RUNNING
"""`pending` is missing on purpose: nothing exists yet that could be stopped."""

_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What opens the machine; new with every start."""

    ssh_port: int
    password: str
    token: str

    @classmethod
    def drawn(cls, chance: Random, *, not_port: int = 0) -> Self:
        ports = [port for port in range(30000, 40000, 16) if port != not_port]
        letters = ascii_letters + digits
        return cls(
            ssh_port=chance.choice(ports),
            password="".join(chance.choices(letters, k=16)),
            token=f"{chance.getrandbits(128):032x}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    state: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One machine at the cloud. Its status is not a field: it follows from its leg and the time."""

    id: str
    order: Order
    product: Product
    cluster: Cluster
    created_at: datetime
    leg: Leg
    access: Access
    visible_from: datetime
    """Before it, list and get do not know the instance, though it exists and costs."""
    billed_before: timedelta = NOTHING
    """In the legs before this one."""
    started_before: datetime | None = None
    stopped_before: datetime | None = None
    held: bool = False
    failure: Failure | None = None
    reclaim_at: datetime | None = None
    reclaimed: bool = False
    app_takes: timedelta | None = None
    """From `running` to usable, where it is not as the timeline says."""
    app_answers: int = 200
    """The status with which a usable endpoint answers."""

    def moved(self, leg: Leg) -> Instance:
        at = leg.begun_at
        if self.held and leg.rests_in == "running":
            leg = replace(leg, not_before=FOREVER)
        if self.app_takes is not None:
            leg = replace(leg, usable_after=self.app_takes)
        return replace(
            self,
            leg=leg,
            billed_before=self.billed_at(at),
            started_before=self.started_at(at),
            stopped_before=self.stopped_at(at),
        )

    def status_at(self, now: datetime) -> str:
        return self.leg.status_at(now)

    def is_removed_at(self, now: datetime) -> bool:
        return self.status_at(now) == "removed"

    @property
    def is_leaving(self) -> bool:
        return self.leg.rests_in == "removed"

    @property
    def place(self) -> tuple[Product, str, BillingMode]:
        """Where its GPUs come from."""
        return self.product, self.cluster.id, self.order.mode

    @property
    def holds_gpu(self) -> bool:
        return self.leg.rests_in == "running"

    def billed_at(self, now: datetime) -> timedelta:
        return self.billed_before + self.leg.billed_until(now)

    def started_at(self, now: datetime) -> datetime | None:
        return self.leg.rested_at(now, "running") or self.started_before

    def stopped_at(self, now: datetime) -> datetime | None:
        return self.leg.rested_at(now, "exited") or self.stopped_before

    def spot_status_at(self, now: datetime) -> str:
        if self.order.mode != "spot":
            return ""
        if self.reclaimed:
            return "terminated" if self.status_at(now) == "exited" else "reclaiming"
        return "running" if self.reclaim_at is None else "notified"

    @property
    def unit_price(self) -> int:
        """Per GPU and hour, in 1/100 000 USD."""
        spot = self.product.spot_price if self.order.mode == "spot" else None
        return self.product.price if spot is None else spot

    @property
    def ends_at(self) -> datetime | None:
        """None: pay as you go."""
        return self.created_at + self.order.month * _MONTH if self.order.month else None

    @property
    def is_prepaid(self) -> bool:
        return self.order.mode == "monthly"
