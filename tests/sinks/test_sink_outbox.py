"""Store, outbox and real sinks together, against a simulated Slack and a real receiver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random

import aiohttp
import pytest
from aiohttp import web
from clocks import Clock
from receivers import Receiver, receiver
from samples import creating, running
from slack_sdk.web.async_client import AsyncWebClient
from standardwebhooks import Webhook

from bot.audience import SLACK
from bot.deliveries import Deliveries, Sinks
from bot.receivers import Receivers
from bot.sandbox.slack.faults import DropReply, ErrorCode
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from bot.sinks.slack import SlackSink
from bot.sinks.slack_pace import SlackPace
from bot.sinks.webhook import WebhookSink
from storage.database import migrate, open_database
from storage.records import DeliveryState, EventKind, NewCard, NewEvent, State, Target, TargetKind
from storage.store.finding import Find
from storage.store.store import make_store

SECRET = "a secret of this test"


class Outbox:
    def __init__(self, store, slack, hook: Receiver, sinks: Sinks, clock: Clock) -> None:
        self.sinks = sinks
        self.store, self.slack, self.hook, self.clock = store, slack, hook, clock
        self.deliveries = Deliveries(store=store, sinks=sinks, clock=clock, rng=Random(1), retries=9)

    async def happens(self, *, channel="C0GPU", response_url=None) -> str:
        """Somebody's instance is ready."""
        instance = creating(requester="U0ADA", channel=channel)
        await self.store.instances.add(
            instance,
            key=None,
            event=NewEvent(kind=EventKind.READY, at=self.clock.now, elapsed=timedelta(seconds=75)),
            card=NewCard(channel=channel, response_url=response_url),
            unique_name=True,
            targets=(SLACK, Target(kind=TargetKind.WEBHOOK, address=self.hook.url)),
        )
        return instance.id

    async def goes_on(self) -> None:
        """Its next event: it stopped."""
        (leased,) = await self.store.instances.lease_due(1)
        assert await self.store.instances.settle(
            leased,
            running(id=leased.instance.id, state=State.STOPPED),
            event=NewEvent(kind=EventKind.STOPPED, at=self.clock.now),
            targets=(Target(kind=TargetKind.WEBHOOK, address=self.hook.url),),
            due_at=None,
        )

    async def another(self, number: int, state: State) -> None:
        """One of many, with its card and nothing to tell."""
        instance = creating(id=f"abcdef{number:010}", name=f"my-train-{number}", state=state, channel="C0GPU")
        event = NewEvent(kind=EventKind.REQUESTED, at=self.clock.now)
        card = NewCard(channel="C0GPU")
        await self.store.instances.add(instance, key=None, event=event, card=card, unique_name=False)

    async def becomes(self, number: int, state: State) -> None:
        await self.store.instances.wish(
            Find(ref=f"abcdef{number:010}"),
            key=None,
            decide=lambda before: (replace(before, state=state), None),
        )

    def told(self) -> list[int]:
        """The sequence numbers of what came to the webhook since it was last asked."""
        came = [json.loads(each.body)["sequence"] for each in self.hook.received]
        self.hook.received.clear()
        return came

    async def run(self) -> None:
        await self.deliveries.deliver_once()
        async with asyncio.timeout(30):
            await self.deliveries.idle()

    async def states(self) -> set[DeliveryState]:
        rows, _ = await self.store.deliveries.list_deliveries()
        return {row.state for row in rows}

    def messages(self, channel="C0GPU"):
        return self.slack.workspace.board.history(channel)


@pytest.fixture
async def outbox(tmp_path):
    clock = Clock()
    url = f"sqlite:///{tmp_path}/bot.db"
    await migrate(url)
    database = await open_database(url)
    slack = SlackServer(Workspace(clock=clock))
    await slack.start()
    webhook = WebhookSink(
        secret=SECRET,
        trusted=None,
        receivers=Receivers(["127.0.0.1"]),
        timeout=timedelta(seconds=5),
        user_agent="test",
        clock=clock,
    )
    await webhook.start()
    async with aiohttp.ClientSession() as session, receiver() as hook:
        client = AsyncWebClient(
            token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], session=session
        )
        pace = SlackPace(clock, edits_per_minute=60_000, posts_per_minute=60_000)
        sinks = Sinks(webhook=webhook, slack=SlackSink(client, clock=clock, pace=pace))
        yield Outbox(make_store(database, clock), slack, hook, sinks, clock)
    await webhook.aclose()
    await slack.close()
    await database.close()


async def test_everybody_is_told_once(outbox):
    await outbox.happens()
    await outbox.run()
    card, notice = outbox.messages()
    (received,) = outbox.hook.received
    assert notice.thread_ts == card.ts
    assert "<@U0ADA>" in notice.text
    assert "my-train" in card.words
    assert b'"event":"instance.ready"' in received.body
    assert await outbox.states() == {DeliveryState.DELIVERED}
    assert outbox.slack.violations == []


async def test_what_is_sent_has_the_events_own_id(outbox):
    await outbox.happens()
    await outbox.run()
    (received,) = outbox.hook.received
    rows, _ = await outbox.store.deliveries.list_deliveries()
    assert {row.event.id for row in rows} == {received.headers["webhook-id"]}
    signed = Webhook(SECRET.encode()).sign(
        received.headers["webhook-id"], outbox.clock.now, received.body.decode()
    )
    assert received.headers["webhook-signature"] == signed


async def test_where_the_bot_is_not_in_the_channel_card_and_notice_go_to_the_requester(outbox):
    url = f"{outbox.slack.url}/{outbox.slack.workspace.response_urls.issue('U0ADA', 'C0RANDOM')}"
    instance_id = await outbox.happens(channel="C0RANDOM", response_url=url)
    await outbox.run()
    stored = await outbox.store.cards.get(instance_id)
    card, notice = outbox.messages(stored.channel)
    assert (stored.ts, notice.thread_ts) == (card.ts, card.ts)
    assert stored.response_url is None
    assert len(outbox.slack.journal.calls("response_url")) == 1
    assert outbox.messages("C0RANDOM") == []


async def test_a_card_that_was_deleted_comes_back_once(outbox):
    instance_id = await outbox.happens()
    await outbox.run()
    card, _ = outbox.messages()
    outbox.slack.workspace.delete(card)
    await outbox.store.polls.delay(outbox.clock.now)  # something that cards show
    outbox.clock.advance(5)
    await outbox.run()
    _, again = outbox.messages()
    assert (await outbox.store.cards.get(instance_id)).ts == again.ts


async def test_a_lost_answer_may_repeat_the_card_and_never_loses_it(outbox):
    outbox.slack.fail("chat.postMessage", DropReply())
    instance_id = await outbox.happens()
    await outbox.run()
    outbox.clock.advance(2)
    await outbox.run()
    first, second, notice = outbox.messages()
    assert (await outbox.store.cards.get(instance_id)).ts == second.ts == notice.thread_ts
    assert first.ts != second.ts


async def test_a_dead_slack_does_not_delay_the_webhook(outbox):
    outbox.slack.fail("chat.postMessage", ErrorCode("token_revoked"), times=5)
    await outbox.happens()
    await outbox.run()
    assert len(outbox.hook.received) == 1
    assert await outbox.states() == {DeliveryState.DELIVERED, DeliveryState.PENDING}


# a webhook's receiver in trouble


@asynccontextmanager
async def down(hook: Receiver) -> AsyncIterator[None]:
    await hook.stop()
    yield
    await hook.start()


def answering(status: int, **headers: str):
    @asynccontextmanager
    async def trouble(hook: Receiver) -> AsyncIterator[None]:
        hook.status, hook.headers = status, {name.replace("_", "-"): value for name, value in headers.items()}
        yield
        hook.status, hook.headers = 200, {}

    return trouble


@asynccontextmanager
async def hanging(hook: Receiver) -> AsyncIterator[None]:
    over = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    hook.answer = hang
    yield
    over.set()
    hook.answer = None


@asynccontextmanager
async def dropping(hook: Receiver) -> AsyncIterator[None]:
    async def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 200 O")
        request.transport.close()
        return web.Response()

    hook.answer = drop
    yield
    hook.answer = None


TROUBLES = {
    "down": down,
    "500": answering(500),
    "429": answering(429, Retry_After="240"),
    "301": answering(301, Location="https://hooks.example/"),
    "hanging": hanging,
    "dropping": dropping,
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
async def test_a_receiver_in_trouble_is_told_everything_later_in_order_and_once(outbox, monkeypatch, trouble):
    monkeypatch.setattr(outbox.sinks.webhook, "_timeout", timedelta(seconds=0.3))
    await outbox.happens()
    await outbox.goes_on()
    async with trouble(outbox.hook):
        await outbox.run()
        assert set(outbox.told()) <= {1}
        outbox.clock.advance(6)  # the first pause, unless the receiver said when
        await outbox.run()
        tried_again = outbox.told()
    assert outbox.hook.status == 200
    assert tried_again == ([] if trouble in {TROUBLES["429"], down} else [1])
    outbox.clock.advance(360)  # the second pause
    await outbox.run()
    assert outbox.told() == [1, 2]
    assert await outbox.states() == {DeliveryState.DELIVERED}
    outbox.clock.advance(24 * 3600)
    await outbox.run()
    assert outbox.told() == []


async def test_a_receiver_that_wants_no_more_is_told_no_more(outbox):
    await outbox.happens()
    async with answering(410)(outbox.hook):
        await outbox.run()
    await outbox.goes_on()
    await outbox.run()
    outbox.clock.advance(24 * 3600)
    await outbox.run()
    assert outbox.told() == [1]
    rows, _ = await outbox.store.deliveries.list_deliveries()
    hooks = [row.state for row in rows if row.target.kind is TargetKind.WEBHOOK]
    assert hooks == [DeliveryState.DEAD] * 2


@pytest.mark.slow
async def test_of_two_hundred_edits_those_of_final_states_come_first_and_slack_refuses_none(outbox):
    """At Slack's proportions, sixty times as fast: a second here is a minute there."""
    for number in range(200):
        await outbox.another(number, State.STARTING)
    await outbox.run()
    for number in range(200):
        await outbox.becomes(number, State.RUNNING if number >= 180 else State.STOPPING)
    outbox.clock.advance(10)
    outbox.sinks.slack._pace = SlackPace(outbox.clock, minute=1)
    began = asyncio.get_running_loop().time()
    await outbox.run()
    took = asyncio.get_running_loop().time() - began
    edited = [call.arguments["metadata"] for call in outbox.slack.journal.calls("chat.update")]
    first = [metadata["event_payload"]["instance_id"] for metadata in edited[:20]]
    assert {int(instance_id[6:]) for instance_id in first} == set(range(180, 200))
    assert len(edited) == 200
    assert took >= 200 / 50, "more than 50 a minute"
    assert not [call for call in outbox.slack.journal.calls("chat.update") if call.error]
