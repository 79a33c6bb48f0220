from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from clocks import Clock

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.deeds import Deed, Meeting, OfCloud, OfInstance, OfNextCreate, OfStock
from bot.sandbox.novita.fate import Fate
from bot.sandbox.novita.instances import Instance
from bot.sandbox.novita.refusals import RefusalError
from bot.sandbox.novita.routes import BASE
from bot.sandbox.novita.server import NovitaServer

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


async def test_a_spot_gpu_is_taken_back_without_a_word_before(novita: Novita) -> None:
    novita.run()
    assert (
        await novita.fate.play(OfInstance(act="take", name="a")) == "The spot GPU of a is taken back at once."
    )
    assert novita.cloud.status(novita.a.id) == "stopping"
    novita.clock.advance(1)
    assert novita.now(novita.a).spot_status_at(novita.clock()) == "terminated"


async def test_the_pull_ends_now(novita: Novita) -> None:
    assert "answers at once" in await novita.fate.play(OfInstance(act="finish", name="a"))
    assert novita.now(novita.a).leg.is_usable_at(novita.clock())


async def test_what_is_held_never_runs_and_is_not_waited_for_until_it_is_released(novita: Novita) -> None:
    for name in ("a", "b"):
        await novita.fate.play(OfInstance(act="hold", name=name))
    novita.clock.advance(100_000)
    assert novita.cloud.status(novita.a.id) == "pulling"
    assert novita.fate.busy_until() < novita.clock()
    await novita.fate.play(OfInstance(act="release", name="a"))
    assert novita.cloud.status(novita.a.id) == "running"


async def test_somebody_deletes_it_at_the_console_once(novita: Novita) -> None:
    novita.run()
    assert "at Novita's console" in await novita.fate.play(OfInstance(act="delete", name="b"))
    for act in ("delete", "hold"):
        with pytest.raises(LookupError, match="b is being deleted"):
            await novita.fate.play(OfInstance(act=act, name="b"))
    novita.clock.advance(1)
    with pytest.raises(LookupError, match="no GPU for b"):
        await novita.fate.play(OfInstance(act="delete", name="b"))


async def test_what_novita_itself_refuses_is_said(novita: Novita) -> None:
    prepaid = novita.cloud.create_in_console(name="c", billingMode="monthly", month=1)
    with pytest.raises(LookupError, match="prepaid instance cannot be released"):
        await novita.fate.play(OfInstance(act="delete", name=prepaid.id))


async def test_a_gpu_that_the_bot_does_not_know_goes_by_its_id_or_its_name_at_novita(novita: Novita) -> None:
    older, newer = (novita.cloud.create_in_console(name="by-hand") for _ in range(2))
    assert "stops by-hand" in await stopped(novita, older.id)
    assert "stops by-hand" in await stopped(novita, "by-hand")
    assert novita.cloud.status(newer.id) == "toStop"


async def stopped(novita: Novita, name: str) -> str:
    novita.clock.advance(1)
    return await novita.fate.play(OfInstance(act="stop", name=name))


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
        (OfInstance(act="take", name="b"), "b is rented on demand: only spot GPUs are taken back."),
        (OfInstance(act="finish", name="a"), "a is not on its way to running."),
        (OfInstance(act="hold", name="a"), "a runs already: hold it while it starts."),
        (OfInstance(act="release", name="a"), "a is not held."),
        (OfStock(act="full", what="mi300"), "Novita sells no mi300, and has no region of that name."),
        (OfStock(act="full", what="--"), "Novita sells no --, and has no region of that name."),
    ],
)
async def test_what_cannot_happen_is_said(novita: Novita, deed: Deed, said: str) -> None:
    novita.run()
    before = novita.fate.changed_at
    novita.clock.advance(1)
    with pytest.raises(LookupError, match=re.escape(said)):
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
    assert "CN-HK-01 are taken" in await novita.fate.play(OfStock(act="full"))
    with pytest.raises(RefusalError):
        novita.cloud.create_in_console(clusterId=FIRST)
    novita.cloud.create_in_console(clusterId="us-ca-6")
    assert "in CN-HK-01 again" in await novita.fate.play(OfStock(act="free"))
    novita.cloud.create_in_console(clusterId=FIRST)


async def test_it_is_busy_until_what_starts_is_usable(novita: Novita) -> None:
    usable = novita.fate.busy_until()
    assert usable > novita.clock()
    novita.clock.now = usable
    leg = novita.now(novita.a).leg
    assert leg.is_usable_at(novita.clock())
    await novita.fate.play(OfStock(act="free"))
    assert novita.fate.busy_until() == novita.clock()


async def test_an_api_that_answers_errors_answers_them_to_everything_until_it_does_not(
    novita: Novita,
) -> None:
    await novita.fate.play(OfCloud(act="down"))
    assert novita.fate.api == "unreachable"
    assert "500" in await novita.fate.play(OfCloud(act="errors on"))
    assert (novita.fate.api, novita.fate.is_down) == ("errors", True)
    assert (await listing(novita)).status_code == 500
    await novita.fate.play(OfCloud(act="errors off"))
    assert (novita.fate.api, novita.fate.is_down) == ("up", False)
    assert (await listing(novita)).status_code == 200


async def test_an_api_that_is_up_answers_no_errors(novita: Novita) -> None:
    for act in ("errors on", "down", "up"):
        await novita.fate.play(OfCloud(act=act))
    assert (await listing(novita)).status_code == 200


async def listing(novita: Novita) -> httpx.Response:
    return await called(novita, "GET", "/gpu/instances")


async def called(novita: Novita, method: str, path: str, body: object = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {novita.server.api_key}"}
    async with httpx.AsyncClient(
        base_url=novita.server.base_url + BASE, headers=headers, trust_env=False
    ) as c:
        return await c.request(method, path, json=body)


ORDER = {
    "name": "c",
    "productId": "4090.16c62g",
    "kind": "gpu",
    "gpuNum": 1,
    "rootfsSize": 60,
    "imageUrl": "registry.novita.example/official/pytorch:2.7.1-cuda12.8-jupyter",
}


@pytest.mark.parametrize(
    ("meets", "reason"), [("capacity", "INSUFFICIENT_RESOURCE"), ("balance", "BALANCE_NOT_ENOUGH")]
)
async def test_the_next_create_is_refused_and_no_other(novita: Novita, meets: Meeting, reason: str) -> None:
    await novita.fate.play(OfNextCreate(meets=meets))
    assert novita.fate.next_create == meets
    assert (await listing(novita)).status_code == 200
    refused = await called(novita, "POST", "/gpu/instance/create", ORDER)
    assert (refused.status_code, refused.json()["reason"]) == (400, reason)
    assert novita.fate.next_create == "nothing"
    assert (await called(novita, "POST", "/gpu/instance/create", ORDER)).status_code == 200


async def test_the_next_create_is_done_but_its_answer_is_lost(novita: Novita) -> None:
    assert "billed" in await novita.fate.play(OfNextCreate(meets="unclear"))
    with pytest.raises(httpx.RemoteProtocolError):
        await called(novita, "POST", "/gpu/instance/create", ORDER)
    assert [each.order.name for each in novita.cloud.instances()] == ["a", "b", "c"]


async def test_of_what_the_next_create_meets_the_last_word_counts(novita: Novita) -> None:
    for meets in ("capacity", "unclear", "nothing"):
        await novita.fate.play(OfNextCreate(meets=meets))
    assert novita.fate.next_create == "nothing"
    assert (await called(novita, "POST", "/gpu/instance/create", ORDER)).status_code == 200


async def test_one_region_or_one_product_is_sold_out_and_comes_back(novita: Novita) -> None:
    assert "US-CA-06 are taken" in await novita.fate.play(OfStock(act="full", what="us-ca-06"))
    with pytest.raises(RefusalError):
        novita.cloud.create_in_console(clusterId="us-ca-6")
    sold_out = await novita.fate.play(OfStock(act="full", what="4090.16c62g"))
    assert sold_out == "RTX 4090 24GB: sold out everywhere."
    with pytest.raises(RefusalError):
        novita.cloud.create_in_console()
    novita.cloud.create_in_console(product_id="4090.16c96g.v2")
    await novita.fate.play(OfStock(act="full", what="rtx4090"))
    with pytest.raises(RefusalError):
        novita.cloud.create_in_console(product_id="4090.16c96g.v2")
    assert await novita.fate.play(OfStock(act="free", what="4090")) == "RTX 4090 24GB: available again."
    novita.cloud.create_in_console(clusterId="us-ca-6")


async def test_without_balance_nothing_is_created(novita: Novita) -> None:
    await novita.fate.play(OfCloud(act="balance empty"))
    with pytest.raises(RefusalError, match="BALANCE"):
        novita.cloud.create_in_console()
    await novita.fate.play(OfCloud(act="balance filled"))
    novita.cloud.create_in_console()


async def test_whoever_subscribes_is_told_of_each_deed_that_happened(novita: Novita) -> None:
    said: list[str] = []
    end = novita.fate.subscribe(lambda: said.append(novita.fate.said))
    await novita.fate.play(OfStock(act="free"))
    with pytest.raises(LookupError):
        await novita.fate.play(OfInstance(act="release", name="a"))
    end()
    await novita.fate.play(OfStock(act="full"))
    assert said == ["There are GPUs in CN-HK-01 again."]
