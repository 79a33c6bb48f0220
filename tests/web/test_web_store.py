"""REST over the real operations and a real file."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest
from samples import NOW

from bot.asking import Defaults
from bot.catalog import Catalog
from bot.operations import Operations
from bot.redelivery import Redelivery
from bot.web.api import build_api
from bot.web.health import Health
from bot.web.security import Inbound
from storage.cloud import BillingMode
from storage.database import migrate, open_database
from storage.store.store import make_store


class _Away:
    """Novita cannot be asked: whatever is looked up fails the test."""

    def refusal(self):
        return None

    def __getattr__(self, name):
        pytest.fail(f"asked Novita for {name}")


class _Unasked:
    async def list_products(self, mode): ...
    async def list_clusters(self): ...
    async def list_templates(self): ...
    async def get_template(self, template_id): ...


@pytest.fixture
async def http(tmp_path):
    url = f"sqlite:///{tmp_path / 'gpu-bot.db'}"
    await migrate(url)
    database = await open_database(url)
    moments = iter(range(1_000))

    def clock():
        return NOW + timedelta(seconds=next(moments))

    hour = timedelta(hours=1)
    store = make_store(database, clock)
    catalog = Catalog(_Unasked(), clock=clock, product_ttl=hour, template_ttl=hour)
    operations = Operations(
        store=store,
        catalog=catalog,
        novita=_Away(),
        clock=clock,
        defaults=Defaults(
            region="CN-HK-01", gpu_count=1, disk_gb=60, template=None, billing_mode=BillingMode.SPOT
        ),
        admins=frozenset(),
        wake=lambda: None,
    )
    health = Health(version="1", started_at=NOW)
    app = build_api(
        operations,
        health,
        redelivery=Redelivery(store, wake=lambda: None),
        catalog=catalog,
        clock=clock,
        inbound=Inbound(api_keys=(), request_size_limit=1_000),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://localhost"
    ) as client:
        yield client
    await database.close()


async def _create(http, name="my-train", **fields):
    body = {"name": name, "productName": "RTX 4090 24GB", "templateId": 107672, **fields}
    answer = await http.post("/api/instances", json=body)
    assert answer.status_code == 201
    return answer.json()["instanceId"]


async def test_what_was_created_can_be_read_by_id_and_by_name(http):
    made = await _create(http, gpuNum=2, region="US-CA-06", rootfsSize=100, billingMode="onDemand")

    shown = (await http.get(f"/api/instances/{made}")).json()

    assert shown == (await http.get("/api/instances/my-train")).json()
    assert shown["id"] == made
    asked = ("productName", "templateId", "gpuNum", "region", "rootfsSize", "billingMode")
    assert [shown[name] for name in asked] == ["RTX 4090 24GB", "107672", 2, "US-CA-06", 100, "onDemand"]


async def test_a_name_may_repeat(http):
    first, second = await _create(http), await _create(http)

    assert first != second
    assert (await http.get("/api/instances/my-train")).json()["id"] == second


async def test_the_list_is_paged_newest_first(http):
    made = [await _create(http, f"n{number}") for number in range(3)]

    answer = (await http.get("/api/instances?limit=2&offset=1&status=creating")).json()

    assert [i["id"] for i in answer["instances"]] == [made[1], made[0]]
    assert (answer["total"], answer["limit"], answer["offset"]) == (3, 2, 1)
    assert (await http.get("/api/instances?status=running")).json()["total"] == 0


async def test_the_highest_offset_is_an_empty_page(http):
    await _create(http)

    answer = await http.get("/api/instances?offset=1000000000")

    assert (answer.status_code, answer.json()["instances"], answer.json()["total"]) == (200, [], 1)


async def test_what_is_not_there_is_404(http):
    await _create(http)

    answer = await http.get("/api/instances/my-trian")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "INSTANCE_NOT_FOUND")


async def test_a_key_makes_one_instance_and_gives_one_answer(http):
    body = {"name": "my-train", "productName": "4090", "templateId": 1}
    key = {"Idempotency-Key": "order-1"}

    answers = await asyncio.gather(*(http.post("/api/instances", json=body, headers=key) for _ in range(8)))
    await http.delete("/api/instances/my-train")
    again = await http.post("/api/instances", json=body, headers=key)
    other = await http.post("/api/instances", json=body | {"gpuNum": 2}, headers=key)

    assert {answer.status_code for answer in (*answers, again)} == {201}
    assert len({answer.text for answer in (*answers, again)}) == 1
    assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await http.get("/api/instances?status=creating,deleting,deleted")).json()["total"] == 1


async def test_a_repeated_change_gives_the_first_answer(http):
    made = await _create(http)
    key = {"Idempotency-Key": "bye"}

    first = await http.delete(f"/api/instances/{made}", headers=key)
    again = await http.delete(f"/api/instances/{made}", headers=key)
    other = await http.post(f"/api/instances/{made}/stop", headers=key)

    assert (first.status_code, again.text) == (202, first.text)
    assert other.status_code == 422


async def test_what_was_never_delivered_anywhere_is_an_empty_list(http):
    await _create(http)

    assert (await http.get("/api/deliveries")).json()["deliveries"] == []
    assert (await http.get("/api/deliveries/statistics")).json() == {"targets": []}
    assert (await http.post("/api/deliveries/nothing/replay")).status_code == 404
    since = {"since": "2026-11-23T13:00:00Z"}
    assert (await http.post("/api/deliveries/replay", json=since)).json() == {"replayed": 0}
