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
    return _marked(text, user_ids, channel_ids, link=r"<\g<0>|\g<0>>", mention="<{sign}{id}|{name}>")


def written(text: str, user_ids: Mapping[str, str], channel_ids: Mapping[str, str]) -> str:
    """As Slack keeps the text of a message. The mappings: name to id."""
    return _marked(text, user_ids, channel_ids, link=r"<\g<0>>", mention="<{sign}{id}>")


def _marked(
    text: str, user_ids: Mapping[str, str], channel_ids: Mapping[str, str], *, link: str, mention: str
) -> str:
    def named(sign: str, found: re.Match[str], ids: Mapping[str, str]) -> str:
        name = found[1]
        return mention.format(sign=sign, id=ids[name], name=name) if name in ids else found[0]

    text = LINK.sub(link, html.escape(text, quote=False))
    text = USER.sub(lambda found: named("@", found, user_ids), text)
    return CHANNEL.sub(lambda found: named("#", found, channel_ids), text)
