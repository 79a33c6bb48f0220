"""Block Kit in a terminal: what Slack's clients draw, in lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.style import Style
from rich.text import Text

from bot.sandbox.slack.blocktree import Block, Element
from bot.sandbox.slack.forms import ANSWERS, offered
from bot.sandbox.slack.messages import Message
from bot.sandbox.terminal.mrkdwn import Reader, visible

DIM = Style(dim=True)
_BUTTONS = {"primary": Style(color="green", bold=True), "danger": Style(color="red")}
_PLAIN_BUTTON = Style(color="cyan")
_MOST_OPTIONS_SHOWN = 8


def body(message: Message, reader: Reader, width: int) -> Iterator[RenderableType]:
    """The blocks, or else the text, as in a client."""
    if message.all_blocks:
        yield from drawn(message.all_blocks, reader, width)
    else:
        yield reader.text(message.text)


def drawn(blocks: Iterable[Block], reader: Reader, width: int) -> Iterator[RenderableType]:
    for block in blocks:
        yield from _block(block, reader, width)


def _block(block: Block, reader: Reader, width: int) -> Iterator[RenderableType]:
    match block["type"]:
        case "section":
            yield from _section(block, reader, width)
        case "context":
            yield from (styled(_text(item, reader), DIM) for item in block["elements"] if "text" in item)
        case "actions":
            yield buttons(block["elements"], reader)
        case "header":
            yield styled(_text(block["text"], reader), Style(bold=True))
        case "divider":
            yield Text("─" * min(width, 40), DIM)
        case "input":
            yield Text.assemble(
                reader.plain(block["label"]["text"]), "  ", _element(block["element"], reader)
            )
        case "rich_text":
            yield from (_rich_text(part, reader) for part in block["elements"])
        case other:
            yield Text(f"({other})", DIM)


def _section(block: Block, reader: Reader, width: int) -> Iterator[RenderableType]:
    if "text" in block:
        yield _text(block["text"], reader)
    if "fields" in block:
        yield _fields((_text(field, reader) for field in block["fields"]), width)
    if "accessory" in block:
        yield buttons([block["accessory"]], reader)


def _fields(texts: Iterable[Text], width: int) -> Text:
    """Two in a row, where both fit; a field whose text has a heading line is a label and its value."""
    pairs = [label_and_value(text) for text in texts]
    labels = max(label.cell_len for label, _ in pairs)
    cells = [_cell(label, value, labels) for label, value in pairs]
    rows: list[Text] = []
    for cell in cells:
        if rows and rows[-1].cell_len < width // 2 and cell.cell_len <= width // 2:
            rows[-1].pad_right(width // 2 - rows[-1].cell_len)
            rows[-1].append_text(cell)
        else:
            rows.append(cell)
    return Text("\n").join(rows)


def _cell(label: Text, value: Text, labels: int) -> Text:
    gap = " " * (labels - label.cell_len + 2 if labels else 0)
    return Text.assemble(label, gap, value)


def label_and_value(field: Text) -> tuple[Text, Text]:
    label, *lines = field.split("\n")
    return (Text(label.plain, DIM), Text("\n").join(lines)) if lines else (Text(""), label)


def buttons(elements: Iterable[Element], reader: Reader) -> Text:
    return Text("  ").join(_element(element, reader) for element in elements)


def _element(element: Element, reader: Reader) -> Text:
    match element["type"]:
        case "button":
            style = _BUTTONS.get(element.get("style", ""), _PLAIN_BUTTON)
            return styled(Text.assemble("[ ", reader.plain(element["text"]["text"]), " ]"), style)
        case "overflow":
            names = " | ".join(option["text"]["text"] for option in element["options"])
            return styled(Text.assemble("[ ⋯ ", reader.plain(names), " ]"), _PLAIN_BUTTON)
        case kind if kind in ANSWERS and "action_id" in element:
            return _menu(element, reader)
        case other:
            return Text(f"({other})", DIM)


def _menu(element: Element, reader: Reader) -> Text:
    """Its name as it is typed, and what is in it: chosen, or else offered."""
    given = element.get(ANSWERS[element["type"]][1])
    many = given if isinstance(given, list) else [given] if given else []
    inside = ", ".join(item["text"]["text"] if isinstance(item, dict) else str(item) for item in many)
    offer = [option["text"]["text"] for option in offered(element)][:_MOST_OPTIONS_SHOWN]
    hint = element.get("placeholder", {}).get("text") or " | ".join(offer) or "…"
    shown = reader.plain(inside or hint)
    return styled(Text.assemble("[ ", element["action_id"], ": ", shown, " ▾ ]"), _PLAIN_BUTTON)


def _text(item: Element, reader: Reader) -> Text:
    return reader.text(item["text"]) if item["type"] == "mrkdwn" else reader.plain(item["text"])


def _rich_text(part: Element, reader: Reader) -> Text:
    line = Text.assemble(*(_inline(element, reader) for element in part["elements"]))
    if part["type"] == "rich_text_preformatted":
        # It is there to be copied: a line break that is not part of it would be.
        line.stylize(Style(color="yellow"))
        line.overflow = "ignore"
    return line


def _inline(element: Element, reader: Reader) -> Text:
    match element["type"]:
        case "text":
            return Text(visible(element["text"]))
        case "link":
            return Text(visible(element.get("text") or element["url"]), Style(color="blue", underline=True))
        case "user":
            return reader.text(f"<@{element['user_id']}>")
        case "emoji":
            return reader.plain(f":{element['name']}:")
        case other:
            return Text(f"({other})", DIM)


def styled(text: Text, style: Style) -> Text:
    text.stylize(style)
    return text
