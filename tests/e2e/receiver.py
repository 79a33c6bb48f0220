"""Somebody's webhook on loopback: keeps what comes, checks signatures as a receiver would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

SECRET = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC0yNGJ5dGVz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooked:
    id: str
    """The `webhook-id`."""
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def event(self) -> str:
        return str(self.body["event"])


class Receiver:
    """`answers` is the status of every answer; None: it takes what is sent and says nothing."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.answers: int | None = 200
        self.received: list[Webhooked] = []
        """What was accepted, in order; a signature that does not fit is a fault of the test's own."""
        self.tried: list[Webhooked] = []
        """What came, accepted or not."""
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hook"

    async def start(self) -> None:
        """At the same address again, after `stop`."""
        self._closing = asyncio.Event()
        app = web.Application()
        app.router.add_post("/hook", self._handle)
        app.router.add_post("/hook/{secret:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Connections are refused from now on."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    def of(self, event: str) -> list[Webhooked]:
        return [each for each in self.received if each.event == event]

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        headers = dict(request.headers)
        hook = Webhooked(id=headers["webhook-id"], body=json.loads(body), headers=headers)
        self.tried.append(hook)
        status = self.answers
        if status is not None and status < 300:
            self.received.append(hook)
        self._changed()
        if status is None:
            await self._closing.wait()
        return web.Response(status=status or 500)
