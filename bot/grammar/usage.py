"""The table of verbs and flags, from which the parser, the help and the README's table are made."""

from __future__ import annotations

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
    task: str
    """One of `TASKS`: under which the help has it."""
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


RENT, LOOK, USE, SAVE, LEARN = "Rent", "Look", "Use", "Stop paying", "Learn more"
TASKS = {RENT: "create", LOOK: "status", USE: "ssh", SAVE: "stop", LEARN: "help"}
"""What people want to do, and the verb that is shown as the example of it."""

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

OFFER_FLAGS = (
    (
        Flag(
            name="max",
            value="USD_PER_HOUR",
            example="0.50",
            meant_by=("maximum", "price", "maxprice", "budget"),
            purpose="only what costs no more than this per hour, for one GPU",
        ),
    ),
)

_ONE_NAME = ("Leave NAME out if you have just one instance. An id will do as well.",)

VERBS = (
    Verb(
        name="create",
        task=RENT,
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
        task=LOOK,
        aliases=("ls", "ps"),
        meant_by=("mine", "all", "instances"),
        target="[all]",
        purpose="my instances, or everybody's",
        examples=("/gpu list", "/gpu list all"),
    ),
    Verb(
        name="status",
        task=LOOK,
        aliases=("show",),
        meant_by=("get", "describe", "info", "inspect"),
        target="[NAME]",
        purpose="how an instance is, and what it cost so far",
        examples=("/gpu status my-train",),
        notes=_ONE_NAME,
    ),
    Verb(
        name="start",
        task=USE,
        meant_by=("resume", "wake"),
        target="[NAME]",
        purpose="start a stopped instance",
        examples=("/gpu start my-train",),
        notes=(*_ONE_NAME, "Its GPU may be taken by then: a start can fail for want of one."),
    ),
    Verb(
        name="stop",
        task=SAVE,
        meant_by=("pause", "halt", "shutdown"),
        target="[NAME]",
        purpose="stop paying for the GPU, keep the instance",
        examples=("/gpu stop my-train",),
        notes=(*_ONE_NAME, "The disk may still cost a little. Keep what matters on a network volume."),
    ),
    Verb(
        name="restart",
        task=USE,
        meant_by=("reboot",),
        target="[NAME]",
        purpose="stop and start in one go",
        examples=("/gpu restart my-train",),
        notes=_ONE_NAME,
    ),
    Verb(
        name="delete",
        task=SAVE,
        aliases=("rm", "destroy", "down"),
        meant_by=("kill", "terminate", "remove", "del"),
        target="[NAME]",
        purpose="give the GPU back for good; its disk is lost",
        examples=("/gpu delete my-train",),
        notes=_ONE_NAME,
    ),
    Verb(
        name="ssh",
        task=USE,
        meant_by=("connect", "login", "password", "jupyter"),
        target="[NAME]",
        purpose="how to connect, shown to you alone",
        examples=("/gpu ssh my-train",),
        notes=_ONE_NAME,
    ),
    Verb(
        name="offers",
        task=RENT,
        meant_by=(
            *("offer", "price", "prices", "pricing", "gpu", "gpus", "product", "products"),
            *("stock", "available", "catalog", "catalogue", "market"),
        ),
        target="[GPU]",
        flags=OFFER_FLAGS,
        purpose="what can be had now, cheapest first",
        examples=("/gpu offers 4090", "/gpu offers --max 0.50", "/gpu offers h100:2"),
        notes=(
            "GPU is a product's name or a part of it, which may fit several.",
            "Prices are for one GPU, or for N of them with GPU:N.",
        ),
    ),
    Verb(
        name="help",
        task=LEARN,
        target="[VERB]",
        purpose="this, or all about one verb",
        examples=("/gpu help create",),
    ),
)

BY_WORD = {word: verb for verb in VERBS for word in (verb.name, *verb.aliases)}
"""Verbs by what may be typed for them."""


def flag_usage(flag: Flag) -> str:
    return f"--{flag.name} {flag.value}" if flag.value else f"--{flag.name}"


def _group_usage(group: tuple[Flag, ...]) -> str:
    return f"[{' | '.join(map(flag_usage, group))}]"
