from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from backstage_world import World

from bot.sandbox.novita.instances import Instance
from bot.sandbox.page.panel.gpus import GpuView, spoken


@pytest.fixture
def world() -> World:
    return World()


def only(world: World) -> GpuView:
    (gpu,) = world.panel.gpus
    return gpu


def steps(gpu: GpuView) -> str:
    marks = {"done": "+", "now": ">", "ahead": ""}
    return " ".join(f"{marks[step.place]}{step.word}" for step in gpu.steps)


def labels(gpu: GpuView) -> list[str]:
    return [button.label for button in (*gpu.buttons, *gpu.console)]


@pytest.mark.parametrize(
    ("after", "status", "way", "left"),
    [
        (0.5, "pending", ">pending creating pulling running usable", "1 s"),
        (1.5, "toCreate", "+pending >creating pulling running usable", "4 s"),
        (3, "creating", "+pending >creating pulling running usable", "2 s"),
        (6, "pulling", "+pending +creating >pulling running usable", None),
    ],
)
def test_a_create_shows_where_on_its_way_it_is(
    world: World, after: float, status: str, way: str, left: str | None
) -> None:
    world.rent()
    world.clock.advance(after)
    gpu = only(world)
    assert (gpu.status, gpu.word, steps(gpu)) == (status, "On its way", way)
    assert gpu.ticking is not None
    assert left in {None, gpu.ticking.left}
    assert 0 <= gpu.ticking.part <= 1
    now_ms = world.clock().timestamp() * 1000
    assert gpu.ticking.since_ms <= now_ms < gpu.ticking.until_ms


def test_what_runs_is_on_its_way_until_it_is_usable(world: World) -> None:
    instance = world.rent()
    world.clock.now = world.cloud.instance(instance.id).leg.rests_at
    gpu = only(world)
    assert (gpu.status, gpu.tone) == ("running", "busy")
    assert steps(gpu) == "+pending +creating +pulling >running usable"
    world.clock.advance(8)
    gpu = only(world)
    assert (gpu.word, gpu.tone, gpu.steps, gpu.ticking) == ("Running and usable", "good", (), None)


def test_what_is_held_has_a_step_but_no_end(world: World) -> None:
    instance = world.rent()
    world.cloud.hold(instance.id)
    world.clock.advance(10_000)
    gpu = only(world)
    assert (gpu.word, gpu.tone, gpu.ticking) == ("Held", "warn", None)
    assert steps(gpu) == "+pending +creating >pulling running usable"
    assert "Release" in labels(gpu)
    assert "Hold" not in labels(gpu)


def stopped(world: World, instance: Instance) -> None:
    world.cloud.run_now(instance.id)
    world.cloud.stop(instance.id)


def test_a_stop_is_a_way_too(world: World) -> None:
    stopped(world, world.rent())
    assert (only(world).word, steps(only(world))) == ("Stopping", ">stopping exited")
    world.clock.advance(5)
    gpu = only(world)
    assert (gpu.word, gpu.tone, gpu.steps) == ("Stopped", "quiet", ())
    assert labels(gpu) == ["Hold", "Delete"]


def test_a_spot_notice_counts_down_to_its_end(world: World) -> None:
    instance = world.rent()
    world.cloud.run_now(instance.id)
    world.cloud.notify_reclaim(instance.id, in_=timedelta(seconds=60))
    gpu = only(world)
    assert (gpu.word, gpu.tone) == ("Running, to be taken back", "warn")
    assert gpu.reclaim is not None
    assert gpu.reclaim.left == "60 s"
    assert labels(gpu) == ["Take back now", "Stop", "Delete"]
    world.clock.advance(60)
    assert (only(world).word, only(world).reclaim) == ("Being taken back", None)
    world.clock.advance(10)
    assert (only(world).word, only(world).tone) == ("Taken back", "bad")


@pytest.mark.parametrize(
    ("mode", "novita", "usable"),
    [
        (
            "spot",
            ["Finish the pull", "Hold", "Spot notice", "Take back now"],
            ["Spot notice", "Take back now"],
        ),
        ("onDemand", ["Finish the pull", "Hold"], []),
    ],
)
def test_the_buttons_fit_the_state(world: World, mode: str, novita: list[str], usable: list[str]) -> None:
    instance = world.rent(billingMode=mode)
    assert labels(only(world)) == [*novita, "Delete"]
    world.clock.advance(2)
    assert labels(only(world)) == [*novita, "Stop", "Delete"]
    world.cloud.run_now(instance.id)
    assert labels(only(world)) == [*usable, "Stop", "Delete"]


def test_what_was_removed_stays_a_while_without_buttons(world: World) -> None:
    instance = world.rent()
    world.cloud.delete(instance.id)
    assert (only(world).word, labels(only(world))) == ("Being deleted", [])
    world.clock.advance(5)
    assert only(world).word == "Gone"
    world.clock.advance(15)
    assert world.panel.gpus == ()


def test_a_gpu_costs_its_price_times_its_number(world: World) -> None:
    instance = world.rent(gpuNum=2)
    world.cloud.run_now(instance.id)
    world.clock.advance(3600)
    gpu = only(world)
    assert (gpu.product, gpu.price, gpu.billed) == ("2 × RTX 4090 24GB", "$0.35", "$0.3500")


async def test_a_gpu_goes_by_the_name_that_the_bot_gave_it(world: World) -> None:
    mine, other = world.rent(), world.rent("by-hand", billingMode="onDemand")
    world.names = {mine.id: "my-train"}
    async with world.backstage:
        await told(world)
        by_hand, my_train = sorted(world.panel.gpus, key=lambda gpu: gpu.called)
    assert (my_train.called, my_train.name, my_train.mode) == ("my-train", "gb-demo-1-a1", "spot")
    assert (by_hand.id, by_hand.called, by_hand.mode) == (other.id, "", "on demand")


async def told(world: World) -> None:
    heard = asyncio.Event()
    world.backstage.subscribe(heard.set)
    async with asyncio.timeout(5):
        await heard.wait()


def test_why_something_failed_is_shown(world: World) -> None:
    world.cloud.fail(world.rent().id, "image not found", status="exited")
    assert only(world).failure == "image not found"


def test_one_without_a_name_has_some_words_for_one(world: World) -> None:
    world.rent("")
    assert only(world).name == "without a name"


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (0.1, "1 s"), (99, "99 s"), (100, "2 min"), (3600, "60 min")]
)
def test_the_time_left_is_short(seconds: float, words: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == words
