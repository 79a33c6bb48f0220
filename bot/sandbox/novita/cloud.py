from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from bot.sandbox.novita import legs
from bot.sandbox.novita.account import Account
from bot.sandbox.novita.catalogue import BillingMode
from bot.sandbox.novita.instances import Failure, Instance
from bot.sandbox.novita.orders import parse_order
from bot.sandbox.novita.timeline import FOREVER


class Cloud(Account):
    """The simulated cloud without any HTTP: an account, and what happens to it from outside.

    Deterministic for a clock and a seed: it keeps no time of its own, and nothing runs in the background.
    `speed` 10 makes everything in the timeline ten times faster; times shown and billed are the clock's, and
    a time span that is given to a method is taken as it is. Methods that name an instance raise KeyError
    where it never existed.
    """

    def set_capacity(
        self,
        product_id: str | None = None,
        cluster_id: str | None = None,
        mode: BillingMode | None = None,
        *,
        gpus: int | None,
    ) -> None:
        """GPUs in all, those in use included; None is plenty. What is not named is meant everywhere."""
        self.stock.set_capacity(product_id, cluster_id, mode, gpus=gpus)

    def set_balance_empty(self, *, freeze: bool = False) -> None:
        """Creates and starts fail; with `freeze`, what runs is frozen and then exits."""
        now = self.now()
        self.has_balance = False
        for instance in self.instances() if freeze else ():
            if instance.holds_gpu:
                billed = instance.leg.is_billing_at(now)
                self._put(instance.moved(legs.freezing(self.timeline, now, billed=billed)))

    def top_up(self) -> None:
        self.has_balance = True

    def create_in_console(
        self, name: str = "by-hand", product_id: str = "4090.16c62g", **fields: Any
    ) -> Instance:
        """`fields` are those of a create in the API's own spelling, `gpuNum=2`. Raises RefusalError."""
        image = self.catalogue.templates[0].image
        body = {"kind": "gpu", "gpuNum": 1, "rootfsSize": 60, "imageUrl": image, **fields}
        return self.create(parse_order({"name": name, "productId": product_id, **body}))

    def stop_in_console(self, instance_id: str) -> None:
        self.stop(instance_id)

    def start_in_console(self, instance_id: str) -> None:
        self.start(instance_id)

    def delete_in_console(self, instance_id: str) -> None:
        self.delete(instance_id)

    def notify_reclaim(self, instance_id: str, *, in_: timedelta | None = None) -> datetime:
        """Announces the reclaim of a spot instance, which then comes at the moment that is returned."""
        now = self.now()
        at = now + (self.timeline.reclaim_notice if in_ is None else in_)
        self._put(replace(self._spot(instance_id), reclaim_at=at))
        self._agenda.later(at, partial(self._reclaim_as_announced, instance_id, at))
        return at

    def _reclaim_as_announced(self, instance_id: str, at: datetime) -> None:
        """Unless it was stopped, deleted or announced anew since."""
        if self._instances[instance_id].reclaim_at == at:
            self.reclaim(instance_id)

    def reclaim(self, instance_id: str) -> None:
        """Takes the GPU of a spot instance away, announced or not: reclaiming, then terminated and exited."""
        now = self.now()
        instance = self._spot(instance_id)
        if not instance.holds_gpu:
            return
        leg = legs.reclaiming(self.timeline, now, billed=instance.leg.is_billing_at(now))
        reclaimed = replace(instance, reclaimed=True, reclaim_at=instance.reclaim_at or now)
        self._put(reclaimed.moved(leg))

    def _spot(self, instance_id: str) -> Instance:
        instance = self._instances[instance_id]
        if instance.order.mode != "spot":
            raise ValueError(f"{instance_id} is no spot instance")
        return instance

    def fail(
        self,
        instance_id: str,
        message: str,
        *,
        state: str = "failed",
        status: Literal["exited"] | None = None,
    ) -> None:
        """Sets `statusError`. The instance stays where it is, or exits at once where that is said."""
        now = self.now()
        instance = replace(self._instances[instance_id], failure=Failure(state=state, message=message))
        if status is None:
            self._put(_stuck(instance, now))
            return
        self._put(instance.moved(legs.exited_now(now)))

    def hold(self, instance_id: str) -> None:
        """From now on it does not get to running, however often it is started, until it is released."""
        now = self.now()
        self._put(_stuck(replace(self._instances[instance_id], held=True), now))

    def release(self, instance_id: str) -> None:
        now = self.now()
        instance = replace(self._instances[instance_id], held=False)
        if instance.leg.not_before is not None:
            instance = replace(instance, leg=replace(instance.leg, not_before=now))
        self._put(instance)

    def run_now(self, instance_id: str) -> None:
        """Running, connected and usable at once, whatever it was doing and whatever is free.

        Raises ValueError where it has been deleted.
        """
        now = self.now()
        instance = replace(self._instances[instance_id], held=False, failure=None)
        if instance.is_leaving:
            raise ValueError(f"{instance_id} has been deleted")
        moved = instance.moved(legs.running_now(now))
        self._put(replace(moved, leg=legs.running_now(now)))

    def set_usable_after(self, instance_id: str, after: timedelta) -> None:
        """How long the app inside takes from `running` on, in this start and in later ones."""
        instance = replace(self.instance(instance_id), app_takes=after)
        if instance.holds_gpu:
            instance = replace(instance, leg=replace(instance.leg, usable_after=after))
        self._put(instance)

    def set_app_answer(self, instance_id: str, status_code: int) -> None:
        """With which status the endpoints answer once they are usable; 200 at first."""
        self._put(replace(self.instance(instance_id), app_answers=status_code))


def _stuck(instance: Instance, now: datetime) -> Instance:
    """Only on a way to running, and only before its end: a stop or a removal still comes to its end."""
    if not instance.holds_gpu or instance.status_at(now) == "running":
        return instance
    return replace(instance, leg=replace(instance.leg, not_before=FOREVER))
