"""One line under the hands of somebody who types: keys in, text and cursor out. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.cells import cell_len

_KEY = re.compile(
    r"(?P<half>\x1b(?:\[[0-9;]*|O)?\Z)|\x1b\[[0-9;]*[^0-9;]|\x1bO.|\x1b[^\[O]|[^\x1b]", re.DOTALL
)
_NAMES = {
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x04": "end of input",
    "\x01": "home",
    "\x05": "end",
    "\x15": "clear before",
    "\x0b": "clear after",
    "\x17": "word back",
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1b[1~": "home",
    "\x1b[4~": "end",
    "\x1b[3~": "delete",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1bOH": "home",
    "\x1bOF": "end",
}


class Editor:
    """The usual keys of a shell, and a history for the arrows."""

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self.ended = False
        """Ctrl-D on an empty line."""
        self._half_a_key = ""
        self._history: list[str] = []
        self._at = 0
        self._keys: dict[str, Callable[[], None]] = {
            "backspace": self._backspace,
            "delete": self._delete,
            "home": lambda: self._move(-len(self.text)),
            "end": lambda: self._move(len(self.text)),
            "left": lambda: self._move(-1),
            "right": lambda: self._move(1),
            "up": lambda: self._recall(-1),
            "down": lambda: self._recall(1),
            "clear before": lambda: self._set(self.text[self.cursor :], 0),
            "clear after": lambda: self._set(self.text[: self.cursor], self.cursor),
            "word back": self._word_back,
            "end of input": self._end_of_input,
        }

    def feed(self, typed: str) -> list[str]:
        """The lines that were completed; a paste may complete several."""
        lines = []
        typed, self._half_a_key = self._half_a_key + typed, ""
        for key in _KEY.finditer(typed):
            if key["half"]:
                self._half_a_key = key[0]
            elif _NAMES.get(key[0]) == "enter":
                lines.append(self._enter())
            else:
                self._press(key[0])
        return lines

    def shown(self, room: int) -> tuple[str, int]:
        """What of the text fits beside the prompt, and the cells from its end back to the cursor.

        A line that is longer moves to the left: the cursor is always to be seen.
        """
        start, stop = 0, len(self.text)
        while cell_len(self.text[start : self.cursor]) > max(room - 1, 0):
            start += 1
        while cell_len(self.text[start:stop]) > room:
            stop -= 1
        return self.text[start:stop], cell_len(self.text[self.cursor : stop])

    def _press(self, key: str) -> None:
        name = _NAMES.get(key)
        if name is not None:
            self._keys[name]()
        elif key.isprintable():
            self._set(self.text[: self.cursor] + key + self.text[self.cursor :], self.cursor + len(key))

    def _enter(self) -> str:
        line = self.text
        if line.strip() and self._history[-1:] != [line]:
            self._history.append(line)
        self._at = len(self._history)
        self._set("", 0)
        return line

    def _set(self, text: str, cursor: int) -> None:
        self.text, self.cursor = text, cursor

    def _move(self, by: int) -> None:
        self.cursor = min(max(self.cursor + by, 0), len(self.text))

    def _backspace(self) -> None:
        if self.cursor:
            self._set(self.text[: self.cursor - 1] + self.text[self.cursor :], self.cursor - 1)

    def _delete(self) -> None:
        self._set(self.text[: self.cursor] + self.text[self.cursor + 1 :], self.cursor)

    def _word_back(self) -> None:
        kept = re.sub(r"\S*\s*$", "", self.text[: self.cursor])
        self._set(kept + self.text[self.cursor :], len(kept))

    def _recall(self, by: int) -> None:
        self._at = min(max(self._at + by, 0), len(self._history))
        line = self._history[self._at] if self._at < len(self._history) else ""
        self._set(line, len(line))

    def _end_of_input(self) -> None:
        if self.text:
            self._delete()
        else:
            self.ended = True
