"""What follows an acknowledgement: work that goes on, and its answer to the asker alone.

Such work runs in tasks of its own. An error right after an `ack` would make Bolt forget the ack, and Bolt
keeps no reference to what still runs when the service stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.messages.blocks import Message

log = structlog.get_logger(__name__)

T = TypeVar("T")

_TELL_WITHIN = timedelta(seconds=10)


class Replies:
    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._under_way: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def tell(self, message: Message, response_url: str | None, *, thread_ts: str | None = None) -> None:
        """To the asker alone. What cannot be told is not told twice; None: there is nowhere to tell it."""
        if response_url is None:
            return
        hook = AsyncWebhookClient(response_url, session=self._client.session, retry_handlers=[])
        hook.proxy = self._client.proxy  # the way out that the client uses, not what the environment says
        body = {**message, "response_type": "ephemeral", "replace_original": False, "thread_ts": thread_ts}
        try:
            async with asyncio.timeout(_TELL_WITHIN.total_seconds()):
                answer = await hook.send_dict(body)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            log.warning("answer.lost", why=type(error).__name__)
            return
        if answer.status_code != 200:
            log.warning("answer.lost", why=f"Slack answered {answer.status_code}")

    async def drain(self, within: timedelta) -> None:
        """Wait for what is under way; what takes longer is cancelled."""
        if not self._under_way:
            return
        _done, late = await asyncio.wait(self._under_way, timeout=within.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
