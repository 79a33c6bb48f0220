"""Every fault, over real HTTP."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest

from bot.sandbox.novita.faults import (
    ENDPOINTS,
    Body,
    Drop,
    Faults,
    Hang,
    InvisibleFor,
    LateEffect,
    LateStatus,
    RateLimited,
    Slow,
    Status,
)
from bot.sandbox.novita.routes import ROUTES

CUT_OFF = (httpx.RemoteProtocolError, httpx.ReadError)


@pytest.fixture
def faults(server):
    return server.faults


@pytest.fixture
def create(client, body):
    async def post(**more):
        return await client.post("/gpu/instance/create", json={**body, **more})

    return post


async def _ids(client):
    return [each["id"] for each in (await client.get("/gpu/instances")).json()["instances"]]


async def test_a_status_comes_instead_of_the_work(faults, create, cloud):
    faults.add("create", Status(500))
    response = await create()
    assert (response.status_code, response.json()) == (
        500,
        {"code": 500, "reason": "UNKNOWN", "message": "unknown", "metadata": {}},
    )
    assert cloud.instances() == []
    assert (await create()).status_code == 200


@pytest.mark.parametrize("code", [502, 504])
async def test_a_gateway_answers_with_a_page(faults, create, code):
    faults.add("create", Status(code))
    response = await create()
    assert response.status_code == code
    assert response.headers["Content-Type"].startswith("text/html")


async def test_a_status_may_have_any_body_and_headers(faults, create):
    faults.add("create", Status(400, {"message": "only this"}, (("X-Trace", "7"),)))
    faults.add("create", Status(400, "plain words"))
    first, second = await create(), await create()
    assert (first.json(), first.headers["X-Trace"]) == ({"message": "only this"}, "7")
    assert (second.text, second.headers["Content-Type"]) == ("plain words", "text/plain; charset=utf-8")


async def test_a_late_status_does_the_work_and_hides_it(faults, create, cloud):
    faults.add("create", LateStatus())
    assert (await create()).status_code == 504
    assert len(cloud.instances()) == 1


async def test_a_start_may_be_called_invalid_and_take_effect(faults, client, cloud, clock, create):
    instance_id = (await create()).json()["id"]
    clock.go(30)
    cloud.stop(instance_id)
    clock.go(5)
    faults.add("start", LateStatus(400, {"code": 400, "message": "invalid state change"}))
    response = await client.post("/gpu/instance/start", json={"instanceId": instance_id})
    assert (response.status_code, response.json()["message"]) == (400, "invalid state change")
    assert cloud.status(instance_id) == "toStart"


async def test_late_work_that_is_refused_is_not_done_and_not_told(faults, create, cloud):
    faults.add("create", LateStatus())
    assert (await create(productId="none")).status_code == 504
    assert cloud.instances() == []


@pytest.mark.parametrize(("retry_after", "header"), [(None, None), (7, "7"), (0.5, "0.5")])
async def test_a_rate_limit_is_novitas_own(faults, create, retry_after, header):
    faults.add("create", RateLimited(retry_after))
    response = await create()
    assert response.status_code == 429
    assert response.json()["reason"] == "RATE_LIMIT_EXCEEDED"
    assert response.headers.get("Retry-After") == header


@pytest.mark.parametrize(
    ("text", "content_type"),
    [
        ("<html>busy</html>", "text/html"),
        ('{"instances": [{"id"', "application/json"),
        ('{"instances":[],"total":0}', "application/json"),
        ("", "application/json"),
    ],
)
async def test_a_body_is_answered_as_it_is(faults, client, cloud, text, content_type):
    cloud.create_in_console()
    faults.add("list", Body(text, content_type))
    response = await client.get("/gpu/instances")
    assert (response.status_code, response.text) == (200, text)
    assert response.headers["Content-Type"].startswith(content_type)


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_body_may_hide_that_the_work_was_done(faults, create, cloud, after_effect):
    faults.add("create", Body("{}", status=201, after_effect=after_effect))
    assert (await create()).status_code == 201
    assert len(cloud.instances()) == after_effect


async def test_slow_is_late_but_whole(faults, create, cloud):
    faults.add("create", Slow(0.05))
    response = await create()
    assert response.json()["id"] == cloud.instances()[0].id
    assert response.elapsed >= timedelta(seconds=0.05)


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_hang_says_nothing_until_the_server_closes(faults, server, create, cloud, after_effect):
    faults.add("create", Hang(after_effect=after_effect))
    hanging = asyncio.create_task(create())
    (call,) = await server.journal.wait_for("create")
    assert not call.is_over
    async with asyncio.timeout(0.9):
        await server.close()
    with pytest.raises(CUT_OFF):
        await hanging
    assert len(cloud.instances()) == after_effect
    assert (call.is_over, call.status) == (True, None)


async def test_a_hang_may_end_with_a_closed_connection(faults, create):
    faults.add("create", Hang(0.05))
    with pytest.raises(CUT_OFF):
        await create()


async def test_a_client_that_gives_up_on_a_hang_disturbs_nobody(faults, server, client, body):
    faults.add("create", Hang())
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/gpu/instance/create", json=body, timeout=0.05)
    assert await _ids(client) == []
    async with asyncio.timeout(0.9):
        await server.close()


async def test_slow_work_is_not_done_once_the_server_closes(faults, server, create, cloud):
    faults.add("create", Slow(60))
    slow = asyncio.create_task(create())
    await server.journal.wait_for("create")
    await server.close()
    with pytest.raises(CUT_OFF):
        await slow
    assert cloud.instances() == []


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_drop_closes_before_or_after_the_work(faults, server, create, cloud, after_effect):
    faults.add("create", Drop(after_effect=after_effect))
    with pytest.raises(CUT_OFF):
        await create()
    assert len(cloud.instances()) == after_effect
    assert server.journal.calls("create")[0].status is None


@pytest.mark.parametrize("code", [504, None])
async def test_a_late_effect_shows_up_after_its_delay(faults, client, create, cloud, clock, code):
    faults.add("create", LateEffect(timedelta(seconds=90), code))
    if code is None:
        with pytest.raises(CUT_OFF):
            await create()
    else:
        assert (await create()).status_code == code
    clock.go(89)
    assert cloud.instances() == await _ids(client) == []
    clock.go(1)
    assert len(await _ids(client)) == 1


async def test_what_is_invisible_is_acknowledged_and_shows_up_later(faults, client, create, cloud, clock):
    faults.add("create", InvisibleFor(timedelta(seconds=10)))
    instance_id = (await create()).json()["id"]
    got = await client.get("/gpu/instance", params={"instanceId": instance_id})
    assert got.status_code == 404
    assert await _ids(client) == []
    assert [each.id for each in cloud.instances()] == [instance_id]
    clock.go(10)
    assert await _ids(client) == [instance_id]


async def test_an_invisible_create_can_still_be_refused(faults, create):
    faults.add("create", InvisibleFor(timedelta(seconds=10)))
    assert (await create(productId="none")).json()["reason"] == "RESOURCE_NOT_FOUND"


async def test_a_bad_key_sets_off_no_fault(faults, client, cloud, body):
    rule = faults.add("create", Drop(after_effect=True))
    response = await client.post("/gpu/instance/create", json=body, headers={"Authorization": ""})
    assert response.status_code == 401
    assert (rule.fired, cloud.instances()) == (0, [])


async def test_down_resets_every_connection_and_up_ends_it(faults, client, create, cloud):
    faults.down()
    for attempt in (create(), client.get("/products")):
        with pytest.raises(CUT_OFF):
            await attempt
    faults.up()
    assert cloud.instances() == []
    assert (await create()).status_code == 200


async def test_down_may_speak(faults, client):
    faults.down(503)
    response = await client.get("/gpu/instances", headers={"Authorization": "wrong"})
    assert (response.status_code, response.json()["reason"]) == (503, "SERVICE_NOT_AVAILABLE")
    faults.clear()
    assert (await client.get("/gpu/instances")).status_code == 200


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.endpoint)
async def test_every_endpoint_takes_a_fault_by_its_name(faults, client, route):
    faults.add(route.endpoint, Status(418))
    other = "clusters" if route.endpoint != "clusters" else "auths"
    faults.add(other, Status(500), skip=1)
    response = await client.request(route.method, route.path, json={} if route.method == "POST" else None)
    assert response.status_code == 418


def test_the_names_are_those_of_the_routes():
    assert {route.endpoint for route in ROUTES} == ENDPOINTS


def test_times_and_skip_count_the_endpoints_own_calls():
    faults = Faults()
    faults.add("get", Status(500), times=2, skip=1)
    for_ever = faults.add("*", Status(503), times=None, skip=4)
    seen = [faults.take(endpoint) for endpoint in ("get", "list", "get", "get", "get", "list")]
    assert seen == [None, None, Status(500), Status(500), Status(503), Status(503)]
    assert (for_ever.seen, for_ever.fired) == (6, 2)


def test_of_two_rules_for_one_call_the_first_fires_and_the_second_keeps_its_turn():
    faults = Faults()
    faults.add("get", Status(500))
    faults.add("get", Status(501), skip=1)
    faults.add("get", Status(502))
    assert [faults.take("get") for _ in range(4)] == [Status(500), Status(501), Status(502), None]


def test_a_rule_can_be_taken_back():
    faults = Faults()
    rule = faults.add("get", Status(500), times=None)
    faults.remove(rule)
    assert faults.take("get") is None


def test_a_fault_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="no endpoint"):
        Faults().add("gets", Status(500))
    with pytest.raises(ValueError, match="only a create"):
        Faults().add("*", InvisibleFor(timedelta(seconds=1)))
