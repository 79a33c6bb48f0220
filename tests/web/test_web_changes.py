"""Start, stop, restart and delete over REST; passwords for those who ask with a key."""

from __future__ import annotations

import pytest
from fake_operations import FakeOperations
from pydantic import SecretStr
from samples import running, stopped

from bot.errors import KeyReused, NovitaUnavailable
from storage.records import State

VERBS = [("POST", "/start"), ("POST", "/stop"), ("POST", "/restart"), ("DELETE", "")]


@pytest.mark.parametrize(
    ("method", "verb", "status"),
    [("POST", "/stop", "stopping"), ("POST", "/restart", "starting"), ("DELETE", "", "deleting")],
)
@pytest.mark.parametrize("ref", ["my-train", "abcdef0123456789"])
async def test_a_change_is_answered_when_its_wish_is_recorded(build, method, verb, status, ref):
    rest = await build(operations=FakeOperations(running(novita_id="nov-1")))

    answer = await rest.http.request(method, f"/api/instances/{ref}{verb}")

    assert answer.status_code == 202
    assert answer.json() == {
        "instanceId": "abcdef0123456789",
        "novitaInstanceId": "nov-1",
        "name": "my-train",
        "status": status,
        "message": f"Instance is {status}",
    }


@pytest.mark.parametrize(
    ("i", "verb", "status"),
    [(running(), "start", "running"), (stopped(), "stop", "stopped"), (stopped(), "start", "starting")],
)
async def test_what_is_so_already_is_no_error(build, i, verb, status):
    rest = await build(operations=FakeOperations(i))

    answer = await rest.http.post(f"/api/instances/my-train/{verb}")

    assert (answer.status_code, answer.json()["status"]) == (202, status)


@pytest.mark.parametrize(
    ("state", "verb"),
    [(State.CREATING, "stop"), (State.STOPPED, "restart"), (State.FAILED, "start"), (State.DELETED, "start")],
)
async def test_what_the_state_forbids_is_409(build, state, verb):
    rest = await build(operations=FakeOperations(running(state=state)))

    answer = await rest.http.post(f"/api/instances/my-train/{verb}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "INVALID_STATE")
    assert state.value in answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "verb"), VERBS)
async def test_what_is_not_there_is_404_and_a_wrong_name_400(rest, method, verb):
    absent = await rest.http.request(method, f"/api/instances/nothing{verb}")
    wrong = await rest.http.request(method, f"/api/instances/a%20b{verb}")

    assert (absent.status_code, absent.json()["error"]["code"]) == (404, "INSTANCE_NOT_FOUND")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_a_key_is_for_one_verb_of_one_instance(build):
    rest = await build(operations=FakeOperations(running(), running(id="b", name="other")))
    key = {"Idempotency-Key": "k", "X-Correlation-ID": "build-17"}

    for path in ("my-train/stop", "my-train/stop", "other/stop"):
        await rest.http.post(f"/api/instances/{path}", headers=key)

    first, again, other = rest.operations.origins
    assert (first.key, first.correlation_id) == ("rest:k", "build-17")
    assert first == again
    assert first.fingerprint != other.fingerprint


async def test_a_key_that_came_with_another_request_is_422(rest):
    rest.operations.failure = KeyReused()

    answer = await rest.http.post("/api/instances/my-train/stop")

    assert answer.status_code == 422


# passwords


async def test_a_password_is_shown_to_a_key_that_asks_for_it_and_to_nobody_else(build):
    rest = await build(operations=FakeOperations(running()), api_keys=(SecretStr("a-key"),))
    key = {"X-API-Key": "a-key"}

    shown = await rest.http.get("/api/instances/my-train?include=password", headers=key)
    hidden = await rest.http.get("/api/instances/my-train", headers=key)

    connection = shown.json()["connectionDetails"]
    assert (connection["password"], connection["jupyterUrl"]) == (
        "ssh-pa55",
        "https://j.example/?token=t0ken",
    )
    assert connection["ssh"] == hidden.json()["connectionDetails"]["ssh"]
    assert "pa55" not in hidden.text
    assert "t0ken" not in hidden.text


@pytest.mark.parametrize("keys", [(), "none"])
async def test_without_keys_there_are_no_passwords(build, keys):
    rest = await build(operations=FakeOperations(running()), api_keys=keys)

    answer = await rest.http.get("/api/instances/my-train?include=password")

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert "API_KEYS" in answer.json()["error"]["message"]


async def test_before_it_runs_there_is_no_password_and_no_error(build):
    rest = await build(operations=FakeOperations(stopped()), api_keys=(SecretStr("a-key"),))

    answer = await rest.http.get(
        "/api/instances/my-train?include=password", headers={"Authorization": "Bearer a-key"}
    )

    assert (answer.status_code, answer.json()["connectionDetails"]["password"]) == (200, None)


async def test_while_novita_is_down_a_password_is_503(build):
    rest = await build(operations=FakeOperations(running()), api_keys=(SecretStr("a-key"),))
    rest.operations.failure = NovitaUnavailable("Novita does not answer.")

    answer = await rest.http.get("/api/instances/a?include=password", headers={"X-API-Key": "a-key"})

    assert (answer.status_code, answer.json()["error"]["retryable"]) == (503, True)


@pytest.mark.parametrize("asked", ["include=all", "include="])
async def test_nothing_else_can_be_included(rest, asked):
    assert (await rest.http.get(f"/api/instances/my-train?{asked}")).status_code == 400
