"""What the help says, and the README's table of commands: from the table of verbs and flags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.grammar.commands import SLASH
from bot.grammar.usage import BY_WORD, LOOK, TASKS, VERBS, Flag, Verb, flag_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    usage: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    title: str
    """A task in the general help; empty in the help of one verb."""
    entries: tuple[Entry, ...]
    """Commands in the general help, flags in the help of one verb."""
    examples: tuple[str, ...]
    """To copy as they stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpText:
    """What the help says, not how it looks. Plain text throughout."""

    title: str
    groups: tuple[Group, ...]
    notes: tuple[str, ...]


_MINE = Entry(usage=SLASH, purpose="my instances, with buttons")


def help_text(verb: str | None = None) -> HelpText:
    """`verb`: a name or alias that the table has; None: the overview."""
    if verb is None:
        return _overview()
    found = BY_WORD[verb]
    return HelpText(
        title=found.usage,
        groups=(Group(title="", entries=tuple(map(_flag_entry, found.every_flag)), examples=found.examples),),
        notes=(_sentence(found.purpose), *found.notes, *_alias_note(found)),
    )


def command_table() -> str:
    """The README's table of commands, in Markdown."""
    rows = ("| command | does |", "|---|---|", *map(_row, (_MINE, *map(_entry, VERBS))))
    return "\n".join(rows) + "\n"


def _overview() -> HelpText:
    return HelpText(
        title="Rent GPUs at Novita.ai",
        groups=tuple(map(_group, TASKS)),
        notes=tuple(_every_alias()),
    )


def _group(task: str) -> Group:
    verbs = [verb for verb in VERBS if verb.task == task]
    entries = (*((_MINE,) if task == LOOK else ()), *map(_entry, verbs))
    return Group(title=task, entries=entries, examples=BY_WORD[TASKS[task]].examples[:1])


def _entry(verb: Verb) -> Entry:
    return Entry(usage=verb.usage, purpose=verb.purpose)


def _flag_entry(flag: Flag) -> Entry:
    return Entry(usage=flag_usage(flag), purpose=flag.purpose)


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
