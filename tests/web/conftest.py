from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest
from fake_operations import FakeOperations, FakeRedelivery, FakeShop
from fastapi import FastAPI
from samples import NOW

from bot.metrics import Metrics
from bot.web.api import build_api
from bot.web.health import Health
from bot.web.metrics import TakeCensus, no_census
from bot.web.security import Inbound

BODY = {"name": "my-train", "productName": "RTX 4090 24GB", "templateId": "pytorch-jupyter"}


@dataclass(kw_only=True)
class Rest:
    """The API with fakes behind it, and a caller on the same machine in front of it."""

    app: FastAPI
    operations: FakeOperations
    health: Health
    http: httpx.AsyncClient
    metrics: Metrics
    now: datetime = NOW

    async def create(self, headers: Any = None, **fields: Any) -> httpx.Response:
        """A sound request with these fields changed; None leaves one out."""
        body = {name: value for name, value in {**BODY, **fields}.items() if value is not None}
        return await self.http.post("/api/instances", json=body, headers=headers)


Build = Callable[..., Awaitable[Rest]]


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    """Builds the API with other settings than `rest` has."""
    async with AsyncExitStack() as stack:

        async def make(
            *,
            operations: FakeOperations | None = None,
            caller: tuple[str, int] | None = ("127.0.0.1", 40_000),
            base_url: str = "http://localhost:3000",
            slack_channel: str | None = None,
            slack_handler: Any = None,
            redelivery: Any = None,
            catalog: Any = None,
            metrics: Metrics | None = None,
            census: TakeCensus = no_census,
            **inbound: Any,
        ) -> Rest:
            asked = operations or FakeOperations()
            health = Health(version="1.2.3", started_at=NOW)
            metrics = metrics or Metrics()
            app = build_api(
                asked,
                health,
                redelivery=redelivery or FakeRedelivery(),
                catalog=catalog or FakeShop(),
                clock=lambda: rest.now,
                inbound=Inbound(**{"api_keys": (), "request_size_limit": 1_024, **inbound}),
                slack_channel=slack_channel,
                slack_handler=slack_handler,
                metrics=metrics,
                census=census,
            )
            transport = httpx.ASGITransport(app=app, client=caller)
            http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=base_url))
            rest = Rest(app=app, operations=asked, health=health, http=http, metrics=metrics)
            return rest

        yield make


@pytest.fixture
async def rest(build: Build) -> Rest:
    return await build()
