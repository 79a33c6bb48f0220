"""What can be acted on in messages, forms and the Home tab, and how it is named by who types. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.blocktree import Block, Element, elements_of, words_of
from bot.sandbox.slack.forms import stateful
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.selections import Place
from bot.sandbox.slack.views import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A button, or with `value` what an overflow menu offers. `near` and `around`: the words beside it, those
    of its own block, and those since the last row of buttons."""

    place: Place
    block: Block
    element: Element
    label: str
    value: str | None = None
    near: frozenset[str]
    around: frozenset[str]


def pressed(label: str, name: str | None, places: Iterable[Place]) -> Target:
    """In the first place that has it; `name` of an instance: beside its name. Raises LookupError, with what
    there is, and where there are several."""
    known: dict[str, None] = {}
    for place in places:
        targets = _of_instance(list(_targets(place)), name, place)
        found = [target for target in targets if target.label.casefold() == label.casefold()]
        if len(found) == 1:
            return found[0]
        if found:
            raise LookupError(f"{label} is there {len(found)} times. Say of which: press {label} NAME.")
        known |= dict.fromkeys(target.label for target in targets)
    of_it = f" of {name}" if name else ""
    raise LookupError(f"No button {label}{of_it} here. There is: {', '.join(known) or 'none yet'}.")


def menu(field: str, places: Sequence[Place]) -> tuple[Place, Block, Element]:
    """What has a state, by its action_id or the last part of it. Raises LookupError, with what there is."""
    fields = [(place, *pair) for place in places for pair in stateful(blocks_of(place))]
    for place, block, element in fields:
        if field.casefold() in names_of(element):
            return place, block, element
    known = dict.fromkeys(element["action_id"] for _, _, element in fields)
    raise LookupError(f"There is no field {field} here. There is: {', '.join(known) or 'none yet'}.")


def names_of(element: Element) -> set[str]:
    action_id = str(element["action_id"]).casefold()
    return {action_id, action_id.rpartition(":")[2]}


def blocks_of(place: Place) -> tuple[Block, ...]:
    return place.blocks if isinstance(place, View) else place.all_blocks


def words(shown: Any) -> frozenset[str]:
    """As they are typed: without marks."""
    text = shown.words if isinstance(shown, Message) else words_of(shown)
    return frozenset(text.casefold().replace("*", " ").replace("`", " ").split())


def _targets(place: Place) -> Iterator[Target]:
    around: frozenset[str] = frozenset()
    for block in blocks_of(place):
        is_row = block["type"] == "actions"
        near = around if is_row else words(block)
        around |= near
        for element in elements_of(block):
            for label, value in _labels(element):
                yield Target(
                    place=place,
                    block=block,
                    element=element,
                    label=label,
                    value=value,
                    near=near,
                    around=around,
                )
        if is_row or block["type"] == "divider":
            around = frozenset()


def _labels(element: Element) -> Iterator[tuple[str, str | None]]:
    match element["type"]:
        case "button":
            yield element["text"]["text"], None
        case "overflow":
            yield from ((option["text"]["text"], option["value"]) for option in element["options"])


def _of_instance(targets: list[Target], name: str | None, place: Place) -> list[Target]:
    """A message about an instance may name it anywhere."""
    if name is None:
        return targets
    wanted = name.casefold()
    beside = [target for target in targets if wanted in target.near]
    about = [target for target in targets if wanted in target.around]
    whole = targets if isinstance(place, Message) and wanted in words(place) else []
    return beside or about or whole
