"""What programs ask for over REST, through the real process: traced, told to their own webhook, asked once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.e2e.receiver import Receiver
from tests.e2e.stage import Stage

BODY = {"name": "my-train", "productName": "4090", "templateId": "pytorch-jupyter"}


@asynccontextmanager
async def program(stage: Stage, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    base_url = f"http://127.0.0.1:{stage.service.port}"
    async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as http:
        yield http


async def test_a_correlation_id_goes_from_the_request_to_novita_to_webhooks_and_through_the_log(
    stage: Stage,
) -> None:
    await stage.start(SLACK_CHANNEL="C0GPU")
    async with program(stage, **{"X-Correlation-ID": "build-17"}) as http:
        made = await http.post("/api/instances", json=BODY)
    async with program(stage, **{"X-Correlation-ID": "cleanup-18"}) as http:
        await stage.until(lambda: stage.receiver.of("instance.ready"))
        await http.delete(f"/api/instances/{made.json()['instanceId']}")
    await stage.until(lambda: stage.receiver.of("instance.deleted"))

    (created,) = stage.novita.journal.calls("create")
    asked_to_delete = stage.novita.journal.calls("delete")[0]
    ids = [call.headers.get("x-correlation-id") for call in (created, asked_to_delete)]
    assert ids == ["build-17", "cleanup-18"]
    (ready,), (deleted,) = stage.receiver.of("instance.ready"), stage.receiver.of("instance.deleted")
    assert [hook.headers["X-Correlation-ID"] for hook in (ready, deleted)] == ["build-17", "cleanup-18"]
    lists = stage.novita.journal.calls("list")
    assert {call.headers.get("x-correlation-id") for call in lists} == {None}  # nobody's in particular
    lines = {line["event"]: line.get("correlation_id") for line in stage.service.log}
    assert lines["instance.ready"] == lines["create.accepted"] == "build-17"
    assert lines["instance.deleted"] == "cleanup-18"


@pytest.mark.slow
async def test_a_request_has_a_webhook_of_its_own_and_is_made_once_however_often_it_is_sent(
    stage: Stage,
) -> None:
    own = Receiver(stage.slack.signal.notify)
    await own.start()
    await stage.start(WEBHOOK_ALLOWED_HOSTS="127.0.0.1")
    async with program(stage, **{"Idempotency-Key": "order-1"}) as http:
        answers = [await http.post("/api/instances", json={**BODY, "webhookUrl": own.url}) for _ in range(3)]
    await stage.until(lambda: own.of("instance.ready") and stage.receiver.of("instance.ready"))
    await own.stop()

    assert len({answer.text for answer in answers}) == 1
    assert (stage.created(), len(stage.gpus())) == (1, 1)
    assert own.of("instance.ready")[0].id == stage.receiver.of("instance.ready")[0].id


@pytest.mark.slow
async def test_a_webhook_on_a_private_network_is_refused_at_the_request(stage: Stage) -> None:
    await stage.start()
    async with program(stage) as http:
        answer = await http.post("/api/instances", json={**BODY, "webhookUrl": stage.receiver.url})

    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "webhookUrl")
    assert stage.created() == 0
