"""What must not be read by others: secrets in texts, and the names of fields that hold them.

Three nets, because each has holes: a field's name says nothing about an exception's message, a pattern knows
nothing about a password that somebody chose, and of the values only those of the settings are known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "[hidden]"

_SECRET_WORDS = (
    "token",
    "secret",
    "password",
    "passwd",
    "authorization",
    "api_key",
    "apikey",
    "cookie",
    "credential",
    "signature",
    "passphrase",
    "private_key",
    "response_url",
    "webhook_url",
    "database_url",
    "ssh",
)

_ASSIGNED = "token|secret|password|passwd|passphrase|api[_-]?key|private[_-]?key|authorization|cookie"
_PRIVATE_URLS = "(?:response|webhook|database)[_-]?url"
_QUERY_KEYS = "key|sig|signature|auth|code|access_key|pwd"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        HIDDEN,
    ),
    (re.compile(r"\bxox[a-z](?:\.xox[a-z])?-[\w-]+"), HIDDEN),
    (re.compile(r"\bxapp-[\w-]+"), HIDDEN),
    (re.compile(r"\bwhsec_[\w+/=-]+"), HIDDEN),
    (re.compile(r"\bsk_[\w-]+"), HIDDEN),
    (re.compile(r"\bBearer\s+[\w.~+/=-]+", re.IGNORECASE), f"Bearer {HIDDEN}"),
    (re.compile(r"\bBasic\s+[\w+/=-]{12,}", re.IGNORECASE), f"Basic {HIDDEN}"),
    # Up to the last `@` before the path: a password may hold one of its own.
    (re.compile(r"\b([a-z][a-z0-9+.-]{0,31}://)[^/\s?#\"'<>]*@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (re.compile(r"(https?://hooks\.slack(?:-gov)?\.com/)[^\s\"'<>|]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # Whole, since the path or query of such an address is its password.
    (
        re.compile(
            rf"\b({_PRIVATE_URLS}(?:=|[\"']\s*[:=]\s*)[\"']?)(?!\[hidden\])[^\s\"'<>|]+", re.IGNORECASE
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(rf"([?&](?:{_QUERY_KEYS})=)[^&#\s\"'<>|]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b(sshpass\s+-p\s*)(?:'[^']*'|\"[^\"]*\"|\S+)"), rf"\1{HIDDEN}"),
    # How people and tools write it down; `password authentication failed` is a sentence.
    (re.compile(r"\b((?:password|passwd|passphrase):\s*)(?!\[hidden\])\S+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # In quotes up to the same quote, so that what a password has of blanks and commas goes with it.
    (
        re.compile(
            rf"\b([\w-]{{0,40}}?(?:{_ASSIGNED})[\"']?\s*[:=]\s*)([\"'])(?!\[hidden\])(?:\\.|(?!\2)[^\\])+\2",
            re.IGNORECASE,
        ),
        rf"\1\2{HIDDEN}\2",
    ),
    # `token=x`, `'token': 'x'`, `"api_key":"x"`; not `token: expired`, which is a sentence.
    (
        re.compile(
            rf"\b([\w-]{{0,40}}?(?:{_ASSIGNED})(?:=|[\"']\s*[:=]\s*)[\"']?)(?!\[hidden\])[^\s\"',;&#}})<>|]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(r"\b((?:x-api-key|authorization|cookie):\s*)(?!Bearer|Basic)\S+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
)


def hides(name: str) -> bool:
    """Whether a field of that name (`bot_token`, `X-API-Key`, `sshPassword` ...) may hold a secret."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")
    return any(word in plain for word in _SECRET_WORDS)


class Redaction:
    """`known`: secrets that are to be found wherever they appear, whatever they look like."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = _alternation(known)

    def text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def value(self, value: object) -> object:
        """`value` without its secrets; what JSON does not know becomes text."""
        match value:
            case None | bool() | int() | float():
                return value
            case Mapping():
                return {self.text(str(name)): self.field(str(name), inner) for name, inner in value.items()}
            case tuple() | list() | set() | frozenset():
                return [self.value(inner) for inner in value]
            case bytes():
                return self.text(value.decode("utf-8", "replace"))
            case datetime():
                return _iso(value)
            case _:
                return self.text(str(value))

    def field(self, name: str, value: object) -> object:
        # None and booleans only say whether there is a secret, which is what a reader wants to know.
        if value is None or isinstance(value, bool):
            return value
        return HIDDEN if hides(name) else self.value(value)


def redact_text(text: str) -> str:
    """By patterns alone: before the settings are read, there is nothing else to go by."""
    return Redaction().text(text)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at.tzinfo else at.isoformat()


_SHORTEST_KNOWN = 4
_SHORTEST_ANYWHERE = 8
"""Characters. A shorter one is looked for as a word of its own, or it would eat up words of ours; what is
shorter than the shortest guards nothing, and hiding it would hide the log."""
_SHORTEST_PIECE = 12
"""Of an address: `hook` or `v1` is no secret."""


def _alternation(known: Iterable[str]) -> re.Pattern[str] | None:
    """One pass over a text for all of them; the longest first, as one may begin like another."""
    wanted = {spelling for secret in known for piece in _pieces(secret) for spelling in _spellings(piece)}
    ordered = sorted(wanted, key=lambda text: (-len(text), text))
    found = [_literal(text) for text in ordered if len(text) >= _SHORTEST_KNOWN]
    return re.compile("|".join(found)) if found else None


def _literal(text: str) -> str:
    escaped = re.escape(text)
    return escaped if len(text) >= _SHORTEST_ANYWHERE else rf"(?<![\w-]){escaped}(?![\w-])"


def _pieces(secret: str) -> Iterator[str]:
    """Of an address also what it is made of: others tell host, path and query apart."""
    yield secret
    if "://" not in secret:
        return
    try:
        address = urlsplit(secret)
        password = address.password or ""
    except ValueError:
        return
    yield from (password, unquote(password))
    if address.scheme in {"http", "https"}:
        values = [pair.partition("=")[2] for pair in address.query.split("&")]
        yield from (each for each in (*address.path.split("/"), *values) if len(each) >= _SHORTEST_PIECE)


def _spellings(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1])
