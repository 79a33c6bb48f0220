"""While replicas are upgraded one after the other: an older one beside what a later one wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from samples import seconds
from scene import ADA, Origin, Scene, scene
from sqlalchemy import text
from structlog.testing import capture_logs

from bot.errors import TryAgain
from bot.redelivery import Redelivery
from bot.timings import Timings
from storage.cloud import Phase
from storage.records import State, Wish


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def rewrite(s: Scene, statement: str) -> None:
    """As a later version might have written it."""
    await s.database.write(lambda connection: connection.execute(text(statement)))


async def test_a_person_is_asked_to_try_again(s: Scene) -> None:
    i = await s.ready()
    await rewrite(s, "UPDATE instances SET state = 'hibernating'")
    for verb in (Wish.STOP, Wish.DELETE):
        with pytest.raises(TryAgain, match="upgraded"):
            await s.operations.act(verb, i.name, ADA, Origin(key=None))
    with pytest.raises(TryAgain, match="upgraded"):
        await s.operations.get(i.name, ADA)
    assert (s.novita.count("stop"), s.novita.count("delete")) == (0, 0)


async def test_a_program_that_sends_an_unknown_event_again_is_asked_to_try_later(s: Scene) -> None:
    await s.ready()
    ((delivery, *_), _total) = await s.store.deliveries.list_deliveries()
    await rewrite(s, "UPDATE events SET fact = replace(fact, 'instance.ready', 'instance.sung')")
    with pytest.raises(TryAgain):
        await Redelivery(s.store, wake=lambda: None).replay(delivery.id)


async def test_a_create_that_is_under_way_when_its_row_becomes_unknown_is_found_again_and_not_repeated(
    s: Scene,
) -> None:
    i = await s.ask()
    s.novita.gates["create"] = asyncio.Event()
    await s.reconciler.reconcile()
    await s.novita.called("create")
    await rewrite(s, "UPDATE instances SET wish = 'hibernate'")
    with capture_logs() as lines:
        s.novita.gates["create"].set()
        await s.reconciler.workers.idle()
        s.clock.advance(30)
        await s.settle()
    assert [line["event"] for line in lines] == ["row.left"]
    await rewrite(s, "UPDATE instances SET wish = 'create'")
    s.novita.show("n1", Phase.RUNNING)
    s.clock.advance(60)
    await s.polls(3)
    assert ((await s.now(i)).state, (await s.now(i)).novita_id) == (State.RUNNING, "n1")
    assert s.novita.count("create") == 1


async def test_its_gpu_stays_whatever_the_older_replica_makes_of_the_list(s: Scene) -> None:
    await s.ready()
    await rewrite(s, "UPDATE instances SET state = 'hibernating', novita_id = NULL")
    await s.polls(5)
    assert (s.novita.count("delete"), len(s.novita.instances)) == (0, 1)


async def test_polling_is_offered_to_a_replica_that_can_read_all_rows(s: Scene) -> None:
    await s.ready()
    await rewrite(s, "UPDATE instances SET phase = 'hibernating'")
    lease = Timings().lease
    s.clock.advance(30)
    assert await s.poller.poll_if_due()
    assert await s.store.leases.acquire("poll", "a later one", lease)
    s.clock.advance(30)
    assert await s.poller.poll_if_due(), "nobody has it any more"
    s.clock.advance(19)
    assert not await s.poller.poll_if_due()
    await rewrite(s, "UPDATE instances SET phase = 'running'")
    s.clock.advance(30)
    assert await s.poller.poll_if_due()
    s.clock.advance(1)
    assert not await s.store.leases.acquire("poll", "a later one", seconds(20))
