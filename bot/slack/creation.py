"""The words of `/gpu create` -> Create: flags in any order, the first bare word the GPU, the second the name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bot.grammar import fields
from bot.grammar.commands import Create
from bot.grammar.fields import Unfit
from bot.grammar.nearness import nearest, shown
from bot.grammar.usage import CREATE_FLAGS, Flag, Verb
from bot.slack.words import Fault
from storage.cloud import BillingMode


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


Words = tuple[str, ...]


def _key(name: str) -> str:
    """`--on_demand` and `--ondemand` are `--on-demand`."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


FLAGS = {_key(flag.name): flag for group in CREATE_FLAGS for flag in group}

WITHOUT_FLAG = {"gpu": "The GPU", "count": "The number of GPUs", "name": "The name"}
"""What people look for as a flag and is none."""


def read_create(verb: Verb, words: Words) -> Create:  # noqa: ARG001 (every verb's reader takes both)
    bare, options = _scanned(words)
    _refuse_repeats(words, options)
    _refuse_rivals(words, options)
    given = {_key(option.flag.name): _value(words, option) for option in options}
    gpu, gpu_count, name = _bare_values(words, bare)
    return Create(
        gpu=gpu,
        gpu_count=gpu_count,
        name=name,
        template=given.get("template"),
        image=given.get("image"),
        billing_mode=given.get("spot") or given.get("ondemand"),
        regions=given.get("region", ()),
        disk_gb=given.get("disk"),
        max_usd_per_hour=given.get("max"),
        webhook_url=given.get("webhook"),
        yes=given.get("yes", False),
    )


def _scanned(words: Words) -> tuple[list[Bare], list[Option]]:
    bare: list[Bare] = []
    options: list[Option] = []
    at = 1
    while at < len(words):
        word = words[at]
        if word == "--":
            bare += [Bare(text=rest, at=place) for place, rest in enumerate(words[at + 1 :], at + 1)]
            break
        if _is_flag(word):
            options.append(_option(words, at, first=not bare))
            at = options[-1].stop
        else:
            bare.append(Bare(text=word, at=at))
            at += 1
    return bare, options


def _is_flag(word: str) -> bool:
    return word.startswith("-")


def _option(words: Words, at: int, *, first: bool) -> Option:
    """`first`: no bare word was read yet, so that one behind an unknown flag may be the GPU."""
    name, equals, value = words[at].lstrip("-").partition("=")
    flag = FLAGS.get(_key(name))
    if flag is None:
        raise _unknown_flag(words, at, first=first)
    if flag.value is None:
        if equals:
            raise Fault(f"--{flag.name} takes no value; I read {shown(words[at])}.", _with(words, at, f"--{flag.name}"))
        return Option(flag=flag, value="", start=at, stop=at + 1)
    if equals:
        pieces, stop = [value.strip()], at + 1
    else:
        pieces, stop = [], at + 1
    # `US-CA-06, EU-DE-01`: phones put a space behind a comma.
    while stop < len(words) and not _is_flag(words[stop]) and (not pieces or _goes_on(flag, pieces)):
        pieces.append(words[stop])
        stop += 1
    text = "".join(pieces)
    if not text:
        raise Fault(f"--{flag.name} needs a value: {flag.purpose}.", _with(words, at, f"--{flag.name}={flag.example}"))
    return Option(flag=flag, value=text, start=at, stop=stop)


def _goes_on(flag: Flag, pieces: list[str]) -> bool:
    return flag.name == "region" and pieces[-1].endswith(",")
