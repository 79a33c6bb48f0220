"""Leases due instances and takes the one next step with each.

```
lease_due ─► lifecycle.next_step ─► begin    committed before the call
                                 ─► Novita   once, no transaction open
                                 ─► settle   under the lease's token
```

First try, retry and restart after a crash are this one path.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from bot import outcomes, trail, transitions
from bot.audience import targets
from bot.catalog import Catalog, Plan
from bot.cloud import Cloud
from bot.errors import (
    CatalogError,
    InsufficientResource,
    NotSent,
    NovitaError,
    NovitaNotFound,
    NovitaRefused,
    NovitaUnavailable,
)
from bot.lifecycle import Become, Change, Create, Look, Moment, Probe, Wait, next_step
from bot.metrics import Metrics
from bot.novita.budget import Priority
from bot.outcomes import Next
from bot.probe import EndpointProbe
from bot.timings import Timings
from bot.workers import Workers
from storage.errors import DatabaseUnavailable, Unreadable
from storage.records import Failure, Fate, Instance, NewEvent, Outcome, Target, Wish
from storage.store.steps import Leased
from storage.store.store import Store
from storage.store.tokens import Token

log = structlog.get_logger(__name__)

_AT_ONCE = 40
"""Steps under way in one replica; more wait for their turn, in order of `due_at`."""
_AFTER_A_FAULT = timedelta(seconds=30)


class Reconciler:
    def __init__(  # noqa: PLR0913 - the one place where these meet
        self,
        *,
        store: Store,
        novita: Cloud,
        catalog: Catalog,
        probe: EndpointProbe,
        clock: Callable[[], datetime],
        timings: Timings,
        webhook_url: str | None,
        wake: Callable[[], None],
        metrics: Metrics | None = None,
    ) -> None:
        self._store = store
        self._novita = novita
        self._catalog = catalog
        self._probe = probe
        self._clock = clock
        self._timings = timings
        self._webhook_url = webhook_url
        self._wake = wake
        self._metrics = metrics or Metrics()
        self._calls = {
            Wish.START: novita.start_instance,
            Wish.STOP: novita.stop_instance,
            Wish.RESTART: novita.restart_instance,
            Wish.DELETE: novita.delete_instance,
        }
        self.workers = Workers(_AT_ONCE)

    async def reconcile(self) -> int:
        """Start a step for each due row. Does not wait for them: each wakes us when it leaves its row due."""
        started = 0
        while self.workers.free:
            leased = await self._store.instances.lease_due(self.workers.free, self.workers.tokens())
            for row in leased:
                self.workers.start(trail.lines_about(row.instance, self._guarded(row)), token=row.token)
            started += len(leased)
            if not leased:
                break
        return started

    async def _guarded(self, row: Leased) -> None:
        try:
            await self._step(row)
            self._metrics.stepped("done")
        except (DatabaseUnavailable, Unreadable):
            # Told once, by the database itself; the lease lapses, and the row is taken again. Or a later
            # version wrote it meanwhile: replicas of that one take it, and lists show them what we did.
            return
        except Exception:
            self._metrics.stepped("failed")
            # One bad row never stops the rest. What was begun stays begun: it is looked for, not repeated.
            reference = uuid.uuid4().hex[:8]
            log.exception("step.broken", reference=reference)
            with suppress(DatabaseUnavailable):
                await self._store.instances.settle(
                    row, row.instance, due_at=self._clock() + _AFTER_A_FAULT, decided=False
                )
        self._wake()

    async def _step(self, row: Leased) -> None:
        step = next_step(row.instance, self._moment(row))
        match step:
            case Wait(until=until):
                await self._store.instances.settle(row, row.instance, due_at=until)
            case Become(after=after, event=event):
                await self._settle(row, Next(after=after, event=event, due_at=self._clock()))
            case Create() if (refusal := self._novita.refusal()) is not None:
                await self._postpone(row, refusal)
            case Create():
                await self._create(row)
            case Change(verb=verb):
                await self._change(row, verb)
            case Look():
                await self._look(row)
            case Probe():
                await self._knock(row)
            case _:
                assert_never(step)

    async def _postpone(self, row: Leased, refusal: NovitaUnavailable) -> None:
        """No attempt is begun that would not be sent: a thousand who wait cost one write each, not four."""
        log.debug("create.postponed", why=str(refusal))
        tried = replace(row.instance, tries=row.instance.tries + 1)
        await self._settle(row, outcomes.not_sent(tried, refusal, self._moment(row)))

    async def _create(self, row: Leased) -> None:
        i = row.instance
        try:
            plan = await self._plan(i)
        except CatalogError as error:
            await self._fail(row, error)
        except NovitaRefused as error:
            await self._fail(row, error)
        except NovitaUnavailable as error:
            await self._postpone(row, error)
        else:
            asked_at = self._clock()
            begun = await self._store.instances.begin(row, call=Wish.CREATE, offer=plan.offer)
            if begun is not None:
                await self._order(begun, plan, asked_at)

    async def _plan(self, i: Instance) -> Plan:
        attempts = await self._store.instances.attempts(i.id)
        refused = [a.offer for a in attempts if a.fate is Fate.NO_CAPACITY and a.offer is not None]
        return await self._catalog.plan(i.request, refused=refused, first_usd_per_hour=i.first_usd_per_hour)

    async def _order(self, row: Leased, plan: Plan, asked_at: datetime) -> None:
        """The call that costs money: asked once, and never again while it may have worked."""
        i = row.instance
        token = Token(deployment=self._store.deployment, instance_id=i.id, attempt=i.attempt)
        trail.begun(i.attempt, plan.offer)
        try:
            self._check_lease(asked_at)
            novita_id = await self._novita.create_instance(plan.order(str(token)))
        except InsufficientResource as error:
            log.info("create.unavailable", attempt=i.attempt, why=str(error))
            await self._store.instances.not_made(i.id, i.attempt, fate=Fate.NO_CAPACITY)
            again = replace(i, outcome=Outcome.NOT_MADE, refusal=_failure(error))
            await self._settle(row, Next(after=again, due_at=self._clock()), decided=False)
        except NovitaRefused as error:
            log.warning("create.refused", attempt=i.attempt, code=error.code, why=str(error))
            await self._store.instances.not_made(i.id, i.attempt)
            await self._fail(row, error, decided=False)
        except NotSent as error:
            log.info("create.not_sent", attempt=i.attempt, why=str(error))
            await self._store.instances.not_made(i.id, i.attempt)
            await self._settle(row, outcomes.not_sent(i, error, self._moment(row)), decided=False)
        except NovitaUnavailable as error:
            log.warning("create.unknown", attempt=i.attempt, why=str(error))
            await self._settle(row, outcomes.unknown(i, error, self._moment(row)), decided=False)
        else:
            # Bound first, lease or not: an id is never dropped. The state follows as its own step.
            await self._store.instances.bind(i.id, i.attempt, novita_id, at=self._clock())
            await self._store.instances.settle(row, i, due_at=self._clock(), decided=False)
            log.info("create.accepted", attempt=i.attempt, novita_id=novita_id)

    async def _change(self, row: Leased, verb: Wish) -> None:
        asked_at = self._clock()
        begun = await self._store.instances.begin(row, call=verb)
        if begun is None:
            return
        i, moment = begun.instance, self._moment(begun)
        try:
            self._check_lease(asked_at)
            await self._calls[verb](i.novita_id or "")
        except NovitaNotFound:
            log.info("change.not_found", verb=verb)
            after = outcomes.not_found(i, moment)
        except NovitaRefused as error:
            _note_refusal(i, verb, error)
            asked_before = row.instance.acted_at if row.instance.call is verb else None
            after = outcomes.refused(i, error, moment, asked_before=asked_before)
        except NotSent as error:
            log.debug("change.not_sent", verb=verb, why=str(error))
            after = outcomes.not_sent(i, error, moment)
        except NovitaUnavailable as error:
            log.debug("change.unknown", verb=verb, why=str(error))
            after = outcomes.unknown(i, error, moment)
        else:
            log.info("change.accepted", verb=verb)
            after = outcomes.accepted(i, replace(moment, now=self._clock()))
        await self._settle(begun, after, decided=False)

    def _check_lease(self, asked_at: datetime) -> None:
        """Raises NotSent: this process stood still for so long that another one may be at it.

        Between here and the call it may still stand still. A create is then found as late, and removed.
        """
        if self._clock() - asked_at >= self._timings.lease:
            raise NotSent("The lease was over before the call.")

    async def _look(self, row: Leased) -> None:
        i, moment = row.instance, self._moment(row)
        try:
            # As a poll: many that start at once must not crowd out what people wait for.
            details = await self._novita.get_instance(i.novita_id or "", priority=Priority.POLL)
        except NovitaNotFound:
            await self._settle(row, outcomes.unseen(i, moment))
        except NovitaError:
            await self._settle(row, Next(after=i, due_at=moment.now + self._timings.look_every))
        else:
            await self._settle(row, outcomes.looked_at(i, details, moment))

    async def _knock(self, row: Leased) -> None:
        i = row.instance
        endpoints = i.connection.endpoints if i.connection is not None else ()
        answering = await self._probe.answers(endpoints)
        pause = timedelta(0) if answering else self._timings.probe_every
        after = replace(i, answering=answering)
        await self._settle(row, Next(after=after, due_at=self._clock() + pause))

    async def _fail(self, row: Leased, error: CatalogError | NovitaRefused, *, decided: bool = True) -> None:
        told = transitions.failed(row.instance, self._clock(), _failure(error))
        await self._settle(
            row, Next(after=told["after"], event=told["event"], due_at=self._clock()), decided=decided
        )

    async def _settle(self, row: Leased, following: Next, *, decided: bool = True) -> None:
        event = following.event
        written = await self._store.instances.settle(
            row,
            following.after,
            event=event,
            targets=self._targets(following.after, event),
            due_at=following.due_at,
            decided=decided,
        )
        if written and event is not None:
            trail.happened(event)
        elif written:
            trail.changed(row.instance, following.after)

    def _targets(self, i: Instance, event: NewEvent | None) -> tuple[Target, ...]:
        return () if event is None else targets(i, event.kind, webhook_url=self._webhook_url)

    def _moment(self, row: Leased) -> Moment:
        return Moment(now=self._clock(), listed_at=row.listed_at, timings=self._timings)


def _note_refusal(i: Instance, verb: Wish, error: NovitaRefused) -> None:
    """Once: a delete is asked again for as long as it is refused."""
    again = i.refusal is not None and i.refusal.code == error.code
    tell = log.debug if again else log.warning
    tell("change.refused", verb=verb, code=error.code, why=str(error))


def _failure(error: CatalogError | NovitaRefused) -> Failure:
    return Failure(code=error.code, message=str(error))
