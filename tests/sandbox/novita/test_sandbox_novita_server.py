"""The server as such: its journal, its door, its end."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest

from bot.sandbox.novita.faults import Hang, Status
from bot.sandbox.novita.routes import BASE
from bot.sandbox.novita.server import NovitaServer


async def test_the_journal_keeps_every_call_with_its_answer(server, client, clock, body):
    await client.post("/gpu/instance/create", json=body, headers={"Idempotency-Key": "k", "X-Other": "no"})
    await client.get("/products", params={"productName": "4090"})
    server.faults.add("list", Status(503))
    await client.get("/gpu/instances")
    created, products, listed = server.journal.calls()
    assert (created.endpoint, created.method, created.status) == ("create", "POST", 200)
    assert created.path == BASE + "/gpu/instance/create"
    assert created.body == body
    assert created.at == clock()
    assert created.headers["idempotency-key"] == "k"
    assert created.headers["authorization"] == f"Bearer {server.api_key}"
    assert "x-other" not in created.headers
    assert (products.query, products.body) == ({"productName": "4090"}, None)
    assert listed.status == 503
    assert (server.journal.count("create"), server.journal.count()) == (1, 3)
    server.journal.clear()
    assert server.journal.count() == 0


async def test_a_body_that_is_no_json_is_kept_as_text(server, client):
    response = await client.post("/gpu/instance/create", content=b"{not json")
    assert response.status_code == 400
    assert server.journal.calls("create")[0].body == "{not json"


async def test_waiting_ends_with_the_call_it_waits_for(server, client, body):
    waiting = asyncio.create_task(server.journal.wait_for("create", 2, over=True))
    for _ in range(2):
        await client.post("/gpu/instance/create", json=body)
    assert [call.status for call in await waiting] == [200, 200]


async def test_waiting_in_vain_says_what_came(server, client):
    await client.get("/clusters")
    with pytest.raises(TimeoutError, match="1 of 2 calls of clusters within"):
        await server.journal.wait_for("clusters", 2, 0.02)


async def test_waiting_for_an_answer_does_not_take_a_call_for_one(server, client):
    server.faults.add("clusters", Hang(0.05))
    call = asyncio.create_task(client.get("/clusters"))
    await server.journal.wait_for("clusters")
    with pytest.raises(TimeoutError, match="0 of 1"):
        await server.journal.wait_for("clusters", 1, 0.01, over=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await call


async def test_refused_means_not_even_a_connection_and_the_address_comes_back(server, client):
    await client.get("/clusters")
    address = server.base_url
    await server.refuse()
    with pytest.raises(httpx.ConnectError):
        await client.get("/clusters")
    await server.accept()
    await server.accept()
    assert server.base_url == address
    assert (await client.get("/clusters")).status_code == 200
    assert server.journal.count("clusters") == 2


async def test_a_second_close_is_nothing(cloud):
    server = NovitaServer(cloud)
    assert (await server.start()) == server.base_url
    await server.close()
    await server.close()


async def test_a_taken_port_is_an_error_and_leaves_nothing_open(cloud, server):
    port = int(server.base_url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match=str(port)):
        await NovitaServer(cloud, port=port).start()


async def test_a_server_says_nothing_in_the_log(server, client, body, caplog):
    with caplog.at_level(logging.INFO):
        await client.post("/gpu/instance/create", json=body)
        server.faults.down()
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/clusters")
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


async def test_many_hanging_requests_do_not_delay_the_end(server, client):
    server.faults.add("*", Hang(), times=None)
    calls = [asyncio.create_task(client.get("/gpu/instances")) for _ in range(20)]
    await server.journal.wait_for("list", 20)
    async with asyncio.timeout(0.9):
        await server.close()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, httpx.TransportError) for result in results)
