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
_SAID = Style(color="red")


class NoSuchField(LookupError):
    """Its text is for the person who typed."""


def form(
    view: View, reader: Reader, width: int, complaints: Mapping[str, str] | None = None
) -> Iterator[RenderableType]:
    """`complaints`: block_id to what is wrong there."""
    inputs = [block for block in view.blocks if block["type"] == "input"]
    yield from drawn([block for block in view.blocks if block["type"] != "input"], reader, width)
    if not inputs:
        return
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for block in inputs:
        table.add_row(*_row(block, view, reader))
        complaint = (complaints or {}).get(block["block_id"])
        if complaint:
            table.add_row("", Text(f"✗ {complaint}", _SAID))
    yield table
    yield Text(_how_to_send(view, inputs), DIM)


def _row(block: Block, view: View, reader: Reader) -> tuple[Text, Text]:
    element = block["element"]
    name = Text(element["action_id"], Style(color="cyan", bold=True))
    needed = Text("" if block.get("optional") else " *", _SAID)
    label = reader.plain(block["label"]["text"])
    value = Text.assemble(": ", _value(view, block, element))
    hint = Text(f"  {block['hint']['text']}" if "hint" in block else "", DIM)
    offer = _offer(element, reader)
    return name + needed, Text.assemble(label, value, hint, *(("\n", offer) if offer else ()))


def _value(view: View, block: Block, element: Element) -> Text:
    given = shown_answer(view.values[block["block_id"]][element["action_id"]])
    return Text(given, Style(bold=True)) if given else Text("empty", DIM)


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


def _offer(element: Element, reader: Reader) -> Text | None:
    options = element.get("options")
    if not options:
        return None
    names = [reader.plain(option["text"]["text"]) for option in options[:_MOST_OPTIONS_SHOWN]]
    more = len(options) - len(names)
    texts = Text(" | ").join(names + ([Text(f"{more} more")] if more else []))
    texts.stylize(DIM)
    return texts


def _how_to_send(view: View, inputs: list[Block]) -> str:
    needed = [block["element"] for block in inputs if not block.get("optional")]
    missing = [item["action_id"] for item in needed if not shown_answer(_answer_of(view, item))]
    example = " ".join(f"{name}=…" for name in missing) or "name=my-train"
    submit = view.definition.get("submit", {}).get("text", "Submit")
    return f"[ {submit} ]: fill {example} fills in and sends; fill alone sends it as it is; cancel closes it."


def _answer_of(view: View, element: Element) -> Mapping[str, Any]:
    return next(
        entry[element["action_id"]] for entry in view.values.values() if element["action_id"] in entry
    )


def answers_for(blocks: Iterable[Block], typed: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """For `Person.submit`: what was typed, an option by any clear part of its text. Raises NoSuchField."""
    elements = {element["action_id"]: element for _, element in stateful(blocks)}
    return {field: _typed_value(_element(elements, field), value) for field, value in typed}


def _element(elements: Mapping[str, Element], field: str) -> Element:
    if field not in elements:
        raise NoSuchField(f"The form has no field {field}; it has: {', '.join(elements)}.")
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
    names = ", ".join(option["text"]["text"] for option in (found or options)[:_MOST_OPTIONS_SHOWN])
    fit = "fits several of" if found else "is none of"
    raise NoSuchField(f"{element['action_id']}: {typed} {fit}: {names}.")
