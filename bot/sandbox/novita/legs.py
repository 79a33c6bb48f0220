"""Which statuses an order leads through, in the words and the order that clients of the real service saw."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.sandbox.novita.timeline import NOTHING, Leg, Stage, Timeline


def creating(timeline: Timeline, at: datetime, *, pulling: timedelta) -> Leg:
    before_the_pull = (
        Stage(status="pending", lasts=timeline.pending),
        Stage(status="toCreate", lasts=timeline.to_create),
        Stage(status="creating", lasts=timeline.creating),
    )
    return Leg(
        begun_at=at,
        stages=(*before_the_pull, Stage(status="pulling", lasts=pulling)),
        rests_in="running",
        bills_after=sum((stage.lasts for stage in before_the_pull), NOTHING),
        connection_after=timeline.connection_after,
        usable_after=timeline.usable_after,
    )


def starting(timeline: Timeline, at: datetime) -> Leg:
    return Leg(
        begun_at=at,
        stages=(
            Stage(status="toStart", lasts=timeline.to_start),
            Stage(status="starting", lasts=timeline.starting),
        ),
        rests_in="running",
        bills_after=timeline.to_start,
        connection_after=timeline.connection_after,
        usable_after=timeline.usable_after,
    )


def restarting(timeline: Timeline, at: datetime) -> Leg:
    return Leg(
        begun_at=at,
        stages=(
            Stage(status="toRestart", lasts=timeline.to_restart),
            Stage(status="restarting", lasts=timeline.restarting),
        ),
        rests_in="running",
        bills_after=NOTHING,
        connection_after=timeline.connection_after,
        usable_after=timeline.usable_after,
    )


def stopping(timeline: Timeline, at: datetime, *, billed: bool) -> Leg:
    stages = (
        Stage(status="toStop", lasts=timeline.to_stop),
        Stage(status="stopping", lasts=timeline.stopping),
    )
    return _towards("exited", stages, at, billed=billed)


def reclaiming(timeline: Timeline, at: datetime, *, billed: bool) -> Leg:
    stages = (Stage(status="stopping", lasts=timeline.reclaiming),)
    return _towards("exited", stages, at, billed=billed)


def freezing(timeline: Timeline, at: datetime, *, billed: bool) -> Leg:
    stages = (Stage(status="freezing", lasts=timeline.freezing),)
    return _towards("exited", stages, at, billed=billed)


def removing(timeline: Timeline, at: datetime, *, billed: bool) -> Leg:
    stages = (
        Stage(status="toRemove", lasts=timeline.to_remove),
        Stage(status="removing", lasts=timeline.removing),
    )
    return _towards("removed", stages, at, billed=billed)


def running_now(at: datetime) -> Leg:
    return Leg(begun_at=at, stages=(), rests_in="running", bills_after=NOTHING)


def exited_now(at: datetime) -> Leg:
    return _towards("exited", (), at, billed=False)


def _towards(rest: str, stages: tuple[Stage, ...], at: datetime, *, billed: bool) -> Leg:
    return Leg(begun_at=at, stages=stages, rests_in=rest, bills_after=NOTHING if billed else None)
