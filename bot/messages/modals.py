"""Messages as modals: for presses in App Home, where there is no channel to answer in."""

from __future__ import annotations

from typing import Any

from bot.messages.blocks import Block, Message, plain_text, section

_MOST_TITLE = 24


def as_modal(message: Message, *, title: str) -> dict[str, Any]:
    """`title`: its first 24 characters are shown."""
    return _modal(title, message["blocks"] or [section(message["text"])])


def working_modal(title: str) -> dict[str, Any]:
    """To open at once, since the right to open one lasts three seconds; to be filled by an update."""
    return _modal(title, [section(":hourglass: One moment …", block_id="working")])


def _modal(title: str, blocks: list[Block]) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": "gpu_answer",
        "title": plain_text(title, _MOST_TITLE),
        "close": plain_text("Close", _MOST_TITLE),
        "blocks": blocks,
    }
