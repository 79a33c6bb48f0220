"""Tasks that outlive the pass that began them."""

import asyncio

from samples import seconds

from bot.workers import Workers


async def test_tokens_are_those_of_the_work_under_way():
    workers, gate = Workers(2), asyncio.Event()

    async def work() -> None:
        await gate.wait()

    workers.start(work(), token="a")
    workers.start(work(), token="b")
    assert (workers.tokens(), workers.free) == (("a", "b"), 0)
    gate.set()
    await workers.idle()
    assert (workers.tokens(), workers.free) == ((), 2)


async def test_draining_waits_for_what_ends_and_cancels_what_does_not():
    workers, ended = Workers(9), []

    async def quick() -> None:
        await asyncio.sleep(0)
        ended.append("quick")

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("endless")

    await workers.drain(seconds(1))
    workers.start(quick(), token="a")
    workers.start(endless(), token="b")
    await workers.drain(seconds(0.05))
    assert ended == ["quick", "endless"]
