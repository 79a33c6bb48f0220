"""The Block Kit objects that we send, as plain dicts. Limits: docs.slack.dev/reference/block-kit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict

from bot.messages.mrkdwn import plain

Block = dict[str, Any]

MOST_TEXT = 3000
MOST_FIELD = 2000
MOST_BLOCKS = 50
MOST_CHARACTERS = 12_000
"""In all blocks of a message. Undocumented; Slack refuses from about 13,200 (slackapi/bolt-js issue 2509)."""


class Message(TypedDict):
    text: str
    """For notifications and screen readers; mrkdwn too."""
    blocks: list[Block]


def message(text: str, *blocks: Block | None) -> Message:
    return {"text": text, "blocks": [block for block in blocks if block is not None]}


def section(text: str, *, block_id: str | None = None, accessory: Block | None = None) -> Block:
    """`text`: mrkdwn, escaped by whoever made it."""
    return _present(
        type="section", block_id=block_id, text=_mrkdwn(_cut(text, MOST_TEXT)), accessory=accessory
    )


def header(text: str, *, block_id: str | None = None) -> Block:
    return _present(type="header", block_id=block_id, text=plain_text(text, 150))


def divider() -> Block:
    return {"type": "divider"}


def fields(texts: Iterable[str], *, block_id: str | None = None) -> Block | None:
    """At most ten, two in a row."""
    shown = [_mrkdwn(_cut(text, MOST_FIELD)) for text in texts][:10]
    return _present(type="section", block_id=block_id, fields=shown) if shown else None


def context(text: str, *, block_id: str | None = None) -> Block:
    return _present(type="context", block_id=block_id, elements=[_mrkdwn(_cut(text, MOST_TEXT))])


def actions(buttons: Iterable[Block], *, block_id: str | None = None) -> Block | None:
    elements = list(buttons)
    return _present(type="actions", block_id=block_id, elements=elements) if elements else None


def button(  # noqa: PLR0913 - what a button has
    label: str,
    action_id: str,
    value: str,
    *,
    style: str | None = None,
    confirm: Block | None = None,
    spoken: str | None = None,
) -> Block:
    """`spoken`: what a screen reader says instead of the label, where several buttons have the same."""
    return _present(
        type="button",
        text=plain_text(label, 75),
        action_id=action_id,
        value=value,
        style=style,
        confirm=confirm,
        accessibility_label=None if spoken is None else plain(spoken, 75),
    )


def confirmation(*, title: str, text: str, confirm: str, deny: str, style: str = "danger") -> Block:
    """Asked by Slack's clients only: whoever pressed is judged all the same."""
    return {
        "title": plain_text(title, 100),
        "text": plain_text(text, 300),
        "confirm": plain_text(confirm, 30),
        "deny": plain_text(deny, 30),
        "style": style,
    }


def preformatted(text: str) -> Block:
    """Exactly this text, to copy: rich text knows neither escapes nor markup."""
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}


def rich_line(text: str) -> Block:
    return {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}


def rich_link(label: str, url: str) -> Block:
    link = {"type": "link", "url": url}
    return {"type": "rich_text_section", "elements": [{"type": "text", "text": label}, link]}


def rich_text(*parts: Block) -> Block:
    return {"type": "rich_text", "elements": list(parts)}


def plain_text(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": plain(text, limit) or " ", "emoji": True}


def size(value: Any) -> int:
    """The characters of every string, as Slack may count them."""
    match value:
        case str():
            return len(value)
        case dict():
            return sum(map(size, value.values()))
        case list():
            return sum(map(size, value))
        case _:
            return 0


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


def _cut(text: str, limit: int) -> str:
    """The last resort: the pieces are kept short where they are made, so that no escape is cut in two."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _present(**values: Any) -> Block:
    return {key: value for key, value in values.items() if value is not None}
