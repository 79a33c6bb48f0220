"""What must not be read by others: secrets in texts, and the names of fields that hold them.

Two nets, because each has holes: a field's name says nothing about an exception's message, and a
pattern knows nothing about a password that somebody chose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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
    "response_url",
    "webhook_url",
    "database_url",
    "ssh",
)

_ASSIGNED = "token|secret|password|passwd|api[_-]?key|authorization|cookie"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bxox[a-z](?:\.xox[a-z])?-[\w-]+"), HIDDEN),
    (re.compile(r"\bxapp-[\w-]+"), HIDDEN),
    (re.compile(r"\bwhsec_[\w+/=-]+"), HIDDEN),
    (re.compile(r"\bsk_[\w-]+"), HIDDEN),
    (re.compile(r"\bBearer\s+[\w.~+/=-]+", re.IGNORECASE), f"Bearer {HIDDEN}"),
    (re.compile(r"\bBasic\s+[\w+/=-]{12,}", re.IGNORECASE), f"Basic {HIDDEN}"),
    # Up to the last `@` before the path: a password may hold one of its own.
    (re.compile(r"\b([a-z][a-z0-9+.-]{0,31}://)[^/\s?#\"'<>]*@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (re.compile(r"(https?://hooks\.slack(?:-gov)?\.com/)[^\s\"'<>|]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"([?&](?:key|sig|signature)=)[^&#\s\"'<>|]+", re.IGNORECASE), rf"\1{HIDDEN}"),
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
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        HIDDEN,
    ),
)


def hides(name: str) -> bool:
    """Whether a field of that name (`bot_token`, `X-API-Key`, `sshPassword` ...) may hold a secret."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")
    return any(word in plain for word in _SECRET_WORDS)


def redact_text(text: str) -> str:
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: object) -> object:
    """`value` without its secrets; what JSON does not know becomes text."""
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(name): redact_field(str(name), inner) for name, inner in value.items()}
        case tuple() | list() | set() | frozenset():
            return [redact(inner) for inner in value]
        case bytes():
            return redact_text(value.decode("utf-8", "replace"))
        case _:
            return redact_text(str(value))


def redact_field(name: str, value: object) -> object:
    # None and booleans only say whether there is a secret, which is what a reader wants to know.
    if value is None or isinstance(value, bool):
        return value
    return HIDDEN if hides(name) else redact(value)
