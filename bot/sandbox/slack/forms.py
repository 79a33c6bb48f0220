"""What a person chooses and types, as Slack writes it into `state.values` and into an action."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bot.sandbox.slack.blocktree import Block, Element, interactive

Entries = dict[tuple[str, str], dict[str, Any]]
"""By block_id and action_id."""

_TEXTS = ("plain_text_input", "number_input", "email_text_input", "url_text_input")
# Type of element: the key of the answer, the key of what is there at first.
ANSWERS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(_TEXTS, ("value", "initial_value")),
    **dict.fromkeys(
        ("static_select", "external_select", "radio_buttons"), ("selected_option", "initial_option")
    ),
    **dict.fromkeys(
        ("multi_static_select", "multi_external_select", "checkboxes"),
        ("selected_options", "initial_options"),
    ),
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}


def state_values(blocks: Iterable[Block], typed: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {}
    for block, element in stateful(blocks):
        key = (block["block_id"], element["action_id"])
        entry = typed.get(key)
        if entry is None or entry["type"] != element["type"]:
            # An update may put another kind of element in a place where something was typed before.
            entry = initial_answer(element)
        values.setdefault(key[0], {})[key[1]] = copy.deepcopy(entry)
    return values


def entries(values: Mapping[str, Mapping[str, dict[str, Any]]]) -> Entries:
    """`values`: a whole `state.values`."""
    return {
        (block_id, action_id): entry
        for block_id, found in values.items()
        for action_id, entry in found.items()
    }


def filled_in(blocks: Iterable[Block], values: Mapping[str, Mapping[str, Any]]) -> list[Block]:
    """Copies in which what is chosen or typed stands where it was initially."""
    copies = copy.deepcopy(list(blocks))
    for block, element in stateful(copies):
        key, initial = ANSWERS[element["type"]]
        element.pop(initial, None)
        given = values[block["block_id"]][element["action_id"]][key]
        element.update({initial: given} if given else {})
    return copies


def dispatches(block: Block, element: Element, *, entered: bool = True) -> bool:
    """Whether what is done to the element reaches the app at once: in an input block only where the block
    wants it. `entered`: a text was finished with the enter key; otherwise a character was typed."""
    if block["type"] != "input":
        return True
    if not block.get("dispatch_action"):
        return False
    if element["type"] not in _TEXTS:
        return True
    config = element.get("dispatch_action_config", {})
    wanted = config.get("trigger_actions_on", ["on_enter_pressed"])
    return ("on_enter_pressed" if entered else "on_character_entered") in wanted


def shortest_search(element: Element) -> int:
    """Characters, before an external select asks the app; Slack's own number where the app names none."""
    return int(element.get("min_query_length", 3))


def is_text(element: Element) -> bool:
    return element["type"] in _TEXTS


def is_many(element: Element) -> bool:
    return bool(element["type"].startswith("multi_") or element["type"] == "checkboxes")


def is_external(element: Element) -> bool:
    return element["type"] in {"external_select", "multi_external_select"}


def stateful(blocks: Iterable[Block]) -> Iterator[tuple[Block, Element]]:
    return (pair for pair in interactive(blocks) if pair[1]["type"] in ANSWERS)


def initial_answer(element: Element) -> dict[str, Any]:
    key, initial = ANSWERS[element["type"]]
    nothing: Any = [] if is_many(element) else None
    return {"type": element["type"], key: element.get(initial, nothing)}


def answer(element: Element, value: Any) -> dict[str, Any]:
    """`value`: a text, an id, a date; for options their value or text; a list where several can be chosen.
    None and "" empty it. Raises LookupError for an option that is not offered."""
    key, _ = ANSWERS[element["type"]]
    if value is None or value == "":
        return {"type": element["type"], key: [] if is_many(element) else None}
    if not key.startswith("selected_option"):
        return {"type": element["type"], key: value if key != "value" else str(value)}
    chosen = [option(element, item) for item in ([value] if not is_many(element) else value)]
    return {"type": element["type"], key: chosen if is_many(element) else chosen[0]}


def offered(element: Element) -> list[dict[str, Any]]:
    """Those in groups too."""
    groups = element.get("option_groups", ())
    return [*element.get("options", ()), *(item for group in groups for item in group["options"])]


def option(element: Element, wanted: Any) -> dict[str, Any]:
    """By its value or its text. A dict is taken as it is."""
    if isinstance(wanted, dict):
        return wanted
    options = offered(element)
    for item in options:
        if wanted in {item.get("value"), item["text"]["text"]}:
            return dict(item)
    listing = ", ".join(repr(item.get("value")) for item in options)
    raise LookupError(f"{element['action_id']!r} offers no {wanted!r}, only: {listing}")


def answers(
    blocks: Iterable[Block],
    values: Mapping[str, Any],
    offering: Callable[[Block, Element], Element] = lambda _, element: element,
) -> Entries:
    """`values` by block_id or action_id. `offering`: the element with all the options that can be chosen.
    Raises LookupError for a key that is neither."""
    fields = list(stateful(blocks))
    typed: Entries = {}
    for key, value in values.items():
        found = [pair for pair in fields if key in {pair[0]["block_id"], pair[1]["action_id"]}]
        if len(found) != 1:
            names = ", ".join(f"{block['block_id']}/{element['action_id']}" for block, element in fields)
            raise LookupError(f"{key!r} names {len(found)} fields, there are: {names}")
        block, element = found[0]
        typed[block["block_id"], element["action_id"]] = answer(offering(block, element), value)
    return typed


def complaints(blocks: Iterable[Block], values: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What Slack's own client refuses before the app is asked: block_id to complaint."""
    found: dict[str, str] = {}
    for block, element in stateful(blocks):
        if block["type"] != "input":
            continue
        entry = values[block["block_id"]][element["action_id"]]
        complaint = _complaint(block, element, entry[ANSWERS[element["type"]][0]])
        if complaint:
            found[block["block_id"]] = complaint
    return found


def _complaint(block: Block, element: Element, value: Any) -> str | None:
    if not value:
        return None if block.get("optional") else "Please complete this required field."
    check = _CHECKS.get(element["type"])
    return check(element, value) if check else None


def _text_complaint(element: Element, value: str) -> str | None:
    least, most = element.get("min_length", 0), element.get("max_length", 3000)
    return None if least <= len(value) <= most else f"Must have {least} to {most} characters."


def _number_complaint(element: Element, value: str) -> str | None:
    try:
        number = float(value) if element["is_decimal_allowed"] else int(value)
    except ValueError:
        return "Must be a number." if element["is_decimal_allowed"] else "Must be a whole number."
    least, most = element.get("min_value", "-inf"), element.get("max_value", "inf")
    return None if float(least) <= number <= float(most) else f"Must be from {least} to {most}."


def _url_complaint(_: Element, value: str) -> str | None:
    return None if value.startswith(("http://", "https://")) else "Must be a URL."


def _email_complaint(_: Element, value: str) -> str | None:
    return None if "@" in value.strip("@") else "Must be an email address."


_CHECKS: dict[str, Callable[[Element, str], str | None]] = {
    "plain_text_input": _text_complaint,
    "number_input": _number_complaint,
    "url_text_input": _url_complaint,
    "email_text_input": _email_complaint,
}
