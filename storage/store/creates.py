"""Rows of `attempts`: creates that were begun."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select

from storage.columns import leniently
from storage.records import Attempt
from storage.store.unreadable import refuse_unread
from storage.tables import attempts

_FIELDS = tuple(column.name for column in fields(Attempt))
_COLUMNS = tuple(leniently(attempts.c[name]) for name in _FIELDS)


def select_attempts(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(*_COLUMNS).where(*conditions)


def read_attempt(row: Row[Any]) -> Attempt:
    """Raises Unreadable."""
    refuse_unread(_FIELDS, row)
    return Attempt(**dict(zip(_FIELDS, row, strict=True)))
