"""How long a GPU usually takes, by those that came before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from samples import REQUEST, creating, running, seconds
from scene import scene

from bot.usual import UsualStarts, medians
from storage.records import EventKind, NewEvent
from storage.store.past import Launch


def launch(took: float, product: str = "RTX 4090 24GB", source: str = "pytorch") -> Launch:
    return Launch(product_name=product, source=source, took=timedelta(seconds=took))


def test_the_usual_time_is_the_middle_one_of_the_latest_twenty_of_a_kind() -> None:
    latest = [launch(took) for took in (10, 90, 20, 30, 25)]
    assert medians(latest) == {("RTX 4090 24GB", "pytorch"): seconds(25)}
    long_ago = [launch(999)] * 100
    assert medians([launch(5)] * 20 + long_ago) == {("RTX 4090 24GB", "pytorch"): seconds(5)}


def test_another_gpu_or_image_says_nothing() -> None:
    kinds = medians([launch(10), launch(20, source="me/mine:1"), launch(30, product="H100")])
    assert sorted(span.seconds for span in kinds.values()) == [10, 20, 30]


async def test_it_is_looked_up_once_a_minute_and_only_for_what_is_awaited(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        usual = UsualStarts(s.store, clock=s.clock)
        earlier = running(created_at=s.clock() - seconds(100), ready_at=s.clock())
        awaited = creating(offer=earlier.offer)
        assert await usual.of(awaited) is None
        event = NewEvent(kind=EventKind.READY, at=s.clock())
        await s.store.instances.add(earlier, key=None, event=event, card=None, unique_name=False)
        assert await usual.of(awaited) is None
        s.clock.advance(60)
        assert await usual.of(awaited) == seconds(100)
        assert await usual.of(replace(awaited, request=replace(REQUEST, template=None, image="a:b"))) is None
        assert await usual.of(earlier) is None
        assert await usual.of(creating()) is None
