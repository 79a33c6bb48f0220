"""What a client keeps by itself for one person: what is chosen in messages, and which options were loaded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bot.sandbox.slack.blocktree import Block, Element
from bot.sandbox.slack.forms import Entries, is_external
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.views import View

Place = Message | View
Option = dict[str, Any]


class Selections:
    def __init__(self) -> None:
        self._chosen: dict[tuple[str, str], Entries] = {}
        self._loaded: dict[tuple[str, str, str], dict[str, Option]] = {}

    def chosen(self, message: Message) -> Entries:
        return dict(self._chosen.get((message.channel, message.ts), {}))

    def choose(self, message: Message, block: Block, element: Element, entry: dict[str, Any]) -> None:
        chosen = self._chosen.setdefault((message.channel, message.ts), {})
        chosen[block["block_id"], element["action_id"]] = entry

    def load(self, place: Place, block: Block, element: Element, options: Iterable[Option]) -> None:
        """Besides those of earlier searches: one may have been chosen then."""
        loaded = self._loaded.setdefault(_key(place, block, element), {})
        loaded.update({option["value"]: option for option in options})

    def with_options(self, place: Place, block: Block, element: Element) -> Element:
        """An external select as if what was loaded for it were its own options; any other as it is."""
        if not is_external(element):
            return element
        return {**element, "options": list(self._loaded.get(_key(place, block, element), {}).values())}

    def forget(self) -> None:
        self._chosen.clear()
        self._loaded.clear()


def _key(place: Place, block: Block, element: Element) -> tuple[str, str, str]:
    where = place.id if isinstance(place, View) else f"{place.channel} {place.ts}"
    return where, block["block_id"], element["action_id"]
