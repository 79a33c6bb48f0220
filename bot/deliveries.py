"""The outbox at work: leases what is due, hands it to its sink once, settles.

```
cards       lease_due   ─► SlackSink.show_card    ─► settle: shown | lost | due again | left as it is
homes       lease_homes ─► SlackSink.publish_home ─► settle: shown | due again | left as it is
deliveries  lease_due   ─► SlackSink.post_notice  ─► settle: delivered | due again | dead
                        ├► SlackSink.post_direct  ─┤
                        └► WebhookSink.send       ─┘   (410 or 120 h of failures: the target is disabled)
```

At least once: a process that dies, or is cancelled, between a sink's success and its settling leaves the row
leased; when the lease lapses it is sent again, with the same id. A lost lease writes nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar, assert_never

import structlog

from bot import trail
from bot.homes import Homes
from bot.messages.home import home
from bot.metrics import Metrics
from bot.settlements import Settlements
from bot.sinks.slack import SlackSink
from bot.sinks.verdicts import WORDS, CardVerdict, Later, Verdict
from bot.sinks.webhook import WebhookSink
from bot.usual import UsualStarts
from bot.workers import Workers
from storage.errors import DatabaseUnavailable, Unreadable
from storage.records import Notify, TargetKind
from storage.store.cards import LeasedCard
from storage.store.deliveries import LeasedDelivery
from storage.store.people import LeasedHome
from storage.store.store import Store

log = structlog.get_logger(__name__)

_CARDS_AT_ONCE = 4
"""Few: the most urgent are leased first, and what waits for its turn in the sink cannot be overtaken."""
_HOMES_AT_ONCE = 4
_SENDS_AT_ONCE = 200
"""Many: most of them only wait, and the store leases few per target, so that a silent one takes little."""
_LOOK_AGAIN_AFTER = 0.02
"""Seconds between the end of a send and the next look for due rows, so that many ends make one look."""
_AFTER_A_FAULT = timedelta(seconds=30)
_NO_DATABASE = Later(reason="the database does not work")
"""Told once, by itself; what could not be handed over for it is due again after a pause. What a later version
has written to meanwhile is due again when the lease lapses."""
_NOTED_AGAIN_AFTER = 1.0
"""Seconds between two tries to note what was done, while the database is away."""
_NO_SLACK = Later(reason="Slack is not configured", after=timedelta(hours=1))

T = TypeVar("T")
R = TypeVar("R", LeasedCard, LeasedHome, LeasedDelivery)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinks:
    webhook: WebhookSink
    slack: SlackSink | None
    """None: not configured. Cards and Home tabs wait, and so do notices of a time when it was."""


class Deliveries:
    def __init__(  # noqa: PLR0913 - the one place where these meet
        self,
        *,
        store: Store,
        sinks: Sinks,
        clock: Callable[[], datetime],
        rng: Random,
        retries: int,
        usual: UsualStarts | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`retries`: of a webhook, after the first try. `usual`: None: its own."""
        self._store = store
        self._sinks = sinks
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._settlements = Settlements(
            store=store, clock=clock, rng=rng, retries=retries, metrics=self._metrics
        )
        self._usual = usual or UsualStarts(store, clock=clock)
        self._home_facts = Homes(store, clock=clock)
        self._cards = Workers(_CARDS_AT_ONCE)
        self._homes = Workers(_HOMES_AT_ONCE)
        self._sends = Workers(_SENDS_AT_ONCE)
        self._leasing = asyncio.Lock()
        self._stopping = False
        self._ended = False
        self._looking: asyncio.Task[None] | None = None

    async def deliver_once(self) -> int:
        """Start a send for each due row; how many were started.

        Does not wait for them: each that ends makes us look again, so that a slow receiver delays nobody.
        """
        async with self._leasing:
            started = 0
            if (slack := self._sinks.slack) is not None:
                show, publish = partial(self._show, slack), partial(self._publish, slack)
                started += await self._start(self._cards, self._store.cards.lease_due, show)
                started += await self._start(self._homes, self._store.people.lease_homes, publish)
            return started + await self._start(self._sends, self._store.deliveries.lease_due, self._send)

    def in_flight(self) -> dict[str, float]:
        at_work = {"card": self._cards, "home": self._homes, "delivery": self._sends}
        return {kind: len(workers.tokens()) for kind, workers in at_work.items()}

    async def renew(self) -> None:
        """The leases of what is in flight."""
        if cards := self._cards.tokens():
            await self._store.cards.renew(cards)
        if homes := self._homes.tokens():
            await self._store.people.renew(homes)
        if sends := self._sends.tokens():
            await self._store.deliveries.renew(sends)

    async def idle(self) -> None:
        """Returns when nothing is in flight and nothing more is due."""
        while self._is_looking() or any(self.in_flight().values()):
            for workers in (self._cards, self._homes, self._sends):
                await workers.idle()
            await self._looked()

    async def drain(self, within: timedelta) -> None:
        """For the end of the service: nothing is begun any more, what is in flight has so long to end.

        What takes longer is cancelled and stays leased: it is sent again when its lease lapses.
        """
        self._stopping = True
        async with self._leasing:
            pass  # what is being leased just now is in flight then
        await asyncio.gather(*(workers.drain(within) for workers in (self._cards, self._homes, self._sends)))
        await self._looked()

    async def _start(
        self,
        workers: Workers,
        lease_due: Callable[[int, Collection[str]], Awaitable[tuple[R, ...]]],
        work: Callable[[R], Any],
    ) -> int:
        started = 0
        while workers.free and not self._stopping:
            leased = await lease_due(workers.free, workers.tokens())
            for row in leased:
                workers.start(_about(row, work(row)), token=row.token)
                await asyncio.sleep(0)  # each begins in a turn of the loop of its own: together they keep it
            if not leased:
                break
            started += len(leased)
        return started

    async def _show(self, slack: SlackSink, row: LeasedCard) -> None:
        verdict = await _guarded(self._show_now(slack, row))
        self._metrics.attempted("card", WORDS[type(verdict)])
        await _guarded(_noted(lambda: self._settlements.settle_card(row, verdict)))
        self._look_again()

    async def _show_now(self, slack: SlackSink, row: LeasedCard) -> CardVerdict:
        usual = await self._usual.of(row.instance)
        return await slack.show_card(row.card, row.instance, self._clock(), usual=usual)

    async def _publish(self, slack: SlackSink, row: LeasedHome) -> None:
        verdict = await _guarded(self._publish_now(slack, row))
        self._metrics.attempted("home", WORDS[type(verdict)])
        await _guarded(_noted(lambda: self._settlements.settle_home(row, verdict)))
        self._look_again()

    async def _publish_now(self, slack: SlackSink, row: LeasedHome) -> Verdict:
        facts = await self._home_facts.facts(row.user_id, row.notify)
        return await slack.publish_home(row.user_id, home(facts))

    async def _send(self, row: LeasedDelivery) -> None:
        delivery_id = row.delivery.id
        verdict = await _guarded(self._hand_over(row), delivery=delivery_id)
        self._metrics.attempted(row.delivery.target.kind, WORDS[type(verdict)])
        await _guarded(_noted(lambda: self._settlements.settle(row, verdict)), delivery=delivery_id)
        self._look_again()

    async def _hand_over(self, row: LeasedDelivery) -> Verdict:
        match row.delivery.target.kind:
            case TargetKind.WEBHOOK:
                return await self._sinks.webhook.send(row.delivery)
            case TargetKind.NOTICE:
                if self._sinks.slack is None:
                    return _NO_SLACK
                uncalled = await self._uncalled(row)
                return await self._sinks.slack.post_notice(row.delivery, row.card, uncalled=uncalled)
            case TargetKind.DIRECT:
                if self._sinks.slack is None:
                    return _NO_SLACK
                return await self._sinks.slack.post_direct(row.delivery, row.card)
            case _:
                assert_never(row.delivery.target.kind)

    async def _uncalled(self, row: LeasedDelivery) -> frozenset[str]:
        """Who is not to be mentioned in the thread: who wants no calls, and who is called directly instead.

        By what was written with the event, so that a choice that changes meanwhile loses no call.
        """
        event, requester = row.delivery.event, row.delivery.event.instance.requester
        people = {person for person in (requester, event.fact.actor) if person is not None}
        chosen = await self._store.people.notify(people)
        uncalled = {user_id for user_id, notify in chosen.items() if notify is Notify.QUIET}
        in_direct_messages = row.card is not None and row.card.channel.startswith("D")
        if requester is not None and chosen[requester] is not Notify.BOTH and not in_direct_messages:
            uncalled |= {requester} if await self._store.deliveries.is_told_directly(event.id) else set()
        return frozenset(uncalled)

    def _look_again(self) -> None:
        """Soon, in a task of its own: whoever asks still holds a place among those at work."""
        self._ended = True
        if not self._is_looking():
            self._looking = asyncio.create_task(self._look())

    def _is_looking(self) -> bool:
        return self._looking is not None and not self._looking.done()

    async def _look(self) -> None:
        structlog.contextvars.clear_contextvars()  # of the row whose end made us look
        while self._ended:
            await asyncio.sleep(_LOOK_AGAIN_AFTER)
            self._ended = False
            await _guarded(self.deliver_once())

    async def _looked(self) -> None:
        if self._looking is not None:
            await asyncio.wait([self._looking])


async def _guarded(work: Awaitable[T], **row: str) -> T | Later:
    """One bad row never stops the rest."""
    try:
        return await work
    except (DatabaseUnavailable, Unreadable):
        return _NO_DATABASE
    except Exception:
        reference = uuid.uuid4().hex[:8]
        log.exception("delivery.broken", reference=reference, **row)
        return Later(reason=f"an error of ours; the log has it as {reference}", after=_AFTER_A_FAULT)


async def _noted(settle: Callable[[], Awaitable[None]]) -> None:
    """Tried until the database takes it, or the service ends.

    What was done and not noted would be done again. And where another one had taken over meanwhile, nobody
    else knows that the old was put over the new.
    """
    while True:
        try:
            return await settle()
        except DatabaseUnavailable:
            await asyncio.sleep(_NOTED_AGAIN_AFTER)


def _about(
    row: LeasedCard | LeasedHome | LeasedDelivery, work: Coroutine[Any, Any, T]
) -> Coroutine[Any, Any, T]:
    """With the instance's ids on its log lines, where it is about one."""
    match row:
        case LeasedHome():
            return work
        case LeasedCard(instance=instance):
            return trail.lines_about(instance, work)
        case LeasedDelivery(delivery=delivery):
            return trail.lines_about(delivery.event.instance, work)
        case _:
            assert_never(row)
