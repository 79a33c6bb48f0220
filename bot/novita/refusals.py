"""What an answer, or its absence, means: the one place where Novita's errors become ours.

For a call that changes something the type says whether it may have happened:

```
NovitaRefused   a definite 4xx                       certainly nothing was done
NotSent         no byte was sent; Novita's own 429   certainly nothing was done, later perhaps
OutcomeUnknown  everything else                      may have happened, may still happen
```

`NovitaUnavailable` itself is only raised by calls that change nothing.
"""

from __future__ import annotations

import re
from enum import StrEnum

from bot.errors import (
    BadCredentials,
    InsufficientResource,
    NotSent,
    NovitaError,
    NovitaNotFound,
    NovitaRefused,
    NovitaUnavailable,
    OutcomeUnknown,
)
from bot.novita.answers import Answer, Complaint, complaint_of, shown

# the request may have been taken although these come back
_INDEFINITE = frozenset({408, 409, 425, 429})
_NOT_FOUND_REASONS = frozenset(
    {"RESOURCE_NOT_FOUND", "INSTANCE_NOT_FOUND", "TEMPLATE_NOT_FOUND", "NOT_FOUND"}
)
# seen live for templates: 400 with this text and no known reason
_NOT_FOUND_TEXT = re.compile(r"\b(instance|template|resource) (is |was )?not (found|exist)", re.IGNORECASE)
# a lack of GPUs is at times only in the text, also as "start instance error"
_NO_CAPACITY_TEXT = re.compile(r"insufficient[ _]resource|start instance error", re.IGNORECASE)
# a 403 that speaks of these is about the account, not about the key
_ACCOUNT_TEXT = re.compile(r"insufficient|quota|limit|balance|budget", re.IGNORECASE)
# said in words only; it can pass in moments, and was seen live though the action had been taken: look again
_STATE_TEXT = re.compile(r"invalid state change", re.IGNORECASE)


class Effect(StrEnum):
    """What a call does at Novita."""

    NONE = "none"
    CHANGE = "change"


def error_of(answer: Answer, effect: Effect, secrets: tuple[str, ...] = ()) -> NovitaError | None:
    """None for a 2xx. No part of `secrets` gets into the message."""
    if 200 <= answer.status_code < 300:
        return None
    complaint = complaint_of(answer)
    if 400 <= answer.status_code < 500 and answer.status_code not in _INDEFINITE:
        return _refused(answer, complaint, secrets)
    if answer.status_code == 429 and complaint.reason:
        return NotSent(
            _said(answer, complaint, secrets),
            code=complaint.reason,
            status_code=429,
            retry_after=answer.retry_after,
        )
    kind = _no_answer(effect)
    return kind(
        _said(answer, complaint, secrets), status_code=answer.status_code, retry_after=answer.retry_after
    )


def unreadable(answer: Answer, effect: Effect) -> NovitaUnavailable:
    """A 2xx that cannot be read: of a create, the id is not known."""
    return _no_answer(effect)("Novita's answer could not be read.", status_code=answer.status_code)


def lost(what: str, effect: Effect) -> NovitaUnavailable:
    """No whole answer came after the call may have been sent."""
    return _no_answer(effect)(what)


def _no_answer(effect: Effect) -> type[NovitaUnavailable]:
    return NovitaUnavailable if effect is Effect.NONE else OutcomeUnknown


def _refused(answer: Answer, complaint: Complaint, secrets: tuple[str, ...]) -> NovitaRefused:
    status_code, code = answer.status_code, complaint.reason or None
    if _is_about_key(status_code, complaint):
        return BadCredentials(
            f"Novita does not accept the API key (HTTP {status_code}): check NOVITA_API_KEY.",
            code=code,
            status_code=status_code,
        )
    kind = NovitaRefused
    if _STATE_TEXT.search(complaint.message):
        code = "INVALID_STATE_CHANGE"
    elif complaint.reason == "INSUFFICIENT_RESOURCE" or _NO_CAPACITY_TEXT.search(complaint.message):
        kind = InsufficientResource
    elif _is_not_found(status_code, complaint):
        kind = NovitaNotFound
    return kind(_said(answer, complaint, secrets), code=code, status_code=status_code)


def _is_about_key(status_code: int, complaint: Complaint) -> bool:
    if status_code == 403:
        return not _ACCOUNT_TEXT.search(f"{complaint.reason} {complaint.message}")
    return status_code == 401 or complaint.reason == "MISSING_API_KEY"


def _is_not_found(status_code: int, complaint: Complaint) -> bool:
    if complaint.reason in _NOT_FOUND_REASONS or _NOT_FOUND_TEXT.search(complaint.message):
        return True
    # a page comes from a proxy or a wrong base URL; taken for "gone" it would cost somebody's instance
    return status_code == 404 and not complaint.is_page


def _said(answer: Answer, complaint: Complaint, secrets: tuple[str, ...]) -> str:
    message = shown(complaint.message, secrets)
    return f"Novita says: {message}" if message else f"Novita answered with HTTP {answer.status_code}."
