"""Walks over blocks as people and clients look at them: what they say, and what can be acted on."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from random import Random
from string import ascii_letters, digits
from typing import Any

Block = dict[str, Any]
Element = dict[str, Any]

NOT_INTERACTIVE = frozenset({"image", "plain_text", "mrkdwn"})


def elements_of(block: Block) -> Iterator[Element]:
    """What sits in an actions block, as a section's accessory or in an input, buttons and images alike."""
    match block["type"]:
        case "actions" | "context":
            yield from block["elements"]
        case "section" if "accessory" in block:
            yield block["accessory"]
        case "input":
            yield block["element"]
        case _:
            return


def interactive(blocks: Iterable[Block]) -> Iterator[tuple[Block, Element]]:
    for block in blocks:
        yield from ((block, item) for item in elements_of(block) if item["type"] not in NOT_INTERACTIVE)


def find_element(blocks: Iterable[Block], wanted: str, block_id: str | None = None) -> tuple[Block, Element]:
    """By action_id, else by a button's text; in the block `block_id`, or in any. Raises LookupError, with
    what there is, unless just one fits."""
    pairs = [pair for pair in interactive(blocks) if block_id in {None, pair[0]["block_id"]}]
    for fits in (_has_id, _has_text):
        found = [pair for pair in pairs if fits(pair[1], wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            raise LookupError(f"{wanted!r} is there {len(found)} times: {_listing(pairs)}")
    raise LookupError(f"there is no {wanted!r}, only: {_listing(pairs) or 'nothing to act on'}")


def named(blocks: Iterable[Block], rng: Random) -> list[Block]:
    """Copies that have a block_id, and an action_id on all that can be acted on."""
    copies = copy.deepcopy(list(blocks))
    for block in copies:
        block.setdefault("block_id", random_name(rng))
    for _, element in interactive(copies):
        element.setdefault("action_id", random_name(rng))
    return copies


def random_name(rng: Random, length: int = 5) -> str:
    return "".join(rng.choices(ascii_letters + digits, k=length))


def words_of(value: Any) -> str:
    """Every text in reading order, a line each; a rich text paragraph is one line."""
    return "\n".join(_texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    if not isinstance(value, dict):
        return
    if value.get("type") in {"rich_text_section", "rich_text_preformatted", "rich_text_quote"}:
        yield "".join(map(_inline, value["elements"]))
        return
    for key, item in value.items():
        if key in {"text", "alt_text"} and isinstance(item, str):
            yield item
        elif key != "confirm":
            yield from _texts(item)


def _inline(element: Element) -> str:
    template = _INLINE.get(element["type"], "({type})")
    return template.format_map({"text": element.get("url"), "fallback": element.get("timestamp"), **element})


_INLINE = {
    "text": "{text}",
    "link": "{text}",
    "emoji": ":{name}:",
    "user": "<@{user_id}>",
    "channel": "<#{channel_id}>",
    "date": "{fallback}",
}


def _has_id(element: Element, wanted: str) -> bool:
    return bool(element["action_id"] == wanted)


def _has_text(element: Element, wanted: str) -> bool:
    return bool(element["type"] == "button" and element["text"]["text"] == wanted)


def _listing(pairs: list[tuple[Block, Element]]) -> str:
    return ", ".join(
        f"{element['type']} {element['action_id']!r} {element.get('text', {}).get('text', '')}".rstrip()
        for _, element in pairs
    )
