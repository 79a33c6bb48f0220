"""The list of instances, a page at a time: some lines and a row of buttons each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.messages import entries
from bot.messages.blocks import (
    MOST_BLOCKS,
    MOST_CHARACTERS,
    Block,
    Message,
    actions,
    button,
    context,
    message,
    section,
    size,
)
from storage.records import Instance

LIST_PAGE = 10
"""Instances on one page, at most."""

_ROOM_AT_END = 1000
"""Characters for the last line and the buttons that turn pages; they need two blocks too."""


def instance_list(
    instances: Sequence[Instance], *, everybody: bool, total: int, offset: int = 0, now: datetime
) -> Message:
    """`instances`: those from `offset` on, as many as were looked up; `total`: how many there are in all.

    Where a page of long ones does not fit, fewer are shown, and the next page begins with the first left out.
    """
    if not instances and offset == 0:
        return _none(everybody=everybody)
    entries_shown, blocks = _as_many_as_fit(instances, everybody=everybody, now=now)
    shown = instances[:entries_shown]
    title = "Everybody's instances" if everybody else "My instances"
    counted = _counted(offset, len(shown), total)
    return message(
        f"{title} {'. '.join([counted, *map(entries.spoken, shown)])}.",
        section(f"*{title}* {counted}", block_id="title"),
        *blocks,
        _last_line(shown, total),
        _pages(everybody=everybody, offset=offset, shown=len(shown), total=total),
    )


def _none(*, everybody: bool) -> Message:
    text = "Nobody has an instance." if everybody else "You have no instance."
    said = f"{text} Rent one with `/gpu create`."
    create = actions([entries.rent_button()], block_id="gpu:none")
    return message(said, section(said, block_id="title"), create)


def _as_many_as_fit(
    instances: Sequence[Instance], *, everybody: bool, now: datetime
) -> tuple[int, list[Block]]:
    shown, blocks = 0, list[Block]()
    for i in instances[:LIST_PAGE]:
        more = [*blocks, *entries.list_entry(i, everybody=everybody, now=now)]
        if len(more) > MOST_BLOCKS - 3 or size(more) > MOST_CHARACTERS - _ROOM_AT_END:
            break
        shown, blocks = shown + 1, more
    return shown, blocks


def _counted(offset: int, shown: int, total: int) -> str:
    """`11–20 of 50`; where all are shown, just `(3)`."""
    if shown == 0:
        return f"none from {offset + 1} on, {total} in all"
    last = offset + shown
    return f"({total})" if offset == 0 and last >= total else f"{offset + 1}–{last} of {total}"


def _last_line(shown: Sequence[Instance], total: int) -> Block | None:
    together = entries.billed(shown)
    if together is None:
        return None
    return context(together if len(shown) == total else f"Of these, {together}", block_id="end")


def _pages(*, everybody: bool, offset: int, shown: int, total: int) -> Block | None:
    return actions(
        _turning(everybody=everybody, offset=offset, following=offset + shown, total=total),
        block_id="gpu:pages",
    )


def _turning(*, everybody: bool, offset: int, following: int, total: int) -> Iterator[Block]:
    def to(label: str, start: int) -> Block:
        return button(label, f"gpu:page:{label.lower()}", json.dumps({"all": everybody, "offset": start}))

    if offset > 0:
        # Never past the end: what was there when the page was shown may be gone.
        yield to("Previous", max(0, min(offset, total) - LIST_PAGE))
    if offset < following < total:
        yield to("Next", following)
