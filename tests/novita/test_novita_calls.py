from __future__ import annotations

from decimal import Decimal

import pytest

from bot.novita import calls
from bot.novita.refusals import Effect
from storage.cloud import BillingMode, Env, Offer, Order, Port, Tool

ROOT = "https://api.novita.ai/gpu-instance/openapi/v1"


def order(**changes: object) -> Order:
    offer = Offer(
        product_id="4090.16c62g",
        product_name="RTX 4090 24GB",
        cluster_id="us-ca-6",
        region="US-CA-06 (California)",
        billing_mode=BillingMode.SPOT,
        gpu_count=2,
        usd_per_gpu_hour=Decimal("0.175"),
    )
    return Order(**{"name": "gb-12345678-abc-a1", "offer": offer, "disk_gb": 60, "image": "x/y:1"} | changes)


@pytest.mark.parametrize(
    "base",
    [
        "https://api.novita.ai",
        "https://api.novita.ai/",
        "https://api.novita.ai/gpu-instance/openapi",
        "https://api.novita.ai/gpu-instance/openapi/",
        "https://api.novita.ai/gpu-instance/openapi/v1",
        "https://api.novita.ai/gpu-instance/openapi/v1/",
    ],
)
def test_the_prefix_is_there_once_however_the_base_is_written(base) -> None:
    assert calls.api_root(base) == ROOT


def test_an_order_is_sent_as_novita_documents_it() -> None:
    call = calls.create(
        order(
            registry_auth_id="42",
            ports=(Port(number=8888, protocol="http"), Port(number=22, protocol="tcp")),
            envs=(Env(key="A", value="1"),),
            tools=(Tool(name="Jupyter", port=8888, protocol="http"),),
            command="bash",
            entrypoint="/run",
            min_cuda_version="12.4",
        )
    )
    assert call.body == {
        "name": "gb-12345678-abc-a1",
        "productId": "4090.16c62g",
        "gpuNum": 2,
        "rootfsSize": 60,
        "imageUrl": "x/y:1",
        "imageAuthId": "42",
        "kind": "gpu",
        "billingMode": "spot",
        "clusterId": "us-ca-6",
        "ports": "8888/http,22/tcp",
        "envs": [{"key": "A", "value": "1"}],
        "tools": [{"name": "Jupyter", "port": "8888", "type": "http"}],
        "command": "bash",
        "entrypoint": "/run",
        "minCudaVersion": "12.4",
    }
    assert call.effect is Effect.CHANGE


def test_what_is_not_set_is_not_sent() -> None:
    body = calls.create(order()).body
    assert body is not None
    assert sorted(body) == sorted(
        ["name", "productId", "gpuNum", "rootfsSize", "imageUrl", "kind", "billingMode", "clusterId"]
    )


def test_a_call_does_not_show_envs() -> None:
    assert "hunter2" not in repr(calls.create(order(envs=(Env(key="TOKEN", value="hunter2"),))))
