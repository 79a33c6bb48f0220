"""The words of `/gpu create` -> Create: flags anywhere, the first bare word the GPU, the next the name."""

from __future__ import annotations

import re
from collections.abc import Callable
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
    """`first`: no bare word was read yet, so the one behind an unknown flag may be the GPU."""
    name, equals, value = words[at].lstrip("-").partition("=")
    flag = FLAGS.get(_key(name))
    if flag is None:
        raise _unknown_flag(words, at, first=first)
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


def _unknown_flag(words: Words, at: int, *, first: bool) -> Fault:
    name, equals, value = words[at].lstrip("-").partition("=")
    read = shown(words[at].partition("=")[0])
    if place := WITHOUT_FLAG.get(_key(name)):
        better = _replaced(words, at, at + 1, *([value] if value else []))
        return Fault(f"{place} has no flag: write GPU:N, then the name. I read {read}.", better)
    guess = _meant(name)
    if guess is not None:
        better = _replaced(words, at, at + 1, f"--{guess}{equals}{value}")
        return Fault(f"There is no flag {read}. Did you mean --{guess}?", better)
    has_value = not equals and not first and at + 1 < len(words) and not _is_flag(words[at + 1])
    known = ", ".join(f"--{flag.name}" for flag in FLAGS.values())
    better = _replaced(words, at, at + 1 + has_value)
    return Fault(f"There is no flag {read}. The flags are {known}.", better)


def _meant(name: str) -> str | None:
    for flag in FLAGS.values():
        if _key(name) in flag.meant_by:
            return flag.name
    return nearest(name, (flag.name for flag in FLAGS.values()))


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


def _refuse_rivals(words: Words, options: list[Option]) -> None:
    for group in CREATE_FLAGS:
        rivals = [option for option in options if option.flag in group]
        if len(rivals) > 1:
            one, other = rivals[:2]
            better = _replaced(words, other.start, other.stop)
            raise Fault(f"--{one.flag.name} and --{other.flag.name} exclude each other; choose one.", better)


def _value(words: Words, option: Option) -> Any:
    try:
        return VALUES[option.flag.name](option.value)
    except Unfit as fault:
        better = _replaced(
            words, option.start, option.stop, f"--{option.flag.name}={fault.instead or option.flag.example}"
        )
        raise Fault(str(fault), better) from None


def _bare_values(words: Words, bare: list[Bare]) -> tuple[str | None, int | None, str | None]:
    """GPU, number of GPUs, name."""
    if not bare:
        return None, None, None
    if len(bare) > 2:
        raise _too_many(words, bare)
    try:
        gpu, gpu_count = fields.read_gpu(bare[0].text)
    except Unfit as fault:
        raise Fault(str(fault), _rewritten(words, bare[:1], fault.instead)) from None
    name = _name(words, bare) if len(bare) == 2 else None
    return gpu, gpu_count, name


def _name(words: Words, bare: list[Bare]) -> str:
    gpu, name = bare
    try:
        return fields.read_name(name.text)
    except Unfit as fault:
        if _belongs_to_gpu(name.text):
            message = f"{shown(name.text)} is no name. If it belongs to the GPU, put both in quotation marks."
            raise Fault(message, _rewritten(words, bare, f"{gpu.text} {name.text}")) from None
        raise Fault(str(fault), _rewritten(words, [name], fault.instead)) from None


def _too_many(words: Words, bare: list[Bare]) -> Fault:
    texts = [word.text for word in bare]
    message = f"I expected a GPU and a name, and read {len(texts)} words: {shown(' '.join(texts))}."
    spread = texts if _belongs_to_gpu(texts[-1]) else texts[:-1]
    better = _rewritten(words, bare, " ".join(spread), *texts[len(spread) :])
    return Fault(f"{message} Put a GPU's name with spaces in quotation marks.", better)


def _belongs_to_gpu(text: str) -> bool:
    return re.fullmatch(r"(?i)\d+\s*gb?(:\d*)?|[^:]*:\d*", text) is not None


def _rewritten(words: Words, bare: list[Bare], *instead: str | None) -> Words:
    """These bare words taken out, and others put where the first one was."""
    gone, put = {word.at for word in bare}, tuple(filter(None, instead))
    first = bare[0].at
    rest = (word for place, word in enumerate(words[first:], first) if place not in gone)
    return (*words[:first], *put, *rest)


def _replaced(words: Words, start: int, stop: int, *instead: str) -> Words:
    return words[:start] + instead + words[stop:]


VALUES: dict[str, Callable[[str], Any]] = {
    "template": fields.read_template,
    "image": fields.read_image,
    "spot": lambda _: BillingMode.SPOT,
    "on-demand": lambda _: BillingMode.ON_DEMAND,
    "region": fields.read_regions,
    "disk": fields.read_disk,
    "max": fields.read_price,
    "webhook": fields.read_webhook,
    "yes": lambda _: True,
}
"""How the value of each flag is read."""
