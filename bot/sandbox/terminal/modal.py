"""A form in a terminal: how it looks, and what is typed for its fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bot.sandbox.slack.blocktree import Block, Element
from bot.sandbox.slack.forms import stateful
from bot.sandbox.slack.views import View
from bot.sandbox.terminal.blocks import DIM, drawn
from bot.sandbox.terminal.mrkdwn import Reader

_MOST_OPTIONS_SHOWN = 12
_LONG_OPTION = 25
"""Characters; from there on each has a line of its own."""
_NEEDED = Style(color="red")
_KEY = Style(color="cyan", bold=True)


class NoSuchField(LookupError):
    """Its text is for the person who typed."""


def form(view: View, reader: Reader, width: int) -> Iterator[RenderableType]:
    yield from drawn([block for block in view.blocks if block["type"] != "input"], reader, width)
    inputs = [block for block in view.blocks if block["type"] == "input"]
    if not inputs:
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for block in inputs:
        table.add_row(*_row(block, view, reader))
    yield table
    submit = view.definition.get("submit", {}).get("text", "Submit")
    yield Text(f"[ {submit} ] type fill FIELD=VALUE …   [ Close ] type cancel", _KEY)


def _row(block: Block, view: View, reader: Reader) -> tuple[Text, Text]:
    """The field's name as it is typed, then what a client shows: label, value, or what may be chosen."""
    element = block["element"]
    name = Text.assemble((element["action_id"], _KEY), ("" if block.get("optional") else " *", _NEEDED))
    label = reader.plain(block["label"]["text"])
    given = shown_answer(view.values[block["block_id"]][element["action_id"]])
    if given:
        return name, Text.assemble(label, ": ", (given, Style(bold=True)))
    hint = block.get("hint", {}).get("text", "")
    return name, Text.assemble(label, (f"  {hint}" if hint else "", DIM), (_offer(element), DIM))


def shown_answer(entry: Mapping[str, Any]) -> str:
    """Of `state.values`: what a client shows in the field."""
    match entry:
        case {"selected_option": {"text": {"text": str(text)}}}:
            return text
        case {"selected_options": [*options]}:
            return ", ".join(option["text"]["text"] for option in options)
        case {"value": str(text)}:
            return text
        case _:
            return ""


def _offer(element: Element) -> str:
    options = element.get("options", [])
    names = [option["text"]["text"] for option in options[:_MOST_OPTIONS_SHOWN]]
    more = len(options) - len(names)
    names += [f"{more} more"] if more else []
    if not names:
        return ""
    return "\n" + ("\n" if max(map(len, names)) > _LONG_OPTION else " | ").join(names)


def answers_for(blocks: Iterable[Block], typed: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """For `Person.submit`: what was typed, an option by any clear part of its text. Raises NoSuchField."""
    elements = {element["action_id"]: element for _, element in stateful(blocks)}
    return {field: _typed_value(_element(elements, field), value) for field, value in typed}


def _element(elements: Mapping[str, Element], field: str) -> Element:
    if field not in elements:
        raise NoSuchField(f"The form has no field {field}. It has: {', '.join(elements)}.")
    return elements[field]


def _typed_value(element: Element, typed: str) -> Any:
    options = element.get("options")
    if not typed or not options:
        return typed
    if element["type"].startswith("multi_"):
        return [_option(element, options, part.strip()) for part in typed.split(",")]
    return _option(element, options, typed)


def _option(element: Element, options: list[Element], typed: str) -> Element:
    exact = [option for option in options if typed in (option["value"], option["text"]["text"])]
    parts = [option for option in options if typed.casefold() in option["text"]["text"].casefold()]
    found = exact or parts
    if len(found) == 1:
        return found[0]
    names = " | ".join(option["text"]["text"] for option in (found or options)[:_MOST_OPTIONS_SHOWN])
    fit = "fits several" if found else "is not offered"
    raise NoSuchField(f"{element['action_id']}: {typed} {fit}: {names}")
