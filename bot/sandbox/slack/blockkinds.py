"""The kinds of value that Block Kit JSON is made of; each yields what is wrong, as sentences with paths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class Kind(Protocol):
    def findings(self, value: Any, path: str) -> Iterator[str]: ...


@dataclass(frozen=True, slots=True)
class Anything:
    """Not judged: either free in Slack as well, or judged elsewhere."""

    def findings(self, value: Any, path: str) -> Iterator[str]:  # noqa: ARG002 (the protocol's)
        yield from ()


@dataclass(frozen=True, slots=True)
class Flag:
    def findings(self, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, bool):
            yield f"{path}: must be true or false, is {_shown(value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    least: float
    most: float
    whole: bool = True

    def findings(self, value: Any, path: str) -> Iterator[str]:
        types = int if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, types):
            yield f"{path}: must be a {'whole ' if self.whole else ''}number, is {_shown(value)}"
        elif not self.least <= value <= self.most:
            yield f"{path}: must be from {self.least} to {self.most}, is {value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class String:
    most: int | None = None
    least: int = 0
    choices: tuple[str, ...] = ()
    pattern: str = ""
    meaning: str = ""

    def findings(self, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{path}: must be a string, is {_shown(value)}"
            return
        yield from length_findings(value, path, least=self.least, most=self.most)
        if self.choices and value not in self.choices:
            yield f"{path}: must be one of {', '.join(self.choices)}, is {_shown(value)}"
        if self.pattern and not re.fullmatch(self.pattern, value):
            yield f"{path}: must be {self.meaning}, is {_shown(value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text object. `plain` is a field where Slack takes plain_text only."""

    most: int
    plain: bool = True

    def findings(self, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: must be a text object, is {_shown(value)}"
            return
        kind = value.get("type")
        allowed = ("plain_text",) if self.plain else ("plain_text", "mrkdwn")
        if kind not in allowed:
            yield f"{path}.type: must be {' or '.join(allowed)}, is {_shown(kind)}"
            return
        option = {"emoji": Flag()} if kind == "plain_text" else {"verbatim": Flag()}
        shape = Shape(required={"text": String(least=1, most=self.most)}, optional=option)
        yield from shape.findings(value, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    of: Kind
    most: int
    least: int = 1

    def findings(self, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path}: must be a list, is {_shown(value)}"
            return
        if not self.least <= len(value) <= self.most:
            yield f"{path}: must have {self.least} to {self.most} items, has {len(value)}"
        for index, item in enumerate(value):
            yield from self.of.findings(item, f"{path}[{index}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An object with these keys and no other; a key `type` is left to `Typed` and `Words`."""

    required: Mapping[str, Kind] = field(default_factory=dict)
    optional: Mapping[str, Kind] = field(default_factory=dict)

    def findings(self, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: must be an object, is {_shown(value)}"
            return
        yield from (f"{path}: {key} is required" for key in self.required if key not in value)
        known = {**self.required, **self.optional}
        for key, item in value.items():
            if key in known:
                yield from known[key].findings(item, f"{path}.{key}" if path else key)
            elif key != "type":
                yield f"{path}: unknown key {key!r}" if path else f"unknown key {key!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """An object whose `type` chooses its kind. `what` names the family in the findings."""

    what: str
    kinds: Mapping[str, Kind]
    allowed: frozenset[str]

    def findings(self, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: must be an object, is {_shown(value)}"
            return
        kind = value.get("type")
        if not isinstance(kind, str) or kind not in self.kinds:
            yield f"{path}: unknown {self.what} type {_shown(kind)}"
        elif kind not in self.allowed:
            yield f"{path}: {self.what} type {kind!r} is not allowed here"
        else:
            yield from self.kinds[kind].findings(value, path)


def length_findings(value: str, path: str, *, least: int, most: int | None) -> Iterator[str]:
    if len(value) < least:
        yield f"{path}: must not be empty" if least == 1 else f"{path}: must have {least} characters or more"
    if most is not None and len(value) > most:
        yield f"{path}: must have at most {most} characters, has {len(value)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
