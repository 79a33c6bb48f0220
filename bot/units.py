"""How the text of a setting is read: its unit, what is allowed, and the value that it becomes.

A `Unit` stands in a field's annotation. Pydantic lets it read the text; `allowed` and `word` are what the
fault lines, `.env.example` and the reference page say, so that none of them can differ from the check.
"""

from __future__ import annotations

import binascii
import ipaddress
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from storage.cloud import BillingMode


@dataclass(frozen=True, slots=True)
class Unit:
    allowed: str
    """What may be written, as a noun phrase: `1 to 8`."""
    read: Callable[[str], object]
    """Text to value, raises ValueError. The text has no blanks around it, unless `exact`."""
    word: str = ""
    """`ms`, `GB` ...; empty where there is nothing to count."""
    exact: bool = False
    """Blanks around the text belong to it."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._validate, handler(source))

    def _validate(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        return self.read(value if self.exact else value.strip())


def whole(low: int, high: int, word: str = "", *, note: str = "") -> Unit:
    return Unit(f"{low} to {high}{note}", partial(_whole, low=low, high=high), word)


def milliseconds(low: int, high: int) -> Unit:
    return Unit(
        f"{low} to {high}", lambda text: timedelta(milliseconds=_whole(text, low=low, high=high)), "ms"
    )


def poll_interval() -> Unit:
    """Milliseconds; small numbers are the seconds that older installations have in their `.env`."""
    return Unit("5000 to 300000, or 10 to 300 for seconds", _poll_interval, "ms")


def webhook_retries() -> Unit:
    """The retry schedule has 9 pauses; 10 was in use as well."""
    return Unit("0 to 10, where 10 means 9", lambda text: min(_whole(text, low=0, high=10), 9), "tries")


def size(low: str, high: str) -> Unit:
    """Bytes, as a plain number or with `b`, `kb` or `mb` (of 1024)."""
    least, most = _bytes(low), _bytes(high)
    return Unit(
        f"{low} to {high}", lambda text: _between(_bytes(text), least, most), "bytes, or with kb or mb"
    )


def matching(pattern: str, allowed: str, *, upper: bool = False) -> Unit:
    found = re.compile(pattern, re.ASCII)
    return Unit(allowed, lambda text: _matching(text.upper() if upper else text, found))


def word_of(words: Mapping[str, object], allowed: str) -> Unit:
    """One of a few words, case ignored; the mapping gives what each becomes."""
    return Unit(allowed, lambda text: words[_one_of(text.lower(), words)])


def listed(item: Unit) -> Unit:
    """A comma list, its order kept, empty items and repetitions dropped."""
    return Unit(
        f"comma list of {item.allowed}",
        lambda text: tuple(item.read(part) for part in _parts(text)),
        item.word,
    )


def secret(*, prefix: str = "") -> Unit:
    """Goes into an HTTP header as it is, so it is visible ASCII."""
    allowed = f"a token that begins with {prefix}" if prefix else "visible ASCII characters, no blanks"
    found = re.compile(re.escape(prefix) + r"[!-~]+")
    return Unit(allowed, lambda text: _matching(text, found))


def webhook_secret() -> Unit:
    return Unit("any text; after whsec_ it is base64", _webhook_secret, exact=True)


def api_keys() -> Unit:
    return Unit("comma list of keys (visible ASCII, no blanks), or the one word none", _api_keys)


def host() -> Unit:
    return Unit("an address or host name", _host)


def allowed_host() -> Unit:
    return Unit("host names, addresses or CIDRs such as 10.1.0.0/16", _allowed_host)


def origin() -> Unit:
    return Unit("origins such as https://app.example.com, or *", _origin)


def http_url(*, without: str = "", end: str = "") -> Unit:
    """Loses the slash and the path `without` at its end, where they are, and ends in `end`."""
    note = f"; {without} at its end is accepted" if without else ""
    return Unit(
        f"an http or https URL without user, query or fragment{note}",
        lambda text: _base_url(text, without) + end,
    )


def webhook_url() -> Unit:
    return Unit("an http or https URL without user and fragment", _url)


def database_url() -> Unit:
    return Unit("sqlite:///path/to/file.db or postgresql://user:password@host/database", _database_url)


@lru_cache(maxsize=1_024)
def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def _whole(text: str, *, low: int, high: int) -> int:
    # Not int() alone: it also takes 1_000, +5 and the digits of other scripts.
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise ValueError("not a whole number")
    return _between(int(text), low, high)


def _between(number: int, low: int, high: int) -> int:
    if not low <= number <= high:
        raise ValueError("out of range")
    return number


def _poll_interval(text: str) -> timedelta:
    number = _whole(text, low=10, high=300_000)
    if number <= 300:
        return timedelta(seconds=number)
    return timedelta(milliseconds=_between(number, 5_000, 300_000))


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,12})\s*(b|kb|mb|)", text.lower())
    if not found:
        raise ValueError("not a size")
    return int(found[1]) * {"": 1, "b": 1, "kb": 1024, "mb": 1024 * 1024}[found[2]]


def _matching(text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text):
        raise ValueError("of another form")
    return text


def _one_of(text: str, words: Mapping[str, object]) -> str:
    if text not in words:
        raise ValueError("an unknown word")
    return text


def _parts(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _webhook_secret(text: str) -> str:
    if text.startswith("whsec_"):
        try:
            key = b64decode(text.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise ValueError("not base64") from error
        if not key:
            raise ValueError("no key")
    return text


def _api_keys(text: str) -> object:
    keys = _parts(text)
    if any(key.lower() == "none" for key in keys):
        # Beside a key the word is a mistake either way: a slip must not open the service.
        return _one_of(",".join(keys).lower(), {"none": None})
    return tuple(_matching(key, _VISIBLE) for key in keys)


def _host(text: str) -> str:
    text = text.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return _matching(text.lower(), _HOST_NAME)


def _allowed_host(text: str) -> str:
    if "/" in text:
        return str(ipaddress.ip_network(text))
    return _host(text)


def _origin(text: str) -> str:
    if text == "*":
        return text
    url = urlsplit(_url(text.removesuffix("/")))
    if url.path or url.query:
        raise ValueError("more than an origin")
    return url.geturl()


def _base_url(text: str, without: str) -> str:
    url = _url(text)
    if "?" in url:
        raise ValueError("a query")
    return url.rstrip("/").removesuffix(without).rstrip("/")


def _url(text: str) -> str:
    url = urlsplit(_matching(text, _VISIBLE))
    if url.scheme not in {"http", "https"} or "@" in url.netloc or "#" in text:
        raise ValueError("of another form")
    _host(url.hostname or "")
    if url.port == 0:
        raise ValueError("port 0")
    return text


def _database_url(text: str) -> str:
    if text.startswith("sqlite:///"):
        # In memory it would forget what is billed.
        return _matching(text, re.compile(r"sqlite:///(?!:memory:)[^\s?#]*[^\s?#/]"))
    url = urlsplit(_matching(text, re.compile(r"postgresql://\S+")))
    if url.port == 0:
        raise ValueError("port 0")
    return text


_VISIBLE = re.compile(r"[!-~]+")
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\.?")

NAME = matching(r"[^\x00-\x1f\x7f]{1,200}", "a name, 200 characters at most")
SLACK_USER = matching("[UW][A-Z0-9]{2,20}", "Slack user ids such as U0123ABCD")
SLACK_CHANNEL = matching("[CGD][A-Z0-9]{2,20}", "a channel id such as C0123ABCD (not its name)")
HTTP_METHOD = matching("GET|POST|PUT|PATCH|DELETE|OPTIONS|HEAD", "HTTP methods", upper=True)
BILLING_MODE = word_of(
    {"spot": BillingMode.SPOT, "ondemand": BillingMode.ON_DEMAND, "on-demand": BillingMode.ON_DEMAND},
    "spot or onDemand",
)
LOG_LEVEL = word_of(
    {"error": "error", "warn": "warning", "warning": "warning", "info": "info", "debug": "debug"},
    "error, warn, info or debug",
)
LOG_FORMAT = word_of(
    {"json": "json", "console": "console", "simple": "console", "combined": "console"}, "json or console"
)
