"""What came in at the webhook receiver."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo

from bot.sandbox.hook import Arrival, Receiver
from bot.sandbox.page.panel.calls import Choice

_SHOWN = 40
_LONGEST_BODY = 20_000
"""Characters that are shown; the bot's own bodies are shorter."""

_ANSWERS = ((200, "Works"), (500, "Broken (500)"), (410, "Gone (410)"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalView:
    key: str
    """Tells it from the others for as long as it is shown."""
    event: str
    name: str
    status: str
    at: str
    clock: str
    sequence: int
    tone: str
    icon: str
    signature: str
    again: str
    """How often it has come; empty the first time."""
    answered: int
    is_accepted: bool
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HookView:
    url: str
    answers: tuple[Choice, ...]
    total: int
    arrivals: tuple[ArrivalView, ...]
    """Newest first."""


def hook_view(receiver: Receiver, zone: tzinfo | None) -> HookView:
    return HookView(
        url=receiver.url,
        answers=tuple(
            Choice(value=str(code), label=label, is_chosen=code == receiver.answers)
            for code, label in _ANSWERS
        ),
        total=receiver.total,
        arrivals=tuple(_newest(receiver.arrivals, receiver.total, zone)),
    )


def _newest(arrivals: Iterable[Arrival], total: int, zone: tzinfo | None) -> list[ArrivalView]:
    newest = list(arrivals)[: -_SHOWN - 1 : -1]
    return [_arrival(arrival, total - place, zone) for place, arrival in enumerate(newest)]


def _arrival(arrival: Arrival, number: int, zone: tzinfo | None) -> ArrivalView:
    return ArrivalView(
        key=f"{number}",
        event=arrival.event,
        name=arrival.name,
        status=arrival.status,
        at=arrival.at.isoformat(),
        clock=f"{arrival.at.astimezone(zone):%H:%M:%S}",
        sequence=arrival.sequence,
        tone="good" if arrival.verified else "bad",
        icon="check" if arrival.verified else "cross",
        signature="verified" if arrival.verified else f"NOT VERIFIED: {arrival.problem}",
        again=f"again, try {arrival.tries}" if arrival.tries > 1 else "",
        answered=arrival.answered,
        is_accepted=arrival.answered < 300,
        headers=arrival.headers,
        body=pretty(arrival.body),
    )


def pretty(body: str) -> str:
    """Anything that is no JSON stays as it is."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body
    return text if len(text) <= _LONGEST_BODY else f"{text[:_LONGEST_BODY]}\n…"
