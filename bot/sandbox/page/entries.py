"""What a browser sends for a field, as `Person.choose` takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.sandbox.slack.blocktree import Element
from bot.sandbox.slack.forms import ANSWERS

_MANY = "multi_"


def value_of(element: Element, sent: Sequence[str], entry: Mapping[str, Any]) -> Any:
    """`sent`: empty texts where nothing is chosen. `entry`: what is chosen now, of `state.values`: an option
    that an external select has kept need not be found anew."""
    values = [_one(element, text, entry) for text in sent if text]
    if element["type"].startswith(_MANY) or element["type"] == "checkboxes":
        return values
    return values[0] if values else None


def _one(element: Element, text: str, entry: Mapping[str, Any]) -> Any:
    match element["type"].removeprefix(_MANY):
        case "external_select":
            return next((option for option in _chosen(element, entry) if option["value"] == text), text)
        case "datetimepicker":
            return int(text) if text.isdecimal() else None
        case _:
            return text


def _chosen(element: Element, entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    value = entry.get(ANSWERS[element["type"]][0])
    return value if isinstance(value, list) else [value] if value else []
