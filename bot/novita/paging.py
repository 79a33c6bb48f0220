"""Reads a paged list to its end, and knows whether it did.

Novita documents neither whether pages begin at 0 or 1, nor a largest page size; its own client asks for
page 0 and finds fresh instances there. So a first pass asks for 0, 1, 2 ... What that teaches is kept: later
passes cost exactly total / page size calls, rounded up. When a pass does not add up, all is forgotten.

Once it is known how the pages are numbered, a few are asked for at a time: one after the other, a hundred
would take as many answers' time, and the list would have moved by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

_MAX_PAGES = 200
_AT_ONCE = 4

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    items: Mapping[str, Item]
    """By id."""
    rows: int
    """All rows of the answer, also those without an id and those that occur twice."""
    blank: int = 0
    """Rows without an id: in the total, but in nobody's interest."""
    total: int | None
    """On all pages; None where that is not said."""
    began_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected(Generic[Item]):
    items: tuple[Item, ...]
    complete: bool
    """As many distinct items as every page's total said. Without totals: up to a page with nothing new."""
    began_at: datetime
    """Of the first page."""


class Pager(Generic[Item]):
    """Of one list; remembers how that list is paged. For one event loop."""

    def __init__(self, page_size: int) -> None:
        self._asked_size = page_size
        self._size = page_size
        self._first: int | None = None
        """Number of the first page: 0, 1, or None while it is not known."""
        self.calls = 1
        """Of the latest complete pass."""

    async def collect(self, fetch: Callable[[int, int], Awaitable[Page[Item]]]) -> Collected[Item]:
        """`fetch(page number, page size)`; what it raises ends the pass."""
        start = self._first or 0
        so_far = _SoFar(await fetch(start, self._size))
        self._size = so_far.size_of_pages(self._size)
        number, end = start + 1, start + _MAX_PAGES
        while number < end and not so_far.is_full:
            many = min(self._together(so_far), end - number)
            pages = await _all([fetch(each, self._size) for each in range(number, number + many)])
            fresh = sum(so_far.add(page) for page in pages)
            if self._first is None and number == 1:
                # a second page with nothing new is the first one again, not the end
                self._first = so_far.first_number(fresh)
            elif not fresh:
                break
            number += many
        if so_far.is_complete:
            self.calls = number - start
        else:
            self._first, self._size = None, self._asked_size
        return Collected(
            items=tuple(so_far.items.values()), complete=so_far.is_complete, began_at=so_far.first.began_at
        )

    def _together(self, so_far: _SoFar[Item]) -> int:
        """So many pages at once: never more than there are."""
        return 1 if self._first is None else min(so_far.pages_left(self._size), _AT_ONCE)


class _SoFar(Generic[Item]):
    def __init__(self, first: Page[Item]) -> None:
        self.first = self._latest = first
        self.items = dict(first.items)
        self._blank = first.blank
        self._consistent = True
        self._ended = False

    @property
    def is_full(self) -> bool:
        """Nothing more to ask for: all is there, or the list changed while it was read."""
        return not self._consistent or (self.first.total is not None and self._count >= self.first.total)

    @property
    def is_complete(self) -> bool:
        total = self.first.total
        return self._consistent and (self._ended if total is None else self._count == total)

    @property
    def _count(self) -> int:
        return len(self.items) + self._blank

    def pages_left(self, size: int) -> int:
        """At least 1; 1 where no total is told."""
        total = self.first.total
        return 1 if total is None else max(1, -(-(total - self._count) // size))

    def size_of_pages(self, asked: int) -> int:
        """A server that sends fewer rows than asked although there are more has a cap of its own. To ask for
        that many keeps the pages side by side, whichever of the two sizes it counts its offsets in."""
        capped = self.first.total is not None and 0 < self.first.rows < min(asked, self.first.total)
        return self.first.rows if capped else asked

    def add(self, page: Page[Item]) -> int:
        """How many of its items are new."""
        fresh = page.items.keys() - self.items.keys()
        self._latest = page
        self._consistent &= page.total == self.first.total
        self._ended = not fresh
        self._blank += page.blank if fresh else 0
        self.items.update(page.items)
        return len(fresh)

    def first_number(self, fresh: int) -> int | None:
        """Told from pages 0 and 1, `fresh` being the new items of the latter."""
        if fresh == 0:
            return 1 if self._latest.items else None
        if fresh < len(self._latest.items):
            return None  # they overlap: the list moved, nothing is learnt
        return 0 if self.first.items else 1


async def _all(calls: list[Awaitable[Page[Item]]]) -> list[Page[Item]]:
    """The first that fails ends the others."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
