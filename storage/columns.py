"""Column types that mean the same on SQLite and PostgreSQL, so that both compare and order alike.

What a later version wrote may be a word or a record that this one does not know. A column gives an error
then, unless it is selected leniently: then it gives an `Unread` instead, and other rows come all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import BigInteger, Column, ColumnElement, Text, type_coerce
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

WordT = TypeVar("WordT", bound=StrEnum)
RecordT = TypeVar("RecordT")


@dataclass(frozen=True, slots=True)
class Unread:
    """In place of what this version does not know. `why` quotes words, never the content of a record."""

    why: str


def leniently(column: Column[Any]) -> ColumnElement[Any]:
    """For a select whose reader looks out for `Unread`. The name of the column stays."""
    match column.type:
        case Word(words=words):
            return type_coerce(column, Word(words, lenient=True))
        case Json(record=record):
            return type_coerce(column, Json(record, lenient=True))
        case _:
            return column


class Moment(TypeDecorator[datetime]):
    """An aware time as microseconds since 1970, UTC. A naive one is refused with `TypeError`."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Span(TypeDecorator[timedelta]):
    """A duration as microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else value // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:  # noqa: ARG002
        return None if value is None else timedelta(microseconds=value)


class Money(TypeDecorator[Decimal]):
    """An amount as its digits: SQLite has no exact decimal type."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value)


class Word(TypeDecorator[WordT], Generic[WordT]):
    """A member of a closed set, as its text."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[WordT], *, lenient: bool = False) -> None:
        super().__init__()
        self.words = words
        self.lenient = lenient

    def process_bind_param(self, value: WordT | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        # Not the member itself: psycopg would write the member's name.
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: Dialect) -> WordT | None:  # noqa: ARG002
        if value is None:
            return None
        try:
            return self.words(value)
        except ValueError:
            if not self.lenient:
                raise
            return Unread(f"{value!r}")  # type: ignore[return-value]  # who asked leniently looks out for it


class Json(TypeDecorator[RecordT], Generic[RecordT]):
    """A dataclass as JSON text. Fields added later take their defaults when an old row is read; those that
    only a later version knows are passed over."""

    impl = Text
    cache_ok = True

    def __init__(self, record: type[RecordT], *, lenient: bool = False) -> None:
        super().__init__()
        self.record = record
        self.lenient = lenient

    def process_bind_param(self, value: RecordT | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else self._adapter().dump_json(value, warnings="error").decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> RecordT | None:  # noqa: ARG002
        if value is None:
            return None
        try:
            return self._adapter().validate_json(value)
        except ValueError as error:
            if not self.lenient:
                raise
            return Unread(_why(error))  # type: ignore[return-value]  # as above

    def _adapter(self) -> TypeAdapter[RecordT]:
        return _adapter_of(self.record)  # type: ignore[arg-type]  # mypy does not see that a type has a hash


def _why(error: ValueError) -> str:
    """Pydantic's, less what was read: it may be the address of a webhook."""
    faults = error.errors(include_input=False, include_url=False)  # type: ignore[attr-defined]
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['type']}" for fault in faults)


@cache
def _adapter_of(record: type[RecordT]) -> TypeAdapter[RecordT]:
    """Once for all, since every engine copies its column types. Late: building one takes a hundredth of a
    second, and importing the tables should cost nothing."""
    from pydantic import TypeAdapter  # noqa: PLC0415

    return TypeAdapter(record)
