"""What stands between the client and the cloud in a simulation says what HTTP between them would say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from random import Random
from typing import Any

import pytest
from clocks import Clock

from bot.errors import NotSent, NovitaError
from bot.metrics import Metrics
from bot.novita.client import NovitaClient
from bot.novita.limits import Limits
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.faults import Fault, Hang, Slow
from bot.sandbox.novita.server import NovitaServer
from storage.cloud import BillingMode, Listing, Offer, Order, Port, Tool
from tests.simulation.clockwork import SimulatedLoop
from tests.simulation.faults import NOVITA, Weather
from tests.simulation.market import MARKET
from tests.simulation.novita import Door, SimulatedCloud, SimulatedNovita
from tests.simulation.process import Process

pytestmark = pytest.mark.slow

LIMITS = Limits(max_retries=0, breaker_threshold=1000, calls_per_minute=1000)
HERE = "https://endpoints.example"

Faults = Mapping[str, Fault]
"""By endpoint: of every call there."""


class NoWitness:
    def call_arrived(self, endpoint: str, body: Any) -> None:
        pass

    def answered(self, novita_id: str, status_code: int) -> None:
        pass

    def create_handed_over(self, name: str) -> None:
        pass

    def certainly_not_made(self, name: str) -> None:
        pass

    def said_to_be_not_made(self, instance_id: str, attempt: int) -> None:
        pass

    def list_read(self, listing: Listing) -> None:
        pass


class FaultyDoor(Door):
    faults: Faults

    def _fault(self, endpoint: str) -> Fault | None:
        return self.faults.get(endpoint)


@pytest.mark.parametrize("kind", [None, *NOVITA])
def test_answers_and_errors_are_those_of_the_real_way(kind: str | None) -> None:
    faults = {} if kind is None else drawn(kind)
    real, simulated = asyncio.run(over_http(faults)), in_simulation(faults)
    assert simulated == real


def test_a_refused_connection_is_known_not_to_have_been_sent() -> None:
    real = asyncio.run(over_http({}, refuse=True))
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        simulated = runner.run(simulate({}, about="unreachable"))
    assert simulated == real
    assert all(said.startswith(NotSent.__name__) for said in real[:-1])


def drawn(kind: str) -> dict[str, Fault]:
    return {
        name: quick(NOVITA[kind].draw(Random(f"{kind} {name}"))) for name in sorted(NOVITA[kind].endpoints)
    }


def quick(fault: Fault) -> Fault:
    """Over HTTP, time is real."""
    match fault:
        case Slow():
            return Slow(0.01)
        case Hang(after_effect=after_effect):
            return Hang(0.01, after_effect=after_effect)
        case _:
            return fault


async def over_http(faults: Faults, *, refuse: bool = False) -> list[str]:
    clock = Clock()
    async with NovitaServer(Cloud(clock=clock, catalogue=MARKET, seed=7)) as server:
        for endpoint, fault in faults.items():
            server.faults.add(endpoint, fault, times=None)
        client = NovitaClient(base_url=server.base_url, api_key=server.api_key, clock=clock, limits=LIMITS)
        if refuse:
            await server.refuse()
        said = await conversation(client, server.cloud, clock)
        await client.aclose()
    return [line.replace(f"{server.base_url}/endpoints", HERE) for line in said]


def in_simulation(faults: Faults) -> list[str]:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(simulate(faults))


async def simulate(faults: Faults, *, about: str | None = None) -> list[str]:
    clock, witness, dice = Clock(), NoWitness(), Random(0)
    weather = Weather(frozenset(() if about is None else (about,)), asyncio.get_running_loop().time, dice)
    while about is not None and not weather.is_about(about):
        weather.change()
    cloud = SimulatedCloud(missing=lambda: False, clock=clock, catalogue=MARKET, seed=7)
    door = FaultyDoor(cloud, weather, witness, dice, print)
    door.faults = faults
    process = Process("replica", failed=print)
    client = SimulatedNovita(door, process, witness, clock=clock, limits=LIMITS, metrics=Metrics())
    return await conversation(client, cloud, clock)


async def conversation(novita: NovitaClient, cloud: Cloud, clock: Clock) -> list[str]:
    """Every call once, and what came of it."""
    known = cloud.create_in_console().id
    calls = (
        lambda: novita.list_products(BillingMode.SPOT),
        novita.list_clusters,
        novita.list_templates,
        lambda: novita.get_template("107672"),
        lambda: novita.create_instance(ORDER),
        novita.list_instances,
        lambda: novita.get_instance(known),
        lambda: novita.stop_instance(known),
        lambda: novita.stop_instance(known),
        lambda: novita.start_instance(known),
        lambda: novita.restart_instance(known),
        lambda: novita.delete_instance(known),
        lambda: novita.get_instance("0000000000000000"),
    )
    said = []
    for call in calls:
        clock.advance(120)
        said.append(await came_of(call()))
    return [*said, *(f"{each.order.name} {cloud.status(each.id)}" for each in cloud.instances())]


async def came_of(call: Awaitable[object]) -> str:
    try:
        return repr(await call)
    except NovitaError as error:
        after = getattr(error, "retry_after", None)
        return f"{type(error).__name__} {error.code} {error.status_code} {after} {error}"


ORDER = Order(
    name="gb-simulate-abcdefghijklmnop-a1",
    offer=Offer(
        product_id="4090.16c62g",
        product_name="RTX 4090 24GB",
        cluster_id="cn-hongkong-1",
        region="CN-HK-01 (Hong Kong)",
        billing_mode=BillingMode.SPOT,
        gpu_count=1,
        usd_per_gpu_hour=MARKET.products[0].price / 100_000,  # type: ignore[arg-type]
    ),
    disk_gb=60,
    image=MARKET.templates[0].image,
    ports=(Port(number=8888, protocol="http"), Port(number=22, protocol="tcp")),
    tools=(Tool(name="Jupyter", port=8888, protocol="http"),),
)
