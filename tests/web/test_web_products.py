"""GET /api/products."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fake_operations import FakeShop

from bot.errors import NovitaUnavailable
from storage.cloud import BillingMode, Product


def product(name, usd, mode=BillingMode.SPOT, **changes):
    usual = {"id": f"{name}.{mode}", "available": True, "billing_mode": mode}
    return Product(name=name, usd_per_gpu_hour=Decimal(usd), **usual | changes)


SHOP = (
    product("H100", "1.20", regions=("US-CA-06 (California)",), stock="low", cpu_per_gpu=16, max_disk_gb=500),
    product("4090", "0.18"),
    product("4090", "0.35", BillingMode.ON_DEMAND),
)


async def test_what_can_be_had_is_listed_cheapest_first(build):
    rest = await build(catalog=FakeShop(*SHOP))

    answer = (await rest.http.get("/api/products")).json()

    assert [(p["name"], p["billingMode"], p["pricePerHour"]) for p in answer["products"]] == [
        ("4090", "spot", 0.18),
        ("4090", "onDemand", 0.35),
        ("H100", "spot", 1.2),
    ]
    assert answer["total"] == 3
    assert answer["products"][2] == {
        "id": "H100.spot",
        "name": "H100",
        "billingMode": "spot",
        "pricePerHour": 1.2,
        "regions": ["US-CA-06 (California)"],
        "stock": "low",
        "cpuPerGpu": 16,
        "memoryPerGpu": None,
        "minRootfsSize": None,
        "maxRootfsSize": 500,
    }


async def test_it_can_be_of_one_billing_mode(build):
    rest = await build(catalog=FakeShop(*SHOP))

    answer = (await rest.http.get("/api/products?billingMode=onDemand")).json()

    assert [p["id"] for p in answer["products"]] == ["4090.onDemand"]


@pytest.mark.parametrize("asked", ["billingMode=monthly", "billingMode="])
async def test_another_billing_mode_is_400(rest, asked):
    assert (await rest.http.get(f"/api/products?{asked}")).status_code == 400


async def test_where_nothing_is_known_and_novita_is_down_it_is_503(build):
    rest = await build(catalog=FakeShop(failure=NovitaUnavailable("Novita does not answer.")))

    assert (await rest.http.get("/api/products")).status_code == 503
