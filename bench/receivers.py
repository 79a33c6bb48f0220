"""Somebody's webhooks on loopback, in the process that measures: when what came."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from aiohttp import web

from bench.novita import now

DEAD = "dead"
"""Of a path: it takes what is sent and never says a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    path: str
    webhook_id: str
    body: dict[str, Any]
    at: datetime

    @property
    def lag(self) -> float:
        """Seconds since the event."""
        return (self.at - datetime.fromisoformat(self.body["timestamp"])).total_seconds()


@dataclass(slots=True, kw_only=True)
class Receivers:
    """`refusing`: so many of those to come are answered with 503."""

    arrivals: list[Arrival] = field(default_factory=list)
    tried: int = 0
    refusing: int = 0
    _url: str = ""
    _runner: web.AppRunner | None = None
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str) -> str:
        return f"{self._url}/{path}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{path}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def change(self) -> None:
        """Until something more has come."""
        self._changed.clear()
        await self._changed.wait()

    async def _take(self, request: web.Request) -> web.Response:
        path, at, body = request.match_info["path"], now(), json.loads(await request.read())
        self.tried += 1
        if path == DEAD:
            await self._closing.wait()
        if self.refusing:
            self.refusing -= 1
            return web.Response(status=503)
        self.arrivals.append(Arrival(path=path, webhook_id=request.headers["webhook-id"], body=body, at=at))
        self._changed.set()
        return web.Response()
