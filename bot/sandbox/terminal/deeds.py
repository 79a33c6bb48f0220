"""What a line that was typed into the demo means. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.novita import deeds as novita
from bot.sandbox.novita.deeds import OfCloud, OfInstance, OfNextCreate, OfStock


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
    | novita.Deed
    | Wait
    | Help
    | Quit
    | Caption
    | Unknown
)

_NO_SUCH_LINE = "That is no line of the demo. Commands of the bot begin with /gpu; `help` lists the others."
_NO_CLOUD = (
    "Say what Novita does: cloud reclaim NAME, cloud take | finish | hold | release | stop | delete NAME, "
    "cloud down | up, cloud errors on | off, cloud balance empty | filled, cloud full | free [REGION | GPU], "
    "cloud fail-next capacity | balance | unclear | nothing."
)


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
    match [word.lower() for word in words]:
        case ["notice", _]:
            return OfInstance(act="reclaim", name=words[1])
        case ["reclaim" | "take" | "finish" | "hold" | "release" | "stop" | "delete" as act, _]:
            return OfInstance(act=act, name=words[1])
        case ["full" | "free" as act, *what] if len(what) <= 1:
            return OfStock(act=act, what=words[1] if what else None)
        case others:
            return _OF_CLOUD.get(" ".join(others), Unknown(hint=_NO_CLOUD))


def _alone(deed: Deed) -> Callable[[list[str]], Deed]:
    def read(words: list[str]) -> Deed:
        return Unknown(hint="That line takes no further words.") if words else deed

    return read


_OF_CLOUD: dict[str, Deed] = {
    "down": OfCloud(act="down"),
    "up": OfCloud(act="up"),
    "errors on": OfCloud(act="errors on"),
    "errors off": OfCloud(act="errors off"),
    "balance empty": OfCloud(act="balance empty"),
    "balance filled": OfCloud(act="balance filled"),
    "fail-next": OfNextCreate(meets="capacity"),
    "fail-next capacity": OfNextCreate(meets="capacity"),
    "fail-next balance": OfNextCreate(meets="balance"),
    "fail-next unclear": OfNextCreate(meets="unclear"),
    "fail-next nothing": OfNextCreate(meets="nothing"),
}
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
