"""What is known about a setting without reading it: for fault lines, `.env.example` and a reference page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from bot.units import Unit


class Group(StrEnum):
    NOVITA = "Novita"
    SLACK = "Slack"
    DATABASE = "Database"
    SERVER = "REST server"
    WEBHOOKS = "Webhooks"
    INSTANCES = "Instances"
    LOGS = "Logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    name: str
    also: tuple[str, ...]
    """Older spellings; `name` wins where one source has both."""
    group: Group
    unit: str
    """`ms`, `GB` ...; empty where there is nothing to count."""
    allowed: str
    """What may be written, with its unit."""
    default: str | None
    """As it would be written; None: there is none."""
    required: bool
    secret: bool
    meaning: str


def required(group: Group, meaning: str) -> Any:
    return Field(description=meaning, json_schema_extra={"group": group})


def optional(group: Group, meaning: str, *, default: str | None = None, also: tuple[str, ...] = ()) -> Any:
    # The default is read by the unit like any other text, so that it can be shown as it is written.
    return Field(default, description=meaning, json_schema_extra={"group": group, "also": list(also)})


def variables_of(model: type[BaseModel]) -> tuple[Variable, ...]:
    """Of a model whose fields are made by `required` and `optional` and carry a `Unit`; in their order."""
    return tuple(_variable(name, field) for name, field in model.model_fields.items())


def _variable(name: str, field: FieldInfo) -> Variable:
    unit = next(item for item in field.metadata if isinstance(item, Unit))
    extra = cast("dict[str, Any]", field.json_schema_extra)
    return Variable(
        name=name.upper(),
        also=tuple(extra.get("also", ())),
        group=extra["group"],
        unit=unit.word,
        allowed=f"{unit.allowed} ({unit.word})" if unit.word else unit.allowed,
        default=None if field.is_required() else field.default,
        required=field.is_required(),
        secret="SecretStr" in str(field.annotation),
        meaning=field.description or "",
    )
