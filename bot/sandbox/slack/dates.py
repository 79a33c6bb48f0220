"""Slack's dates in text, `<!date^EPOCH^{date_short_pretty} at {time}|FALLBACK>`, in the zone of who reads.

Tokens: docs.slack.dev/messaging/formatting-message-text, "Date formatting".
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

_TOKEN = re.compile(r"\{(\w+)\}")
_PRETTY = "_pretty"
_RELATIVE = {-1: "yesterday", 0: "today", 1: "tomorrow"}
_FORMATS = {
    "date_num": "%Y-%m-%d",
    "date": "%B %-d, %Y",
    "date_short": "%b %-d, %Y",
    "date_long": "%A, %B %-d, %Y",
    "time": "%H:%M",
    "time_secs": "%H:%M:%S",
}


def is_known(pattern: str) -> bool:
    """Whether Slack has all its tokens."""
    return all(token.removesuffix(_PRETTY) in _FORMATS for token in _TOKEN.findall(pattern))


def told(at: datetime, pattern: str, *, now: datetime, zone: tzinfo | None = None) -> str:
    """`zone`: of the reader; None is that of this machine. Raises KeyError for a token that Slack has not."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    return _TOKEN.sub(lambda token: _of_token(token[1], local, (local.date() - today).days), pattern)


def _of_token(token: str, at: datetime, days: int) -> str:
    shape = _FORMATS[token.removesuffix(_PRETTY)]
    near = _RELATIVE.get(days) if token.endswith(_PRETTY) else None
    return near or at.strftime(shape)
