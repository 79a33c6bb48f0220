"""What happens to GPUs from outside: the console, spot reclaims, an empty balance."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Literal

from bot.sandbox.novita.instances import STOPPABLE, Instance
from bot.sandbox.novita.refusals import RefusalError
from tests.simulation.listeners import Workspace
from tests.simulation.novita import SimulatedCloud


class Fate:
    def __init__(self, cloud: SimulatedCloud, workspace: Workspace, dice: Random) -> None:
        self._cloud = cloud
        self._workspace = workspace
        self._dice = dice
        self._foreign: set[str] = set()

    def strangers(self, deployment: str) -> set[str]:
        """Ids of what others have on the same account: by hand, another deployment's, of a token that only looks
        like one of ours, and of one that no database remembers."""
        names = ["by-hand", "gb-otherone-abcdefghijklmnop-a1"]
        if self._dice.random() < 0.2:
            names += [f"gb-{deployment}-not-a-token", f"gb-{deployment}-zzzzzzzzzzzzzzzz-a1"]
        self._foreign = {self._cloud.create_in_console(name).id for name in names}
        return self._foreign

    def draw_unlucky(self) -> None:
        """Whom lists leave out while they do."""
        self._cloud.unlucky = frozenset(
            gpu.id for gpu in self._cloud.instances() if self._dice.random() < 0.5
        )

    def strike(self, kind: str) -> str | None:
        """What it struck; None: there was nothing to strike."""
        match kind:
            case "no balance":
                self._cloud.set_balance_empty(freeze=self._dice.random() < 0.3)
                self._cloud.after(timedelta(seconds=self._dice.uniform(5, 40)), self._cloud.top_up)
                return "the account"
            case "stock runs out":
                return self._stock_runs_out()
            case "card deleted":
                return "a card" if self._workspace.delete_card(self._dice) else None
            case _:
                return self._strike_gpu(kind)

    def _stock_runs_out(self) -> str:
        cluster = self._dice.choice(self._cloud.catalogue.clusters).id
        self._cloud.set_capacity(cluster_id=cluster, gpus=0)
        back = timedelta(seconds=self._dice.uniform(5, 60))
        self._cloud.after(back, lambda: self._cloud.set_capacity(cluster_id=cluster, gpus=None))
        return cluster

    def _strike_gpu(self, kind: str) -> str | None:
        gpus = [
            gpu for gpu in self._cloud.instances() if gpu.id not in self._foreign and self._suits(kind, gpu)
        ]
        if not gpus:
            return None
        gpu = self._dice.choice(gpus)
        with suppress(RefusalError):
            self._do(kind, gpu.id)
        return gpu.id

    def _suits(self, kind: str, gpu: Instance) -> bool:
        status = gpu.status_at(self._cloud.now())
        match kind:
            case "console stops":
                return status in STOPPABLE
            case "console starts":
                return status == "exited"
            case "reclaim notice" | "reclaimed":
                return gpu.order.mode == "spot" and gpu.holds_gpu
            case "status error":
                return status != "running" and not gpu.is_leaving
            case "removal fails":
                return gpu.is_leaving
            case _:
                return True

    def _do(self, kind: str, novita_id: str) -> None:
        match kind:
            case "console stops":
                self._cloud.stop_in_console(novita_id)
            case "console starts":
                self._cloud.start_in_console(novita_id)
            case "console deletes":
                self._cloud.delete_in_console(novita_id)
            case "reclaim notice":
                self._cloud.notify_reclaim(novita_id, in_=timedelta(seconds=self._dice.uniform(2, 40)))
            case "reclaimed":
                self._cloud.reclaim(novita_id)
            case "status error":
                status: Literal["exited"] | None = self._dice.choice((None, "exited"))
                self._cloud.fail(novita_id, "image pull failed", status=status)
            case "removal fails":
                self._cloud.fail(novita_id, "cannot be removed", status="exited")
            case "held":
                self._cloud.hold(novita_id)

    def make_peace(self) -> None:
        self._cloud.top_up()
        self._cloud.set_capacity(gpus=None)
        self._cloud.unlucky = frozenset()
        if self._dice.random() < 0.5:
            self.release_all()

    def release_all(self) -> None:
        for gpu in self._cloud.instances():
            if gpu.leg.not_before is not None:
                self._cloud.release(gpu.id)
