from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from clocks import Clock

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.instances import Instance
from bot.sandbox.novita.refusals import RefusalError
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.terminal.deeds import OfCloud, OfInstance
from bot.sandbox.terminal.fate import Fate

SPEED = 10.0
FIRST = "cn-hongkong-1"


class Novita:
    """The cloud with two instances, `a` on spot and `b` on demand, and what may befall them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cloud = Cloud(clock=self.clock, speed=SPEED)
        self.server = NovitaServer(self.cloud)
        self.a = self.cloud.create_in_console(name="a", billingMode="spot")
        self.b = self.cloud.create_in_console(name="b")
        self.names = {"a": self.a.id, "b": self.b.id, "gone": "0000"}
        self.fate = Fate(self.server, region="CN-HK-01", speed=SPEED, novita_id=self.novita_id)

    async def novita_id(self, name: str) -> str | None:
        return self.names.get(name)

    def run(self) -> None:
        for instance in (self.a, self.b):
            self.cloud.run_now(instance.id)

    def now(self, instance: Instance) -> Instance:
        return self.cloud.instance(instance.id)


@pytest.fixture
async def novita() -> AsyncIterator[Novita]:
    novita = Novita()
    await novita.server.start()
    yield novita
    await novita.server.close()


async def test_a_spot_gpu_is_announced_and_then_taken_back(novita: Novita) -> None:
    novita.run()
    said = await novita.fate.play(OfInstance(act="reclaim", name="a"))
    assert said == "The spot GPU of a is wanted by somebody else: it is taken back in 6.0 s."
    ends = novita.clock() + timedelta(seconds=6)
    assert novita.now(novita.a).reclaim_at == ends
    assert novita.fate.busy_until() == ends
    novita.clock.advance(6)
    assert novita.cloud.status(novita.a.id) != "running"
    assert novita.fate.busy_until() > ends


async def test_somebody_stops_it_at_the_console(novita: Novita) -> None:
    novita.run()
    assert "at Novita's console" in await novita.fate.play(OfInstance(act="stop", name="b"))
    novita.clock.advance(1)
    assert novita.cloud.status(novita.b.id) == "exited"


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (OfInstance(act="reclaim", name="nobody"), "Novita has no GPU for nobody at the moment."),
        (OfInstance(act="stop", name="gone"), "Novita has no GPU for gone at the moment."),
        (OfInstance(act="reclaim", name="b"), "b is rented on demand: only spot GPUs are taken back."),
    ],
)
async def test_what_cannot_happen_is_said(novita: Novita, deed: OfInstance, said: str) -> None:
    novita.run()
    before = novita.fate.changed_at
    novita.clock.advance(1)
    with pytest.raises(LookupError, match=said.replace(".", r"\.")):
        await novita.fate.play(deed)
    assert novita.fate.changed_at == before


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (OfInstance(act="reclaim", name="a"), "a has no GPU that could be taken back"),
        (OfInstance(act="stop", name="b"), "b is not running at Novita"),
    ],
)
async def test_what_does_not_run_cannot_be_taken(novita: Novita, deed: OfInstance, said: str) -> None:
    novita.run()
    for instance in (novita.a, novita.b):
        novita.cloud.stop_in_console(instance.id)
    novita.clock.advance(60)
    with pytest.raises(LookupError, match=said):
        await novita.fate.play(deed)


async def test_an_outage_lets_nobody_in_until_it_ends(novita: Novita) -> None:
    address = novita.server.base_url
    assert "nobody gets through" in await novita.fate.play(OfCloud(act="down"))
    assert novita.fate.is_down
    with pytest.raises(OSError, match="Connect call failed"):
        await connect(novita.server)
    assert "up again" in await novita.fate.play(OfCloud(act="up"))
    assert not novita.fate.is_down
    assert novita.server.base_url == address
    await connect(novita.server)


async def connect(server: NovitaServer) -> None:
    host, _, port = server.base_url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    await writer.wait_closed()


async def test_only_the_first_region_is_full(novita: Novita) -> None:
    assert "CN-HK-01 are taken" in await novita.fate.play(OfCloud(act="full"))
    with pytest.raises(RefusalError):
        novita.cloud.create_in_console(clusterId=FIRST)
    novita.cloud.create_in_console(clusterId="us-ca-6")
    assert "in CN-HK-01 again" in await novita.fate.play(OfCloud(act="free"))
    novita.cloud.create_in_console(clusterId=FIRST)


async def test_it_is_busy_until_what_starts_is_usable(novita: Novita) -> None:
    usable = novita.fate.busy_until()
    assert usable > novita.clock()
    novita.clock.now = usable
    leg = novita.now(novita.a).leg
    assert leg.is_usable_at(novita.clock())
    await novita.fate.play(OfCloud(act="free"))
    assert novita.fate.busy_until() == novita.clock()
