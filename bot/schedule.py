"""When a delivery that failed is due again. Pure: the chance behind the jitter is passed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random

WEBHOOK_PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between attempts, the first of which is made at once: Standard Webhooks' example, 75 h 35 min in all."""

SLACK_PAUSES = (
    timedelta(seconds=1),
    timedelta(seconds=2),
    timedelta(seconds=5),
    timedelta(seconds=10),
    timedelta(seconds=30),
    timedelta(seconds=60),
    timedelta(seconds=120),
    timedelta(seconds=300),
)
"""The last one repeats. Quicker than a webhook's: a person waits, and Slack is seldom away for long."""

SLACK_RETRIES = 7 + 360
"""At least a day of trying even if the jitter shortens each of the 360 pauses of five minutes to four."""

LONGEST_PAUSE = timedelta(hours=24)
"""A receiver that asks for more is tried after this all the same: a slip in a header must not end it."""

_JITTER = 0.2


def next_attempt(
    attempts_made: int, *, retries: int, retry_after: timedelta | None = None, rng: Random
) -> timedelta | None:
    """The pause before a webhook's next attempt; None: it is dead. `retry_after` is a lower bound."""
    return _pause(WEBHOOK_PAUSES, attempts_made, retries, retry_after, rng)


def next_slack_attempt(
    attempts_made: int, *, retry_after: timedelta | None = None, rng: Random
) -> timedelta | None:
    """The same for what goes to Slack; None after a day or more of failures."""
    return _pause(SLACK_PAUSES, attempts_made, SLACK_RETRIES, retry_after, rng)


def parse_retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date (RFC 9110, section 10.2.3); None where there is none that makes sense."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:9]))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(aware - now, timedelta(0))


def _pause(
    pauses: tuple[timedelta, ...],
    attempts_made: int,
    retries: int,
    retry_after: timedelta | None,
    rng: Random,
) -> timedelta | None:
    if attempts_made > retries:
        return None
    step = pauses[min(attempts_made, len(pauses)) - 1]
    jittered = step * (1 + rng.uniform(-_JITTER, _JITTER))
    return max(jittered, min(retry_after or timedelta(0), LONGEST_PAUSE))
