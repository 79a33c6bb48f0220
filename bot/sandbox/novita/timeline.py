"""How long things take, and the legs of an instance's way that are made of it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Self

FOREVER = datetime.max.replace(tzinfo=UTC)
NOTHING = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """How long each status lasts, and what comes how long after `running`.

    The defaults are what clients of the real service have seen with an image of usual size.
    """

    pending: timedelta = timedelta(seconds=1)
    to_create: timedelta = timedelta(seconds=1)
    creating: timedelta = timedelta(seconds=3)
    pulling_min: timedelta = timedelta(seconds=20)
    pulling_max: timedelta = timedelta(seconds=60)
    to_start: timedelta = timedelta(seconds=1)
    starting: timedelta = timedelta(seconds=14)
    to_restart: timedelta = timedelta(seconds=1)
    restarting: timedelta = timedelta(seconds=9)
    to_stop: timedelta = timedelta(seconds=1)
    stopping: timedelta = timedelta(seconds=4)
    reclaiming: timedelta = timedelta(seconds=10)
    freezing: timedelta = timedelta(seconds=20)
    to_remove: timedelta = timedelta(seconds=1)
    removing: timedelta = timedelta(seconds=4)
    removed_lingers: timedelta = timedelta(seconds=30)
    reclaim_notice: timedelta = timedelta(hours=1)
    connection_after: timedelta = timedelta(seconds=2)
    usable_after: timedelta = timedelta(seconds=8)

    @classmethod
    def immediate(cls) -> Self:
        """Everything is done as soon as it is asked for, and a removed instance is absent at once."""
        return cls(**{field.name: NOTHING for field in fields(cls)})

    def faster(self, speed: float) -> Self:
        return replace(self, **{field.name: getattr(self, field.name) / speed for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    status: str
    lasts: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stage with its place in time."""

    status: str
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One way of an instance from an order (create, start, stop ...) to the status in which it rests.

    Nothing happens while a leg is under way: where the instance is follows from the time alone.
    """

    begun_at: datetime
    stages: tuple[Stage, ...]
    rests_in: str
    bills_after: timedelta | None
    """Since the leg began; None: the leg costs nothing. A rest in `running` goes on costing."""
    connection_after: timedelta = NOTHING
    usable_after: timedelta = NOTHING
    not_before: datetime | None = None
    """Holds the instance in its last stage until then."""

    @property
    def rests_at(self) -> datetime:
        planned = self.begun_at + sum((stage.lasts for stage in self.stages), NOTHING)
        return planned if self.not_before is None else max(planned, self.not_before)

    def status_at(self, now: datetime) -> str:
        if now >= self.rests_at:
            return self.rests_in
        stage_ends = self.begun_at
        for stage in self.stages:
            stage_ends += stage.lasts
            if now < stage_ends:
                return stage.status
        return self.stages[-1].status

    @property
    def spans(self) -> tuple[Span, ...]:
        """The last one ends when the leg comes to rest."""
        begins_at, spans = self.begun_at, []
        for stage in self.stages:
            ends_at = self.rests_at if stage is self.stages[-1] else begins_at + stage.lasts
            spans.append(Span(status=stage.status, begins_at=begins_at, ends_at=ends_at))
            begins_at = ends_at
        return tuple(spans)

    @property
    def usable_at(self) -> datetime | None:
        """When what is inside answers; None: never, as things are."""
        if self.rests_in != "running" or self.rests_at == FOREVER:
            return None
        return self.rests_at + self.usable_after

    def rested_at(self, now: datetime, status: str) -> datetime | None:
        """When the leg came to rest in this status; None while it has not."""
        return self.rests_at if self.rests_in == status and now >= self.rests_at else None

    def is_connected_at(self, now: datetime) -> bool:
        return self._is_past_running(now, self.connection_after)

    def is_usable_at(self, now: datetime) -> bool:
        return self._is_past_running(now, self.usable_after)

    def _is_past_running(self, now: datetime, after: timedelta) -> bool:
        running_since = self.rested_at(now, "running")
        return running_since is not None and now - running_since >= after

    def is_billing_at(self, now: datetime) -> bool:
        if self.bills_after is None or now < self.begun_at + self.bills_after:
            return False
        return self.rests_in == "running" or now < self.rests_at

    def billed_until(self, now: datetime) -> timedelta:
        if self.bills_after is None:
            return NOTHING
        ends = now if self.rests_in == "running" else min(now, self.rests_at)
        return max(ends - (self.begun_at + self.bills_after), NOTHING)
