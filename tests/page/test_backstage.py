"""What the buttons do, and when the panel says that it looks different."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html.parser import HTMLParser

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from backstage_world import World

from bot.sandbox.novita.deeds import OfCloud, OfInstance, OfStock
from bot.sandbox.page.panel.horizon import PULSE, next_change


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def page(world: World) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    app.add_routes(world.backstage.routes())
    async with TestClient(TestServer(app)) as client:
        yield client


class Listener:
    def __init__(self, world: World) -> None:
        self._heard = asyncio.Event()
        self.end = world.backstage.subscribe(self._heard.set)

    async def hears(self, *, within: float = 5) -> None:
        async with asyncio.timeout(within):
            await self._heard.wait()
        self._heard.clear()


@pytest.fixture
async def listener(world: World) -> AsyncIterator[Listener]:
    listener = Listener(world)
    async with world.backstage:
        await listener.hears()
        yield listener


class Forms(HTMLParser):
    """Every form of the panel: where it goes, and what it sends."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form":
            assert named["method"] == "post"
            assert "data-live" in named
            self.all.append((named["action"], {}))
        elif tag == "input":
            self.all[-1][1][named["name"]] = named["value"]


async def test_every_button_of_the_panel_is_understood(
    world: World, page: TestClient[web.Request, web.Application]
) -> None:
    running, _starting, stopped = (world.rent(name) for name in ("a", "b", "c"))
    world.cloud.run_now(running.id)
    world.cloud.run_now(stopped.id)
    world.cloud.stop(stopped.id)
    world.clock.advance(6)
    world.cloud.hold(world.rent("d").id)
    for action, fields in Forms(world.html).all:
        answer = await page.post(action, data=fields)
        text = await answer.text()
        assert answer.status in {204, 422}, (action, fields)
        assert "no such button" not in text, (action, fields)
    await world.server.close()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("instance", {"act": "explode", "name": "a"}),
        ("instance", {}),
        ("cloud", {"act": "full"}),
        ("stock", {"act": "down"}),
        ("next-create", {"meets": "an elephant"}),
        ("webhook", {"answer": "418"}),
        ("webhook", {}),
        ("webhook", {"answer": "x"}),
    ],
)
async def test_a_form_that_the_panel_does_not_have_is_refused(
    page: TestClient[web.Request, web.Application], path: str, fields: dict[str, str]
) -> None:
    answer = await page.post(f"/backstage/{path}", data=fields)
    assert (answer.status, await answer.json()) == (422, {"error": "The panel has no such button."})


async def test_a_deed_that_cannot_be_is_refused_with_its_sentence(
    world: World, page: TestClient[web.Request, web.Application]
) -> None:
    instance = world.rent("a", billingMode="onDemand")
    answer = await page.post("/backstage/instance", data={"act": "take", "name": instance.id})
    assert answer.status == 422
    assert await answer.json() == {"error": "a is rented on demand: only spot GPUs are taken back."}


async def test_a_deed_is_told_with_the_name_that_the_bot_gave(
    world: World, listener: Listener, page: TestClient[web.Request, web.Application]
) -> None:
    instance = world.rent()
    world.names = {instance.id: "my-train"}
    world.call("create")
    await listener.hears()
    await page.post("/backstage/instance", data={"act": "hold", "name": instance.id})
    assert world.panel.said == "my-train is held: it does not get to running until it is released."


async def test_a_deed_is_done(world: World, page: TestClient[web.Request, web.Application]) -> None:
    instance = world.rent("a")
    answer = await page.post("/backstage/instance", data={"act": "finish", "name": instance.id})
    assert answer.status == 204
    assert world.cloud.status(instance.id) == "running"
    await page.post("/backstage/webhook", data={"answer": "500"})
    assert world.receiver.answers == 500
    await page.post("/backstage/stock", data={"act": "full", "what": "4090.16c62g"})
    assert not world.panel.products[0].is_available


async def test_a_deed_from_anywhere_changes_the_panel(world: World, listener: Listener) -> None:
    await world.fate.play(OfStock(act="full"))
    await listener.hears()


async def test_a_call_that_changes_something_changes_the_panel(world: World, listener: Listener) -> None:
    world.call("create")
    await listener.hears()


async def test_a_call_that_only_looks_is_left_to_the_next_pulse(world: World, listener: Listener) -> None:
    world.call("list")
    with pytest.raises(TimeoutError):
        await listener.hears(within=0)


async def test_a_new_gpu_gets_its_name_as_soon_as_the_bot_has_written_it_down(
    world: World, listener: Listener
) -> None:
    instance = world.rent()
    world.call("create")
    await listener.hears()
    assert world.panel.gpus[0].called == ""
    world.names = {instance.id: "my-train"}
    world.call("list")
    await listener.hears()
    assert world.panel.gpus[0].called == "my-train"


async def test_an_arrival_changes_the_panel(world: World, listener: Listener) -> None:
    async with world.receiver, httpx.AsyncClient(trust_env=False) as client:
        await client.post(world.receiver.url, content="{}")
    await listener.hears()
    assert world.panel.hook.total == 1


async def test_the_panel_changes_when_an_instance_gets_to_its_next_stage(
    world: World, listener: Listener
) -> None:
    """The timer is real: the clock stands just before the end of the stage, so that it is short."""
    world.rent()
    world.clock.advance(0.97)
    await world.fate.play(OfStock(act="free"))
    await listener.hears()
    await listener.hears()


async def test_a_closed_panel_listens_to_nobody(world: World) -> None:
    async with world.backstage:
        pass
    listener = Listener(world)
    world.call("create")
    await world.fate.play(OfStock(act="full"))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await listener.hears(within=0)


async def test_a_panel_that_never_opened_closes(world: World) -> None:
    await world.backstage.__aexit__(None, None, None)


def upcoming(world: World) -> float | None:
    at = next_change(world.cloud, world.server.journal)
    return None if at is None else (at - world.clock()).total_seconds()


def test_nothing_changes_by_itself_where_nothing_is(world: World) -> None:
    assert upcoming(world) is None


def test_the_next_change_is_the_end_of_the_stage(world: World) -> None:
    world.rent()
    assert [advanced(world, by) for by in (0, 1, 1)] == [1.0, 1.0, 3.0]
    world.clock.advance(3)
    assert upcoming(world) == PULSE.total_seconds()


def advanced(world: World, seconds: float) -> float | None:
    world.clock.advance(seconds)
    return upcoming(world)


def test_a_notice_ends_when_the_gpu_is_taken(world: World) -> None:
    instance = world.rent()
    world.cloud.run_now(instance.id)
    world.cloud.notify_reclaim(instance.id, in_=timedelta(seconds=2))
    assert upcoming(world) == 2


async def test_what_is_held_changes_by_its_costs_only(world: World) -> None:
    await world.fate.play(OfInstance(act="hold", name=world.rent().id))
    world.clock.advance(10_000)
    assert upcoming(world) == PULSE.total_seconds()


def test_what_is_gone_leaves_the_panel_and_then_nothing_changes(world: World) -> None:
    world.cloud.delete(world.rent().id)
    assert [advanced(world, by) for by in (0, 1, 4, 15)] == [1.0, 4.0, 15.0, None]


def test_calls_are_counted_anew_until_the_last_is_a_minute_old(world: World) -> None:
    world.call("list")
    assert upcoming(world) == PULSE.total_seconds()
    world.clock.advance(61)
    assert upcoming(world) is None


async def test_the_deed_of_the_terminal_is_told_in_the_panel(world: World) -> None:
    await world.fate.play(OfCloud(act="balance empty"))
    assert re.search(r'role="status">The balance is used up', world.html)
