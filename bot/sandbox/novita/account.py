from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from bot.sandbox.novita import legs
from bot.sandbox.novita.agenda import Agenda
from bot.sandbox.novita.catalogue import Catalogue, Cluster, Product
from bot.sandbox.novita.instances import STOPPABLE, Access, Instance
from bot.sandbox.novita.orders import Order
from bot.sandbox.novita.refusals import (
    MissingInstanceError,
    RefusalError,
    invalid,
    invalid_state_change,
    no_balance,
    no_resource,
)
from bot.sandbox.novita.seed import STANDARD
from bot.sandbox.novita.stock import Stock
from bot.sandbox.novita.timeline import Timeline


class Account:
    """What the owner of an API key may do at the cloud, and what is there. `Cloud` adds the hand of fate."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        speed: float = 1.0,
        timeline: Timeline | None = None,
        catalogue: Catalogue = STANDARD,
        seed: int = 0,
    ) -> None:
        self.catalogue = catalogue
        self.stock = Stock(catalogue)
        self.timeline = (timeline or Timeline()).faster(speed)
        self._agenda = Agenda(clock)
        self._chance = Random(seed)
        self._instances: dict[str, Instance] = {}
        self.has_balance = True

    def now(self) -> datetime:
        return self._agenda.now()

    def create(self, order: Order) -> Instance:
        """Takes a name as often as it comes, as the real one does. Raises RefusalError."""
        now = self.now()
        product = self.catalogue.product(order.product_id)
        self._check(order, product)
        cluster = self._choose_cluster(order, product)
        pulling = self._chance.uniform(0, 1) * (self.timeline.pulling_max - self.timeline.pulling_min)
        instance = Instance(
            id=f"{self._chance.getrandbits(64):016x}",
            order=order,
            product=product,
            cluster=cluster,
            created_at=now,
            leg=legs.creating(self.timeline, now, pulling=self.timeline.pulling_min + pulling),
            access=Access.drawn(self._chance),
            visible_from=now,
        )
        return self._put(instance)

    def _check(self, order: Order, product: Product) -> None:
        if not self.has_balance:
            raise no_balance()
        if order.kind != "gpu":
            raise RefusalError("RESOURCE_NOT_FOUND", "product not found")
        if order.mode not in product.billing_modes:
            raise RefusalError("UNSUPPORTED_BILLING_MODE", f"{product.id} is not sold as {order.mode}")
        if order.rootfs_gb > product.max_rootfs_gb:
            raise invalid(f"rootfsSize: at most {product.max_rootfs_gb}")
        if order.tools and not self.catalogue.is_official(order.image_url):
            raise invalid("tools: only for official images")
        self._check_image(order)

    def _check_image(self, order: Order) -> None:
        unknown = order.image_auth_id and not self.catalogue.knows_auth(order.image_auth_id)
        shapeless = order.image_auth and ":" not in order.image_auth
        missing = self.catalogue.needs_auth(order.image_url) and not (order.image_auth_id or order.image_auth)
        if unknown or shapeless or missing:
            raise RefusalError("IMAGE_URL_OR_AUTH_ERROR", "image url or auth error")

    def _choose_cluster(self, order: Order, product: Product) -> Cluster:
        """A create that names no cluster gets a random one."""
        if order.cluster_id:
            self.catalogue.cluster(order.cluster_id)
        wanted = [order.cluster_id] if order.cluster_id else product.cluster_ids
        able = [each for each in wanted if self.stock.free(product, each, order.mode) >= order.gpu_num]
        if not able:
            raise no_resource()
        return self.catalogue.cluster(able[0] if len(able) == 1 else self._chance.choice(able))

    def start(self, instance_id: str) -> Instance:
        """Only what has exited, and only where a GPU is free again."""
        now = self.now()
        instance = self._existing(instance_id, now)
        if instance.status_at(now) != "exited":
            raise invalid_state_change()
        if not self.has_balance:
            raise no_balance()
        if self.stock.free(*instance.place) < instance.order.gpu_num:
            raise no_resource()
        fresh = replace(
            instance, reclaim_at=None, reclaimed=False, failure=None, access=self._new_access(instance)
        )
        return self._put(fresh.moved(legs.starting(self.timeline, now)))

    def stop(self, instance_id: str) -> Instance:
        now = self.now()
        instance = self._existing(instance_id, now)
        if instance.status_at(now) not in STOPPABLE:
            raise invalid_state_change()
        leg = legs.stopping(self.timeline, now, billed=instance.leg.is_billing_at(now))
        return self._put(replace(instance, reclaim_at=None).moved(leg))

    def restart(self, instance_id: str) -> Instance:
        now = self.now()
        instance = self._existing(instance_id, now)
        if instance.status_at(now) != "running":
            raise invalid_state_change()
        fresh = replace(instance, access=self._new_access(instance))
        return self._put(fresh.moved(legs.restarting(self.timeline, now)))

    def delete(self, instance_id: str) -> Instance:
        """In any state; a second time changes nothing."""
        now = self.now()
        instance = self._existing(instance_id, now)
        if instance.is_prepaid:
            raise RefusalError("PREPAID_INSTANCE_NOT_SUPPORT_RELEASE", "prepaid instance cannot be released")
        if instance.is_leaving:
            return instance
        leg = legs.removing(self.timeline, now, billed=instance.leg.is_billing_at(now))
        return self._put(instance.moved(leg))

    def listed(self) -> list[Instance]:
        """What a list shows, newest first: also what was removed a short while ago."""
        now = self.now()
        return [each for each in reversed(self._instances.values()) if self._is_shown(each, now)]

    def shown(self, instance_id: str) -> Instance:
        """What a get shows. Raises MissingInstanceError."""
        now = self.now()
        instance = self._instances.get(instance_id)
        if instance is None or not self._is_shown(instance, now):
            raise MissingInstanceError
        return instance

    def _is_shown(self, instance: Instance, now: datetime) -> bool:
        removed_at = instance.leg.rested_at(now, "removed")
        lingers = removed_at is None or now < removed_at + self.timeline.removed_lingers
        return lingers and now >= instance.visible_from

    def instances(self) -> list[Instance]:
        """Everything that exists, oldest first, whether a list shows it or not."""
        now = self.now()
        return [each for each in self._instances.values() if not each.is_removed_at(now)]

    def removed_instances(self) -> list[Instance]:
        now = self.now()
        return [each for each in self._instances.values() if each.is_removed_at(now)]

    def instance(self, instance_id: str) -> Instance:
        """Also one that was removed. Raises KeyError."""
        self.now()
        return self._instances[instance_id]

    def find(self, instance_id: str) -> Instance | None:
        """None once it is removed."""
        now = self.now()
        instance = self._instances.get(instance_id)
        return None if instance is None or instance.is_removed_at(now) else instance

    def status(self, instance_id: str) -> str:
        now = self.now()
        return self._instances[instance_id].status_at(now)

    def billed_seconds(self, instance_id: str) -> float:
        """From the first `pulling` on, without the time in which it was exited; of the clock, not sped up."""
        now = self.now()
        return self._instances[instance_id].billed_at(now).total_seconds()

    def after(self, delay: timedelta, effect: Callable[[], object]) -> None:
        """Lets it happen once the clock has gone on by the delay; a refusal then is nobody's to hear."""

        def act() -> None:
            with suppress(RefusalError):
                effect()

        self._agenda.later(self.now() + delay, act)

    def hide(self, instance_id: str, delay: timedelta) -> None:
        """Keeps it out of list and get for so long, as a read behind the write would."""
        now = self.now()
        self._put(replace(self._instances[instance_id], visible_from=now + delay))

    def _existing(self, instance_id: str, now: datetime) -> Instance:
        instance = self._instances.get(instance_id)
        if instance is None or instance.is_removed_at(now):
            raise MissingInstanceError
        return instance

    def _new_access(self, instance: Instance) -> Access:
        return Access.drawn(self._chance, not_port=instance.access.ssh_port)

    def _put(self, instance: Instance) -> Instance:
        before = self._instances.get(instance.id)
        held = before is not None and before.holds_gpu
        self._instances[instance.id] = instance
        if instance.holds_gpu and not held:
            self.stock.take(*instance.place, instance.order.gpu_num)
        if held and not instance.holds_gpu:
            self.stock.give_back(*instance.place, instance.order.gpu_num)
        return instance
