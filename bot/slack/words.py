"""The text behind `/gpu` as Slack sends it -> words as the person meant them.

Slack escapes `&`, `<` and `>`, and wraps links, people and channels in angle brackets. Phones turn `--` into
a dash, straight quotes into curly ones, and slip in spaces that are not spaces.
"""

from __future__ import annotations

import re
import shlex
import unicodedata

MAX_TEXT = 6000
"""Characters; the longest command that can be meant has about 4,000."""
MOST_WORDS = 60
"""The longest has about 40. Putting faults right takes time for each word and each fault."""

_TYPED = {
    **dict.fromkeys("—―⸺", "--"),
    **dict.fromkeys("‐‑‒–−﹘－", "-"),
    **dict.fromkeys("“”„‟«»″＂", '"'),
    **dict.fromkeys("‘’‚‛′＇", "'"),
}
_INVISIBLE = frozenset({"Cf", "Cs"})
"""Unicode categories: zero-width characters and text direction; halves of a broken surrogate pair."""
_SPACE_LIKE = frozenset({"Cc", "Zs", "Zl", "Zp"})

_MARKUP = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")


class Fault(Exception):
    """`str()` says to people what is wrong; `words` is a better try, which may have faults of its own."""

    def __init__(self, message: str, words: tuple[str, ...]) -> None:
        super().__init__(message)
        self.words = words


def split(text: str) -> tuple[str, ...]:
    """The words, quotes taken off, none of them empty, inner spaces single. Raises Fault."""
    if len(text) > MAX_TEXT:
        raise Fault(f"That is too long: {len(text)} characters, and I read at most {MAX_TEXT}.", ("help",))
    # A whole command that was copied from a message begins with the slash command itself.
    line = re.sub(r"^\s*/gpu(?=\s|$)", "", straightened(text), flags=re.IGNORECASE)
    try:
        words = _tokens(line)
    except ValueError:
        raise Fault("A quotation mark has no partner.", _partnered(line)[:MOST_WORDS]) from None
    if len(words) > MOST_WORDS:
        raise Fault(f"That is too long: {len(words)} words, and I read at most {MOST_WORDS}.", ("help",))
    return words


def straightened(text: str) -> str:
    """Slack's markup taken off, then everything that phones put in place of what was typed."""
    plain = _unescaped(_MARKUP.sub(_as_typed, text))
    return plain if plain.isascii() and plain.isprintable() else "".join(map(_plain, plain))


def _as_typed(markup: re.Match[str]) -> str:
    target, label = markup[1], markup[2] or ""
    if target[:1] in {"@", "#", "!"}:
        return target[0].replace("!", "@") + (label or target[1:]).lstrip("@#")
    if target == f"http://{label}" or not re.match(r"(?i)https?:", target):
        # Slack links bare domains (an image's registry, say) and mail addresses by itself.
        return label or target
    # A quotation mark in a link would open a quotation; in an address it can be written so.
    return target.replace('"', "%22").replace("'", "%27").replace(" ", "%20")


def _unescaped(text: str) -> str:
    # Also what was escaped several times over, so that reading what was read once more changes nothing.
    once = re.sub(r"&(?:amp;)+", "&", text)
    return once.replace("&lt;", "<").replace("&gt;", ">")


def _plain(character: str) -> str:
    if character in _TYPED:
        return _TYPED[character]
    category = unicodedata.category(character)
    if category in _INVISIBLE:
        return ""
    return " " if category in _SPACE_LIKE else character


def _tokens(line: str) -> tuple[str, ...]:
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    # A backslash is a backslash: quotes are enough, and nobody expects it to swallow the next character.
    lexer.escape = ""
    return tuple(filter(None, (" ".join(token.split()) for token in lexer)))


def _partnered(line: str) -> tuple[str, ...]:
    try:
        closed = _tokens(f'{line}"')
    except ValueError:
        closed = _tokens(f"{line}'")
    # Where the quotation would swallow flags it was hardly meant to go on to the end.
    swallows = any(" -" in token for token in closed[-1:])
    return tuple(re.sub("[\"']", " ", line).split()) if swallows else closed
