from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.exchange import Exchange, refused
from bot.sandbox.novita.faults import Faults
from bot.sandbox.novita.journal import KEPT_HEADERS, Call, Journal
from bot.sandbox.novita.refusals import error_body
from bot.sandbox.novita.routes import BASE, ROUTES, Api, Asked, FirstPage, Paging, Route
from bot.sandbox.novita.views import InstanceViews

DEFAULT_KEY = "sandbox-novita-key"
_PATIENCE_WITH_HANDLERS_S = 1.0


class NovitaServer:
    """The v1 API of the simulated cloud on a port, and the HTTP endpoints of its instances.

    `first_page`, `page_cap` and `not_found` are what nobody has confirmed about the real service: a client
    must live with every value of them.
    """

    def __init__(  # noqa: PLR0913 - each one is something that a client may not rely on
        self,
        cloud: Cloud,
        faults: Faults | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str = DEFAULT_KEY,
        first_page: FirstPage = "both",
        page_cap: int = 100,
        not_found: Literal[400, 404] = 404,
    ) -> None:
        self.cloud = cloud
        self.faults = Faults() if faults is None else faults
        self.journal = Journal()
        self.api_key = api_key
        self._host, self._port = host, port
        self._paging = Paging(first_page=first_page, cap=page_cap)
        self._not_found = not_found
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """Without a path: what takes the place of https://api.novita.ai. Known once it has started."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> str:
        """Listens, and returns `base_url`. Port 0 takes a free one, which is then kept over `refuse`."""
        self._closing = asyncio.Event()
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=_PATIENCE_WITH_HANDLERS_S)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner, self._port = runner, runner.addresses[0][1]
        return self.base_url

    async def close(self) -> None:
        """Idempotent, and does not wait for requests that hang: their connections are closed."""
        self._closing.set()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def refuse(self) -> None:
        """Closes every connection and refuses new ones, until `accept`."""
        await self.close()

    async def accept(self) -> None:
        """Listens again at the same address."""
        if self._runner is None:
            await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _app(self) -> web.Application:
        app = web.Application()
        for route in ROUTES:
            app.router.add_route(route.method, BASE + route.path, partial(self._serve, route))
        app.router.add_route("*", "/endpoints/{id}/{port}", self._endpoint)
        app.router.add_route("*", "/endpoints/{id}/{port}/{rest:.*}", self._endpoint)
        app.router.add_route("*", "/{rest:.*}", self._unknown)
        return app

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        asked = Asked(query=dict(request.query), body=_parsed(await request.text()))
        return await self._journaled(
            route.endpoint, request, asked, partial(self._api_answer, route, request)
        )

    async def _api_answer(self, route: Route, request: web.Request, asked: Asked) -> web.Response | None:
        is_mine = request.headers.get("Authorization") == f"Bearer {self.api_key}"
        if not (is_mine or self.faults.is_down):
            return refused(401, error_body(401, message="invalid api key"))
        views = InstanceViews(endpoint_base=f"{self.base_url}/endpoints")
        api = Api(cloud=self.cloud, views=views, paging=self._paging)
        exchange = Exchange(
            cloud=self.cloud,
            work=partial(route.work, api, asked),
            not_found_status=self._not_found,
            closing=self._closing,
        )
        return await exchange.answer(self.faults.take(route.endpoint))

    async def _endpoint(self, request: web.Request) -> web.StreamResponse:
        """An instance's own port as its proxy shows it: 502 until the app inside answers."""
        asked = Asked(query=dict(request.query), body=None)
        return await self._journaled("endpoint", request, asked, partial(self._endpoint_answer, request))

    async def _endpoint_answer(self, request: web.Request, _asked: Asked) -> web.Response:
        now, port = self.cloud.now(), request.match_info["port"]
        instance = self.cloud.find(request.match_info["id"])
        if instance is None or not port.isdecimal() or int(port) not in instance.order.http_ports:
            return refused(404, "404 page not found")
        if not instance.leg.is_usable_at(now):
            return refused(502)
        return refused(instance.app_answers, f"<html><body>port {port} of {instance.id}</body></html>")

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(query=dict(request.query), body=_parsed(await request.text()))
        return await self._journaled("unknown", request, asked, _nothing_here)

    async def _journaled(
        self,
        endpoint: str,
        request: web.Request,
        asked: Asked,
        answer: Callable[[Asked], Awaitable[web.Response | None]],
    ) -> web.StreamResponse:
        call = self._noted(endpoint, request, asked)
        response = None
        try:
            response = await answer(asked)
        finally:
            self.journal.close(call, None if response is None else response.status)
        return _without_a_word(request) if response is None else response

    def _noted(self, endpoint: str, request: web.Request, asked: Asked) -> Call:
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(
            endpoint=endpoint,
            method=request.method,
            path=request.path,
            query=asked.query,
            body=asked.body,
            headers={name: value for name, value in headers.items() if name in KEPT_HEADERS},
            at=self.cloud.now(),
        )
        self.journal.add(call)
        return call


async def _nothing_here(_asked: Asked) -> web.Response:
    return refused(404, "404 page not found")


def _without_a_word(request: web.Request) -> web.Response:
    """The response is never sent: there is no connection any more to send it over."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def _parsed(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
