"""Do the declared endpoints of an instance answer?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from samples import seconds

from bot.probe import EndpointProbe
from storage.cloud import Endpoint


class Apps:
    """What runs in instances: `/200` answers that status, `/endless` never ends, `/silent` says nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closing = asyncio.Event()
        self.base = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        match request.path:
            case "/silent":
                await self.closing.wait()
                return web.Response()
            case "/endless":
                response = web.StreamResponse()
                await response.prepare(request)
                await response.write(b"x")
                await self.closing.wait()
                return response
            case "/moved":
                return web.Response(status=302, headers={"Location": f"{self.base}/503"})
            case path:
                return web.Response(status=int(path[1:]))

    def at(self, path: str, port: int = 8888) -> Endpoint:
        return Endpoint(port=port, protocol="http", url=f"{self.base}{path}")


@pytest.fixture
async def apps() -> AsyncIterator[Apps]:
    made, app = Apps(), web.Application()
    app.router.add_get("/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    made.closing.set()
    await runner.cleanup()


@pytest.fixture
async def probe() -> AsyncIterator[EndpointProbe]:
    made = EndpointProbe(timeout=seconds(0.2))
    yield made
    await made.aclose()


async def test_any_answer_of_the_app_itself_will_do(apps: Apps, probe: EndpointProbe):
    for path in ("/200", "/401", "/404", "/500", "/moved", "/endless"):
        assert await probe.answers([apps.at(path)]), path
    # A redirect leads somewhere else, which says nothing about the instance.
    assert "/503" not in apps.asked


async def test_the_answer_of_the_gateway_will_not(apps: Apps, probe: EndpointProbe):
    for path in ("/502", "/503", "/504"):
        assert not await probe.answers([apps.at(path)]), path


async def test_no_answer_is_none(apps: Apps, probe: EndpointProbe):
    gone = [
        Endpoint(port=80, protocol="http", url=url)
        for url in ("http://127.0.0.1:9/", "http://[", "http://a:port/", "")
    ]
    for endpoint in (apps.at("/silent"), *gone):
        assert not await probe.answers([endpoint]), endpoint


async def test_all_have_to_answer(apps: Apps, probe: EndpointProbe):
    assert await probe.answers([apps.at("/200", 1), apps.at("/404", 2)])
    assert not await probe.answers([apps.at("/200", 1), apps.at("/502", 2)])


async def test_without_http_endpoints_there_is_nothing_to_ask(apps: Apps, probe: EndpointProbe):
    tcp = Endpoint(port=22, protocol="tcp", url=f"{apps.base}/503")
    assert await probe.answers([])
    assert await probe.answers([tcp, Endpoint(port=8888, protocol="http", url=None)])
    assert apps.asked == []
