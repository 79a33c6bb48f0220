"""What can be asked of `/gpu`, as plain values, and how to write each down again.

Reading text is `bot.slack.arguments`; this lies below it, for messages and the form speak of commands too.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, assert_never

from storage.cloud import BillingMode
from storage.records import Wish

SLASH = "/gpu"

ActVerb = Literal[Wish.START, Wish.STOP, Wish.RESTART, Wish.DELETE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """None: not typed, so the form or the defaults decide."""

    gpu: str | None = None
    """A product name or an unambiguous part of one."""
    gpu_count: int | None = None
    name: str | None = None
    template: str | None = None
    """Id or name. Never together with image."""
    image: str | None = None
    billing_mode: BillingMode | None = None
    regions: tuple[str, ...] = ()
    """As typed, in order of preference. Not empty: no other region will do."""
    disk_gb: int | None = None
    max_usd_per_hour: Decimal | None = None
    """For the whole instance."""
    webhook_url: str | None = None
    yes: bool = False
    """Launch without a quote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    everybody: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    verb: ActVerb
    name: str | None = None
    """A name or an id; None: the only one that the person has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    gpu: str | None = None
    """A product name or a part of one, which may fit several; None: all."""
    gpu_count: int | None = None
    """For how many the prices are, and the launches; None: one. Only with a GPU."""
    max_usd_per_hour: Decimal | None = None
    """For one GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """Nothing was typed: my instances, with buttons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    verb: str | None = None


Command = Create | List | Act | Status | Ssh | Offers | Mine | Help


def render(command: Command) -> str:
    """The text to type, `/gpu` included. Reading it gives the same command again."""
    return written((SLASH, *_words(command)))


def verb_of(command: Command) -> str:
    """The first word of it, by its own name."""
    return next(_words(command), "list")


def written(words: tuple[str, ...]) -> str:
    return " ".join(map(_quoted, words))


def _words(command: Command) -> Iterator[str]:
    match command:
        case Create():
            yield "create"
            yield from _ordered(_target(command), _flag_words(command))
        case List(everybody=everybody):
            yield from ("list", "all") if everybody else ("list",)
        case Act(verb=verb, name=name):
            yield verb.value
            yield from _bare(name)
        case Status(name=name):
            yield "status"
            yield from _bare(name)
        case Ssh(name=name):
            yield "ssh"
            yield from _bare(name)
        case Offers(gpu=gpu, gpu_count=count, max_usd_per_hour=most):
            yield "offers"
            target = _bare(None if gpu is None else _counted(gpu, count))
            yield from _ordered(target, _valued("max", None if most is None else f"{most:f}"))
        case Help(verb=verb):
            yield from ("help", verb) if verb else ("help",)
        case Mine():
            return
        case _:
            assert_never(command)


def _ordered(target: Iterable[str], flags: Iterable[str]) -> Iterator[str]:
    target, flags = tuple(target), tuple(flags)
    # The target comes first, except where `--` has to end the flags before it: a name may begin with a dash.
    yield from flags + target if target[:1] == ("--",) else target + flags


def _target(command: Create) -> Iterator[str]:
    if command.gpu is not None:
        yield from _bare(_counted(command.gpu, command.gpu_count), command.name)


def _counted(gpu: str, count: int | None) -> str:
    return gpu if count is None else f"{gpu}:{count}"


def _flag_words(command: Create) -> Iterator[str]:
    yield from _valued("template", command.template)
    yield from _valued("image", command.image)
    if command.billing_mode is not None:
        yield "--spot" if command.billing_mode is BillingMode.SPOT else "--on-demand"
    yield from _valued("region", ",".join(command.regions) or None)
    yield from _valued("disk", command.disk_gb)
    if command.max_usd_per_hour is not None:
        yield from _valued("max", f"{command.max_usd_per_hour:f}")
    yield from _valued("webhook", command.webhook_url)
    if command.yes:
        yield "--yes"


def _valued(flag: str, value: str | int | None) -> Iterator[str]:
    if value is None:
        return
    if str(value).startswith("-"):
        yield f"--{flag}={value}"
    else:
        yield from (f"--{flag}", str(value))


def _bare(*words: str | None) -> Iterator[str]:
    present = [word for word in words if word is not None]
    if any(word.startswith("-") for word in present):
        yield "--"
    yield from present


def _quoted(word: str) -> str:
    if re.fullmatch(r"[\w@%+=:,./?&-]+", word, re.ASCII):
        return word
    return f'"{word}"' if '"' not in word else shlex.quote(word)
