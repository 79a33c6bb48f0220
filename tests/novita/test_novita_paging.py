from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.novita.paging import Page, Pager

AT = datetime(2026, 11, 20, tzinfo=UTC)


class Server:
    """A paged list; `first` is the number of its first page, `cap` its largest page."""

    def __init__(
        self, count: int, *, first: int = 0, cap: int = 10**6, offsets_as_asked: bool = False
    ) -> None:
        self.ids = [str(n) for n in range(count)]
        self.first = first
        self.cap = cap
        self.offsets_as_asked = offsets_as_asked
        self.asked: list[tuple[int, int]] = []
        self.total: int | None = -1
        self.totals: list[int | None] = []
        """Of the next answers, before `total` counts."""

    async def page(self, number: int, size: int) -> Page[str]:
        self.asked.append((number, size))
        rows = min(size, self.cap)
        step = size if self.offsets_as_asked else rows
        begin = max(0, number - self.first) * step
        ids = self.ids[begin : begin + rows]
        return Page(
            items={i: i for i in ids if i},
            rows=len(ids),
            blank=ids.count(""),
            total=self._total(),
            began_at=AT,
        )

    def _total(self) -> int | None:
        if self.totals:
            return self.totals.pop(0)
        return len(self.ids) if self.total == -1 else self.total

    def calls(self) -> int:
        calls, self.asked = len(self.asked), []
        return calls


@given(
    count=st.integers(0, 60),
    first=st.integers(0, 1),
    cap=st.sampled_from([3, 7, 10, 1000]),
    offsets_as_asked=st.booleans(),
)
async def test_every_server_is_read_whole_and_then_without_a_call_too_many(
    count, first, cap, offsets_as_asked
) -> None:
    server = Server(count, first=first, cap=cap, offsets_as_asked=offsets_as_asked)
    pager: Pager[str] = Pager(10)
    for _ in range(3):
        collected = await pager.collect(server.page)
        assert collected.complete
        assert sorted(collected.items, key=int) == server.ids
        calls = server.calls()
    assert calls == max(1, math.ceil(count / min(cap, 10)))


@pytest.mark.parametrize("first", [0, 1])
async def test_a_hundred_instances_are_one_call(first) -> None:
    server = Server(100, first=first)
    pager: Pager[str] = Pager(100)
    for _ in range(2):
        assert (await pager.collect(server.page)).complete
        assert server.calls() == 1


async def test_what_was_learnt_about_the_first_page_is_kept() -> None:
    server = Server(25, first=1)
    pager: Pager[str] = Pager(10)
    await pager.collect(server.page)
    assert [number for number, _ in server.asked] == [0, 1, 2, 3]
    server.asked = []
    await pager.collect(server.page)
    assert [number for number, _ in server.asked] == [1, 2, 3]


async def test_an_empty_page_zero_before_the_first_is_seen_through() -> None:
    server = Server(25)
    asked: list[int] = []

    async def page(number: int, size: int) -> Page[str]:
        asked.append(number)
        if number == 0:
            return Page(items={}, rows=0, total=25, began_at=AT)
        return await server.page(number - 1, size)

    pager: Pager[str] = Pager(10)
    assert (await pager.collect(page)).complete
    assert (await pager.collect(page)).complete
    assert asked == [0, 1, 2, 3, 1, 2, 3]


async def test_fewer_than_the_total_is_incomplete_and_forgets_what_was_learnt() -> None:
    server = Server(25, first=1)
    pager: Pager[str] = Pager(10)
    await pager.collect(server.page)
    server.calls()
    server.first, server.total = 0, 26
    assert not (await pager.collect(server.page)).complete
    server.total = -1
    assert (await pager.collect(server.page)).complete
    assert server.asked[0][0] == 1
    assert (0, 10) in server.asked


@pytest.mark.parametrize("total", [24, 26])
async def test_a_total_that_changes_on_the_way_is_incomplete(total) -> None:
    server = Server(25)
    server.totals = [25, total]
    assert not (await Pager(10).collect(server.page)).complete
    assert server.calls() == 2


async def test_more_than_the_total_is_incomplete() -> None:
    server = Server(5)
    server.total = 3
    assert not (await Pager(10).collect(server.page)).complete


async def test_nothing_with_a_total_is_incomplete() -> None:
    server = Server(0)
    server.total = 5
    assert not (await Pager(10).collect(server.page)).complete


async def test_a_list_that_moves_between_the_pages_teaches_nothing() -> None:
    server = Server(12, first=1)

    async def page(number: int, size: int) -> Page[str]:
        answer = await server.page(number, size)
        if number == 0:
            server.ids = ["12", *server.ids[:-1]]
        return answer

    pager: Pager[str] = Pager(10)
    assert (await pager.collect(page)).complete
    server.calls()
    await pager.collect(server.page)
    assert server.calls() == 3
    await pager.collect(server.page)
    assert server.calls() == 2


async def test_an_overlap_that_leaves_something_out_is_incomplete() -> None:
    server = Server(30)

    async def page(number: int, size: int) -> Page[str]:
        answer = await server.page(number, size)
        if number == 0:
            server.ids = ["30", *server.ids[:-1]]
        return answer

    assert not (await Pager(10).collect(page)).complete


@pytest.mark.parametrize("first", [0, 1])
async def test_rows_without_an_id_count_towards_the_total_once(first) -> None:
    server = Server(12, first=first)
    server.ids[3] = server.ids[11] = ""
    collected = await Pager(10).collect(server.page)
    assert collected.complete
    assert len(collected.items) == 10


async def test_a_repeated_row_is_one_item() -> None:
    server = Server(3)
    server.ids = ["a", "b", "a"]
    server.total = 2
    collected = await Pager(10).collect(server.page)
    assert collected.complete
    assert collected.items == ("a", "b")


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("count", [0, 5, 25])
async def test_without_totals_it_reads_until_nothing_new_comes(count, first) -> None:
    server = Server(count, first=first)
    server.total = None
    pager: Pager[str] = Pager(10)
    for _ in range(2):
        collected = await pager.collect(server.page)
        assert collected.complete
        assert len(collected.items) == count


async def test_a_list_without_end_is_given_up() -> None:
    async def page(number: int, size: int) -> Page[str]:
        return Page(items={str(number): "x"}, rows=1, total=None, began_at=AT)

    collected = await Pager(1).collect(page)
    assert not collected.complete
    assert len(collected.items) == 200


async def test_a_failed_page_fails_the_pass() -> None:
    server = Server(25)

    async def page(number: int, size: int) -> Page[str]:
        if number == 2:
            raise ConnectionError
        return await server.page(number, size)

    pager: Pager[str] = Pager(10)
    with pytest.raises(ConnectionError):
        await pager.collect(page)
    assert (await pager.collect(server.page)).complete


async def test_a_page_with_nothing_new_ends_the_pass() -> None:
    server = Server(25)
    server.total = 26
    assert not (await Pager(10).collect(server.page)).complete
    assert [number for number, _ in server.asked] == [0, 1, 2, 3]


async def test_later_passes_ask_for_four_pages_at_a_time() -> None:
    server, pager = Server(95, cap=10), Pager(10)
    await pager.collect(server.page)
    together = Together(server)
    assert (await pager.collect(together.page)).complete
    assert together.most == 4
    assert sorted(number for number, _ in server.asked[10:]) == list(range(10))


async def test_a_page_that_fails_ends_those_asked_for_with_it() -> None:
    server, pager = Server(95, cap=10), Pager(10)
    await pager.collect(server.page)
    together = Together(server, failing=2)
    with pytest.raises(ConnectionError):
        await pager.collect(together.page)
    assert (together.most, together.now) == (4, 0)


class Together:
    """How many pages of a server are asked for at the same time; `failing`: that one is not answered."""

    def __init__(self, server: Server, *, failing: int | None = None) -> None:
        self._server = server
        self._failing = failing
        self.now = self.most = 0

    async def page(self, number: int, size: int) -> Page[str]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            if number == self._failing:
                raise ConnectionError
            if self._failing is not None and number > self._failing:
                await asyncio.Event().wait()
            return await self._server.page(number, size)
        finally:
            self.now -= 1
