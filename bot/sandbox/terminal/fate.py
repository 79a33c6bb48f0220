"""Novita's side, as the demo's audience plays it: outages, full regions, GPUs that are taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Literal, assert_never

from bot.sandbox.novita.instances import STOPPABLE, Instance
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.terminal.deeds import OfCloud, OfInstance

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
        self._region = region
        self._notice = _NOTICE / speed
        self._novita_id = novita_id
        self.changed_at: datetime = self._cloud.now()
        """The latest deed."""
        self.is_down = False

    def busy_until(self) -> datetime:
        """When the cloud has come, or will come, to rest."""
        ends = [_comes_to_rest(instance) for instance in self._cloud.instances()]
        return max([self.changed_at, *ends])

    async def play(self, deed: OfInstance | OfCloud) -> str:
        said = await (self._of_instance(deed) if isinstance(deed, OfInstance) else self._of_cloud(deed.act))
        self.changed_at = self._cloud.now()
        return said

    async def _of_instance(self, deed: OfInstance) -> str:
        novita_id = await self._novita_id(deed.name)
        instance = None if novita_id is None else self._cloud.find(novita_id)
        if instance is None:
            raise LookupError(f"Novita has no GPU for {deed.name} at the moment.")
        match deed.act:
            case "reclaim":
                return self._reclaim(deed.name, instance)
            case "stop":
                return self._stop(deed.name, instance)
            case _:
                assert_never(deed.act)

    def _reclaim(self, name: str, instance: Instance) -> str:
        if instance.order.mode != "spot":
            raise LookupError(f"{name} is rented on demand: only spot GPUs are taken back.")
        if not instance.holds_gpu:
            raise LookupError(f"{name} has no GPU that could be taken back.")
        self._cloud.notify_reclaim(instance.id, in_=self._notice)
        seconds = self._notice.total_seconds()
        return f"The spot GPU of {name} is wanted by somebody else: it is taken back in {seconds:.1f} s."

    def _stop(self, name: str, instance: Instance) -> str:
        if self._cloud.status(instance.id) not in STOPPABLE:
            raise LookupError(f"{name} is not running at Novita.")
        self._cloud.stop_in_console(instance.id)
        return f"Somebody stops {name} at Novita's console; the bot was not asked."

    async def _of_cloud(self, act: Literal["down", "up", "full", "free"]) -> str:
        match act:
            case "down":
                await self._novita.refuse()
                self.is_down = True
                return "The API is down: nobody gets through to it. What runs, runs on."
            case "up":
                await self._novita.accept()
                self.is_down = False
                return "The API is up again."
            case "full":
                self._set_capacity(0)
                return f"All GPUs in {self._region} are taken; other regions have some."
            case "free":
                self._set_capacity(None)
                return f"There are GPUs in {self._region} again."
            case _:
                assert_never(act)

    def _set_capacity(self, gpus: int | None) -> None:
        for cluster in self._cloud.catalogue.clusters:
            if cluster.name.startswith(self._region):
                self._cloud.set_capacity(cluster_id=cluster.id, gpus=gpus)


def _comes_to_rest(instance: Instance) -> datetime:
    if not instance.holds_gpu:
        return instance.leg.rests_at
    usable = instance.leg.rests_at + instance.leg.usable_after
    return max(usable, instance.reclaim_at or usable)
