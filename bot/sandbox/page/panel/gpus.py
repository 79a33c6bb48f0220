"""The GPUs at the cloud: where each is on its way, what it costs, and what may befall it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bot.sandbox.novita.deeds import InstanceAct
from bot.sandbox.novita.instances import STOPPABLE, Instance
from bot.sandbox.novita.timeline import FOREVER, Span
from bot.sandbox.page.panel.money import billed, per_hour

REMOVED_STAYS = timedelta(seconds=15)
"""Of the clock: for who looks on."""

_MODES = {"spot": "spot", "onDemand": "on demand", "monthly": "by the month"}
_STEPS = {
    "toCreate": "creating",
    "toStart": "starting",
    "toRestart": "restarting",
    "toStop": "stopping",
    "toRemove": "removing",
}
"""Statuses that are the beginning of the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticking:
    """A time that goes on in the browser."""

    since_ms: int
    """Unix time, as `until_ms`."""
    until_ms: int
    left: str
    """When this was written."""
    part: float
    """Of it that is over: 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    word: str
    place: Literal["done", "now", "ahead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    act: InstanceAct
    label: str
    title: str
    is_harsh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuView:
    id: str
    name: str
    """At the cloud."""
    called: str
    """By the bot; empty where it does not know it."""
    product: str
    region: str
    mode: str
    status: str
    """The cloud's own word."""
    word: str
    tone: str
    icon: str
    steps: tuple[Step, ...]
    """Empty where it rests."""
    ticking: Ticking | None
    """The step that is under way; None also where it does not end."""
    reclaim: Ticking | None
    failure: str
    price: str
    billed: str
    buttons: tuple[Button, ...]
    """What Novita does."""
    console: tuple[Button, ...]
    """What somebody does who does not ask the bot."""


def gpu_view(instance: Instance, now: datetime, called: Mapping[str, str]) -> GpuView:
    tone, icon, word = _state(instance, now)
    legs = _legs(instance)
    current = next((leg for leg in legs if now < leg.ends_at), None)
    units = instance.unit_price * instance.order.gpu_num
    return GpuView(
        id=instance.id,
        name=instance.order.name or "without a name",
        called=called.get(instance.id, ""),
        product=_product(instance),
        region=instance.cluster.name,
        mode=_MODES[instance.order.mode],
        status=instance.status_at(now),
        word=word,
        tone=tone,
        icon=icon,
        steps=() if current is None else tuple(_steps(legs, current, instance)),
        ticking=None if current is None else _ticking(current.begins_at, current.ends_at, now),
        reclaim=_reclaim(instance, now),
        failure=instance.failure.message if instance.failure else "",
        price=per_hour(units),
        billed=billed(units, instance.billed_at(now)),
        buttons=tuple(_buttons(instance, now)),
        console=tuple(_console(instance, now)),
    )


def _product(instance: Instance) -> str:
    gpus = instance.order.gpu_num
    return instance.product.name if gpus == 1 else f"{gpus} × {instance.product.name}"


def _state(instance: Instance, now: datetime) -> tuple[str, str, str]:
    """Tone, icon, word."""
    status = instance.status_at(now)
    if status == "running" and instance.leg.is_usable_at(now):
        return _RECLAIMED_SOON if instance.reclaim_at is not None else _USABLE
    if status == "exited":
        return _TAKEN if instance.reclaimed else _STOPPED
    if instance.reclaimed and not instance.is_leaving:
        return _BEING_TAKEN
    return _WORDS.get(status, _HELD if instance.held else _ON_ITS_WAY)


_USABLE = ("good", "check", "Running and usable")
_RECLAIMED_SOON = ("warn", "warn", "Running, to be taken back")
_TAKEN = ("bad", "warn", "Taken back")
_STOPPED = ("quiet", "pause", "Stopped")
_BEING_TAKEN = ("busy", "clock", "Being taken back")
_HELD = ("warn", "pause", "Held")
_ON_ITS_WAY = ("busy", "clock", "On its way")
_WORDS = {
    "running": ("busy", "clock", "Runs, but does not answer yet"),
    "toStop": ("busy", "clock", "Stopping"),
    "stopping": ("busy", "clock", "Stopping"),
    "freezing": ("busy", "clock", "Stopping: the balance is used up"),
    "toRemove": ("busy", "clock", "Being deleted"),
    "removing": ("busy", "clock", "Being deleted"),
    "removed": ("quiet", "cross", "Gone"),
}


def _legs(instance: Instance) -> list[Span]:
    """The steps of its way: stages that people tell apart, and for a start what comes after `running`."""
    legs: list[Span] = []
    for span in instance.leg.spans:
        word = _STEPS.get(span.status, span.status)
        begins_at = legs.pop().begins_at if legs and legs[-1].status == word else span.begins_at
        legs.append(Span(status=word, begins_at=begins_at, ends_at=span.ends_at))
    if instance.holds_gpu:
        usable_at = instance.leg.usable_at or FOREVER
        legs.append(Span(status="running", begins_at=instance.leg.rests_at, ends_at=usable_at))
    return legs


def _steps(legs: list[Span], current: Span, instance: Instance) -> Iterator[Step]:
    place = legs.index(current)
    for number, leg in enumerate(legs):
        yield Step(word=leg.status, place="done" if number < place else "now" if number == place else "ahead")
    yield Step(word="usable" if instance.holds_gpu else instance.leg.rests_in, place="ahead")


def _ticking(since: datetime, until: datetime, now: datetime) -> Ticking | None:
    if until == FOREVER:
        return None
    whole, over = until - since, now - since
    return Ticking(
        since_ms=_ms(since),
        until_ms=_ms(until),
        left=spoken(until - now),
        part=round(over / whole, 3) if whole else 1.0,
    )


def _reclaim(instance: Instance, now: datetime) -> Ticking | None:
    if instance.reclaim_at is None or instance.reclaim_at <= now or not instance.holds_gpu:
        return None
    return _ticking(now, instance.reclaim_at, now)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def spoken(left: timedelta) -> str:
    """As `backstage.js` says it while it ticks."""
    seconds = max(0, -(-left // timedelta(seconds=1)))
    return f"{seconds} s" if seconds < 100 else f"{-(-seconds // 60)} min"


def _buttons(instance: Instance, now: datetime) -> Iterator[Button]:
    if instance.holds_gpu and not instance.leg.is_usable_at(now):
        yield _FINISH
    if instance.held:
        yield _RELEASE
    elif instance.status_at(now) != "running" and not instance.is_leaving:
        yield _HOLD
    if instance.holds_gpu and instance.order.mode == "spot":
        if instance.reclaim_at is None:
            yield _NOTICE
        yield _TAKE


def _console(instance: Instance, now: datetime) -> Iterator[Button]:
    if instance.status_at(now) in STOPPABLE:
        yield _STOP
    if not instance.is_leaving:
        yield _DELETE


_NOTICE = Button(act="reclaim", label="Spot notice", title="Taken back a minute later, in the cloud's time")
_TAKE = Button(act="take", label="Take back now", title="Without any notice", is_harsh=True)
_FINISH = Button(act="finish", label="Finish the pull", title="Running and usable at once")
_HOLD = Button(act="hold", label="Hold", title="Does not get to running, however often it is started")
_RELEASE = Button(act="release", label="Release", title="Goes on where it was held")
_STOP = Button(act="stop", label="Stop", title="At Novita's console")
_DELETE = Button(act="delete", label="Delete", title="At Novita's console, for good", is_harsh=True)
