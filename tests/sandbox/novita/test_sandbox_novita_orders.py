"""What a create may carry."""

from __future__ import annotations

import pytest

from bot.sandbox.novita.orders import parse_order
from bot.sandbox.novita.refusals import RefusalError

PRIVATE = "ghcr.io/acme/trainer:2026.10"


def _refusal(body):
    with pytest.raises(RefusalError) as refusal:
        parse_order(body)
    assert refusal.value.status_code == 400
    assert refusal.value.body["reason"] == "VALIDATOR_PARAM"
    return refusal.value.body["message"]


def _full(body):
    return {
        **body,
        "name": "n",
        "billingMode": "spot",
        "month": 0,
        "clusterId": "us-ca-6",
        "imageAuthId": "auth-7f3c",
        "imageAuth": "user:password",
        "ports": "80/http,3306/tcp",
        "envs": [{"key": "A", "value": "1"}],
        "tools": [{"name": "Jupyter", "port": "8888", "type": "http"}],
        "command": "run",
        "entrypoint": "sh",
        "networkStorages": [{"Id": "s-1", "mountPoint": "/network"}],
        "networkId": "",
        "minCudaVersion": "12.4",
        "autoRenew": False,
        "autoRenewMonth": 1,
    }


def test_every_documented_field_is_accepted(body):
    order = parse_order(_full(body))
    assert order.exposed == ((80, "http"), (3306, "tcp"), (8888, "http"))
    assert order.http_ports == {80, 8888}


def test_the_least_is_enough(body):
    assert parse_order(body).mode == "onDemand"


@pytest.mark.parametrize("field", ["productId", "gpuNum", "rootfsSize", "imageUrl", "kind"])
def test_a_required_field_is_missed_by_its_name(body, field):
    del body[field]
    assert _refusal(body).startswith(field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("templateId", "107672"),
        ("region", "US-CA-06"),
        ("image_url", "x"),
        ("gpuNum", 0),
        ("gpuNum", 9),
        ("gpuNum", "1"),
        ("rootfsSize", 0),
        ("rootfsSize", 6145),
        ("productId", ""),
        ("imageUrl", "x" * 501),
        ("kind", "tpu"),
        ("billingMode", "hourly"),
        ("name", "x" * 256),
        ("command", "x" * 2048),
        ("ports", ["80/http"]),
        ("ports", "http/80"),
        ("ports", "80:http"),
        ("ports", "80/udp"),
        ("ports", "80/http, 81/http"),
        ("ports", "0/tcp"),
        ("ports", "65536/tcp"),
        ("ports", "2222/tcp"),
        ("ports", "80/http,80/http"),
        ("ports", ",".join(f"{port}/tcp" for port in range(1, 17))),
        ("envs", {"A": "1"}),
        ("envs", [{"name": "A", "value": "1"}]),
        ("envs", [{"key": "A", "value": 1}]),
        ("envs", [{"key": "x" * 512, "value": ""}]),
        ("envs", [{"key": "A", "value": "x" * 4096}]),
        ("envs", [{"key": str(n), "value": ""} for n in range(101)]),
        ("tools", [{"name": "Jupyter", "port": 8888, "type": "http"}]),
        ("tools", [{"name": "Jupyter", "port": "8888", "type": "http"}] * 16),
        ("networkStorages", [{"id": "s-1", "mountPoint": "/network"}]),
    ],
)
def test_what_is_not_documented_is_refused(body, field, value):
    message = _refusal({**body, field: value})
    assert message


@pytest.mark.parametrize("value", [None, [], "text", 1])
def test_a_body_that_is_no_object_is_refused(value):
    assert _refusal(value)


def test_ports_and_tools_count_together(body):
    ports = ",".join(f"{port}/tcp" for port in range(1, 15))
    tools = [{"name": "Jupyter", "port": "8888", "type": "http"}]
    parse_order({**body, "ports": ports, "tools": tools})
    assert "15" in _refusal({**body, "ports": ports + ",99/tcp", "tools": tools})


def test_a_small_disk_is_made_bigger(body):
    assert parse_order({**body, "rootfsSize": 5}).rootfs_gb == 10


def test_a_month_forces_monthly_and_monthly_needs_one(body):
    assert parse_order({**body, "month": 2, "billingMode": "spot"}).mode == "monthly"
    assert "month" in _refusal({**body, "billingMode": "monthly"})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"productId": "4090"}, "RESOURCE_NOT_FOUND"),
        ({"kind": "cpu"}, "RESOURCE_NOT_FOUND"),
        ({"clusterId": "us-ca-06"}, "VALIDATOR_PARAM"),
        ({"productId": "4090.16c62g.os", "rootfsSize": 1025}, "VALIDATOR_PARAM"),
        ({"productId": "h200.sxm.24c240g", "billingMode": "spot"}, "UNSUPPORTED_BILLING_MODE"),
        ({"productId": "6000ada.24c120g"}, "INSUFFICIENT_RESOURCE"),
        ({"imageUrl": "x/y:1", "tools": [{"name": "J", "port": "1", "type": "http"}]}, "VALIDATOR_PARAM"),
        ({"imageUrl": PRIVATE}, "IMAGE_URL_OR_AUTH_ERROR"),
        ({"imageUrl": PRIVATE, "imageAuth": "auth-7f3c"}, "IMAGE_URL_OR_AUTH_ERROR"),
        ({"imageUrl": PRIVATE, "imageAuthId": "auth-0000"}, "IMAGE_URL_OR_AUTH_ERROR"),
    ],
)
def test_the_cloud_refuses_what_it_cannot_do(cloud, fields, reason):
    with pytest.raises(RefusalError) as refusal:
        cloud.create_in_console(**fields)
    assert refusal.value.body["reason"] == reason
    assert cloud.instances() == []


@pytest.mark.parametrize("fields", [{"imageAuthId": "auth-7f3c"}, {"imageAuth": "acme-bot:word"}])
def test_a_private_image_opens_with_an_auth_or_its_words(cloud, fields):
    product_id = fields.pop("productId", "4090.16c62g")
    assert cloud.create_in_console(product_id=product_id, imageUrl=PRIVATE, **fields)
