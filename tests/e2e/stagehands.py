"""The fixtures of the end-to-end and the crash tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.lives import Nursery
from tests.e2e.stage import Stage, staged


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery.shared() as nursery:
        yield nursery


@pytest.fixture
async def stage(nursery: Nursery, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(nursery, tmp_path) as stage:
        yield stage
