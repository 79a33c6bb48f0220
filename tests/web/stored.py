"""REST over the real operations and a real file, for callers that bring a loop of their own."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fakes import FakeNovita
from fastapi import FastAPI
from pydantic import SecretStr
from samples import NOW
from scene import migrated_file

from bot.asking import Defaults
from bot.catalog import Catalog
from bot.operations import Operations
from bot.redelivery import Redelivery
from bot.web.api import build_api
from bot.web.health import Health
from bot.web.security import Inbound
from storage.cloud import BillingMode
from storage.database import open_database
from storage.store.store import make_store

KEY = "a-key-of-the-tests"


class Stored:
    """An ASGI application whose lifespan is that of its database. The catalogue is empty, so that whatever is
    well-formed is taken, and a minute passes whenever somebody looks at the clock, so that nobody has asked
    too much."""

    def __init__(self) -> None:
        self._now = NOW
        self._app = self._api(None)
        self._opened: AsyncExitStack | None = None
        self._stale = True

    def described(self) -> dict[str, Any]:
        return self._app.openapi()

    def begin_anew(self) -> None:
        """With the next request: nobody has asked for anything yet."""
        self._stale = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if self._stale:
                await self._close()
                await self._open()
            await self._app(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self) -> None:
        async with AsyncExitStack() as stack:
            file = Path(stack.enter_context(TemporaryDirectory())) / "gpu-bot.db"
            file.write_bytes(await migrated_file())
            database = await open_database(f"sqlite:///{file}")
            stack.push_async_callback(database.close)
            self._app = self._api(make_store(database, self._clock))
            self._opened = stack.pop_all()
        self._stale = False

    async def _close(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()
        self._opened, self._stale = None, True

    def _api(self, store: Any) -> FastAPI:
        novita, hour = FakeNovita(self._clock), timedelta(hours=1)
        catalog = Catalog(novita, clock=self._clock, product_ttl=hour, template_ttl=hour)
        operations = Operations(
            store=store,
            catalog=catalog,
            novita=novita,
            clock=self._clock,
            defaults=Defaults(
                region="CN-HK-01",
                gpu_count=1,
                disk_gb=60,
                template="pytorch-jupyter",
                billing_mode=BillingMode.SPOT,
            ),
            admins=frozenset(),
            wake=lambda: None,
        )
        health = Health(version="1.2.3", started_at=NOW, ready=True)
        inbound = Inbound(api_keys=(SecretStr(KEY),), request_size_limit=1_000_000)
        return build_api(
            operations,
            health,
            redelivery=Redelivery(store, wake=lambda: None),
            catalog=catalog,
            clock=self._clock,
            inbound=inbound,
        )

    def _clock(self) -> Any:
        self._now += timedelta(minutes=1)
        return self._now
