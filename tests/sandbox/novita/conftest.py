from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.routes import BASE
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.novita.timeline import Timeline


class HandClock:
    """Goes on only when a test moves it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def go(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def cloud(clock: HandClock) -> Cloud:
    """From create to running 5 + 20 s, connected 2 s and usable 8 s after that."""
    even = timedelta(seconds=20)
    return Cloud(clock=clock, timeline=Timeline(pulling_min=even, pulling_max=even))


@pytest.fixture
async def server(cloud: Cloud) -> AsyncIterator[NovitaServer]:
    async with NovitaServer(cloud) as server:
        yield server


@pytest.fixture
async def client(server: NovitaServer) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    base_url = server.base_url + BASE
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=5, trust_env=False) as client:
        yield client


@pytest.fixture
def body() -> dict[str, object]:
    """The least that a create may carry."""
    return {
        "productId": "4090.16c62g",
        "gpuNum": 1,
        "rootfsSize": 60,
        "imageUrl": "docker.io/pytorch/pytorch:latest",
        "kind": "gpu",
    }
