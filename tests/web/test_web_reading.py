"""GET /api/instances and GET /api/instances/{id}."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from fake_operations import FakeOperations
from samples import CONNECTION, NOW, OFFER, creating, running, starting, stopped

from bot.asking import PROGRAM
from storage.cloud import Connection, Endpoint
from storage.records import Failure, Reason, State

FULL = Connection(
    ssh="ssh -p 32787 root@proxy.example.com",
    jupyter="https://a1-8888.example.com",
    web_terminal="https://a1-web.example.com",
    endpoints=(
        Endpoint(port=8888, protocol="http", url="https://a1-8888.example.com"),
        Endpoint(port=22, protocol="tcp", url="proxy.example.com:32787"),
        Endpoint(port=6006, protocol="http", url=None),
    ),
)


async def _shown(build, instance):
    rest = await build(operations=FakeOperations(instance))
    answer = await rest.http.get(f"/api/instances/{instance.id}")
    assert answer.status_code == 200
    assert rest.operations.readers == [PROGRAM]
    return answer.json()


async def test_a_running_instance_shows_every_documented_field(build):
    ready_at = NOW + timedelta(minutes=3, microseconds=1_234)
    shown = await _shown(build, running(connection=FULL, ready_at=ready_at, requester=None))

    assert shown == {
        "id": "abcdef0123456789",
        "name": "my-train",
        "status": "running",
        "productName": "RTX 4090 24GB",
        "gpuNum": 1,
        "region": "CN-HK-01",
        "templateId": "pytorch-jupyter",
        "image": None,
        "rootfsSize": 60,
        "billingMode": "spot",
        "pricePerHour": 0.36,
        "portMappings": [
            {"port": 8888, "endpoint": "https://a1-8888.example.com", "type": "http"},
            {"port": 22, "endpoint": "proxy.example.com:32787", "type": "tcp"},
        ],
        "connectionDetails": {
            "ssh": "ssh -p 32787 root@proxy.example.com",
            "jupyter": "https://a1-8888.example.com",
            "webTerminal": "https://a1-web.example.com",
        },
        "requester": None,
        "createdAt": "2026-11-23T12:00:00.000Z",
        "readyAt": "2026-11-23T12:03:00.001Z",
        "updatedAt": "2026-11-23T12:00:00.000Z",
        "reclaimAt": None,
        "reason": None,
        "error": None,
        "novitaInstanceId": "n1",
        "novitaStatus": "running",
    }


async def test_an_instance_without_a_gpu_shows_what_was_asked_for(build):
    shown = await _shown(build, creating())

    assert (shown["status"], shown["productName"], shown["region"]) == ("creating", "4090", "CN-HK-01")
    assert shown["portMappings"] == []
    empty = ("connectionDetails", "pricePerHour", "readyAt", "novitaInstanceId", "novitaStatus")
    assert [shown[name] for name in empty] == [None] * 5
    assert shown["requester"] == "U1"


@pytest.mark.parametrize("connection", [None, Connection()])
async def test_a_running_instance_always_has_the_keys_of_its_connection(build, connection):
    shown = await _shown(build, running(connection=connection))

    assert shown["connectionDetails"] == {"ssh": None, "jupyter": None, "webTerminal": None}
    assert shown["portMappings"] == []


async def test_a_connection_is_shown_as_soon_as_it_is_known(build):
    shown = await _shown(build, starting(connection=CONNECTION))

    assert shown["connectionDetails"]["ssh"] == CONNECTION.ssh
    assert shown["portMappings"] != []


@pytest.mark.parametrize("state", [State.STOPPING, State.STOPPED, State.FAILED, State.DELETED])
async def test_the_connection_of_a_run_that_is_over_is_not_shown(build, state):
    shown = await _shown(build, stopped(state=state, connection=CONNECTION))

    assert (shown["status"], shown["connectionDetails"], shown["portMappings"]) == (state, None, [])


async def test_the_price_is_a_number_for_the_whole_instance(build):
    offer = replace(OFFER, gpu_count=3, usd_per_gpu_hour=Decimal("0.1"))

    assert (await _shown(build, running(offer=offer)))["pricePerHour"] == 0.3


async def test_a_failed_instance_says_why(build):
    failed = creating(state=State.FAILED, wish=None, error=Failure(code="UNCONFIRMED", message="Not seen."))

    shown = await _shown(build, failed)

    assert (shown["status"], shown["error"]) == ("failed", {"code": "UNCONFIRMED", "message": "Not seen."})


async def test_a_reclaimed_instance_says_so(build):
    shown = await _shown(build, stopped(reason=Reason.RECLAIMED, reclaim_at=NOW))

    assert (shown["reason"], shown["reclaimAt"]) == ("reclaimed", "2026-11-23T12:00:00.000Z")


@pytest.mark.parametrize("state", list(State))
async def test_the_status_is_one_of_the_eight_words(build, state):
    assert (await _shown(build, creating(state=state)))["status"] == state.value


async def test_an_image_takes_the_place_of_a_template(build):
    made_of = replace(creating().request, template=None, image="docker.io/library/debian")
    shown = await _shown(build, creating(request=made_of))

    assert (shown["templateId"], shown["image"]) == (None, "docker.io/library/debian")


async def test_an_instance_is_found_by_its_name(build):
    rest = await build(operations=FakeOperations(running(name="My_train-2")))

    assert (await rest.http.get("/api/instances/My_train-2")).json()["id"] == running().id


async def test_an_instance_that_is_not_there_is_404(rest):
    answer = await rest.http.get("/api/instances/nothing")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "INSTANCE_NOT_FOUND")
    assert "nothing" in answer.json()["error"]["message"]
    assert "/gpu" not in answer.text


@pytest.mark.parametrize("ref", ["a b", "a%00b", "é", "a.b", "x" * 101])
async def test_an_id_with_other_characters_is_400(rest, ref):
    answer = await rest.http.get(f"/api/instances/{ref}")

    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "id")


def _several():
    return FakeOperations(
        *(
            creating(id=f"{n:016}", name=f"n{n}", state=state, created_at=NOW + timedelta(seconds=n))
            for n, state in enumerate([State.RUNNING, State.DELETED, State.FAILED, State.RUNNING])
        )
    )


async def _names(rest, query=""):
    answer = await rest.http.get(f"/api/instances{query}")
    assert answer.status_code == 200
    return [i["name"] for i in answer.json()["instances"]], answer.json()


async def test_the_list_is_newest_first_without_deleted_ones(build):
    rest = await build(operations=_several())

    names, answer = await _names(rest)

    assert names == ["n3", "n2", "n0"]
    assert {key: answer[key] for key in ("total", "limit", "offset")} == {
        "total": 3,
        "limit": 50,
        "offset": 0,
    }
    assert rest.operations.readers == [PROGRAM]


async def test_a_listed_instance_is_shown_like_a_single_one(build):
    rest = await build(operations=FakeOperations(running()))

    listed = (await rest.http.get("/api/instances")).json()["instances"]
    assert listed == [(await rest.http.get(f"/api/instances/{running().id}")).json()]


async def test_an_empty_list_is_a_list(rest):
    answer = await rest.http.get("/api/instances")

    assert answer.json() == {"instances": [], "total": 0, "limit": 50, "offset": 0}


async def test_pages_are_cut_by_limit_and_offset(build):
    names, answer = await _names(await build(operations=_several()), "?limit=1&offset=1")

    assert names == ["n2"]
    assert (answer["total"], answer["limit"], answer["offset"]) == (3, 1, 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?status=running", ["n3", "n0"]),
        ("?status=deleted", ["n1"]),
        ("?status=failed,deleted", ["n2", "n1"]),
        ("?status=failed&status=deleted", ["n2", "n1"]),
        ("?status=stopping", []),
        ("?limit=100&offset=0", ["n3", "n2", "n0"]),
        ("?unknown=1", ["n3", "n2", "n0"]),
    ],
)
async def test_a_status_narrows_the_list(build, query, found):
    names, _answer = await _names(await build(operations=_several()), query)

    assert names == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=created", "status"),
        ("status=running,", "status"),
        ("status=", "status"),
        ("status=RUNNING", "status"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("offset=1.5", "offset"),
    ],
)
async def test_a_bad_query_is_400_and_named(rest, query, field):
    answer = await rest.http.get(f"/api/instances?{query}")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in error["details"]] == [field]
