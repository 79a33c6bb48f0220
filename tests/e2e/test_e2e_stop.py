"""SIGTERM under load: what was promised is kept, what is refused is told so, and nothing is done twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import pytest

from bot.sandbox.novita.faults import Slow
from bot.sandbox.slack.person import Person
from storage.database import open_database
from storage.store.store import make_store
from tests.e2e.stage import CREATE, GPU, Stage, utc_now

pytestmark = pytest.mark.slow

PLENTY = {"RATE_LIMIT_MAX_REQUESTS": "1000000", "API_KEYS": "k"}
HEADERS = {"X-API-Key": "k"}


@dataclass(kw_only=True)
class Load:
    """Programs and people who go on asking until they are told to stop."""

    stage: Stage
    http: httpx.AsyncClient
    over: bool = False
    numbers: Any = field(default_factory=lambda: count(1))
    promised: dict[str, str] = field(default_factory=dict)
    """Name -> id, of every 201 and every acknowledged command."""
    told_no: Counter[int] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Of what was refused with 503."""
    unheard: int = 0
    """Not connected, or cut off without an answer."""
    unacknowledged: set[str] = field(default_factory=set)
    readiness: list[int] = field(default_factory=list)

    async def programs(self) -> None:
        while not self.over:
            name = f"rest-{next(self.numbers)}"
            try:
                await self._create(name)
            except httpx.TransportError:
                self.unheard += 1
                await asyncio.sleep(0.02)

    async def people(self, person: Person) -> None:
        while not self.over:
            name = f"slack-{next(self.numbers)}"
            reply = await person.command(CREATE.format(name), channel=GPU)
            if reply.ok and "Creating" in reply.words:
                self.promised[name] = ""
            else:
                self.unacknowledged.add(name)
                await asyncio.sleep(0.02)

    async def probes(self) -> None:
        while not self.over:
            with suppress(httpx.TransportError):
                self.readiness.append((await self.http.get("/ready")).status_code)
            await asyncio.sleep(0.02)

    async def _create(self, name: str) -> None:
        body = {"name": name, "productName": "RTX 4090 24GB", "templateId": "pytorch-jupyter"}
        answer = await self.http.post("/api/instances", json=body, headers=HEADERS)
        if answer.status_code == 201:
            self.promised[name] = answer.json()["instanceId"]
            return
        self.told_no[answer.status_code] += 1
        if answer.status_code == 503:
            self.bodies.append(answer.json())


async def kept(stage: Stage) -> dict[str, str]:
    """Name -> id of what is on disk, while nobody serves it."""
    database = await open_database(f"sqlite:///{stage.directory}/gpu-bot.db")
    try:
        store = make_store(database, utc_now)
        found, _total = await store.instances.list_instances(limit=10_000)
        return {i.name: i.id for i in found}
    finally:
        await database.close()


def ready_ids(stage: Stage) -> set[str]:
    return {hook.body["instanceId"] for hook in stage.receiver.of("instance.ready")}


@pytest.mark.parametrize("http_mode", [False, True], ids=["socket", "http"])
async def test_a_stop_under_load_loses_nothing_and_doubles_nothing(stage: Stage, http_mode: bool) -> None:
    stage.novita.faults.add("create", Slow(0.7), times=None)
    service = await stage.start(http_mode=http_mode, timings={"stop_within": 30.0}, **PLENTY)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{service.port}", trust_env=False, verify=False, timeout=20
    ) as http:
        load = Load(stage=stage, http=http)
        working = [
            load.programs(),
            load.programs(),
            load.people(stage.ada),
            load.people(stage.ben),
            load.probes(),
        ]
        tasks = [asyncio.create_task(each) for each in working]
        await stage.until(lambda: len(load.promised) >= 12 and stage.created() >= 3)
        service.terminate()
        code = await service.over(within=40)
        load.over = True
        await asyncio.gather(*tasks)

    assert code == 0
    assert service.log[-1]["event"] == "service.stopped"
    assert sorted(set(load.readiness)) == [200, 503]
    assert load.readiness == sorted(load.readiness)  # once it says that it stops, it says nothing else
    # What was under way at Novita has ended: nothing has to be searched for later.
    assert (
        len(service.logged("create.accepted")) == len(service.logged("create.begun")) == stage.created() > 0
    )
    assert set(load.told_no) == {503}
    assert {body["error"]["code"] for body in load.bodies} == {"SERVICE_UNAVAILABLE"}
    assert all(body["error"]["requestId"] for body in load.bodies)

    on_disk = await kept(stage)
    assert set(load.promised) <= set(on_disk)
    assert all(on_disk[name] == known for name, known in load.promised.items() if known)
    # What is there without a promise is a command whose acknowledgement was not heard; never a refused request.
    assert set(on_disk) - set(load.promised) <= load.unacknowledged

    stage.novita.faults.clear()
    await stage.start(http_mode=http_mode, **PLENTY)
    await stage.until(lambda: ready_ids(stage) == set(on_disk.values()), 90)
    names = Counter(gpu.order.name.rpartition("-a")[0] for gpu in stage.cloud.instances())
    assert len(names) == len(on_disk)
    assert set(names.values()) == {1}
    assert stage.created() == len(on_disk)
    ready = Counter(hook.body["instanceId"] for hook in stage.receiver.of("instance.ready"))
    assert set(ready.values()) == {1}
    asked_in_slack = [name for name in on_disk if name.startswith("slack")]
    await stage.until(lambda: all(stage.notices(name, "instance.ready") for name in asked_in_slack))
    for name in on_disk:
        assert len(stage.notices(name, "instance.ready")) == (0 if name.startswith("rest") else 1)
