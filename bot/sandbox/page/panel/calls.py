"""What the cloud's API is like at the moment, and who asks it what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.sandbox.novita.deeds import CloudAct, Meeting
from bot.sandbox.novita.fate import ApiState, Fate
from bot.sandbox.novita.journal import Call, Journal

A_MINUTE = timedelta(minutes=1)
_KINDS = {
    "create": "create",
    "start": "start",
    "stop": "stop",
    "restart": "restart",
    "delete": "delete",
    "list": "list",
    "get": "get",
    "products": "look-ups",
    "clusters": "look-ups",
    "template": "look-ups",
    "templates": "look-ups",
    "auths": "look-ups",
    "endpoint": "probes of an instance",
    "unknown": "unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of several buttons of which one is always pressed."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiView:
    tone: str
    icon: str
    word: str
    next_create: str
    has_balance: bool
    states: tuple[Choice, ...]
    meetings: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindView:
    word: str
    last_minute: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsView:
    total: int
    last_minute: int
    failed: int
    """In the last minute: refused, answered with an error, or not answered at all. Probes are no calls of the
    API, and fail until an instance is usable."""
    kinds: tuple[KindView, ...]


_API: dict[ApiState, tuple[str, str, str]] = {
    "up": ("good", "check", "Up"),
    "errors": ("bad", "warn", "Answers 500 to everything"),
    "unreachable": ("bad", "cross", "Unreachable: connections are refused"),
}
_STATES: tuple[tuple[ApiState, CloudAct, str], ...] = (
    ("up", "up", "Up"),
    ("errors", "errors on", "Errors 500"),
    ("unreachable", "down", "Unreachable"),
)
_MEETINGS: tuple[tuple[Meeting, str], ...] = (
    ("nothing", "As usual"),
    ("capacity", "No capacity"),
    ("balance", "No balance"),
    ("unclear", "Answer lost"),
)
_NEXT_CREATE: dict[Meeting, str] = {
    "nothing": "as stock and balance allow",
    "capacity": "refused, no such GPU is left",
    "balance": "refused, not enough balance",
    "unclear": "done and billed, but its answer is lost",
}


def api_view(fate: Fate, *, has_balance: bool) -> ApiView:
    tone, icon, word = _API[fate.api]
    return ApiView(
        tone=tone,
        icon=icon,
        word=word,
        next_create=_next_create(fate, has_balance=has_balance),
        has_balance=has_balance,
        states=tuple(
            Choice(value=act, label=label, is_chosen=state == fate.api) for state, act, label in _STATES
        ),
        meetings=tuple(
            Choice(value=meets, label=label, is_chosen=meets == fate.next_create)
            for meets, label in _MEETINGS
        ),
    )


def _next_create(fate: Fate, *, has_balance: bool) -> str:
    """What comes first. An order stays for the first create that gets through."""
    if fate.api == "unreachable":
        return "not received at all"
    if fate.api == "errors":
        return "answered 500"
    if fate.next_create == "nothing" and not has_balance:
        return _NEXT_CREATE["balance"]
    return _NEXT_CREATE[fate.next_create]


def calls_view(journal: Journal, now: datetime) -> CallsView:
    recent = journal.since(now - A_MINUTE)
    totals = Counter(dict.fromkeys(_KINDS.values(), 0))
    for endpoint, number in journal.totals.items():
        totals[_KINDS[endpoint]] += number
    lately = Counter(_KINDS[call.endpoint] for call in recent)
    return CallsView(
        total=totals.total(),
        last_minute=len(recent),
        failed=_failed(recent),
        kinds=tuple(
            KindView(word=kind, last_minute=lately[kind], total=number)
            for kind, number in totals.items()
            if number
        ),
    )


def _failed(calls: Iterable[Call]) -> int:
    over = [call.status for call in calls if call.is_over and call.endpoint != "endpoint"]
    return sum(status is None or status >= 400 for status in over)
