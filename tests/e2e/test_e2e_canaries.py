"""Secrets everywhere, and things going wrong: none of them is read where it must not be.

Logs (in both forms, with every detail), what everybody sees in Slack, webhooks, and answers by REST. Only who
asks for the way into an instance is told its password, alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from bot.sandbox.novita.faults import Body, Status
from bot.sandbox.slack.faults import ErrorCode, HttpStatus
from tests.e2e.lives import Nursery
from tests.e2e.receiver import SECRET
from tests.e2e.stage import CREATE, GPU, Stage, staged

TOKENS = {
    "bot_token": "xoxb-177-CANARYbot",
    "app_token": "xapp-1-CANARYapp",
    "signing_secret": "CANARYsigningCANARY0123456789abcd",
}
NOVITA_KEY = "CANARYnovita.chosen_by+somebody"
REST_KEY = "CANARYrest/key"
SHORT_KEY = "C4N4RY"
HOOK = ("CANARYconfigured-path", "CANARYconfigured-query")
REQUESTED = ("CANARYrequested-path", "CANARYrequested-query")
SIGNATURES = {"webhook-signature", "x-webhook-signature", "x-signature"}
READ = (
    "/health",
    "/api/instances",
    "/api/products",
    "/api/deliveries",
    "/api/deliveries/statistics",
    "/api/metrics",
    "/metrics",
    "/api/nothing",
    "/openapi.json",
)
BROKEN = {"rest.broken", "slack.broken"}


@dataclass(kw_only=True)
class Canaries:
    stage: Stage
    answers: list[str] = field(default_factory=list)
    """By REST, to whoever did not ask for the password: what was answered, headers included."""
    entrusted: list[str] = field(default_factory=list)
    """By REST, to who asked for it."""

    def secrets(self) -> dict[str, str]:
        settings = {
            **TOKENS,
            "novita key": NOVITA_KEY,
            "rest key": REST_KEY,
            "short rest key": SHORT_KEY,
            "webhook secret": SECRET,
            **{f"webhook {part}": part for part in (*HOOK, *REQUESTED)},
        }
        return settings | self.of_instances() | self.of_slack()

    def of_instances(self) -> dict[str, str]:
        every = self.stage.cloud.instances()
        passwords = {f"password of {i.id}": i.access.password for i in every}
        return passwords | {f"token of {i.id}": i.access.token for i in every}

    def of_slack(self) -> dict[str, str]:
        payloads = [delivery.payload for delivery in self.stage.slack.deliveries.values()]
        urls = [str(payload["response_url"]) for payload in payloads if payload.get("response_url")]
        return {f"response url {number}": url.rpartition("/")[2] for number, url in enumerate(urls)}

    def logs(self) -> Iterator[str]:
        for life in self.stage.lives:
            yield from life.lines

    def public(self) -> Iterator[str]:
        """What more than one person can see, now or before an edit."""
        yield from map(repr, self.stage.history)
        for channel in self.stage.workspace.channels:
            yield from map(repr, self.stage.messages(channel))

    def whispers(self) -> list[str]:
        return [repr(message) for message in self.stage.ada.sees(GPU) if message.is_ephemeral]

    def webhooks(self) -> Iterator[str]:
        for hook in self.stage.receiver.tried:
            yield json.dumps(hook.body)
            yield repr({name: text for name, text in hook.headers.items() if name.lower() not in SIGNATURES})

    def leaks(self, texts: Iterable[str]) -> list[str]:
        return found(self.secrets(), texts)


def found(secrets: Mapping[str, str], texts: Iterable[str]) -> list[str]:
    """Which of them can be read, as they are or as an address or JSON would spell them."""
    everything = "\n".join(texts)
    return [
        name
        for name, secret in secrets.items()
        if any(text in everything for text in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]))
    ]


@pytest.fixture
async def canaries(nursery: Nursery, tmp_path: Path) -> AsyncIterator[Canaries]:
    async with staged(nursery, tmp_path, tokens=TOKENS) as stage:
        stage.novita.api_key = NOVITA_KEY
        stage.errors_meant = BROKEN
        yield Canaries(stage=stage)


@asynccontextmanager
async def rest(canaries: Canaries) -> AsyncIterator[httpx.AsyncClient]:
    async def keep(response: httpx.Response) -> None:
        await response.aread()
        kept = canaries.entrusted if "include=password" in str(response.url) else canaries.answers
        kept += [response.text, repr(response.headers)]

    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{canaries.stage.service.port}",
        headers={"Authorization": f"Bearer {REST_KEY}"},
        event_hooks={"response": [keep]},
        trust_env=False,
        verify=False,
    ) as http:
        yield http


def everything_said(echo: str) -> dict[str, Any]:
    """An error body that quotes what was sent, as proxies and debug pages do."""
    return {
        "code": 500,
        "reason": "INTERNAL_ERROR",
        "message": f"Authorization: Bearer {echo} ({echo}) failed",
    }


@contextmanager
def refusing_inserts(database: Path) -> Iterator[None]:
    """What nobody foresaw: an error of the driver, with the statement and its values at hand."""
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        connection.execute(
            "CREATE TRIGGER nobody BEFORE INSERT ON cards BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        yield
        connection.execute("DROP TRIGGER nobody")
        connection.commit()


def ordered(name: str) -> dict[str, str]:
    """Nobody listens at that webhook."""
    return {
        "name": name,
        "productName": "RTX 4090 24GB",
        "templateId": "pytorch-jupyter",
        "webhookUrl": f"http://127.0.0.1:9/{REQUESTED[0]}?x={REQUESTED[1]}",
    }


async def a_whole_life(canaries: Canaries) -> None:
    stage = canaries.stage
    await stage.running()
    await stage.ada.command("/gpu ssh my-train", channel=GPU)
    await stage.until(lambda: len(canaries.whispers()) >= 1)
    await stage.ada.press(stage.cards()[0], "Connect")
    await stage.until(lambda: len(canaries.whispers()) >= 2)


async def a_life_by_rest(canaries: Canaries, http: httpx.AsyncClient) -> None:
    made = await http.post("/api/instances", json=ordered("by-rest"))
    assert made.status_code == 201, made.text
    instance_id = made.json()["instanceId"]
    await canaries.stage.until(lambda: canaries.stage.receiver.of("instance.ready")[1:])
    for path in (f"/api/instances/{instance_id}", f"/api/instances/{instance_id}?include=password"):
        await http.get(path)
    await http.get("/api/instances", headers={"Authorization": f"Bearer not-{REST_KEY}"})
    await http.get(f"/api/instances/{instance_id}", headers={"X-API-Key": SHORT_KEY})
    await http.get(f"/api/{quote(REST_KEY, safe='')}?key={REST_KEY}")
    await http.post("/api/instances", content=f'{{"apiKey": "{REST_KEY}"')


async def trouble(canaries: Canaries, http: httpx.AsyncClient) -> None:
    stage = canaries.stage
    echo = everything_said(NOVITA_KEY)
    for endpoint in ("list", "get", "create", "stop"):
        stage.novita.faults.add(endpoint, Status(500, echo), times=3)
    stage.novita.faults.add("list", Body(f"<html>{NOVITA_KEY}</html>"), skip=3, times=2)
    stage.novita.faults.add("stop", Status(400, {**echo, "code": 400}), skip=3)
    stage.slack.fail("chat.update", ErrorCode("invalid_auth"))
    stage.slack.fail("chat.postMessage", HttpStatus(500), times=2)
    stage.slack.fail("response_url", HttpStatus(500))
    await stage.ada.command("/gpu ssh my-train", channel=GPU)
    await stage.ada.command(f"/gpu create 4090 other --webhook https://x.example/{REQUESTED[0]}", channel=GPU)
    await stage.ada.command("/gpu stop my-train", channel=GPU)
    with refusing_inserts(stage.directory / "gpu-bot.db"):
        broken = await http.post("/api/instances", json=ordered("never-either"))
        assert broken.status_code == 500
        reply = await stage.ada.command(CREATE.format("never"), channel=GPU)
        assert "eference" in reply.words
    await stage.until(lambda: stage.notices("my-train", "instance.refused"))
    stage.receiver.answers = 500
    await stage.ada.command("/gpu stop my-train", channel=GPU)
    await stage.until(lambda: stage.receiver.tried[-1].body["event"] == "instance.stopped")
    stage.receiver.answers = 200
    await stage.told("my-train", "instance.stopped")


@pytest.mark.parametrize(
    ("form", "http_mode"),
    [
        pytest.param("json", False, marks=pytest.mark.slow),
        pytest.param("console", True, marks=pytest.mark.slow),
    ],
)
async def test_no_secret_is_read_where_it_must_not_be(canaries: Canaries, form: str, http_mode: bool) -> None:
    stage = canaries.stage
    service = await stage.start(
        http_mode=http_mode,
        LOG_LEVEL="debug",
        LOG_FORMAT=form,
        API_KEYS=f"{REST_KEY},{SHORT_KEY}",
        SLACK_CHANNEL=GPU,
        WEBHOOK_URL=f"{stage.receiver.url}/{HOOK[0]}?x={HOOK[1]}",
        WEBHOOK_ALLOWED_HOSTS="127.0.0.1",
    )
    async with rest(canaries) as http:
        await a_whole_life(canaries)
        await a_life_by_rest(canaries, http)
        await trouble(canaries, http)
        for path in READ:
            await http.get(path)
    service.terminate()
    assert await service.over() == 0

    assert canaries.leaks(canaries.logs()) == []
    assert canaries.leaks(canaries.public()) == []
    assert canaries.leaks(canaries.webhooks()) == []
    assert canaries.leaks(canaries.answers) == []
    assert {name.partition(" ")[0] for name in canaries.leaks(canaries.entrusted)} == {"password", "token"}
    # It was there to be leaked: who asked for it, alone, has the password; the rest was logged at length.
    assert [name for name in canaries.leaks(canaries.whispers()) if name.startswith("password")]
    assert not set(canaries.leaks(canaries.whispers())) - set(canaries.of_instances())
    log = "\n".join(canaries.logs())
    for event in ("rest.broken", "slack.broken", "novita.failing", "receiver.failing", "delivery.postponed"):
        assert event in log
    assert "Traceback" in log


@pytest.mark.parametrize("spell", [str, lambda text: quote(text, safe=""), lambda text: json.dumps([text])])
async def test_any_one_that_leaked_would_be_seen(canaries: Canaries, spell: Any) -> None:
    secrets = {"key": NOVITA_KEY, "rest": REST_KEY, "odd": 'C"A\\N', **TOKENS}
    for name, secret in secrets.items():
        assert found(secrets, ["well", f"said {spell(secret)}."]) == [name]
    assert found(secrets, ["well"]) == []
