"""Types for fields that Novita sends in more than one way: numbers as strings, `"0"` and `-1` for "none",
`""` for "not set", fields that are absent or of another type than documented.

None of them ever fails: what cannot be read is the empty value. Only `Id` insists.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

_PRICE_UNITS_PER_USD = 100_000
_MILLISECONDS_FROM = 100_000_000_000
"""As seconds that is the year 5138."""


class Lenient(BaseModel):
    # inputs hold passwords and envs: they must not get into the text of an error
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, hide_input_in_errors=True)


def _verbatim(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _text(value: object) -> str:
    return _verbatim(value).strip()


def _id(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("not an id")  # noqa: TRY004 - pydantic collects ValueErrors only
    return str(value).strip()


def _number(value: object) -> Decimal | None:
    try:
        number = Decimal(_text(value))
    except InvalidOperation:
        return None
    return number if math.isfinite(number) and abs(number) < Decimal(10) ** 18 else None


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _usd(value: object) -> Decimal | None:
    number = _number(value)
    return number / _PRICE_UNITS_PER_USD if number is not None and number > 0 else None


def _moment(value: object) -> datetime | None:
    number = _whole(value)
    if number is None or number <= 0:
        return None
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _flag(value: object) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())


def _part(value: object) -> object:
    return value if isinstance(value, dict) else {}


def _parts(value: object) -> list[object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _scalars(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _texts(value: object) -> list[str]:
    return [text for text in map(_text, _scalars(value)) if text]


def _wholes(value: object) -> list[int]:
    return [number for number in map(_whole, _scalars(value)) if number is not None]


type_of_part = BeforeValidator(_part)
type_of_parts = BeforeValidator(_parts)
Id = Annotated[str, BeforeValidator(_id)]
"""Text or a number; None is "". Fails on anything else."""
Text = Annotated[str, BeforeValidator(_text)]
Verbatim = Annotated[str, BeforeValidator(_verbatim)]
"""With the spaces around it: they may matter in a command or an env."""
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Whole = Annotated[int | None, BeforeValidator(_whole)]
Wholes = Annotated[tuple[int, ...], BeforeValidator(_wholes)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
"""Unix seconds; zero and less is None."""
Usd = Annotated[Decimal | None, BeforeValidator(_usd)]
"""Sent in 1/100 000 USD; zero and less is None."""
Flag = Annotated[bool | None, BeforeValidator(_flag)]
