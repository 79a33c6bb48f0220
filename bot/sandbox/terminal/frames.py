"""What sets a message apart: a frame for what stays in the channel, a bar for what is said in a thread."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import ROUNDED
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.segment import Segment
from rich.style import Style

FRAME = 4
"""Columns that a frame takes: two lines, two blanks."""
BAR = 2
_DIM = Style(dim=True)


def framed(inside: Iterable[RenderableType], *, color: str, width: int, title: str | None = None) -> Panel:
    return Panel(
        Group(*inside), box=ROUNDED, border_style=color, title=title, title_align="left", width=width
    )


class Behind:
    """Each line behind the same characters, and nothing after its last one."""

    def __init__(self, start: str, inside: RenderableType, style: Style | None = None) -> None:
        self._start = start
        self._inside = inside
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        narrower = options.update(width=max(1, options.max_width - len(self._start)))
        for line in console.render_lines(self._inside, narrower, pad=False):
            yield Segment(self._start, self._style)
            yield from line
            yield Segment.line()


def barred(inside: Iterable[RenderableType]) -> Behind:
    return Behind("│ ", Group(*inside), _DIM)
