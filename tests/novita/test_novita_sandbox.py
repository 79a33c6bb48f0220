"""The client against the simulated cloud, with every guess about the real one that it must live with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.errors import BadCredentials, NovitaNotFound
from bot.novita.client import NovitaClient
from bot.novita.limits import Limits
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.server import NovitaServer
from storage.cloud import BillingMode, Offer, Order, Phase

LIMITS = Limits(timeout=timedelta(seconds=10), calls_per_minute=1000, max_retries=0)


@asynccontextmanager
async def connected(
    clock, *, key: str | None = None, limits: Limits = LIMITS, **server
) -> AsyncIterator[NovitaClient]:
    async with NovitaServer(Cloud(clock=clock), **server) as novita:
        client = NovitaClient(
            base_url=novita.base_url, api_key=key or novita.api_key, clock=clock, limits=limits
        )
        yield client
        await client.aclose()


async def order_for(novita: NovitaClient, name: str) -> Order:
    """What the catalogue offers first, with a template's image, ports and tools."""
    products = await novita.list_products(BillingMode.ON_DEMAND)
    product = next(p for p in products if p.available and p.usd_per_gpu_hour is not None)
    clusters = await novita.list_clusters()
    cluster = next(c for c in clusters if not product.regions or c.name in product.regions)
    template = next(t for t in await novita.list_templates() if t.tools)
    offer = Offer(
        product_id=product.id,
        product_name=product.name,
        cluster_id=cluster.id,
        region=cluster.name,
        billing_mode=BillingMode.ON_DEMAND,
        gpu_count=1,
        usd_per_gpu_hour=product.usd_per_gpu_hour or 0,
    )
    return Order(
        name=name,
        offer=offer,
        disk_gb=60,
        image=template.image,
        ports=template.ports,
        tools=template.tools,
        envs=template.envs,
    )


async def test_the_whole_life_of_an_instance(clock) -> None:
    async with connected(clock) as novita:
        novita_id = await novita.create_instance(await order_for(novita, "gb-1-2-a1"))
        (seen,) = (await novita.list_instances()).observations
        assert (seen.novita_id, seen.name, seen.phase) == (novita_id, "gb-1-2-a1", Phase.PROVISIONING)
        assert not (await novita.get_instance(novita_id)).complete

        clock.now += timedelta(minutes=20)
        it = await novita.get_instance(novita_id)
        assert it.observation.phase is Phase.RUNNING
        assert it.complete
        assert it.connection.ssh is not None
        assert it.connection.jupyter is not None
        assert "?" not in it.connection.jupyter
        assert it.secrets.ssh_password
        assert it.secrets.jupyter_url is not None
        assert "token=" in it.secrets.jupyter_url

        await novita.stop_instance(novita_id)
        clock.now += timedelta(minutes=5)
        assert (await novita.get_instance(novita_id)).observation.phase is Phase.STOPPED
        await novita.start_instance(novita_id)
        clock.now += timedelta(minutes=20)
        await novita.restart_instance(novita_id)
        clock.now += timedelta(minutes=20)
        assert (await novita.get_instance(novita_id)).observation.phase is Phase.RUNNING

        await novita.delete_instance(novita_id)
        clock.now += timedelta(hours=1)
        phases = {seen.phase for seen in (await novita.list_instances()).observations}
        assert phases <= {Phase.GONE}


@pytest.mark.parametrize("not_found", [400, 404])
async def test_what_is_not_there_is_not_found_in_both_forms(clock, not_found) -> None:
    async with connected(clock, not_found=not_found) as novita:
        with pytest.raises(NovitaNotFound):
            await novita.get_instance("0000000000000000")
        with pytest.raises(NovitaNotFound):
            await novita.delete_instance("0000000000000000")
        with pytest.raises(NovitaNotFound):
            await novita.get_template("999999999")


async def test_a_wrong_key_is_bad_credentials(clock) -> None:
    async with connected(clock, key="wrong") as novita:
        with pytest.raises(BadCredentials):
            await novita.list_instances()


@pytest.mark.parametrize("first_page", [0, 1, "both"])
@pytest.mark.parametrize("page_cap", [2, 100])
async def test_the_list_is_whole_however_it_is_paged(clock, first_page, page_cap) -> None:
    limits = replace(LIMITS, page_size=3)
    async with connected(clock, limits=limits, first_page=first_page, page_cap=page_cap) as novita:
        order = await order_for(novita, "gb")
        made = {await novita.create_instance(replace(order, name=f"gb-{n}")) for n in range(5)}
        for _ in range(2):
            listing = await novita.list_instances()
            assert {seen.novita_id for seen in listing.observations} == made
