"""The table of verbs and flags, from which the parser, the help and the README's table are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.grammar.commands import SLASH


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    name: str
    purpose: str
    value: str | None = None
    """What stands for the value in the usage line; None: the flag takes none."""
    example: str | None = None
    """A value that can be read, offered where one is missing."""
    meant_by: tuple[str, ...] = ()
    """Not read, but answered with this flag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    name: str
    purpose: str
    target: str = ""
    """The words without dashes, as in the usage line."""
    flags: tuple[tuple[Flag, ...], ...] = ()
    """Flags in one group exclude each other."""
    aliases: tuple[str, ...] = ()
    """Read as the verb."""
    meant_by: tuple[str, ...] = ()
    """Not read, but answered with this verb: what people try who come from other tools."""
    examples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        return " ".join(filter(None, (SLASH, self.name, self.target, *map(_group_usage, self.flags))))

    @property
    def every_flag(self) -> tuple[Flag, ...]:
        return tuple(flag for group in self.flags for flag in group)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    usage: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpText:
    """What the help says, not how it looks. Plain text throughout."""

    title: str
    entries: tuple[Entry, ...]
    """Commands in the general help, flags in the help of one verb."""
    examples: tuple[str, ...]
    """To copy as they stand."""
    notes: tuple[str, ...]


CREATE_FLAGS = (
    (
        Flag(name="template", value="T", example="pytorch", purpose="a template's name or id"),
        Flag(
            name="image",
            value="I",
            example="pytorch/pytorch:latest",
            meant_by=("docker", "container"),
            purpose="a container image instead",
        ),
    ),
    (
        Flag(name="spot", purpose="cheaper, but Novita may take the GPU back"),
        Flag(name="on-demand", meant_by=("demand",), purpose="dearer, yours until you stop it"),
    ),
    (
        Flag(
            name="region",
            value="R[,R]",
            example="US-CA-06",
            meant_by=("cluster", "location", "zone"),
            purpose="only these regions, in this order",
        ),
    ),
    (
        Flag(
            name="disk",
            value="GB",
            example="80",
            meant_by=("rootfs", "storage", "size"),
            purpose="size of the disk, 10 to 6144 GB",
        ),
    ),
    (
        Flag(
            name="max",
            value="USD_PER_HOUR",
            example="0.50",
            meant_by=("maximum", "price", "maxprice", "budget"),
            purpose="pay no more than this per hour, for all GPUs together",
        ),
    ),
    (
        Flag(
            name="webhook",
            value="URL",
            example="https://example.com/hook",
            meant_by=("url", "callback"),
            purpose="tell this address as well",
        ),
    ),
    (Flag(name="yes", meant_by=("y", "force", "confirm"), purpose="launch without asking again"),),
)

_ONE_NAME = ("Leave NAME out if you have just one instance. An id will do as well.",)

VERBS = (
    Verb(
        name="create",
        aliases=("launch",),
        meant_by=("new", "run", "up", "rent", "buy", "make"),
        target="[GPU[:N]] [NAME]",
        flags=CREATE_FLAGS,
        purpose="rent a GPU; without a GPU a form opens",
        examples=(
            "/gpu create 4090 my-train --template pytorch",
            '/gpu create "RTX 4090 24GB" --spot --max 0.50',
            "/gpu create h100:2 --image pytorch/pytorch:latest --on-demand --disk 200",
        ),
        notes=(
            "GPU is a product's name or a part of it; :N asks for 1 to 8 of them. Quote a name with spaces.",
            "NAME has 1 to 40 letters a to z, digits and dashes. Leave it out and one is made up.",
        ),
    ),
    Verb(
        name="list",
        aliases=("ls", "ps"),
        meant_by=("mine", "all", "instances"),
        target="[all]",
        purpose="my instances, or everybody's",
        examples=("/gpu list", "/gpu list all"),
    ),
    Verb(
        name="status",
        aliases=("show",),
        meant_by=("get", "describe", "info", "inspect"),
        target="[NAME]",
        purpose="how an instance is, and what it cost so far",
        examples=("/gpu status my-train",),
        notes=_ONE_NAME,
    ),
    Verb(
        name="start",
        meant_by=("resume", "wake"),
        target="[NAME]",
        purpose="start a stopped instance",
        examples=("/gpu start my-train",),
        notes=(*_ONE_NAME, "Its GPU may be taken by then: a start can fail for want of one."),
    ),
    Verb(
        name="stop",
        meant_by=("pause", "halt", "shutdown"),
        target="[NAME]",
        purpose="stop paying for the GPU, keep the instance",
        examples=("/gpu stop my-train",),
        notes=(*_ONE_NAME, "The disk may still cost a little. Keep what matters on a network volume."),
    ),
    Verb(
        name="restart",
        meant_by=("reboot",),
        target="[NAME]",
        purpose="stop and start in one go",
        examples=("/gpu restart my-train",),
        notes=_ONE_NAME,
    ),
    Verb(
        name="delete",
        aliases=("rm", "destroy", "down"),
        meant_by=("kill", "terminate", "remove", "del"),
        target="[NAME]",
        purpose="give the GPU back for good; its disk is lost",
        examples=("/gpu delete my-train",),
        notes=_ONE_NAME,
    ),
    Verb(
        name="ssh",
        meant_by=("connect", "login", "password", "jupyter"),
        target="[NAME]",
        purpose="how to connect, shown to you alone",
        examples=("/gpu ssh my-train",),
        notes=_ONE_NAME,
    ),
    Verb(
        name="help",
        target="[VERB]",
        purpose="this, or all about one verb",
        examples=("/gpu help create",),
    ),
)

BY_WORD = {word: verb for verb in VERBS for word in (verb.name, *verb.aliases)}
"""Verbs by what may be typed for them."""


def help_text(verb: str | None = None) -> HelpText:
    """`verb`: a name or alias that the table has; None: the overview."""
    if verb is None:
        return _overview()
    found = BY_WORD[verb]
    return HelpText(
        title=found.usage,
        entries=tuple(Entry(usage=flag_usage(flag), purpose=flag.purpose) for flag in found.every_flag),
        examples=found.examples,
        notes=(_sentence(found.purpose), *found.notes, *_alias_note(found)),
    )


def command_table() -> str:
    """The README's table of commands, in Markdown."""
    rows = ("| command | does |", "|---|---|", *map(_row, _overview().entries))
    return "\n".join(rows) + "\n"


def flag_usage(flag: Flag) -> str:
    return f"--{flag.name} {flag.value}" if flag.value else f"--{flag.name}"


def _overview() -> HelpText:
    mine = Entry(usage=SLASH, purpose="my instances, with buttons")
    return HelpText(
        title="Rent GPUs at Novita.ai",
        entries=(mine, *(Entry(usage=verb.usage, purpose=verb.purpose) for verb in VERBS)),
        examples=tuple(verb.examples[0] for verb in VERBS if verb.name in {"create", "ssh", "stop"}),
        notes=("All about one verb: /gpu help create.", *_every_alias()),
    )


def _group_usage(group: tuple[Flag, ...]) -> str:
    return f"[{' | '.join(map(flag_usage, group))}]"


def _every_alias() -> Iterator[str]:
    pairs = [f"{', '.join(verb.aliases)} for {verb.name}" for verb in VERBS if verb.aliases]
    yield f"Also understood: {'; '.join(pairs)}."


def _alias_note(verb: Verb) -> Iterator[str]:
    if verb.aliases:
        yield f"Also understood: {', '.join(verb.aliases)}."


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _row(entry: Entry) -> str:
    usage = entry.usage.replace("|", "\\|")
    return f"| `{usage}` | {entry.purpose} |"
