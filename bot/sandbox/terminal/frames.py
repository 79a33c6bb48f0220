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


class Barred:
    def __init__(self, inside: Iterable[RenderableType]) -> None:
        self._inside = Group(*inside)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        bar = "| " if options.ascii_only else "│ "
        narrower = options.update(width=options.max_width - BAR)
        for line in console.render_lines(self._inside, narrower, pad=False):
            yield Segment(bar, _DIM)
            yield from line
            yield Segment.line()
