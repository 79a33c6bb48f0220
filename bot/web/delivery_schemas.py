"""What REST takes and gives about deliveries."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from bot.instants import Instant
from bot.web.schemas import OUT
from storage.records import DeliveryState, EventKind, TargetKind

_NOT_A_TIME = "must be a time such as 2026-11-26T00:00:00Z"


class DeliveryQuery(BaseModel):
    state: DeliveryState | None = None
    kind: TargetKind | None = Field(
        None, description="`webhook`; `notice` for a thread in Slack, `direct` for a direct message there."
    )
    instance_id: str | None = Field(None, alias="instanceId", max_length=100)
    limit: int = Field(50, ge=1, le=100)
    offset: int = Field(0, ge=0, le=10**9)


class AttemptOut(BaseModel):
    model_config = OUT

    number: int = Field(description="1, 2, 3 ... over the life of the delivery, replays included.")
    at: Instant
    status_code: int | None = Field(description="The receiver's; null: there was no answer.")
    error: str | None = Field(description="null: it was accepted.")


class DeliveryOut(BaseModel):
    model_config = OUT

    id: str
    webhook_id: str = Field(description="The `webhook-id` header: the same over all attempts and replays.")
    event: EventKind
    instance_id: str
    sequence: int
    kind: TargetKind
    target: str = Field(
        description="`slack`, or a receiver's scheme, host and port: what follows may be its password."
    )
    state: DeliveryState
    attempts: int
    history: list[AttemptOut]
    created_at: Instant | None
    due_at: Instant | None = Field(description="Of the next attempt; null: none will be made.")
    delivered_at: Instant | None


class DeliveryListOut(BaseModel):
    model_config = OUT

    deliveries: list[DeliveryOut]
    total: int
    limit: int
    offset: int


def _written(value: object) -> object:
    """A number would be read as seconds or milliseconds, whichever fits."""
    if isinstance(value, str) and not value.strip().lstrip("-").replace(".", "", 1).isdigit():
        return value
    raise ValueError(_NOT_A_TIME)


class ReplayIn(BaseModel):
    since: Annotated[AwareDatetime, BeforeValidator(_written)] = Field(
        description="With its time zone. Dead deliveries written since then are sent again.",
        examples=["2026-11-26T00:00:00Z"],
    )


class ReplayedOut(BaseModel):
    model_config = OUT

    replayed: int


class TargetOut(BaseModel):
    model_config = OUT

    kind: TargetKind
    target: str
    pending: int
    delivered: int
    dead: int
    last_delivered_at: Instant | None
    failing_since: Instant | None = Field(description="null: its latest answer was good.")
    disabled_at: Instant | None = Field(
        description="It gets nothing more until a restart or a replay that it accepts."
    )
    reason: str | None = Field(description="Why it is disabled.")


class StatisticsOut(BaseModel):
    model_config = OUT

    targets: list[TargetOut]
