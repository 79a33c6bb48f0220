"""What became of a call, in one word: the label that it is counted under."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import (
    BadCredentials,
    InsufficientResource,
    NotSent,
    NovitaError,
    NovitaNotFound,
    NovitaRefused,
    OutcomeUnknown,
)
from bot.metrics import Metrics
from bot.novita.breaker import BreakerOpen
from bot.novita.budget import OverBudget

_WORDS: tuple[tuple[type[NovitaError], str], ...] = (
    (BreakerOpen, "breaker_open"),
    (OverBudget, "over_budget"),
    (NotSent, "not_sent"),
    (OutcomeUnknown, "unknown"),
    (InsufficientResource, "no_capacity"),
    (NovitaNotFound, "not_found"),
    (BadCredentials, "bad_credentials"),
    (NovitaRefused, "refused"),
)
"""The nearer kind first."""


@contextmanager
def counted(metrics: Metrics, call: str) -> Iterator[None]:
    word = "cancelled"  # such as at the end of the service: what became of it, nobody waits to hear
    try:
        yield
        word = "ok"
    except NovitaError as error:
        word = word_of(error)
        raise
    finally:
        metrics.novita_called(call, word)


def word_of(error: NovitaError) -> str:
    """A 429 is one whatever it leaves open: of a change without Novita's own words, its outcome as well."""
    if error.status_code == 429:
        return "rate_limited"
    return next((word for kind, word in _WORDS if isinstance(error, kind)), "unavailable")
