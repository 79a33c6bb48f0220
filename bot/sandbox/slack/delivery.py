"""What Slack sends to the app, and what comes back; the same for Socket Mode and HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol


class Kind(StrEnum):
    COMMAND = "slash_commands"
    INTERACTIVE = "interactive"
    EVENT = "events_api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    envelope_id: str
    kind: Kind
    payload: dict[str, Any]
    retry_attempt: int = 0
    retry_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """`error`: operation_timeout, or dispatch_failed where nobody could take it or the answer was a refusal.
    `took`: until the ack, or until it was given up. `status_code`: in HTTP mode, when there was an answer.
    `is_late`: it came when the person had already been told that it failed."""

    envelope_id: str
    took: timedelta
    payload: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    status_code: int | None = None
    is_late: bool = False
    wants_no_retry: bool = False


class Transport(Protocol):
    async def deliver(self, delivery: Delivery) -> Ack: ...


@dataclass(slots=True)
class AckLog:
    """Every ack that came, in order; one that was given up is not here, unless it came late."""

    changed: Callable[[], None]
    acks: list[Ack] = field(default_factory=list)

    def add(self, ack: Ack) -> None:
        self.acks.append(ack)
        self.changed()

    def of(self, envelope_id: str) -> list[Ack]:
        return [ack for ack in self.acks if ack.envelope_id == envelope_id]
