"""A form in a terminal: how it looks, and what is typed for its fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from rich.console import RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bot.sandbox.slack.blocktree import Block, Element
from bot.sandbox.slack.forms import filled_in, is_external, is_many, offered, shortest_search, stateful
from bot.sandbox.slack.views import View
from bot.sandbox.terminal.blocks import DIM, drawn
from bot.sandbox.terminal.mrkdwn import Reader
from bot.sandbox.terminal.targets import names_of

_MOST_OPTIONS_SHOWN = 12
_LONG_OPTION = 25
"""Characters; from there on each has a line of its own."""
_NEEDED = Style(color="red")
_KEY = Style(color="cyan", bold=True)


class NoSuchField(LookupError):
    """Its text is for the person who typed."""


def form(view: View, reader: Reader, width: int) -> Iterator[RenderableType]:
    shown = filled_in(view.blocks, view.values)
    yield from drawn([block for block in shown if block["type"] != "input"], reader, width)
    inputs = [block for block in view.blocks if block["type"] == "input"]
    if inputs:
        yield _fields(inputs, view, reader)
    if "submit" in view.definition:
        submit = view.definition["submit"]["text"]
        how = "fill FIELD=VALUE …" if inputs else "fill"
        yield Text(f"[ {submit} ] type {how}   [ Close ] type cancel", _KEY)


def _fields(inputs: Iterable[Block], view: View, reader: Reader) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for block in inputs:
        table.add_row(*_row(block, view, reader))
    return table


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
    if is_external(element):
        return "\ntype some letters of it"
    options = offered(element)
    names = [option["text"]["text"] for option in options[:_MOST_OPTIONS_SHOWN]]
    more = len(options) - len(names)
    names += [f"{more} more"] if more else []
    if not names:
        return ""
    return "\n" + ("\n" if max(map(len, names)) > _LONG_OPTION else " | ").join(names)


def answers_for(
    blocks: Iterable[Block],
    typed: Iterable[tuple[str, str]],
    found: Mapping[str, Element] = MappingProxyType({}),
) -> dict[str, Any]:
    """For `Person.submit`: what was typed, an option by any clear part of its text. `found`: by action_id,
    the external selects with the options that were loaded for them. Raises NoSuchField."""
    elements = {element["action_id"]: element for _, element in stateful(blocks)}
    return {
        element["action_id"]: value_for(found.get(element["action_id"], element), value)
        for element, value in ((_element(elements, field), value) for field, value in typed)
    }


def value_for(element: Element, typed: str) -> Any:
    """For `Person.choose`: an option by any clear part of its text. Raises NoSuchField."""
    if not typed or not {"options", "option_groups"} & element.keys():
        return typed
    options = offered(element)
    if is_many(element):
        return [_option(element, options, part) for part in parts_of(element, typed)]
    return _option(element, options, typed)


def parts_of(element: Element, typed: str) -> list[str]:
    return [part.strip() for part in typed.split(",")] if is_many(element) else [typed]


def searched(element: Element, typed: str) -> list[str]:
    """What an external select asks the app for. Raises NoSuchField where that is too short to be asked."""
    parts = parts_of(element, typed) if typed else []
    least = shortest_search(element)
    if any(len(part) < least for part in parts):
        raise NoSuchField(f"{element['action_id']}: type {least} letters or more to search.")
    return parts


def _element(elements: Mapping[str, Element], field: str) -> Element:
    named = [element for element in elements.values() if field.casefold() in names_of(element)]
    if field not in elements and len(named) != 1:
        raise NoSuchField(f"The form has no field {field}. It has: {', '.join(elements)}.")
    return elements.get(field) or named[0]


def _option(element: Element, options: list[Element], typed: str) -> Element:
    exact = [option for option in options if typed in (option["value"], option["text"]["text"])]
    parts = [option for option in options if typed.casefold() in option["text"]["text"].casefold()]
    found = exact or parts
    if not options:
        raise NoSuchField(f"{element['action_id']}: nothing is found for {typed}.")
    if len(found) == 1:
        return found[0]
    names = " | ".join(option["text"]["text"] for option in (found or options)[:_MOST_OPTIONS_SHOWN])
    fit = "fits several" if found else "is not offered"
    raise NoSuchField(f"{element['action_id']}: {typed} {fit}: {names}")
