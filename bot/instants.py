"""How times are written for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema


def utc_milliseconds(at: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    datetime,
    PlainSerializer(utc_milliseconds),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A field of an answer or a webhook body."""
