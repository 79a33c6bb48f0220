"""Values -> Slack's mrkdwn. Everything that people or Novita wrote passes through `clean` or `code`.

Slack makes mentions and links of `<`, `>` and `&` (`<!channel>` calls everybody); just these are escaped.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate

_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""Controls, zero widths, turns of text direction, halves of a surrogate pair."""

_CENT = Decimal("0.01")


def plain(text: str, limit: int) -> str:
    """On one line, at most `limit` characters, not escaped: for plain_text objects."""
    line = " ".join(_UNSEEN.sub("", text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def clean(text: str, limit: int) -> str:
    """On one line and escaped, at most `limit` characters of that, no escape cut in two."""
    pieces = [escape(character) for character in plain(text, limit)]
    if sum(map(len, pieces)) <= limit:
        return "".join(pieces)
    ends = accumulate(map(len, pieces))
    return "".join(piece for piece, end in zip(pieces, ends, strict=True) if end < limit) + "…"


def escape(text: str) -> str:
    return "".join(_ESCAPED.get(character, character) for character in text)


def code(text: str, limit: int = 100) -> str:
    """In a code span, which a backtick of its own would end."""
    return f"`{clean(text, limit).replace('`', 'ˋ') or ' '}`"


def bold(text: str, limit: int = 100) -> str:
    """Stars of its own would end it early."""
    return f"*{clean(text, limit).replace('*', '∗')}*"


def mention(user_id: str | None) -> str:
    """None: it came by REST. Notifies where it is in a new message, never in an edit."""
    if user_id is None:
        return "REST"
    return f"<@{user_id}>" if re.fullmatch(r"[UW][A-Z0-9]+", user_id) else clean(user_id, 40)


def with_people(text: str, limit: int) -> str:
    """Like `clean`, but people stay mentions: for answers that only the asker reads, which call nobody."""
    return re.sub(r"&lt;@([UW][A-Z0-9]+)&gt;", r"<@\1>", clean(text, limit))


def link(url: str, label: str) -> str:
    """Both ours, or checked: `>` or `|` in the address would end it early."""
    return f"<{escape(url)}|{label}>"


def date(at: datetime) -> str:
    """In the reader's own time zone; the fallback is UTC."""
    fallback = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{fallback}>"


def usd(amount: Decimal) -> str:
    """A sum, to the cent."""
    if 0 < amount < _CENT:
        return "less than $0.01"
    return f"${amount:,.2f}"


def rate(usd_per_hour: Decimal) -> str:
    """A price: cents at least, at most four digits that count, as Novita's prices have five decimals."""
    decimals = max(2, 3 - usd_per_hour.adjusted()) if usd_per_hour else 2
    whole, _, fraction = f"{usd_per_hour:,.{decimals}f}".partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(2, '0')}/h"


def duration(span: timedelta) -> str:
    """The two largest units: `4 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    seconds = max(0, int(span.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((place for place, (amount, _) in enumerate(units) if amount), len(units) - 1)
    largest = units[first : first + 2]
    return " ".join(f"{amount} {unit}" for amount, unit in largest if amount) or "0 s"
