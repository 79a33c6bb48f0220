"""One HTTP answer, free of the HTTP library; and what Novita complains about in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_MESSAGE_LENGTH = 300
_SHORTEST_SECRET = 4
_REASON = re.compile(r"[A-Z][A-Z0-9_]{1,63}")


class Malformed(ValueError):
    """An answer that cannot be read. Its message quotes nothing of the answer, which may hold secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status_code: int
    began_at: datetime
    """Just before the call was sent."""
    body: bytes | None = field(default=b"", repr=False)
    """None: longer than the cap, dropped."""
    retry_after: timedelta | None = None

    @property
    def is_fault(self) -> bool:
        """It says that the service is unwell or overrun, rather than that the call was wrong."""
        return self.status_code >= 500 or self.status_code == 429

    def parsed(self) -> object:
        """The JSON value. An empty body is None. Raises Malformed."""
        if self.body is None:
            raise Malformed("the answer is too long")
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Malformed("the answer is not JSON") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    reason: str = ""
    """Novita's word in upper case; empty: the body is not Novita's own error body."""
    message: str = ""
    is_page: bool = False
    """HTML, or the router's own "not found": nobody at Novita looked at what was asked."""


def complaint_of(answer: Answer) -> Complaint:
    """Reads flat `{code, reason, message}`, `{"error": {...}}`, `{"error": "..."}`, plain text and HTML."""
    try:
        value = answer.parsed()
    except Malformed:
        return _from_text((answer.body or b"").decode(errors="replace").strip())
    return _from_json(value) if isinstance(value, dict) else Complaint()


def shown(text: str, secrets: Iterable[str] = ()) -> str:
    """Fit for people and logs: one line, at most 300 characters, nothing in it of `secrets`."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _MESSAGE_LENGTH else line[: _MESSAGE_LENGTH - 1] + "…"


def retry_after_of(header: str | None, now: datetime) -> timedelta | None:
    """`Retry-After` in seconds or as an HTTP date (RFC 9110, 10.2.3); never negative."""
    if header is None:
        return None
    wait: timedelta | None
    try:
        wait = timedelta(seconds=float(header))
    except (ValueError, OverflowError):
        wait = _until_date(header, now)
    return None if wait is None else max(wait, timedelta(0))


def _until_date(header: str, now: datetime) -> timedelta | None:
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)) - now


def _from_json(body: dict[str, object]) -> Complaint:
    inner = body.get("error")
    if isinstance(inner, dict):
        return _from_json({"reason": inner.get("code"), **inner, "error": None})
    message = body.get("message") or body.get("msg") or inner
    return Complaint(reason=_reason(body.get("reason")), message=message if isinstance(message, str) else "")


def _reason(value: object) -> str:
    word = value.strip().upper() if isinstance(value, str) else ""
    return word if _REASON.fullmatch(word) else ""


def _from_text(text: str) -> Complaint:
    if text.startswith("<") or text.lower() == "404 page not found":
        return Complaint(is_page=True)
    return Complaint(message=text)
