"""The body of a webhook. Pure; one event gives the same bytes for ever, since they may be sent again.

Fields are only ever added: receivers of the service that this one replaces read the documented ones by name.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

from bot.instants import Instant
from storage.records import Event, EventKind, Failure, Instance, Reason, State

_LONGEST_TEXT = 700
"""Characters. Each takes 6 bytes at most (an escaped control character); the largest body stays below the
20 kB that Standard Webhooks recommends."""


def _clip(text: str | None) -> str | None:
    if text is None or len(text) <= _LONGEST_TEXT:
        return text
    return text[: _LONGEST_TEXT - 1] + "…"


Text = Annotated[str, BeforeValidator(_clip)]


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class ConnectionDetails(_Model):
    """Both keys are always there, null where the image has none: documented clients index them unchecked."""

    ssh: Text | None
    """The command, without the password."""
    jupyter: Text | None
    """The address, without a token."""


class InstanceDetails(_Model):
    id: str
    name: Text
    connection_details: ConnectionDetails


class ErrorDetails(_Model):
    code: Text
    message: Text


class WebhookBody(_Model):
    """An absent field says that there is nothing to say; only `connectionDetails` holds nulls."""

    event: EventKind
    instance_id: str
    status: State
    timestamp: Instant
    """When it happened, not when it is sent."""
    sequence: int
    """1, 2, 3 ... per instance; gaps are normal, not every event goes to webhooks."""
    novita_instance_id: Text | None = None
    elapsed_time: int | None = None
    """Milliseconds since the wish that this ends."""
    reason: Reason | None = None
    """Only where nobody asked us for it."""
    reclaim_at: Instant | None = None
    instance: InstanceDetails | None = None
    error: ErrorDetails | None = None


def webhook_body(event: Event) -> bytes:
    """UTF-8 JSON, below 20 kB. Without any password or token: an event's snapshot has none."""
    return webhook_fields(event).model_dump_json(by_alias=True, exclude_unset=True).encode()


def webhook_fields(event: Event) -> WebhookBody:
    fact = event.fact
    optional = {
        "novita_instance_id": event.instance.novita_id,
        "elapsed_time": _milliseconds(fact.elapsed),
        "reason": fact.reason,
        "reclaim_at": event.instance.reclaim_at if fact.kind is EventKind.RECLAIMING else None,
        **_outcome(event),
    }
    return WebhookBody(
        event=fact.kind,
        instance_id=event.instance_id,
        status=event.instance.state,
        timestamp=fact.at,
        sequence=event.sequence,
        **{name: value for name, value in optional.items() if value is not None},
    )


def _milliseconds(elapsed: timedelta | None) -> int | None:
    return None if elapsed is None else elapsed // timedelta(milliseconds=1)


def _outcome(event: Event) -> dict[str, InstanceDetails | ErrorDetails]:
    """What went wrong, or how the instance is reached: one of the two."""
    if event.fact.error is not None:
        return {"error": _error(event.fact.error)}
    if event.fact.kind is EventKind.FAILED:
        return {"error": _error(event.instance.error or _UNEXPLAINED)}
    return {"instance": _instance(event.instance)}


_UNEXPLAINED = Failure(code="FAILED", message="The instance failed.")


def _error(failure: Failure) -> ErrorDetails:
    return ErrorDetails(code=failure.code, message=failure.message)


def _instance(instance: Instance) -> InstanceDetails:
    connection = instance.connection
    return InstanceDetails(
        id=instance.id,
        name=instance.name,
        connection_details=ConnectionDetails(
            ssh=connection.ssh if connection else None,
            jupyter=connection.jupyter if connection else None,
        ),
    )
