"""Novita: the sandbox's cloud, and the real client on it with all but HTTP between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import cache, partial
from random import Random
from typing import Any, Protocol

from aiohttp import web

from bot.errors import NotSent, NovitaRefused
from bot.metrics import Metrics
from bot.novita.answers import Answer, retry_after_of
from bot.novita.calls import Call
from bot.novita.client import NovitaClient
from bot.novita.limits import Limits
from bot.novita.refusals import lost
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.exchange import Exchange, refused
from bot.sandbox.novita.faults import Fault
from bot.sandbox.novita.instances import Instance
from bot.sandbox.novita.routes import ROUTES, Api, Asked, FirstPage, Paging
from bot.sandbox.novita.views import InstanceViews
from storage.cloud import Listing, Order
from tests.simulation.faults import CHANGES, NOVITA, Weather
from tests.simulation.process import Process

Served = web.Response | NotSent | None
"""None: the connection was closed without a word. NotSent: there was none."""

_ROUTES = {(route.method, route.path): route for route in ROUTES}


class SimulatedCloud(Cloud):
    """Also shows less than there is, for a while."""

    def __init__(self, *, missing: Callable[[], bool], **options: Any) -> None:
        """`missing`: whether a list leaves out those that are unlucky."""
        super().__init__(**options)
        self._leaves_out = missing
        self.unlucky: frozenset[str] = frozenset()
        self.blank = False

    def listed(self) -> list[Instance]:
        shown = super().listed()
        if self.blank:
            return []
        return [each for each in shown if each.id not in self.unlucky] if self._leaves_out() else shown

    def is_at_rest(self) -> bool:
        now = self.now()
        return not self._agenda._due and all(
            each.status_at(now) == each.leg.rests_in and now >= each.visible_from for each in self.instances()
        )


class Witness(Protocol):
    """Sees what arrives at Novita, before it takes effect."""

    def call_arrived(self, endpoint: str, body: Any) -> None:
        """Only of one that changes something."""

    def answered(self, novita_id: str, status_code: int) -> None:
        """What a process heard about one of them, and can read."""

    def create_handed_over(self, name: str) -> None:
        """To the client: from here on it may be sent."""

    def certainly_not_made(self, name: str) -> None:
        """The client says so."""

    def said_to_be_not_made(self, instance_id: str, attempt: int) -> None:
        """Somebody writes so into the database."""

    def list_read(self, listing: Listing) -> None: ...


class Door:
    """Where calls arrive, and where what goes wrong with them is drawn."""

    def __init__(
        self,
        cloud: SimulatedCloud,
        weather: Weather,
        witness: Witness,
        dice: Random,
        struck: Callable[[str], None],
        *,
        first_page: FirstPage = "both",
        page_cap: int = 100,
    ) -> None:
        self._cloud = cloud
        self._weather = weather
        self._witness = witness
        self._dice = dice
        self._struck = struck
        views = InstanceViews(endpoint_base="https://endpoints.example")
        self._api = Api(cloud=cloud, views=views, paging=Paging(first_page=first_page, cap=page_cap))
        self._closing = asyncio.Event()
        self._old_pages: dict[tuple[tuple[str, str], ...], web.Response] = {}
        self.waiting = 0
        """Calls that have not been answered yet."""

    async def serve(self, call: Call) -> Served:
        self.waiting += 1
        try:
            await asyncio.sleep(self._way())
            answer = await self._arrived(call)
            await asyncio.sleep(self._way())
        finally:
            self.waiting -= 1
        return answer

    def _way(self) -> float:
        return self._dice.choice((0.0, 0.01, 0.03, 0.1, 0.4))

    async def _arrived(self, call: Call) -> Served:
        if self._weather.is_about("unreachable"):
            self._struck("unreachable")
            return NotSent("Novita cannot be reached.")
        if self._weather.is_about("down"):
            self._struck("down")
            return refused(503)
        route = _ROUTES[call.method, call.path]
        if route.endpoint in CHANGES:
            self._witness.call_arrived(route.endpoint, call.body)
        asked = Asked(query={name: str(value) for name, value in call.params.items()}, body=call.body)
        exchange = Exchange(
            cloud=self._cloud,
            work=partial(route.work, self._api, asked),
            not_found_status=404,
            closing=self._closing,
        )
        answer = await exchange.answer(self._fault(route.endpoint))
        return self._aged(asked, answer) if route.endpoint == "list" else answer

    def _fault(self, endpoint: str) -> Fault | None:
        kind = self._weather.strikes_call(endpoint)
        if kind is None:
            return None
        self._struck(kind)
        return NOVITA[kind].draw(self._dice)

    def _aged(self, asked: Asked, answer: web.Response | None) -> web.Response | None:
        """A list from a copy that is behind shows what was, and one that is cut says so by its total."""
        key = tuple(sorted(asked.query.items()))
        if self._weather.is_about("list is old"):
            if (old := self._old_pages.get(key)) is not None:
                self._struck("list is old")
                return old
            if answer is not None and answer.status == 200:
                self._old_pages[key] = answer
            return answer
        self._old_pages.clear()
        if answer is not None and answer.status == 200 and self._weather.strikes("list is short"):
            self._struck("list is short")
            return refused(200, {"instances": [], "total": 3})
        return answer


class SimulatedNovita(NovitaClient):
    """The client of one process: breaker, budget, paging, reading and judging of answers are the real ones."""

    def __init__(
        self,
        door: Door,
        process: Process,
        witness: Witness,
        *,
        clock: Callable[[], datetime],
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        super().__init__(
            base_url="https://novita.example", api_key="key", clock=clock, limits=limits, metrics=metrics
        )
        self._root = ""
        self._door = door
        self._process = process
        self._witness = witness

    async def list_instances(self) -> Listing:
        listing = await super().list_instances()
        self._witness.list_read(listing)
        return listing

    async def create_instance(self, order: Order) -> str:
        self._witness.create_handed_over(order.name)
        try:
            return await super().create_instance(order)
        except (NovitaRefused, NotSent):
            self._witness.certainly_not_made(order.name)
            raise

    async def _exchange(self, call: Call) -> Answer:
        began_at = self._clock()
        try:
            async with asyncio.timeout(self._limits.timeout.total_seconds()):
                served = await self._process.ask(self._door.serve(call))
        except TimeoutError as error:
            raise lost("Novita did not answer in time.", call.effect) from error
        if isinstance(served, NotSent):
            raise served
        if served is None:
            raise lost("The connection to Novita broke.", call.effect)
        novita_id = (call.body or call.params).get("instanceId")
        if isinstance(novita_id, str) and served.content_type == "application/json":
            self._witness.answered(novita_id, served.status)
        return Answer(
            status_code=served.status,
            began_at=began_at,
            body=_body(served),
            retry_after=retry_after_of(served.headers.get("Retry-After"), self._clock()),
        )


class SimulatedProbe:
    """Knocks at endpoints, whose addresses name the instance."""

    def __init__(self, cloud: Cloud, process: Process) -> None:
        self._cloud = cloud
        self._process = process

    async def answers(self, endpoints: Any) -> bool:
        await self._process.pause(0.1)
        urls = [each.url for each in endpoints if each.protocol == "http" and each.url]
        return all(self._answers(url) for url in urls)

    def _answers(self, url: str) -> bool:
        instance = self._cloud.find(url.split("/")[3])
        return instance is not None and instance.leg.is_usable_at(self._cloud.now())


def _body(response: web.Response) -> bytes:
    body = response.body
    assert body is None or isinstance(body, bytes)
    return body or b""


@cache
def metrics() -> Metrics:
    """One for all runs: nobody reads it."""
    return Metrics()
