"""The words behind a verb that has flags -> the values of the flags, and the bare words.

Flags may be anywhere, in any case, with `=` or a space before the value; `--` says that none follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.grammar.fields import Unfit
from bot.grammar.nearness import nearest, shown
from bot.grammar.usage import Flag
from bot.slack.words import Fault

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What may be typed behind one verb."""

    groups: tuple[tuple[Flag, ...], ...]
    """Flags in one group exclude each other."""
    readers: Mapping[str, Callable[[str], Any]]
    """How the value of each is read; by the flag's name."""
    no_flag: Mapping[str, str]
    """What people look for as a flag and is none: where it goes instead."""

    @property
    def by_key(self) -> dict[str, Flag]:
        return {_key(flag.name): flag for group in self.groups for flag in group}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    text: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A flag as typed: `words[start:stop]`."""

    flag: Flag
    value: str
    start: int
    stop: int


def read_flags(words: Words, flags: Flags) -> tuple[dict[str, Any], list[Bare]]:
    """The values by the flags' names, of those that were typed. `words[0]` is the verb. Raises Fault."""
    bare, options = _scanned(words, flags)
    _refuse_repeats(words, options)
    _refuse_rivals(words, options, flags)
    return {option.flag.name: _value(words, option, flags) for option in options}, bare


def rewritten(words: Words, bare: list[Bare], *instead: str | None) -> Words:
    """These bare words taken out, and others put where the first one was."""
    gone, put = {word.at for word in bare}, tuple(filter(None, instead))
    first = bare[0].at
    rest = (word for place, word in enumerate(words[first:], first) if place not in gone)
    return (*words[:first], *put, *rest)


def _key(name: str) -> str:
    """`--on_demand` and `--ondemand` are `--on-demand`."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _scanned(words: Words, flags: Flags) -> tuple[list[Bare], list[Option]]:
    bare: list[Bare] = []
    options: list[Option] = []
    at = 1
    while at < len(words):
        word = words[at]
        if word == "--":
            bare += [Bare(text=rest, at=place) for place, rest in enumerate(words[at + 1 :], at + 1)]
            break
        if _is_flag(word):
            options.append(_option(words, at, flags, first=not bare))
            at = options[-1].stop
        else:
            bare.append(Bare(text=word, at=at))
            at += 1
    return bare, options


def _is_flag(word: str) -> bool:
    return word.startswith("-")


def _option(words: Words, at: int, flags: Flags, *, first: bool) -> Option:
    """`first`: no bare word was read yet, so the one behind an unknown flag may be the GPU."""
    name, equals, value = words[at].lstrip("-").partition("=")
    flag = flags.by_key.get(_key(name))
    if flag is None:
        raise _unknown_flag(words, at, flags, first=first)
    if flag.value is not None:
        return _valued(words, at, flag, value.strip() if equals else None)
    if equals:
        better = _replaced(words, at, at + 1, f"--{flag.name}")
        raise Fault(f"--{flag.name} takes no value; I read {shown(words[at])}.", better)
    return Option(flag=flag, value="", start=at, stop=at + 1)


def _valued(words: Words, at: int, flag: Flag, value: str | None) -> Option:
    """`value`: what stood behind `=`; None: it is the next word."""
    pieces, stop = ([], at + 1) if value is None else ([value], at + 1)
    while stop < len(words) and not _is_flag(words[stop]) and (not pieces or _goes_on(flag, pieces[-1])):
        pieces.append(words[stop])
        stop += 1
    text = "".join(pieces)
    if not text:
        better = _replaced(words, at, stop, f"--{flag.name}={flag.example}")
        raise Fault(f"--{flag.name} needs a value: {flag.purpose}.", better)
    return Option(flag=flag, value=text, start=at, stop=stop)


def _goes_on(flag: Flag, piece: str) -> bool:
    """`US-CA-06, EU-DE-01`: phones put a space behind a comma."""
    return flag.name == "region" and piece.endswith(",")


def _unknown_flag(words: Words, at: int, flags: Flags, *, first: bool) -> Fault:
    name, equals, value = words[at].lstrip("-").partition("=")
    read = shown(words[at].partition("=")[0])
    if place := flags.no_flag.get(_key(name)):
        better = _replaced(words, at, at + 1, *([value] if value else []))
        return Fault(f"{place} I read {read}.", better)
    guess = _meant(name, flags)
    if guess is not None:
        better = _replaced(words, at, at + 1, f"--{guess}{equals}{value}")
        return Fault(f"There is no flag {read}. Did you mean --{guess}?", better)
    has_value = not equals and not first and at + 1 < len(words) and not _is_flag(words[at + 1])
    names = [f"--{flag.name}" for flag in flags.by_key.values()]
    known = f"The flags are {', '.join(names)}." if len(names) > 1 else f"There is only {names[0]}."
    better = _replaced(words, at, at + 1 + has_value)
    return Fault(f"There is no flag {read}. {known}", better)


def _meant(name: str, flags: Flags) -> str | None:
    known = flags.by_key.values()
    for flag in known:
        if _key(name) in flag.meant_by:
            return flag.name
    return nearest(name, (flag.name for flag in known))


def _refuse_repeats(words: Words, options: list[Option]) -> None:
    earlier: dict[str, Option] = {}
    for option in options:
        name = option.flag.name
        if name in earlier:
            first = earlier[name]
            both = (
                [f"--region={first.value},{option.value}"]
                if name == "region"
                else words[option.start : option.stop]
            )
            better = (
                words[: first.start] + tuple(both) + words[first.stop : option.start] + words[option.stop :]
            )
            raise Fault(f"--{name} is there twice.", better)
        earlier[name] = option


def _refuse_rivals(words: Words, options: list[Option], flags: Flags) -> None:
    for group in flags.groups:
        rivals = [option for option in options if option.flag in group]
        if len(rivals) > 1:
            one, other = rivals[:2]
            better = _replaced(words, other.start, other.stop)
            raise Fault(f"--{one.flag.name} and --{other.flag.name} exclude each other; choose one.", better)


def _value(words: Words, option: Option, flags: Flags) -> Any:
    try:
        return flags.readers[option.flag.name](option.value)
    except Unfit as fault:
        better = _replaced(
            words, option.start, option.stop, f"--{option.flag.name}={fault.instead or option.flag.example}"
        )
        raise Fault(str(fault), better) from None


def _replaced(words: Words, start: int, stop: int, *instead: str) -> Words:
    return words[:start] + instead + words[stop:]
