"""A strict check of Block Kit JSON, offline: what Slack would refuse, and some of what it would garble.

Each finding is a sentence that begins with the path of what is wrong. No finding, no objection.
Slack's own figures where it documents them; the sum of a message's blocks is not documented (refused from
about 13 200 characters: slackapi/bolt-js#2509), so 12 000 is the budget here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bot.sandbox.slack.blockkinds import Several, Typed
from bot.sandbox.slack.blockspecs import BLOCKS, OPTIONS
from bot.sandbox.slack.surfacespecs import BLOCKS_OF_SURFACE, MESSAGE, MOST_BLOCKS, VIEWS, Surface

MESSAGE_BUDGET = 12_000
MARKDOWN_BUDGET = 12_000
TABLE_BUDGET = 10_000
VIEW_BYTES = 250_000

Rule = Callable[[dict[str, Any]], Iterator[str]]


def lint_message(payload: Mapping[str, Any]) -> list[str]:
    """`payload`: the arguments of a chat method, or the body for a response_url or a command's ack."""
    return list(_message_findings(dict(payload)))


def lint_view(view: Mapping[str, Any]) -> list[str]:
    """`view`: the object that views.open, update, push and publish and a `response_action` take."""
    return list(_view_findings(dict(view)))


def lint_blocks(blocks: Any, surface: Surface) -> list[str]:
    return list(_block_findings(blocks, surface, "blocks"))


def lint_options(answer: Mapping[str, Any]) -> list[str]:
    """`answer`: what an app answers to block_suggestion."""
    return [*OPTIONS.findings(dict(answer), "options"), *_has_options(dict(answer))]


def size_of(blocks: Any) -> int:
    """Characters of every string in the blocks (texts, values, ids, URLs) but the `type`s."""
    if isinstance(blocks, str):
        return len(blocks)
    if isinstance(blocks, dict):
        return sum(size_of(value) for key, value in blocks.items() if key != "type")
    if isinstance(blocks, list):
        return sum(map(size_of, blocks))
    return 0


def _message_findings(payload: dict[str, Any]) -> Iterator[str]:
    if payload.get("delete_original") is True and not any(
        map(payload.get, ("text", "blocks", "attachments"))
    ):
        yield from MESSAGE.findings(payload, "")
        return
    if not payload.get("text"):
        yield "text: required beside blocks too: it is what notifications and screen readers get"
    yield from MESSAGE.findings({key: value for key, value in payload.items() if value != ""}, "")
    blocks = payload.get("blocks", [])
    yield from _block_findings(blocks, "message", "blocks")
    bodies = list(_attached_blocks(payload.get("attachments")))
    for index, attached in bodies:
        yield from _block_findings(attached, "message", f"attachments[{index}].blocks")
    everything = [blocks, *(attached for _, attached in bodies)]
    if (size := size_of(everything)) > MESSAGE_BUDGET:
        yield f"blocks: all together must have at most {MESSAGE_BUDGET} characters, have {size}"


def _attached_blocks(attachments: Any) -> Iterator[tuple[int, Any]]:
    for index, attachment in enumerate(attachments if isinstance(attachments, list) else []):
        if isinstance(attachment, dict) and "blocks" in attachment:
            yield index, attachment["blocks"]


def _view_findings(view: dict[str, Any]) -> Iterator[str]:
    kind = view.get("type")
    yield from Typed(what="view", kinds=VIEWS, allowed=frozenset(VIEWS)).findings(view, "view")
    if kind == "modal":
        yield from _block_findings(view.get("blocks"), "modal", "view.blocks")
        yield from _modal_findings(view)
    if kind == "home":
        yield from _block_findings(view.get("blocks"), "home", "view.blocks")
    if (size := len(json.dumps(view).encode())) > VIEW_BYTES:
        yield f"view: must have at most {VIEW_BYTES} bytes as JSON, has {size}"


def _modal_findings(view: dict[str, Any]) -> Iterator[str]:
    blocks = _objects(view.get("blocks"))
    if not blocks:
        yield "view.blocks: a modal must have a block"
    if any(block.get("type") == "input" for block in blocks) and "submit" not in view:
        yield "view.submit: required because there is an input block"


def _block_findings(blocks: Any, surface: Surface, path: str) -> Iterator[str]:
    allowed = Typed(what="block", kinds=BLOCKS, allowed=BLOCKS_OF_SURFACE[surface])
    shape = list(Several(of=allowed, most=MOST_BLOCKS[surface], least=0).findings(blocks, path))
    if shape:
        # The rules below rely on the shape; with a wrong one they would only repeat it.
        yield from shape
        return
    for index, block in enumerate(blocks):
        yield from _rule_findings(block, f"{path}[{index}]")
    yield from _duplicates(blocks, "block_id", path)
    yield from _totals(blocks, path)


def _rule_findings(block: dict[str, Any], path: str) -> Iterator[str]:
    elements = list(typed_objects(block, path))
    for value, where in elements:
        for rule in RULES.get(value["type"], ()):
            yield from (f"{where}: {sentence}" for sentence in rule(value))
    yield from _duplicates([value for value, _ in elements], "action_id", path)


def typed_objects(value: Any, path: str = "") -> Iterator[tuple[dict[str, Any], str]]:
    """Every object that has a `type`, the outermost first, with its path."""
    if isinstance(value, dict):
        if "type" in value:
            yield value, path
        for key, item in value.items():
            yield from typed_objects(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from typed_objects(item, f"{path}[{index}]")


def _duplicates(objects: list[dict[str, Any]], key: str, path: str) -> Iterator[str]:
    counted = Counter(item[key] for item in objects if key in item)
    yield from (f"{path}: {key} {name!r} is used {n} times" for name, n in counted.items() if n > 1)


def _totals(blocks: list[dict[str, Any]], path: str) -> Iterator[str]:
    tables = [block for block in blocks if block["type"] == "table"]
    if len(tables) > 1:
        yield f"{path}: at most one table, there are {len(tables)}"
    if (size := size_of([table["rows"] for table in tables])) > TABLE_BUDGET:
        yield f"{path}: a table must have at most {TABLE_BUDGET} characters, has {size}"
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > MARKDOWN_BUDGET:
        yield f"{path}: markdown must have at most {MARKDOWN_BUDGET} characters in all, has {markdown}"
    focused = [value for value, _ in typed_objects(blocks) if value.get("focus_on_load")]
    if len(focused) > 1:
        yield f"{path}: at most one element may have focus_on_load, {len(focused)} have"


def _objects(blocks: Any) -> list[dict[str, Any]]:
    return [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []


def _has_words(section: dict[str, Any]) -> Iterator[str]:
    if "text" not in section and "fields" not in section:
        yield "a section needs text or fields"


def _has_one_source(image: dict[str, Any]) -> Iterator[str]:
    if ("image_url" in image) == ("slack_file" in image):
        yield "needs either image_url or slack_file"


def _has_options(select: dict[str, Any]) -> Iterator[str]:
    if ("options" in select) == ("option_groups" in select):
        yield "needs either options or option_groups"


def _offers_what_is_chosen(choice: dict[str, Any]) -> Iterator[str]:
    offered = [*choice.get("options", ())]
    offered += [option for group in choice.get("option_groups", ()) for option in group["options"]]
    chosen = [*choice.get("initial_options", ())]
    chosen += [choice["initial_option"]] if "initial_option" in choice else []
    yield from (
        f"the initial option {option['value']!r} is not exactly one of the options"
        for option in chosen
        if option not in offered
    )


def _fits_its_lengths(text_input: dict[str, Any]) -> Iterator[str]:
    least, most = text_input.get("min_length", 0), text_input.get("max_length", 3000)
    initial = text_input.get("initial_value", "")
    if least > most:
        yield f"min_length {least} is above max_length {most}"
    if len(initial) > most:
        yield f"initial_value has {len(initial)} characters, max_length is {most}"


def _chooses_within_limit(select: dict[str, Any]) -> Iterator[str]:
    chosen = max((len(value) for key, value in select.items() if key.startswith("initial_")), default=0)
    if chosen > select.get("max_selected_items", chosen):
        yield f"{chosen} initial choices, max_selected_items is {select['max_selected_items']}"


RULES: dict[str, tuple[Rule, ...]] = {
    "section": (_has_words,),
    "image": (_has_one_source,),
    "static_select": (_has_options, _offers_what_is_chosen),
    "multi_static_select": (_has_options, _offers_what_is_chosen, _chooses_within_limit),
    "multi_external_select": (_chooses_within_limit,),
    "multi_users_select": (_chooses_within_limit,),
    "multi_channels_select": (_chooses_within_limit,),
    "multi_conversations_select": (_chooses_within_limit,),
    "radio_buttons": (_offers_what_is_chosen,),
    "checkboxes": (_offers_what_is_chosen,),
    "plain_text_input": (_fits_its_lengths,),
}
