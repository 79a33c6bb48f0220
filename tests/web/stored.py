"""REST over the real operations and a real file, for callers that bring a loop of their own."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any

from fakes import FakeNovita
from fastapi import FastAPI
from pydantic import SecretStr
from samples import NOW

from bot.catalog import Catalog
from bot.operations import Defaults, Operations
from bot.web.api import build_api
from bot.web.health import Health
from bot.web.security import Inbound
from storage.cloud import BillingMode
from storage.database import migrate, open_database
from storage.store.store import make_store

KEY = "a-key-of-the-tests"


class Stored:
    """An ASGI application whose lifespan is that of its database. The catalogue is empty, so that whatever is
    well-formed is taken, and a minute passes whenever somebody looks at the clock, so that nobody has asked
    too much."""

    def __init__(self) -> None:
        self._now = NOW
        self._app = self._api(None)

    def described(self) -> dict[str, Any]:
        return self._app.openapi()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        async with AsyncExitStack() as stack:
            await receive()
            folder = stack.enter_context(TemporaryDirectory())
            url = f"sqlite:///{folder}/gpu-bot.db"
            await migrate(url)
            database = await open_database(url)
            stack.push_async_callback(database.close)
            self._app = self._api(make_store(database, self._clock))
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def _api(self, store: Any) -> FastAPI:
        novita, hour = FakeNovita(self._clock), timedelta(hours=1)
        operations = Operations(
            store=store,
            catalog=Catalog(novita, clock=self._clock, product_ttl=hour, template_ttl=hour),
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
        return build_api(operations, health, clock=self._clock, inbound=inbound)

    def _clock(self) -> Any:
        self._now += timedelta(minutes=1)
        return self._now
