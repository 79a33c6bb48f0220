"""Slack's emoji codes as characters."""

from __future__ import annotations

import re

from rich.emoji import Emoji

_SLACK_NAMES = {
    # Those whose name in Slack is not the one that rich knows.
    "arrows_counterclockwise": "🔄",
    "black_square_for_stop": "⏹",
    "hourglass": "⌛",
    "hourglass_flowing_sand": "⏳",
    "information_source": "ℹ",
    "large_green_circle": "🟢",
    "warning": "⚠",
    "wastebasket": "🗑",
    "x": "❌",
}
_CODE = re.compile(r":([a-z0-9_+'-]+):")
_AS_PICTURE = "\ufe0f"


def with_emoji(text: str) -> str:
    """Codes that nobody knows stay as they are, as in Slack."""
    return _CODE.sub(lambda code: character(code[1]), text)


def character(name: str) -> str:
    """Without the sign that asks for a picture: terminals disagree about how wide that one is."""
    known = _SLACK_NAMES.get(name) or Emoji.replace(f":{name}:")
    return known.replace(_AS_PICTURE, "")
