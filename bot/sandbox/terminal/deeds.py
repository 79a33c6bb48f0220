"""What a line that was typed into the demo means. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A slash command, the whole line."""

    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    button: str
    name: str | None
    """Of an instance; None: the newest card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseForm:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHome:
    """The Home tab of the app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """In a menu or another field, without sending the form."""

    field: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """In the thread of the newest card."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UseShortcut:
    name: str
    of: str | None
    """An instance, on whose card it is used; None: a global one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Become:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """`channel` without its `#`; `dm`: the direct messages with the bot."""

    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfInstance:
    """What Novita, or somebody at its console, does to one instance."""

    act: Literal["reclaim", "stop"]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCloud:
    act: Literal["down", "up", "full", "free"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Quit:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A comment: what the lines after it show."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    hint: str


Deed = (
    Command
    | Press
    | Fill
    | CloseForm
    | OpenHome
    | Choose
    | Say
    | Reply
    | UseShortcut
    | Become
    | Go
    | OfInstance
    | OfCloud
    | Wait
    | Help
    | Quit
    | Caption
    | Unknown
)

_NO_SUCH_LINE = "That is no line of the demo. Commands of the bot begin with /gpu; `help` lists the others."
_NO_CLOUD = "Say what Novita does: cloud reclaim NAME, cloud stop NAME, cloud down | up | full | free."


def read_deed(line: str) -> Deed | None:
    """None: an empty line."""
    line = line.strip()
    if not line:
        return None
    if line.startswith("#"):
        return Caption(text=line.lstrip("# "))
    if line.startswith("/"):
        return Command(line=line)
    word, _, text = line.partition(" ")
    if word.lower() in _SPOKEN:
        # Free text: an apostrophe in it is no quotation mark.
        return _spoken(word.lower(), text.strip())
    try:
        word, *words = shlex.split(line)
    except ValueError:
        return Unknown(hint="A quotation mark is missing its other half.")
    read = _READERS.get(word.lower())
    return Unknown(hint=_hint(word, line)) if read is None else read(words)


def _hint(word: str, line: str) -> str:
    if word.lower() in _VERBS:
        return f"Commands of the bot begin with /gpu. Try: /gpu {line}"
    return _NO_SUCH_LINE


def _press(words: list[str]) -> Deed:
    if not words or len(words) > 2:
        return Unknown(hint='Say which button, and of which instance: press stop, press "Rent a GPU" NAME.')
    return Press(button=words[0], name=words[1] if len(words) == 2 else None)


def _fill(words: list[str]) -> Deed:
    pairs = [word.partition("=") for word in words]
    wrong = [field for field, equals, _ in pairs if not equals or not field]
    if wrong:
        return Unknown(hint='Say it as field=value, such as: fill gpu=4090 template="pytorch-jupyter"')
    return Fill(values=tuple((field.lower(), value) for field, _, value in pairs))


def _choose(words: list[str]) -> Deed:
    field, equals, value = words[0].partition("=") if len(words) == 1 else ("", "", "")
    if not field or not equals:
        return Unknown(hint='Say it as field=value, such as: choose gpu="RTX 4090 24GB"')
    return Choose(field=field.lower(), value=value)


def _spoken(word: str, text: str) -> Deed:
    return _SPOKEN[word](text=text) if text else Unknown(hint=f"Say what: {word} @gpu-ops status")


def _shortcut(words: list[str]) -> Deed:
    match words:
        case []:
            return Unknown(hint='Say which: shortcut "Rent a GPU", or of a card: shortcut NAME on INSTANCE.')
        case [*name, on, instance] if name and on.lower() == "on":
            return UseShortcut(name=" ".join(name), of=instance)
        case _:
            return UseShortcut(name=" ".join(words), of=None)


def _become(words: list[str]) -> Deed:
    if len(words) != 1:
        return Unknown(hint="Say who you are: as ada, as ben, as gus (a guest).")
    return Become(name=words[0].lower().lstrip("@"))


def _go(words: list[str]) -> Deed:
    if len(words) != 1:
        return Unknown(hint="Say where you go: in #gpu, in #random, in dm.")
    return Go(channel=words[0].lower().lstrip("#"))


def _cloud(words: list[str]) -> Deed:
    match [words[0].lower(), *words[1:]] if words else []:
        case ["reclaim" | "stop" as act, name]:
            return OfInstance(act=act, name=name)
        case ["down" | "up" | "full" | "free" as act]:
            return OfCloud(act=act)
        case _:
            return Unknown(hint=_NO_CLOUD)


def _alone(deed: Deed) -> Callable[[list[str]], Deed]:
    def read(words: list[str]) -> Deed:
        return Unknown(hint="That line takes no further words.") if words else deed

    return read


_READERS: dict[str, Callable[[list[str]], Deed]] = {
    "press": _press,
    "fill": _fill,
    "cancel": _alone(CloseForm()),
    "choose": _choose,
    "home": _alone(OpenHome()),
    "shortcut": _shortcut,
    "as": _become,
    "in": _go,
    "cloud": _cloud,
    "wait": _alone(Wait()),
    "help": _alone(Help()),
    "?": _alone(Help()),
    "quit": _alone(Quit()),
    "exit": _alone(Quit()),
}
_SPOKEN: dict[str, Callable[..., Deed]] = {"say": Say, "reply": Reply}
_VERBS = frozenset(
    {"create", "launch", "list", "ls", "ps", "status", "show", "start", "stop", "restart", "ssh"}
    | {"offers", "delete", "rm", "destroy", "down"}
)
"""Of the bot."""
