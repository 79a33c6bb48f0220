"""Real receivers on loopback: one answers over HTTP as told, one speaks raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes
    peer_port: int


@dataclass
class Receiver:
    """Answers with `status` and `headers`, or as `answer` says."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    received: list[Received] = field(default_factory=list)
    _port: int = 0
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        """At the same address again, after `stop`."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}/hook"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")[1]
        self.received.append(Received(request.path, dict(request.headers), await request.read(), peer))
        if self.answer is not None:
            return await self.answer(request)
        return web.Response(status=self.status, headers=self.headers, text="noted")


@asynccontextmanager
async def receiver(**settings) -> AsyncIterator[Receiver]:
    it = Receiver(**settings)
    await it.start()
    try:
        yield it
    finally:
        await it.stop()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_receiver(answer: bytes | Serve) -> AsyncIterator[str]:
    """Waits for the beginning of a request, sends `answer` and drops the connection."""
    served: list[asyncio.Task[None]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        with suppress(ConnectionError):
            await reader.read(1)
            await (_say(answer, writer) if isinstance(answer, bytes) else answer(reader, writer))
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        await asyncio.gather(*served)


async def _say(answer: bytes, writer: asyncio.StreamWriter) -> None:
    if answer:
        writer.write(answer)
        await writer.drain()
        writer.write_eof()
