from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from slack_office import Office, office


@pytest.fixture
async def o(tmp_path: Path) -> AsyncIterator[Office]:
    """Over Socket Mode."""
    async with office(tmp_path) as made:
        yield made


@pytest.fixture(params=["socket", "http"])
async def either(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Office]:
    """Over both transports."""
    async with office(tmp_path, request.param) as made:
        yield made
