"""The outbox at work: leases what is due, hands it to its sink once, settles.

```
cards       lease_due ─► SlackSink.show_card    ─► settle: shown | lost | due again | left as it is
deliveries  lease_due ─► SlackSink.post_notice  ─► settle: delivered | due again | dead
                      └► WebhookSink.send       ─┘         (410 or 120 h of failures: the target is disabled)
```

At least once: a process that dies, or is cancelled, between a sink's success and its settling leaves the row
leased; when the lease lapses it is sent again, with the same id. A lost lease writes nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Protocol, TypeVar, assert_never

import structlog

from bot.audience import targets
from bot.schedule import next_attempt, next_slack_attempt
from bot.sinks.slack import SlackSink
from bot.sinks.verdicts import CardVerdict, Dead, Delivered, Gone, Later, Lost, Shown, Verdict
from bot.sinks.webhook import WebhookSink, origin
from bot.workers import Workers
from storage.records import Delivery, EventKind, NewEvent, TargetKind
from storage.store.cards import LeasedCard
from storage.store.deliveries import LeasedDelivery
from storage.store.store import Store
from storage.store.targets import Telling

log = structlog.get_logger(__name__)

DISABLE_AFTER = timedelta(hours=120)
"""Of nothing but failures, over all events of a target."""

_CARDS_AT_ONCE = 4
"""Few: the most urgent are leased first, and what waits for its turn in the sink cannot be overtaken."""
_SENDS_AT_ONCE = 200
"""Many: most of them only wait, and the store leases few per target, so that a silent one takes little."""
_LOOK_AGAIN_AFTER = 0.02
"""Seconds between the end of a send and the next look for due rows, so that many ends make one look."""
_AFTER_A_FAULT = timedelta(seconds=30)
_NO_SLACK = Later(reason="Slack is not configured", after=timedelta(hours=1))

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinks:
    webhook: WebhookSink
    slack: SlackSink | None
    """None: not configured. Cards wait, and so do notices of a time when it was."""


class _Row(Protocol):
    @property
    def token(self) -> str: ...


R = TypeVar("R", bound=_Row)


class Deliveries:
    def __init__(
        self,
        *,
        store: Store,
        sinks: Sinks,
        clock: Callable[[], datetime],
        rng: Random,
        retries: int,
    ) -> None:
        """`retries`: of a webhook, after the first try."""
        self._store = store
        self._sinks = sinks
        self._clock = clock
        self._rng = rng
        self._retries = retries
        self._cards = Workers(_CARDS_AT_ONCE)
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
            cards = 0
            if self._sinks.slack is not None:
                show = partial(self._show, self._sinks.slack)
                cards = await self._start(self._cards, self._store.cards.lease_due, show)
            return cards + await self._start(self._sends, self._store.deliveries.lease_due, self._send)

    async def renew(self) -> None:
        """The leases of what is in flight."""
        if cards := self._cards.tokens():
            await self._store.cards.renew(cards)
        if sends := self._sends.tokens():
            await self._store.deliveries.renew(sends)

    async def idle(self) -> None:
        """Returns when nothing is in flight and nothing more is due."""
        while self._is_looking() or self._cards.tokens() or self._sends.tokens():
            await self._cards.idle()
            await self._sends.idle()
            await self._looked()

    async def drain(self, within: timedelta) -> None:
        """For the end of the service: nothing is begun any more, what is in flight has so long to end.

        What takes longer is cancelled and stays leased: it is sent again when its lease lapses.
        """
        self._stopping = True
        async with self._leasing:
            pass  # what is being leased just now is in flight then
        await asyncio.gather(self._cards.drain(within), self._sends.drain(within))
        await self._looked()

    async def _start(
        self,
        workers: Workers,
        lease_due: Callable[[int], Awaitable[tuple[R, ...]]],
        work: Callable[[R], Any],
    ) -> int:
        started = 0
        while workers.free and not self._stopping:
            leased = await lease_due(workers.free)
            for row in leased:
                workers.start(work(row), token=row.token)
            if not leased:
                break
            started += len(leased)
        return started

    async def _show(self, slack: SlackSink, row: LeasedCard) -> None:
        instance_id = row.card.instance_id
        showing = slack.show_card(row.card, row.instance, self._clock())
        verdict = await _guarded(showing, instance=instance_id)
        await _guarded(self._settle_card(row, verdict), instance=instance_id)
        self._look_again()

    async def _settle_card(self, row: LeasedCard, verdict: CardVerdict) -> None:
        match verdict:
            case Shown(channel=channel, ts=ts):
                version = row.card.wanted_version
                await self._store.cards.settle(row, shown_version=version, channel=channel, ts=ts)
            case Lost():
                await self._store.cards.lost(row)
            case Later(after=after, reason=reason):
                pause = next_slack_attempt(row.card.attempts + 1, retry_after=after, rng=self._rng)
                if pause is None:
                    await self._leave_card(row, reason)
                else:
                    await self._store.cards.later(row, self._clock() + pause)
            case Dead(reason=reason):
                await self._leave_card(row, reason)
            case _:
                assert_never(verdict)

    async def _leave_card(self, row: LeasedCard, reason: str) -> None:
        """As it is until the instance changes again; its notices go their own way."""
        log.warning("card.left", instance=row.card.instance_id, reason=reason)
        await self._store.cards.settle(row, shown_version=row.card.wanted_version)

    async def _send(self, row: LeasedDelivery) -> None:
        delivery_id = row.delivery.id
        verdict = await _guarded(self._hand_over(row), delivery=delivery_id)
        await _guarded(self._settle(row, verdict), delivery=delivery_id)
        self._look_again()

    async def _hand_over(self, row: LeasedDelivery) -> Verdict:
        match row.delivery.target.kind:
            case TargetKind.WEBHOOK:
                return await self._sinks.webhook.send(row.delivery)
            case TargetKind.NOTICE:
                if self._sinks.slack is None:
                    return _NO_SLACK
                return await self._sinks.slack.post_notice(row.delivery, row.card)
            case _:
                assert_never(row.delivery.target.kind)

    async def _settle(self, row: LeasedDelivery, verdict: Verdict) -> None:
        match verdict:
            case Delivered(status_code=status_code):
                await self._store.deliveries.settle_delivered(row, status_code)
            case Later():
                if await self._settle_later(row, verdict):
                    await self._disable_if_long_failing(row)
            case Dead(status_code=status_code, reason=reason):
                await self._settle_dead(row, status_code, reason)
            case Gone(status_code=status_code, reason=reason):
                if await self._settle_dead(row, status_code, reason):
                    await self._disable(row.delivery, reason)
            case _:
                assert_never(verdict)

    async def _settle_later(self, row: LeasedDelivery, verdict: Later) -> bool:
        pause = self._pause(row.delivery, verdict.after)
        if pause is None:
            return await self._settle_dead(row, verdict.status_code, verdict.reason)
        at = self._clock() + pause
        return await self._store.deliveries.settle_later(row, at, verdict.status_code, verdict.reason)

    def _pause(self, delivery: Delivery, after: timedelta | None) -> timedelta | None:
        made = delivery.attempts + 1
        match delivery.target.kind:
            case TargetKind.WEBHOOK:
                return next_attempt(made, retries=self._retries, retry_after=after, rng=self._rng)
            case TargetKind.NOTICE:
                return next_slack_attempt(made, retry_after=after, rng=self._rng)
            case _:
                assert_never(delivery.target.kind)

    async def _settle_dead(self, row: LeasedDelivery, status_code: int | None, reason: str) -> bool:
        if not await self._store.deliveries.settle_dead(row, status_code, reason):
            return False
        target = _shown_target(row.delivery)
        log.warning("delivery.dead", delivery=row.delivery.id, target=target, reason=reason)
        return True

    async def _disable_if_long_failing(self, row: LeasedDelivery) -> None:
        since = row.failing_since
        if since is not None and self._clock() - since >= DISABLE_AFTER:
            await self._disable(row.delivery, f"nothing but failures since {since:%Y-%m-%d %H:%M} UTC")

    async def _disable(self, delivery: Delivery, reason: str) -> None:
        told = _disabled(delivery, reason, self._clock())
        if await self._store.targets.disable_target(delivery.target.address, reason, told=told):
            log.warning("target.disabled", target=_shown_target(delivery), reason=reason)

    def _look_again(self) -> None:
        """Soon, in a task of its own: whoever asks still holds a place among those at work."""
        self._ended = True
        if not self._is_looking():
            self._looking = asyncio.create_task(self._look())

    def _is_looking(self) -> bool:
        return self._looking is not None and not self._looking.done()

    async def _look(self) -> None:
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
    except Exception:
        reference = uuid.uuid4().hex[:8]
        log.exception("delivery.fault", reference=reference, **row)
        return Later(reason=f"an error of ours; the log has it as {reference}", after=_AFTER_A_FAULT)


def _disabled(delivery: Delivery, reason: str, now: datetime) -> Telling:
    """In the thread of the instance whose event was refused: a channel that somebody reads."""
    i = delivery.event.instance
    note = f"{_shown_target(delivery)}: {reason}."
    event = NewEvent(kind=EventKind.WEBHOOK_DISABLED, at=now, note=note)
    return Telling(instance_id=i.id, event=event, targets=targets(i, event.kind, webhook_url=None))


def _shown_target(delivery: Delivery) -> str:
    """Without what may be a password."""
    return origin(delivery.target.address) if delivery.target.kind is TargetKind.WEBHOOK else "slack"
