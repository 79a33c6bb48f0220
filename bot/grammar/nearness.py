"""What was probably meant, and how to repeat to people what they typed."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA

_ALIKE = 0.6
"""Of 1: `stpo` for `stop` has 0.75, `delte` for `delete` 0.83; below it a guess annoys more than it helps."""


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that begins with the word, or is few slips of the finger away from it."""
    typed, known = word[:60].casefold(), tuple(choices)
    begins = [choice for choice in known if len(typed) > 1 and choice.startswith(typed)]
    if begins:
        return begins[0]
    found = process.extractOne(typed, known, scorer=OSA.normalized_similarity, score_cutoff=_ALIKE)
    return None if found is None else str(found[0])


def shown(text: str, limit: int = 60) -> str:
    """In quotation marks, on one line, and cut where it is long."""
    line = " ".join(text.split())
    return f'"{line if len(line) <= limit else line[: limit - 1] + "…"}"'
