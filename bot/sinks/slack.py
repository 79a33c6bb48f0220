"""Tells people in Slack: one card per instance, edited in place, and notices in its thread.

Slack has no idempotency key, so a post whose answer was lost is made again: told twice is a nuisance, while
what was never told may be a GPU that bills unseen. An edit may be repeated as often as one likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, assert_never

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.messages.answers import not_in_channel
from bot.messages.card import card as render_card
from bot.messages.notices import direct_notice, notice
from bot.sinks.health import Health
from bot.sinks.slack_answers import NEEDS_A_HAND, Call, Refused, Unavailable, Why, answer_of
from bot.sinks.slack_pace import EDITS, HOMES, OPENINGS, PERMALINKS, SlackPace
from bot.sinks.verdicts import CardVerdict, Dead, Delivered, Later, Lost, Shown, Verdict
from storage.records import Card, Delivery, Event, Instance

log = structlog.get_logger(__name__)

Message = Mapping[str, Any]
"""`text` and `blocks`."""
Marks = dict[str, Any]
"""Slack's message metadata."""

_LONGEST_PLAIN_TEXT = 3000
"""chat.update refuses more than 4000."""


class SlackSink:
    """Raises nothing that Slack can cause. `client` has no retry handlers: the outbox tries again."""

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        clock: Callable[[], datetime],
        pace: SlackPace | None = None,
        timeout: timedelta = timedelta(seconds=15),
    ) -> None:
        """`timeout`: of one call, without the wait for our turn."""
        self._client = client
        self._clock = clock
        self._pace = pace or SlackPace(clock)
        self._timeout = timeout
        self._health = Health("slack", clock)

    @property
    def unhealthy_since(self) -> datetime | None:
        """None: the latest call was answered, if only with a refusal that is about the message."""
        return self._health.unhealthy_since

    async def show_card(
        self, card: Card, instance: Instance, now: datetime, *, usual: timedelta | None = None
    ) -> CardVerdict:
        """`Shown.channel` is another one where the card had to go to the requester's direct messages.

        `usual`: how long such a GPU takes until it is ready.
        """
        try:
            return await self._show(card, instance, render_card(instance, now=now, usual=usual))
        except (Refused, Unavailable) as trouble:
            return _verdict(trouble)

    async def post_notice(
        self, delivery: Delivery, card: Card | None, *, uncalled: frozenset[str] = frozenset()
    ) -> Verdict:
        """In the thread of the card; without it, in the channel; without that, to the requester.

        `uncalled`: people who are not to be mentioned.
        """
        event = delivery.event
        channel = card.channel if card else event.instance.channel
        if channel is None:
            return Dead(reason="there is no channel for it")
        try:
            await self._tell(event, notice(event, uncalled=uncalled), channel, card.ts if card else None)
        except (Refused, Unavailable) as trouble:
            return _verdict(trouble)
        return Delivered(status_code=200)

    async def post_direct(self, delivery: Delivery, card: Card | None) -> Verdict:
        """To who chose direct messages, unless the card and its thread are there anyway."""
        event = delivery.event
        try:
            channel = await self._open_direct(delivery.target.address)
            if card is None or card.channel != channel:
                told = direct_notice(event, permalink=await self._way_to(card))
                await self._post(channel, told, _marks(event.instance_id, event_id=event.id))
        except (Refused, Unavailable) as trouble:
            return _verdict(trouble)
        return Delivered(status_code=200)

    async def publish_home(self, user_id: str, view: Mapping[str, Any]) -> Verdict:
        try:
            await self._call(HOMES, lambda: self._client.views_publish(user_id=user_id, view=dict(view)))
        except (Refused, Unavailable) as trouble:
            return _verdict(trouble)
        return Delivered(status_code=200)

    async def tell_person(self, user_id: str, message: Message, *, novita_id: str) -> Verdict:
        """Directly, about a GPU that is no instance of ours."""
        marks = {"event_type": "gpu_unknown", "event_payload": {"novita_id": novita_id}}
        try:
            await self._post(await self._open_direct(user_id), message, marks)
        except (Refused, Unavailable) as trouble:
            return _verdict(trouble)
        return Delivered(status_code=200)

    async def _show(self, card: Card, instance: Instance, message: Message) -> CardVerdict:
        try:
            if card.ts is None:
                return await self._post_card(card.channel, instance, message)
            return await self._edit_card(card.channel, card.ts, instance, message)
        except Refused as refusal:
            if refusal.why is Why.NO_MESSAGE and card.ts is not None:
                return Lost()
            if refusal.why is not Why.UNREACHABLE or instance.requester is None:
                raise
        return await self._move_card(card, instance, instance.requester, message)

    async def _post_card(self, channel: str, instance: Instance, message: Message) -> Shown:
        return _shown(await self._post(channel, message, _marks(instance.id)))

    async def _edit_card(self, channel: str, ts: str, instance: Instance, message: Message) -> Shown:
        async def edit(**content: Any) -> AsyncSlackResponse:
            return await self._call(
                EDITS, lambda: self._client.chat_update(channel=channel, ts=ts, **content)
            )

        return _shown(await _say(edit, message, _marks(instance.id)))

    async def _move_card(self, card: Card, instance: Instance, requester: str, message: Message) -> Shown:
        shown = await self._post_card(await self._open_direct(requester), instance, message)
        if card.response_url is not None and card.ts is None:
            await self._explain(card.response_url, card.channel)
        return shown

    async def _tell(self, event: Event, message: Message, channel: str, thread_ts: str | None) -> None:
        marks = _marks(event.instance_id, event_id=event.id)
        try:
            await self._post_in_thread(channel, message, marks, thread_ts)
        except Refused as refusal:
            if refusal.why is not Why.UNREACHABLE or event.instance.requester is None:
                raise
            await self._post(await self._open_direct(event.instance.requester), message, marks)

    async def _post_in_thread(
        self, channel: str, message: Message, marks: Marks, thread_ts: str | None
    ) -> None:
        try:
            await self._post(channel, message, marks, thread_ts=thread_ts)
        except Refused as refusal:
            if refusal.why is not Why.NO_MESSAGE or thread_ts is None:
                raise
            await self._post(channel, message, marks)

    async def _post(
        self, channel: str, message: Message, marks: Marks, *, thread_ts: str | None = None
    ) -> AsyncSlackResponse:
        async def post(**content: Any) -> AsyncSlackResponse:
            return await self._call(
                channel,
                lambda: self._client.chat_postMessage(
                    channel=channel, thread_ts=thread_ts, unfurl_links=False, unfurl_media=False, **content
                ),
            )

        return await _say(post, message, marks)

    async def _open_direct(self, user: str) -> str:
        """The id of the conversation: chat.update takes no user's id."""
        answer = await self._call(OPENINGS, lambda: self._client.conversations_open(users=user))
        return _text(answer.get("channel") or {}, "id")

    async def _call(self, key: str, call: Call) -> AsyncSlackResponse:
        await self._pace.turn(key)
        try:
            answer = await answer_of(call, now=self._clock(), timeout=self._timeout)
        except Refused as refusal:
            self._note(None if refusal.why is not Why.CREDENTIALS else refusal.code)
            raise
        except Unavailable as trouble:
            if trouble.after is not None:
                self._pace.hold(key, trouble.after)
            else:
                self._note(trouble.reason)
            raise
        self._note(None)
        return answer

    def _note(self, trouble: str | None) -> None:
        if trouble is None:
            self._health.answered()
        else:
            self._health.failed(trouble)

    async def _explain(self, response_url: str, channel: str) -> None:
        """How to invite the bot, to whoever typed the command. Tried once: the card itself has arrived."""
        message = not_in_channel(channel, bot=await self._own_id())
        hook = AsyncWebhookClient(response_url, session=self._client.session, retry_handlers=[])
        hook.proxy = self._client.proxy  # the way out that the client uses, not what the environment says
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await hook.send(text=message["text"], blocks=message["blocks"], response_type="ephemeral")
        except (aiohttp.ClientError, OSError) as error:
            log.warning("invitation.lost", why=type(error).__name__)

    async def _way_to(self, card: Card | None) -> str | None:
        """The address of its thread. Asked once: the news itself is worth more."""
        if card is None or card.ts is None:
            return None
        channel, ts = card.channel, card.ts
        try:
            answer = await self._call(
                PERMALINKS, lambda: self._client.chat_getPermalink(channel=channel, message_ts=ts)
            )
            return _text(answer, "permalink")
        except (Refused, Unavailable):
            return None

    async def _own_id(self) -> str | None:
        """Who is to be invited. Asked when needed, which is seldom; None where Slack does not say."""
        try:
            answer = await answer_of(self._client.auth_test, now=self._clock(), timeout=self._timeout)
            return _text(answer, "user_id")
        except (Refused, Unavailable):
            return None


async def _say(
    send: Callable[..., Awaitable[AsyncSlackResponse]], message: Message, marks: Marks
) -> AsyncSlackResponse:
    """Never lost because of its looks: what Slack does not want to render goes as plain text, once."""
    try:
        return await send(text=message["text"], blocks=message["blocks"], metadata=marks)
    except Refused as refusal:
        if refusal.why is not Why.LOOKS:
            raise
        log.warning("looks.refused", code=refusal.code, details=refusal.details)
        return await send(text=message["text"][:_LONGEST_PLAIN_TEXT], blocks=[])


def _marks(instance_id: str, **more: str) -> Marks:
    """By which a program, or we after a restore, can tell what a message is about."""
    return {"event_type": "gpu_instance", "event_payload": {"instance_id": instance_id, **more}}


def _shown(answer: AsyncSlackResponse) -> Shown:
    return Shown(channel=_text(answer, "channel"), ts=_text(answer, "ts"))


def _text(answer: AsyncSlackResponse | Mapping[str, Any], field: str) -> str:
    value = answer.get(field)
    if not isinstance(value, str):
        raise Unavailable(f"Slack's answer has no {field}")
    return value


def _verdict(trouble: Refused | Unavailable) -> Later | Dead:
    if isinstance(trouble, Unavailable):
        return Later(reason=trouble.reason, status_code=trouble.status_code, after=trouble.after)
    match trouble.why:
        case Why.UNREACHABLE | Why.CREDENTIALS:
            return Later(reason=trouble.code, after=NEEDS_A_HAND)
        case Why.NOT_EDITABLE | Why.LOOKS | Why.NOBODY:
            return Dead(reason=trouble.code)
        case Why.NO_MESSAGE | Why.PASSING:
            return Later(reason=trouble.code)
        case _:
            assert_never(trouble.why)
