"""A rich_text block as HTML: docs.slack.dev/reference/block-kit/blocks/rich-text-block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from bot.sandbox.page.kit.links import link
from bot.sandbox.page.kit.texts import Texts
from bot.sandbox.slack.blocktree import Block, Element
from bot.sandbox.slack.dates import is_known

_STYLES = {
    "bold": Markup("<strong>{}</strong>"),
    "italic": Markup("<em>{}</em>"),
    "strike": Markup("<s>{}</s>"),
    "underline": Markup("<u>{}</u>"),
    "highlight": Markup("<mark>{}</mark>"),
    "code": Markup("<code>{}</code>"),
}
_BREAK = Markup("<br>")
_DEEPEST = 8


def rich_text(block: Block, texts: Texts) -> Markup:
    return Markup("").join(_paragraph(part, texts) for part in block["elements"])


def _paragraph(part: Element, texts: Texts) -> Markup:
    match part["type"]:
        case "rich_text_list":
            return _list(part, texts)
        case "rich_text_preformatted":
            return Markup("<pre>{}</pre>").format(_inside(part["elements"], texts))
        case "rich_text_quote":
            return Markup("<blockquote>{}</blockquote>").format(_lines(part["elements"], texts))
        case _:
            return Markup("<p>{}</p>").format(_lines(part["elements"], texts))


def _list(part: Element, texts: Texts) -> Markup:
    items = Markup("").join(
        Markup("<li>{}</li>").format(_lines(item["elements"], texts)) for item in part["elements"]
    )
    indent = Markup("indent-{}").format(min(int(part.get("indent", 0)), _DEEPEST))
    if part["style"] == "ordered":
        start = int(part.get("offset", 0)) + 1
        return Markup('<ol class="{}" start="{}">{}</ol>').format(indent, start, items)
    return Markup('<ul class="{}">{}</ul>').format(indent, items)


def _lines(elements: Iterable[Element], texts: Texts) -> Markup:
    return _BREAK.join(_inside(elements, texts).split("\n"))


def _inside(elements: Iterable[Element], texts: Texts) -> Markup:
    return Markup("").join(_styled(element, texts) for element in elements)


def _styled(element: Element, texts: Texts) -> Markup:
    drawn = _INLINE[element["type"]](element, texts)
    for style, tagged in _STYLES.items():
        if element.get("style", {}).get(style):
            drawn = tagged.format(drawn)
    return drawn


def _date(element: Mapping[str, Any], texts: Texts) -> Markup:
    if not is_known(element["format"]):
        return escape(element.get("fallback", element["timestamp"]))
    drawn = texts.moment(datetime.fromtimestamp(element["timestamp"], tz=UTC), element["format"])
    return link(element["url"], drawn) if "url" in element else drawn


_INLINE: dict[str, Callable[[Mapping[str, Any], Texts], Markup]] = {
    "text": lambda element, _: escape(element["text"]),
    "link": lambda element, _: link(element["url"], element.get("text", "")),
    "user": lambda element, texts: texts.user(element["user_id"]),
    "channel": lambda element, texts: texts.channel(element["channel_id"]),
    "usergroup": lambda element, texts: texts.broadcast(element["usergroup_id"]),
    "broadcast": lambda element, texts: texts.broadcast(element["range"]),
    "emoji": lambda element, texts: texts.emoji(element["name"]),
    "date": _date,
    "color": lambda element, _: Markup("<code>{}</code>").format(element["value"]),
}
