"""What follows an acknowledgement: work that goes on, and its answer to the asker alone.

Such work runs in tasks of its own. An error right after an `ack` would make Bolt forget the ack, and Bolt
keeps no reference to what still runs when the service stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar, assert_never

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.messages.blocks import Message
from bot.messages.modals import as_modal, working_modal
from bot.sinks.slack_answers import Call, Refused, Unavailable, answer_of
from bot.slack.spoken import Spoken, Surface

log = structlog.get_logger(__name__)

T = TypeVar("T")

_TITLE = "GPU Bot"
_TELL_WITHIN = timedelta(seconds=10)
_OPEN_WITHIN = timedelta(seconds=3)
"""The life of a trigger_id."""


class Replies:
    def __init__(self, client: AsyncWebClient, *, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._clock = clock
        self._under_way: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def tell(self, message: Message, spoken: Spoken) -> None:
        """To who spoke, alone. What cannot be told is not told twice."""
        why = await self._told(message, spoken)
        if why is not None:
            log.warning("answer.lost", why=why)

    async def room_for(self, spoken: Spoken) -> Spoken | None:
        """A window for the answer to a press in the Home tab, opened while the press allows it.

        None: it did not open. What is asked of Novita may take longer than a press is good for.
        """
        trigger_id, view = spoken.trigger_id or "", working_modal(_TITLE)
        try:
            answer = await answer_of(
                lambda: self._client.views_open(trigger_id=trigger_id, view=view),
                now=self._clock(),
                timeout=_OPEN_WITHIN,
            )
        except (Refused, Unavailable) as error:
            log.warning("answer.lost", why=str(error))
            return None
        view_id = str((answer.get("view") or {}).get("id") or "")
        return replace(spoken, surface=Surface.MODAL, view_id=view_id)

    async def drain(self, within: timedelta) -> None:
        """Wait for what is under way; what takes longer is cancelled."""
        if not self._under_way:
            return
        _done, late = await asyncio.wait(self._under_way, timeout=within.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _told(self, message: Message, spoken: Spoken) -> str | None:
        """None, or why it was not."""
        match spoken.surface:
            case Surface.COMMAND | Surface.MESSAGE | Surface.FORM if spoken.response_url is not None:
                body = {**message, "response_type": "ephemeral", "replace_original": spoken.replaces}
                return await self._hook(spoken, {**body, "thread_ts": spoken.thread_ts})
            case Surface.MODAL:
                return await self._called(
                    lambda: self._client.views_update(
                        view_id=spoken.view_id, view=as_modal(message, title=_TITLE)
                    )
                )
            case Surface.HOME:
                return await self._opened(message, spoken)
            case Surface.MENTION:
                return await self._whispered(message, spoken)
            case Surface.FORM | Surface.SHORTCUT | Surface.DIRECT:
                return await self._written(message, spoken)
            case Surface.COMMAND | Surface.MESSAGE:
                # Not as a direct message, which stays: it may hold a password.
                return "there is nowhere to tell it"
            case _:
                assert_never(spoken.surface)

    async def _opened(self, message: Message, spoken: Spoken) -> str | None:
        """Where the trigger waited too long, as a direct message."""
        trigger_id, view = spoken.trigger_id or "", as_modal(message, title=_TITLE)
        refused = await self._called(
            lambda: self._client.views_open(trigger_id=trigger_id, view=view), within=_OPEN_WITHIN
        )
        return None if refused is None else await self._written(message, spoken)

    async def _whispered(self, message: Message, spoken: Spoken) -> str | None:
        return await self._called(
            lambda: self._client.chat_postEphemeral(
                channel=spoken.destination, user=spoken.user_id, thread_ts=spoken.thread_ts, **message
            )
        )

    async def _written(self, message: Message, spoken: Spoken) -> str | None:
        """In the conversation of the two: nobody else reads it."""
        direct = spoken.surface is Surface.DIRECT
        channel, thread_ts = (spoken.destination, spoken.thread_ts) if direct else (spoken.user_id, None)
        return await self._called(
            lambda: self._client.chat_postMessage(
                channel=channel, thread_ts=thread_ts, unfurl_links=False, unfurl_media=False, **message
            )
        )

    async def _called(self, call: Call, *, within: timedelta = _TELL_WITHIN) -> str | None:
        try:
            await answer_of(call, now=self._clock(), timeout=within)
        except Refused as refusal:
            return refusal.code
        except Unavailable as trouble:
            return trouble.reason
        return None

    async def _hook(self, spoken: Spoken, body: dict[str, Any]) -> str | None:
        hook = AsyncWebhookClient(spoken.response_url or "", session=self._client.session, retry_handlers=[])
        hook.proxy = self._client.proxy  # the way out that the client uses, not what the environment says
        try:
            async with asyncio.timeout(_TELL_WITHIN.total_seconds()):
                answer = await hook.send_dict(body)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return type(error).__name__
        return None if answer.status_code == 200 else f"Slack answered {answer.status_code}"
