"""The panel beside the simulated Slack: the simulated cloud, and what arrives at the webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from bot.sandbox.hook import Answer, Receiver
from bot.sandbox.novita.deeds import Deed, OfCloud, OfInstance, OfNextCreate, OfStock
from bot.sandbox.novita.fate import Fate
from bot.sandbox.novita.journal import Call
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.page.panel.arrivals import HookView, hook_view
from bot.sandbox.page.panel.calls import ApiView, CallsView, api_view, calls_view
from bot.sandbox.page.panel.gpus import GpuView, gpu_view
from bot.sandbox.page.panel.horizon import next_change, shown
from bot.sandbox.page.panel.stock import ProductView, RegionView, products_view, regions_view

_CHANGING = frozenset({"create", "start", "stop", "restart", "delete"})
_NAMED_WITHIN = timedelta(seconds=30)
"""Of its creation the bot has written down which GPU is its own."""
_SHORTEST_PAUSE = 0.02
"""Seconds: a timer may be early."""
_DEEDS: tuple[tuple[str, type[Deed]], ...] = (
    ("instance", OfInstance),
    ("cloud", OfCloud),
    ("stock", OfStock),
    ("next-create", OfNextCreate),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    api: ApiView
    said: str
    """Of the latest deed."""
    calls: CallsView
    gpus: tuple[GpuView, ...]
    products: tuple[ProductView, ...]
    regions: tuple[RegionView, ...]
    hook: HookView


class Backstage:
    """Open it, and it tells its subscribers whenever the panel would look different."""

    def __init__(
        self,
        novita: NovitaServer,
        fate: Fate,
        receiver: Receiver,
        *,
        names: Callable[[], Awaitable[Mapping[str, str]]] | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        """`names`: what the bot calls its GPUs, by their ids at the cloud. `zone` None: this machine's."""
        self._novita = novita
        self._cloud = novita.cloud
        self._fate = fate
        self._receiver = receiver
        self._ask_names = names
        self._zone = zone
        self._names: Mapping[str, str] = {}
        self._observers: list[Callable[[], None]] = []
        self._stirred = asyncio.Event()
        self._subscriptions = ExitStack()
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._subscriptions.callback(self._fate.subscribe(self._stirred.set))
        self._subscriptions.callback(self._receiver.subscribe(lambda _: self._stirred.set()))
        self._subscriptions.callback(self._novita.journal.subscribe(self._called))
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._subscriptions.close()
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    def subscribe(self, observer: Callable[[], None]) -> Callable[[], None]:
        """Returns what ends the subscription."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def context(self) -> dict[str, Any]:
        """For `backstage.html`, which takes one name: `backstage`."""
        now = self._cloud.now()
        catalogue, stock = self._cloud.catalogue, self._cloud.stock
        panel = Panel(
            api=api_view(self._fate, has_balance=self._cloud.has_balance),
            said=self._fate.said,
            calls=calls_view(self._novita.journal, now),
            gpus=tuple(gpu_view(each, now, self._names) for each in shown(self._cloud)),
            products=products_view(catalogue, stock),
            regions=regions_view(catalogue, stock, first=self._fate.region),
            hook=hook_view(self._receiver, self._zone),
        )
        return {"backstage": panel}

    def routes(self) -> list[web.RouteDef]:
        deeds = [
            web.post(f"/backstage/{path}", partial(self._play, TypeAdapter[Deed](kind)))
            for path, kind in _DEEDS
        ]
        return [*deeds, web.post("/backstage/webhook", self._set_answer)]

    async def _play(self, deeds: TypeAdapter[Deed], request: web.Request) -> web.Response:
        try:
            deed = deeds.validate_python(dict(await request.post()))
            await self._fate.play(self._named(deed))
        except ValidationError:
            return _refused("The panel has no such button.")
        except LookupError as error:
            return _refused(str(error.args[0]))
        return web.Response(status=204)

    def _named(self, deed: Deed) -> Deed:
        if not isinstance(deed, OfInstance):
            return deed
        return replace(deed, called=self._names.get(deed.name, ""))

    async def _set_answer(self, request: web.Request) -> web.Response:
        try:
            self._receiver.answers = _ANSWERS.validate_json(str((await request.post()).get("answer")))
        except ValidationError:
            return _refused("The panel has no such button.")
        self._stirred.set()
        return web.Response(status=204)

    def _called(self, call: Call) -> None:
        """Calls that only look are counted at the next pulse, unless one may tell a name."""
        if call.endpoint in _CHANGING or self._awaits_a_name():
            self._stirred.set()

    def _awaits_a_name(self) -> bool:
        now = self._cloud.now()
        young = (each for each in self._cloud.instances() if now - each.created_at < _NAMED_WITHIN)
        return self._ask_names is not None and any(each.id not in self._names for each in young)

    async def _watch(self) -> None:
        while True:
            # Cleared first: what stirs while names are asked for is not lost.
            self._stirred.clear()
            if self._ask_names is not None:
                self._names = await self._ask_names()
            for observer in tuple(self._observers):
                observer()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._stirred.wait()

    def _pause(self) -> float | None:
        """Seconds; None: until something stirs."""
        at = next_change(self._cloud, self._novita.journal)
        return None if at is None else max((at - self._cloud.now()).total_seconds(), _SHORTEST_PAUSE)


_ANSWERS: TypeAdapter[Answer] = TypeAdapter(Answer)


def _refused(sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=422)
