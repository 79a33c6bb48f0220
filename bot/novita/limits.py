"""How much, how often and how long: every window and cap of the client in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    timeout: timedelta = timedelta(seconds=30)
    """Of one whole call, from the first byte sent to the last one read."""
    max_retries: int = 3
    """Of look-ups, after the first try. Lists, gets and changes are tried once."""
    retry_delay: timedelta = timedelta(seconds=1)
    """Before the first retry; doubles, with jitter."""
    max_retry_delay: timedelta = timedelta(seconds=10)
    """A look-up that is asked to wait longer gives up at once."""
    breaker_threshold: int = 5
    breaker_timeout: timedelta = timedelta(seconds=60)
    calls_per_minute: int = 100
    person_wait: timedelta = timedelta(seconds=15)
    """For room in the budget, when a person waits for the call."""
    poll_wait: timedelta = timedelta(seconds=60)
    max_pause: timedelta = timedelta(seconds=60)
    """Longest `Retry-After` that is honoured."""
    max_answer_bytes: int = 8 * 1024 * 1024
    page_size: int = 100
