"""One paged list call follows every instance: what changed is written, and the rows it touches become due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from bot import trail
from bot.audience import targets
from bot.cloud import Cloud
from bot.errors import NovitaError, NovitaNotFound
from bot.metrics import Metrics
from bot.timings import Timings
from storage.cloud import Listing
from storage.records import EventKind, NewEvent
from storage.store.observing import Observed, Stray
from storage.store.polls import Pace
from storage.store.store import Store

log = structlog.get_logger(__name__)


class Poller:
    def __init__(  # noqa: PLR0913 - the one place where these meet
        self,
        *,
        store: Store,
        novita: Cloud,
        clock: Callable[[], datetime],
        timings: Timings,
        webhook_url: str | None,
        owner: str,
        wake: Callable[[], None],
        metrics: Metrics | None = None,
    ) -> None:
        self._store = store
        self._novita = novita
        self._clock = clock
        self._timings = timings
        self._webhook_url = webhook_url
        self._owner = owner
        self._wake = wake
        self._metrics = metrics or Metrics()
        self._polled_at: datetime | None = None
        self._yields_until = datetime.min.replace(tzinfo=UTC)
        self._failing_since: datetime | None = None
        self._told_failing = False
        self._staying: set[str] = set()

    async def poll_if_due(self) -> bool:
        """Called at the fast pace, by every replica; only the holder of the poll lease lists."""
        if self._clock() < self._yields_until:
            return False
        if not await self._store.leases.acquire("poll", self._owner, self._timings.lease):
            return False
        pace = await self._store.polls.pace()
        if not self._is_due(pace):
            return False
        await self.poll(pace)
        return True

    async def release(self) -> None:
        """At the end of the service: whoever follows need not wait until the lease lapses."""
        await self._store.leases.release("poll", self._owner)

    async def poll(self, pace: Pace) -> None:
        began = self._metrics.start()
        complete = await self._pass(pace)
        self._metrics.polled("complete" if complete else "failed", began)

    async def _pass(self, pace: Pace) -> bool:
        """False: there is no complete list."""
        self._polled_at = began_at = self._clock()
        try:
            listing = await self._novita.list_instances()
        except NovitaError as error:
            await self._failed(began_at, error)
            return False
        self._recovered()
        observed = await self._store.polls.observe(listing, previous=await self._previous(listing, pace))
        await self._remove_strays(observed)
        if observed.left:
            await self._yield(began_at)
        if observed.changed:
            self._wake()
        return True

    async def _yield(self, began_at: datetime) -> None:
        """A later version wrote some of the rows: a replica of that one, if there is any, sees them all."""
        self._yields_until = began_at + self._timings.lease
        await self.release()

    async def _previous(self, listing: Listing, pace: Pace) -> datetime | None:
        """Since when lists count as evidence against an unknown create; None: this one alone covers no time.

        An account that suddenly shows nothing at all is no evidence.
        """
        if not listing.observations and pace.acknowledged > 0:
            return None
        return (await self._store.polls.last()).previous

    def _is_due(self, pace: Pace) -> bool:
        if self._polled_at is None:
            return True
        recently = pace.acted_at is not None and self._clock() - pace.acted_at < self._timings.acted_recently
        fast = pace.under_way > 0 or recently
        pause = self._timings.fast_poll if fast else self._timings.slow_poll
        # A tenth less: a tick that comes a little early is not put off by a whole one.
        return self._clock() - self._polled_at >= max(pause, self._novita.list_pause()) * 0.9

    async def _failed(self, began_at: datetime, error: NovitaError) -> None:
        self._failing_since = self._failing_since or began_at
        if self._clock() - self._failing_since < self._timings.delayed_after:
            await self._store.polls.broken()
            return
        if not self._told_failing:
            # Not sooner: that Novita is unwell, its client says. This says that nothing is followed there.
            self._told_failing = True
            log.warning("list.failing", since=self._failing_since, why=str(error))
        if await self._store.polls.delay(self._failing_since):
            self._wake()

    def _recovered(self) -> None:
        if self._told_failing:
            log.info("list.recovered", since=self._failing_since)
        self._failing_since, self._told_failing = None, False

    async def _remove_strays(self, observed: Observed) -> None:
        for stray in observed.strays:
            with structlog.contextvars.bound_contextvars(**_trail_of(stray)):
                await self._remove(stray)
        for unknown in observed.quarantined:
            # The token is ours, the row is not here: a database that was restored. A person decides.
            log.error("stray.unknown", novita_id=unknown.novita_id, gpu_name=unknown.name)

    async def _remove(self, stray: Stray) -> None:
        """Told once, then asked on every pass until it no longer shows.

        Told first: a crash in between leaves it in the list, where the next pass finds it.
        """
        await self._tell(stray)
        try:
            await self._novita.delete_instance(stray.observation.novita_id)
        except NovitaNotFound:
            pass
        except NovitaError as error:
            self._note_staying(stray.observation.novita_id, error)

    def _note_staying(self, novita_id: str, error: NovitaError) -> None:
        if novita_id not in self._staying:
            self._staying.add(novita_id)
            log.warning("stray.stays", novita_id=novita_id, why=str(error))

    async def _tell(self, stray: Stray) -> None:
        now = self._clock()
        event = NewEvent(kind=EventKind.LATE_REMOVED, at=now, elapsed=now - stray.attempt.begun_at)
        i = stray.instance  # None: purged long ago, there is nobody to tell
        told = () if i is None else targets(i, event.kind, webhook_url=self._webhook_url)
        novita_id = stray.observation.novita_id
        if await self._store.instances.settle_stray(stray.attempt, novita_id, event=event, targets=told):
            trail.happened(event, attempt=stray.attempt.number, novita_id=novita_id)
            self._wake()


def _trail_of(stray: Stray) -> dict[str, str]:
    """Of one whose record was purged, only the id is left."""
    return {"instance": stray.attempt.instance_id} if stray.instance is None else trail.about(stray.instance)
