"""What becomes of a typed line on its way: what keyboards make of it, and what Slack makes of it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

LINK = re.compile(r"https?://[^\s<>\"”“]+")
USER = re.compile(r"(?<!\S)@([\w.-]+)")
CHANNEL = re.compile(r"(?<!\S)#([\w.-]+)")


def as_from_a_phone(text: str) -> str:
    """Smart punctuation: a dash for two hyphens, curly quotes; and a no-break space for the first space."""
    text = re.sub(r'"([^"]*)"', "“\\1”", text.replace("--", "—"))
    return text.replace("'", "’").replace(" ", "\u00a0", 1)


def escaped(text: str, user_ids: Mapping[str, str], channel_ids: Mapping[str, str]) -> str:
    """As Slack sends the text of a command with `should_escape`. The mappings: name to id."""
    text = html.escape(text, quote=False)
    text = LINK.sub(r"<\g<0>|\g<0>>", text)
    text = USER.sub(lambda found: _mention("@", found, user_ids), text)
    return CHANNEL.sub(lambda found: _mention("#", found, channel_ids), text)


def _mention(sign: str, found: re.Match[str], ids: Mapping[str, str]) -> str:
    name = found[1]
    return f"<{sign}{ids[name]}|{name}>" if name in ids else found[0]
