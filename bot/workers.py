"""Tasks that outlive the pass that began them, bounded in number and waited for when the service stops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any


class Workers:
    """Keeps a reference to each task (a loop keeps none) and the lease that it works under."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tokens: dict[asyncio.Task[None], str] = {}

    @property
    def free(self) -> int:
        return self._most - len(self._tokens)

    def start(self, work: Coroutine[Any, Any, None], *, token: str) -> None:
        task = asyncio.create_task(work)
        self._tokens[task] = token
        task.add_done_callback(self._tokens.pop)

    def tokens(self) -> tuple[str, ...]:
        """Of the leases under which work goes on; these are to be renewed, and not to be leased once more."""
        return tuple(self._tokens.values())

    async def idle(self) -> None:
        """Returns when what has been started so far, and what that started, is done."""
        while self._tokens:
            await asyncio.wait(self._tokens)

    async def drain(self, within: timedelta) -> None:
        """Wait for what is under way; what takes longer is cancelled. Its leases lapse."""
        if not self._tokens:
            return
        _done, late = await asyncio.wait(self._tokens, timeout=within.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
