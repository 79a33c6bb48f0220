"""Novita's side, as the demo's audience plays it: outages, full regions, GPUs that are taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Literal, assert_never

from bot.sandbox.novita.catalogue import Product
from bot.sandbox.novita.deeds import CloudAct, Deed, Meeting, OfCloud, OfInstance, OfNextCreate, OfStock
from bot.sandbox.novita.faults import Drop, Fault, Rule, Status
from bot.sandbox.novita.instances import STOPPABLE, Instance
from bot.sandbox.novita.refusals import RefusalError, no_balance, no_resource
from bot.sandbox.novita.server import NovitaServer

ApiState = Literal["up", "errors", "unreachable"]

_NOTICE = timedelta(minutes=1)
"""Between the word that a GPU is taken back and its end, in the cloud's own time."""


class Fate:
    """`play` returns what has happened, as a sentence; raises LookupError where it cannot happen."""

    def __init__(
        self,
        novita: NovitaServer,
        *,
        region: str,
        speed: float,
        novita_id: Callable[[str], Awaitable[str | None]],
    ) -> None:
        """`region`: whose GPUs are gone when the cloud is full. `novita_id`: of an instance's name."""
        self._novita = novita
        self._cloud = novita.cloud
        self.region = region
        self._notice = _NOTICE / speed
        self._novita_id = novita_id
        self._refuses = False
        self._turning = asyncio.Lock()
        self._planned: tuple[Meeting, Rule] | None = None
        self._observers: list[Callable[[], None]] = []
        self.changed_at: datetime = self._cloud.now()
        """The latest deed."""
        self.said = ""
        """Of the latest deed."""

    def subscribe(self, observer: Callable[[], None]) -> Callable[[], None]:
        """It is called after each deed. Returns what ends the subscription."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    @property
    def api(self) -> ApiState:
        if self._refuses:
            return "unreachable"
        return "errors" if self._novita.faults.is_down else "up"

    @property
    def is_down(self) -> bool:
        return self.api != "up"

    @property
    def next_create(self) -> Meeting:
        """What was ordered for it, and has not happened yet."""
        if self._planned is None or self._planned[1].fired:
            return "nothing"
        return self._planned[0]

    def busy_until(self) -> datetime:
        """When the cloud has come, or will come, to rest; what is held does, until it is released."""
        ends = [_comes_to_rest(instance) for instance in self._cloud.instances()]
        return max([self.changed_at, *(end for end in ends if end is not None)])

    async def play(self, deed: Deed) -> str:
        try:
            said = await self._played(deed)
        except RefusalError as refusal:
            raise LookupError(f"Novita does not do that: {refusal}.") from refusal
        self.changed_at, self.said = self._cloud.now(), said
        for observer in tuple(self._observers):
            observer()
        return said

    async def _played(self, deed: Deed) -> str:
        match deed:
            case OfInstance():
                return await self._of_instance(deed)
            case OfCloud(act=act):
                async with self._turning:
                    return await self._of_cloud(act)
            case OfStock(act=act, what=what):
                return self._of_stock(what or self.region, gpus=0 if act == "full" else None)
            case OfNextCreate(meets=meets):
                return self._of_next_create(meets)
            case _:
                assert_never(deed)

    async def _of_instance(self, deed: OfInstance) -> str:  # noqa: PLR0911 - one case an act
        instance = await self._found(deed.name)
        name = deed.called or instance.order.name if deed.name == instance.id else deed.name
        match deed.act:
            case "reclaim":
                return self._reclaim(name, instance)
            case "take":
                return self._take(name, instance)
            case "finish":
                return self._finish(name, instance)
            case "hold":
                return self._hold(name, instance)
            case "release":
                return self._release(name, instance)
            case "stop":
                return self._stop(name, instance)
            case "delete":
                return self._delete(name, instance)
            case _:
                assert_never(deed.act)

    async def _found(self, name: str) -> Instance:
        """The bot's own name goes first: a GPU that somebody made at the console may have the same."""
        here = self._cloud.instances()
        novita_id = await self._novita_id(name)
        by_id = [each for each in here if each.id in {novita_id, name}]
        by_name = [each for each in reversed(here) if each.order.name == name]
        found = [*by_id, *by_name]
        if not found:
            raise LookupError(f"Novita has no GPU for {name} at the moment.")
        return found[0]

    def _reclaim(self, name: str, instance: Instance) -> str:
        _check_takable(name, instance)
        self._cloud.notify_reclaim(instance.id, in_=self._notice)
        seconds = self._notice.total_seconds()
        return f"The spot GPU of {name} is wanted by somebody else: it is taken back in {seconds:.1f} s."

    def _take(self, name: str, instance: Instance) -> str:
        _check_takable(name, instance)
        self._cloud.reclaim(instance.id)
        return f"The spot GPU of {name} is taken back at once."

    def _finish(self, name: str, instance: Instance) -> str:
        if not self._is_under_way(instance):
            raise LookupError(f"{name} is not on its way to running.")
        self._cloud.run_now(instance.id)
        return f"{name} has its image: it runs and answers at once."

    def _hold(self, name: str, instance: Instance) -> str:
        if instance.is_leaving:
            raise LookupError(f"{name} is being deleted.")
        if self._cloud.status(instance.id) == "running":
            raise LookupError(f"{name} runs already: hold it while it starts.")
        self._cloud.hold(instance.id)
        return f"{name} is held: it does not get to running until it is released."

    def _release(self, name: str, instance: Instance) -> str:
        if not instance.held:
            raise LookupError(f"{name} is not held.")
        self._cloud.release(instance.id)
        return f"{name} is released: it goes on."

    def _is_under_way(self, instance: Instance) -> bool:
        return instance.holds_gpu and not instance.leg.is_usable_at(self._cloud.now())

    def _stop(self, name: str, instance: Instance) -> str:
        if self._cloud.status(instance.id) not in STOPPABLE:
            raise LookupError(f"{name} is not running at Novita.")
        self._cloud.stop_in_console(instance.id)
        return f"Somebody stops {name} at Novita's console; the bot was not asked."

    def _delete(self, name: str, instance: Instance) -> str:
        if instance.is_leaving:
            raise LookupError(f"{name} is being deleted already.")
        self._cloud.delete_in_console(instance.id)
        return f"Somebody deletes {name} at Novita's console; the bot was not asked."

    async def _of_cloud(self, act: CloudAct) -> str:
        match act:
            case "down":
                await self._novita.refuse()
                self._refuses = True
                return "The API is down: nobody gets through to it. What runs, runs on."
            case "up":
                await self._reachable()
                self._novita.faults.up()
                return "The API is up again."
            case "errors on":
                self._novita.faults.down(500)
                await self._reachable()
                return "The API answers 500 to everything. What runs, runs on."
            case "errors off":
                self._novita.faults.up()
                return "The API answers as it should, to whoever gets through to it."
            case "balance empty":
                self._cloud.set_balance_empty()
                return "The balance is used up: nothing can be created or started."
            case "balance filled":
                self._cloud.top_up()
                return "There is balance again."
            case _:
                assert_never(act)

    async def _reachable(self) -> None:
        await self._novita.accept()
        self._refuses = False

    def _of_stock(self, what: str, *, gpus: int | None) -> str:
        clusters = [
            each for each in self._cloud.catalogue.clusters if each.code.casefold() == what.casefold()
        ]
        for cluster in clusters:
            self._cloud.set_capacity(cluster_id=cluster.id, gpus=gpus)
        if clusters:
            return _said_of_region(clusters[0].code, is_full=gpus == 0)
        products = self._products(what)
        for product in products:
            self._cloud.set_capacity(product.id, gpus=gpus)
        names = ", ".join(dict.fromkeys(product.name for product in products))
        return f"{names}: sold out everywhere." if gpus == 0 else f"{names}: available again."

    def _products(self, what: str) -> list[Product]:
        products = self._cloud.catalogue.products
        exact = [product for product in products if product.id == what]
        found = exact or [product for product in products if _compact(what) in _compact(product.name)]
        if not found or not _compact(what):
            raise LookupError(f"Novita sells no {what}, and has no region of that name.")
        return found

    def _of_next_create(self, meets: Meeting) -> str:
        if self._planned is not None:
            self._novita.faults.remove(self._planned[1])
            self._planned = None
        fault, said = _MEETINGS[meets]
        if fault is not None:
            self._planned = (meets, self._novita.faults.add("create", fault))
        return said


_MEETINGS: dict[Meeting, tuple[Fault | None, str]] = {
    "capacity": (Status(400, no_resource().body), "The next create is refused: no such GPU is left."),
    "balance": (Status(400, no_balance().body), "The next create is refused: not enough balance."),
    "unclear": (
        Drop(after_effect=True),
        "The next create is done and billed, but its answer is lost on the way.",
    ),
    "nothing": (None, "The next create meets nothing special."),
}


def _check_takable(name: str, instance: Instance) -> None:
    if instance.order.mode != "spot":
        raise LookupError(f"{name} is rented on demand: only spot GPUs are taken back.")
    if not instance.holds_gpu:
        raise LookupError(f"{name} has no GPU that could be taken back.")


def _said_of_region(region: str, *, is_full: bool) -> str:
    if is_full:
        return f"All GPUs in {region} are taken; other regions have some."
    return f"There are GPUs in {region} again."


def _compact(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _comes_to_rest(instance: Instance) -> datetime | None:
    """None: never, as things are."""
    if not instance.holds_gpu:
        return instance.leg.rests_at
    moments = [at for at in (instance.leg.usable_at, instance.reclaim_at) if at is not None]
    return max(moments, default=None)
