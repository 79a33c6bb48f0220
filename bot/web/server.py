"""uvicorn in the caller's loop: who starts it keeps the signals, the lifespan and the logs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from errno import EADDRNOTAVAIL, EAFNOSUPPORT
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from bot.web.heads import BoundedHeads

_BACKLOG = 1_024
_MOST_CONNECTIONS = 1_000

_Address = tuple[Any, ...]


class ListenError(OSError):
    """Its text says where it could not listen, and why."""


class WebServer:
    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server = _Server(_config(app))
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The real one, once it has started on port 0."""
        return self._port

    async def start(self) -> None:
        """Returns when connections are accepted. Raises ListenError."""
        sockets = await _listen(self._host, self._port)
        self._port = sockets[0].getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets))
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({self._serving, up}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._serving.done():
            self._serving.result()

    async def stop(self, within: timedelta) -> None:
        """Nothing new is accepted, what is under way is waited for and cut off after `within`. Idempotent."""
        if self._serving is None:
            return
        self._server.should_exit = True
        _done, late = await asyncio.wait({self._serving}, timeout=within.total_seconds())
        if late:
            await self._cut_off()
        await self._serving

    async def _cut_off(self) -> None:
        state = self._server.server_state
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(state.connections):
            connection.transport.abort()
        self._server.force_exit = True


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Whoever started us decides what a signal stops, and in which order.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedHeads,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Believed, X-Forwarded-For would make anybody look local.
        proxy_headers=False,
        workers=1,
        limit_concurrency=_MOST_CONNECTIONS,
    )


async def _listen(host: str, port: int) -> list[socket.socket]:
    """One socket for each address of the host, all on one port. uvicorn's own failure ends the process."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return _bound(list(dict.fromkeys((family, address) for family, _, _, _, address in found)))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ListenError(f"Cannot listen at {host}, port {port}: {reason}.") from error


def _bound(addresses: list[tuple[socket.AddressFamily, _Address]]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    with ExitStack() as opened:
        for family, address in addresses:
            port = sockets[0].getsockname()[1] if sockets else address[1]
            try:
                sockets.append(opened.enter_context(_socket(family, (address[0], port, *address[2:]))))
            except OSError as error:
                # `localhost` often names ::1 where there is no IPv6.
                if error.errno not in {EADDRNOTAVAIL, EAFNOSUPPORT}:
                    raise
                absent = error
        if absent is not None and not sockets:
            raise absent
        opened.pop_all()
    return sockets


def _socket(family: socket.AddressFamily, address: _Address) -> socket.socket:
    with ExitStack() as opened:
        made = opened.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        # Here and not only by uvicorn: of two that bind at once the second one fails at this.
        made.listen(_BACKLOG)
        made.setblocking(False)
        opened.pop_all()
    return made
