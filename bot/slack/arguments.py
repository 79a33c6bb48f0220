"""The text of `/gpu` -> a command. Pure; takes time in proportion to the text.

```
text -> words.split -> _read: verb -> create:  scan -> flags, bare words -> Create
                                   -> offers:  scan -> --max, one GPU    -> Offers
                                   -> others:  at most one bare word     -> List, Act, Status, Ssh, Help
```

Whatever is wrong ends in a `Fault` that carries better words. `parse` reads those again, until nothing is
wrong with them: so the command that an error offers is always one that can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from bot.errors import UsageError
from bot.grammar.commands import Act, ActVerb, Command, Help, List, Mine, Offers, Ssh, Status, render
from bot.grammar.fields import Unfit, read_gpu, read_price, read_reference
from bot.grammar.nearness import nearest, shown
from bot.grammar.usage import BY_WORD, OFFER_FLAGS, VERBS, Verb
from bot.slack.creation import read_create
from bot.slack.flags import Flags, read_flags, rewritten
from bot.slack.words import Fault, split
from storage.records import Wish

_HELP_FLAGS = frozenset({"-h", "-help", "--help", "-?"})
_ASK_FOR_HELP = _HELP_FLAGS | {"?", "h"}
_OFFER_FLAGS = Flags(
    groups=OFFER_FLAGS,
    readers={"max": read_price},
    no_flag={"gpu": "The GPU has no flag: write it as it is."},
)
_MOST_FAULTS = 12
"""That are put right for the command to copy; a text with more of them gets an example instead."""

Reader = Callable[[Verb, tuple[str, ...]], Command]


def parse(text: str) -> Command:
    """Raises UsageError and nothing else; its hint is a whole command that can be parsed."""
    try:
        return _read(split(text))
    except Fault as fault:
        raise UsageError(str(fault), hint=_corrected(fault.words)) from None


def _corrected(words: tuple[str, ...]) -> str:
    for _ in range(_MOST_FAULTS):
        try:
            return render(_read(words))
        except Fault as fault:
            words = fault.words
    return BY_WORD.get(words[0], BY_WORD["help"]).examples[0]


def _read(words: tuple[str, ...]) -> Command:
    if not words:
        return Mine()
    if words[0].casefold() in _ASK_FOR_HELP:
        words = ("help", *words[1:])
    verb = BY_WORD.get(words[0].casefold())
    if verb is None:
        raise _unknown_verb(words)
    if any(word.casefold() in _HELP_FLAGS for word in takewhile(lambda word: word != "--", words[1:])):
        return Help(verb=verb.name)
    return READERS[verb.name](verb, (verb.name, *words[1:]))


def _list(verb: Verb, words: tuple[str, ...]) -> List:
    bare = _bare_words(verb, words, instead="all")
    if not bare:
        return List()
    if len(bare) > 1 or bare[0].casefold() not in {"all", "everybody", "everyone"}:
        raise Fault(
            f"list takes the word all, or nothing; I read {shown(' '.join(bare))}.", (verb.name, "all")
        )
    return List(everybody=True)


def _act(wish: ActVerb) -> Reader:
    return lambda verb, words: Act(verb=wish, name=_target(verb, words))


def _status(verb: Verb, words: tuple[str, ...]) -> Status:
    return Status(name=_target(verb, words))


def _ssh(verb: Verb, words: tuple[str, ...]) -> Ssh:
    return Ssh(name=_target(verb, words))


def _offers(verb: Verb, words: tuple[str, ...]) -> Offers:  # noqa: ARG001 (every verb's reader takes both)
    given, bare = read_flags(words, _OFFER_FLAGS)
    most = given.get("max")
    if not bare:
        return Offers(max_usd_per_hour=most)
    try:
        # Nothing else is bare here, so a name with spaces needs no quotation marks.
        gpu, gpu_count = read_gpu(" ".join(word.text for word in bare))
    except Unfit as fault:
        raise Fault(str(fault), rewritten(words, bare, fault.instead)) from None
    return Offers(gpu=gpu, gpu_count=gpu_count, max_usd_per_hour=most)


def _help(verb: Verb, words: tuple[str, ...]) -> Help:
    bare = _bare_words(verb, words)
    if not bare:
        return Help()
    about = BY_WORD.get(bare[0].casefold())
    if about is None:
        raise _unknown_verb(bare, before=(verb.name,))
    return Help(verb=about.name)


def _target(verb: Verb, words: tuple[str, ...]) -> str | None:
    bare = _bare_words(verb, words)
    if not bare:
        return None
    if len(bare) > 1:
        raise Fault(
            f"{verb.name} takes one name at a time; I read {shown(' '.join(bare))}.",
            _once_more(verb, bare[:1]),
        )
    try:
        return read_reference(bare[0])
    except Unfit as fault:
        raise Fault(str(fault), _once_more(verb, () if fault.instead is None else (fault.instead,))) from None


def _bare_words(verb: Verb, words: tuple[str, ...], *, instead: str | None = None) -> tuple[str, ...]:
    """The words after a verb that has no flags. `--` says that no flag follows, only names."""
    before = tuple(takewhile(lambda word: word != "--", words[1:]))
    after = words[len(before) + 2 :]
    flag = next((word for word in before if word.startswith("-")), None)
    if flag is None:
        return before + after
    bare = tuple(word for word in before if not word.startswith("-")) + after
    better = bare if instead is None else (instead,)
    raise Fault(f"{verb.name} has no flags; I read {shown(flag)}.", _once_more(verb, better))


def _once_more(verb: Verb, bare: tuple[str, ...]) -> tuple[str, ...]:
    # Not the verb alone: copied, it would act on the only instance, whatever was meant.
    return (verb.name, "--", *bare) if bare else ("help", verb.name)


def _unknown_verb(words: tuple[str, ...], *, before: tuple[str, ...] = ()) -> Fault:
    """`before`: the words ahead of the verb, `help` or none."""
    typed, rest = words[0].casefold(), () if before else words[1:]
    guess = _meant(typed)
    if guess is not None:
        return Fault(f"There is no verb {shown(words[0])}. Did you mean {guess}?", (*before, guess, *rest))
    known = ", ".join(verb.name for verb in VERBS)
    message = f"There is no verb {shown(words[0])}. The verbs are {known}."
    looks_like_gpu = any(map(str.isdigit, typed)) or typed.startswith("-")
    return Fault(message, ("create", *words) if looks_like_gpu and not before else ("help",))


def _meant(typed: str) -> str | None:
    for verb in VERBS:
        if typed in verb.meant_by:
            return verb.name
    word = nearest(typed, BY_WORD)
    return None if word is None else BY_WORD[word].name


READERS: dict[str, Reader] = {
    "create": read_create,
    "list": _list,
    "status": _status,
    "start": _act(Wish.START),
    "stop": _act(Wish.STOP),
    "restart": _act(Wish.RESTART),
    "delete": _act(Wish.DELETE),
    "ssh": _ssh,
    "offers": _offers,
    "help": _help,
}
