"""POST /api/instances."""

from __future__ import annotations

import httpx
import pytest
from fake_operations import FakeOperations

from bot.asking import PROGRAM, Asked
from bot.errors import KeyReused
from storage.cloud import BillingMode

FULL = {
    "gpuNum": 2,
    "rootfsSize": 80,
    "region": "US-CA-06",
    "billingMode": "onDemand",
    "webhookUrl": "https://example.com/hook",
}


def _fault(answer: httpx.Response) -> tuple[int, str, list[str]]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], [detail["field"] for detail in error.get("details", [])]


async def test_the_answer_has_the_four_documented_fields(rest):
    answer = await rest.create()

    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "instanceId": "0000000000000001",
        "status": "creating",
        "message": "Instance creation initiated successfully",
        "estimatedReadyTime": "2026-11-23T12:04:00.000Z",
    }


async def test_every_documented_field_is_passed_on_as_asked_by_a_program(build):
    rest = await build(slack_channel="C0REST")

    assert (await rest.create(**FULL)).status_code == 201
    [creation] = rest.operations.creations

    assert creation.asked == Asked(
        gpu="RTX 4090 24GB",
        gpu_count=2,
        name="my-train",
        template="pytorch-jupyter",
        billing_mode=BillingMode.ON_DEMAND,
        regions=("US-CA-06",),
        regions_only=False,
        disk_gb=80,
        webhook_url="https://example.com/hook",
    )
    assert creation.actor is PROGRAM
    assert (creation.origin.key, creation.origin.channel) == (None, "C0REST")
    assert creation.unique_name is False


async def test_what_is_left_out_or_null_is_left_to_the_defaults(rest):
    nothing = dict.fromkeys(FULL)
    body = {"name": "a", "productName": "4090", "templateId": None, **nothing}

    assert (await rest.http.post("/api/instances", json=body)).status_code == 201
    assert rest.operations.creations[0].asked == Asked(gpu="4090", name="a", regions_only=False)


async def test_without_a_channel_notices_go_nowhere(rest):
    await rest.create()

    assert rest.operations.creations[0].origin.channel is None


async def test_unknown_fields_are_ignored(rest):
    answer = await rest.create(gpu_num=8, kind="gpu", spotPrice={"max": 1})

    assert answer.status_code == 201
    assert rest.operations.creations[0].asked.gpu_count is None


@pytest.mark.parametrize(("sent", "read"), [(107672, "107672"), (107672.0, "107672"), ("abc", "abc")])
async def test_a_template_is_a_string_or_a_number(rest, sent, read):
    assert (await rest.create(templateId=sent)).status_code == 201
    assert rest.operations.creations[0].asked.template == read


async def test_a_request_without_template_needs_a_default_one(build):
    rest = await build(operations=FakeOperations(template=None))

    refused = await rest.create(templateId=None)

    assert _fault(refused) == (400, "VALIDATION_ERROR", ["templateId"])
    assert "DEFAULT_TEMPLATE" in refused.json()["error"]["message"]
    assert (await rest.create()).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a" * 100),
        ("name", "A_b-9"),
        ("productName", "x" * 200),
        ("gpuNum", 1),
        ("gpuNum", 8),
        ("gpuNum", 2.0),
        ("rootfsSize", 10),
        ("rootfsSize", 20),
        ("rootfsSize", 1_000),
        ("rootfsSize", 6_144),
        ("region", "EU-WEST-01"),
        ("region", "US-CA-06 (California)"),
        ("billingMode", "spot"),
        ("webhookUrl", "http://hooks.example.com:8080/in?a=b#c"),
        ("webhookUrl", "HTTPS://[2001:db8::1]/x@y"),
    ],
)
async def test_what_is_documented_is_accepted(rest, field, value):
    assert (await rest.create(**{field: value})).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a" * 101),
        ("name", "my train"),
        ("name", "naïve"),
        ("name", "a\n"),
        ("name", 5),
        ("productName", ""),
        ("productName", "x" * 201),
        ("productName", " -- "),
        ("productName", "RTX\u0000 4090"),
        ("templateId", ""),
        ("templateId", True),
        ("templateId", -1),
        ("templateId", 10**16),
        ("templateId", 1.5),
        ("templateId", ["a"]),
        ("gpuNum", 0),
        ("gpuNum", 9),
        ("gpuNum", 1.5),
        ("gpuNum", "2"),
        ("gpuNum", True),
        ("rootfsSize", 9),
        ("rootfsSize", 6_145),
        ("rootfsSize", 1e300),
        ("region", "\n"),
        ("billingMode", "monthly"),
        ("billingMode", "SPOT"),
        ("webhookUrl", ""),
        ("webhookUrl", "ftp://example.com/"),
        ("webhookUrl", "https://user:secret@example.com/"),
        ("webhookUrl", "https://@example.com/"),
        ("webhookUrl", "https:///path"),
        ("webhookUrl", "https://[::1/"),
        ("webhookUrl", "https://example.com:99999/"),
        ("webhookUrl", "https://example.com:0/"),
        ("webhookUrl", "https://exa mple.com/"),
        ("webhookUrl", "https://example.com/" + "a" * 2_000),
    ],
)
async def test_what_is_out_of_range_is_refused_by_name(build, field, value):
    rest = await build(request_size_limit=10_000)

    answer = await rest.create(**{field: value})

    assert _fault(answer) == (400, "VALIDATION_ERROR", [field])
    assert rest.operations.creations == []


async def test_every_bad_field_is_named_at_once_with_its_reason(rest):
    answer = await rest.http.post("/api/instances", json={"name": "a b", "gpuNum": 9})

    error = answer.json()["error"]
    assert error["details"] == [
        {"field": "name", "reason": "may have letters, digits, - and _ only"},
        {"field": "productName", "reason": "Field required"},
        {"field": "gpuNum", "reason": "Input should be less than or equal to 8"},
    ]
    assert error["message"].startswith("name: may have letters, digits, - and _ only; productName: ")


async def test_a_refusal_does_not_repeat_what_was_sent(rest):
    answer = await rest.create(webhookUrl="https://user:hunter2@example.com/", gpuNum="hunter2")

    assert answer.status_code == 400
    assert "hunter2" not in answer.text


async def test_the_callers_own_name_for_it_is_kept(rest):
    await rest.create({"X-Correlation-ID": "build-17"})

    assert rest.operations.creations[0].origin.correlation_id == "build-17"


async def test_a_key_goes_with_what_was_understood_of_the_request(rest):
    async def sent(key="k", **changes):
        await rest.create({"Idempotency-Key": key, "X-Correlation-ID": "c"}, **changes)
        return rest.operations.creations[-1].origin

    first = await sent()
    assert first.key == "rest:k"
    assert await sent(unknown="field") == first
    assert (await sent(gpuNum=2)).fingerprint != first.fingerprint
    assert (await sent(key="other")).key == "rest:other"


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ü"])
async def test_a_key_that_is_none_is_refused(rest, key):
    answer = await rest.create({"Idempotency-Key": key.encode()})

    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "Idempotency-Key"
    assert rest.operations.creations == []


async def test_a_key_that_came_with_another_request_is_422(rest):
    rest.operations.failure = KeyReused()

    answer = await rest.create()

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
