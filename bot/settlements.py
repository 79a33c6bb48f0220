"""What becomes of a card or a delivery by what its sink said of one try.

Under the lease it was sent with: a lost one writes nothing. Each is told in the log where it has just been
committed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import assert_never

import structlog

from bot.audience import targets
from bot.metrics import Metrics
from bot.schedule import next_attempt, next_slack_attempt
from bot.sinks.verdicts import CardVerdict, Dead, Delivered, Gone, Later, Lost, Shown, Verdict
from bot.sinks.webhook import origin
from storage.records import Delivery, EventKind, NewEvent, TargetKind
from storage.store.cards import LeasedCard
from storage.store.deliveries import LeasedDelivery
from storage.store.people import LeasedHome
from storage.store.store import Store
from storage.store.targets import Telling

log = structlog.get_logger(__name__)

DISABLE_AFTER = timedelta(hours=120)
"""Of nothing but failures, over all events of a target."""

_USABLE = frozenset({EventKind.READY, EventKind.STARTED})


class Settlements:
    def __init__(
        self,
        *,
        store: Store,
        clock: Callable[[], datetime],
        rng: Random,
        retries: int,
        metrics: Metrics,
    ) -> None:
        """`retries`: of a webhook, after the first try."""
        self._store = store
        self._clock = clock
        self._rng = rng
        self._retries = retries
        self._metrics = metrics

    async def settle_card(self, row: LeasedCard, verdict: CardVerdict) -> None:
        match verdict:
            case Shown(channel=channel, ts=ts):
                version = row.card.wanted_version
                if not await self._store.cards.settle(row, shown_version=version, channel=channel, ts=ts):
                    log.info("card.overtaken")
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

    async def settle_home(self, row: LeasedHome, verdict: Verdict) -> None:
        match verdict:
            case Delivered():
                await self._store.people.settle(row)
            case Later(after=after, reason=reason):
                pause = next_slack_attempt(row.attempts + 1, retry_after=after, rng=self._rng)
                if pause is None:
                    await self._leave_home(row, reason)
                else:
                    await self._store.people.later(row, self._clock() + pause)
            case Dead(reason=reason) | Gone(reason=reason):
                await self._leave_home(row, reason)
            case _:
                assert_never(verdict)

    async def settle(self, row: LeasedDelivery, verdict: Verdict) -> None:
        match verdict:
            case Delivered(status_code=status_code):
                if await self._store.deliveries.settle_delivered(row, status_code):
                    self._measure(row.delivery)
                    log.debug("delivery.delivered", status_code=status_code, **_shown(row.delivery))
                else:
                    log.info("delivery.overtaken", **_shown(row.delivery))
            case Later():
                if await self._settle_later(row, verdict):
                    await self._disable_if_long_failing(row)
            case Dead(status_code=status_code, reason=reason):
                await self._settle_dead(row, status_code, reason)
            case Gone(status_code=status_code, reason=reason):
                await self._settle_gone(row, status_code, reason)
            case _:
                assert_never(verdict)

    async def _leave_card(self, row: LeasedCard, reason: str) -> None:
        """As it is until the instance changes again; its notices go their own way."""
        log.warning("card.left", why=reason)
        await self._store.cards.settle(row, shown_version=row.card.wanted_version)

    async def _leave_home(self, row: LeasedHome, reason: str) -> None:
        """As it is until it is opened again, or something changes."""
        log.warning("home.left", why=reason, person=row.user_id)
        await self._store.people.settle(row)

    def _measure(self, delivery: Delivery) -> None:
        now, event = self._clock(), delivery.event
        seen_at, wished_at = event.instance.seen_at, event.instance.wished_at
        # Seen before it was asked for: a restart so quick that no list showed it.
        sighted = event.fact.kind in _USABLE and seen_at is not None and seen_at >= wished_at
        self._metrics.delivered(
            delivery.target.kind,
            after=now - event.fact.at,
            after_running=now - seen_at if sighted and seen_at is not None else None,
        )

    async def _settle_later(self, row: LeasedDelivery, verdict: Later) -> bool:
        pause = self._pause(row.delivery, verdict.after)
        if pause is None:
            return await self._settle_dead(row, verdict.status_code, verdict.reason)
        at = self._clock() + pause
        settled = await self._store.deliveries.settle_later(row, at, verdict.status_code, verdict.reason)
        if settled:
            log.debug("delivery.postponed", until=at, why=verdict.reason, **_shown(row.delivery))
        return settled

    def _pause(self, delivery: Delivery, after: timedelta | None) -> timedelta | None:
        made = delivery.attempts + 1
        match delivery.target.kind:
            case TargetKind.WEBHOOK:
                return next_attempt(made, retries=self._retries, retry_after=after, rng=self._rng)
            case TargetKind.NOTICE | TargetKind.DIRECT:
                return next_slack_attempt(made, retry_after=after, rng=self._rng)
            case _:
                assert_never(delivery.target.kind)

    async def _settle_dead(self, row: LeasedDelivery, status_code: int | None, reason: str) -> bool:
        if not await self._store.deliveries.settle_dead(row, status_code, reason):
            return False
        log.warning("delivery.dead", why=reason, status_code=status_code, **_shown(row.delivery))
        return True

    async def _settle_gone(self, row: LeasedDelivery, status_code: int, reason: str) -> None:
        told = _disabled(row.delivery, reason, self._clock())
        disabled = await self._store.deliveries.settle_gone(row, status_code, reason, told=told)
        if disabled is None:
            return
        log.warning("delivery.dead", why=reason, status_code=status_code, **_shown(row.delivery))
        if disabled:
            log.warning("target.disabled", target=_shown_target(row.delivery), why=reason)

    async def _disable_if_long_failing(self, row: LeasedDelivery) -> None:
        since = row.failing_since
        before = self._clock() - DISABLE_AFTER
        if since is None or since > before:
            return
        delivery, reason = row.delivery, f"nothing but failures since {since:%Y-%m-%d %H:%M} UTC"
        told = _disabled(delivery, reason, self._clock())
        # Asked again there: another of its deliveries may have been accepted meanwhile.
        if await self._store.targets.disable_target(
            delivery.target.address, reason, told=told, failing_before=before
        ):
            log.warning("target.disabled", target=_shown_target(delivery), why=reason)


def _disabled(delivery: Delivery, reason: str, now: datetime) -> Telling:
    """In the thread of the instance whose event was refused: a channel that somebody reads."""
    i = delivery.event.instance
    note = f"{_shown_target(delivery)}: {reason}."
    event = NewEvent(kind=EventKind.WEBHOOK_DISABLED, at=now, note=note)
    return Telling(instance_id=i.id, event=event, targets=targets(i, event.kind, webhook_url=None))


def _shown(delivery: Delivery) -> dict[str, str | int]:
    return {
        "delivery": delivery.id,
        "kind": delivery.event.fact.kind,
        "target": _shown_target(delivery),
        "attempt": delivery.attempts + 1,
    }


def _shown_target(delivery: Delivery) -> str:
    """Without what may be a password."""
    return origin(delivery.target.address) if delivery.target.kind is TargetKind.WEBHOOK else "slack"
