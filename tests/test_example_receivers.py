"""The receivers that the documents offer believe what the service signs, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from receiving import PROGRAMS, ReceiverProcess, receiving

from bot.sinks.signing import Signer

SECRET = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC0yNGJ5dGVz"
BEFORE = "an older secret, plain text"


def ready(instance_id: str) -> bytes:
    details = {"ssh": f"ssh -p 1 {instance_id}@h", "jupyter": None}
    event = {
        "event": "instance.ready",
        "instanceId": instance_id,
        "instance": {"connectionDetails": details},
    }
    return json.dumps(event).encode()


BODY = ready("inst_1")


@pytest.fixture(scope="module", params=sorted(PROGRAMS))
def receiver(request: pytest.FixtureRequest) -> Iterator[ReceiverProcess]:
    environ = {"WEBHOOK_SECRET": SECRET, "WEBHOOK_SECRET_OLD": BEFORE}
    with receiving(request.param, environ) as receiver:
        yield receiver


def headers(webhook_id: str, *, secret: str = SECRET, age: float = 0, body: bytes = BODY) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=age)
    signed = Signer(secret).headers(webhook_id=webhook_id, at=at, body=body)
    return {"webhook-id": webhook_id, "webhook-timestamp": str(int(at.timestamp())), **signed}


def post(url: str, headers: dict[str, str], body: bytes = BODY) -> int:
    return httpx.post(url, headers=headers, content=body, trust_env=False, verify=False).status_code


@pytest.mark.parametrize("secret", [SECRET, BEFORE])
def test_what_was_signed_with_either_secret_is_accepted(receiver: ReceiverProcess, secret: str) -> None:
    assert post(receiver.url, headers(f"evt_either_{secret[:2]}", secret=secret)) == 200
    assert post(receiver.older_url, headers(f"evt_older_{secret[:2]}", secret=secret)) == 200


def test_an_event_that_comes_twice_is_handled_once(receiver: ReceiverProcess) -> None:
    for event, name in [("evt_twice", "twice"), ("evt_twice", "twice"), ("evt_next", "next")]:
        assert post(receiver.url, headers(event, body=ready(name)), ready(name)) == 200
    receiver.wait_for("instance.ready next ssh -p 1 next@h")
    assert receiver.lines.count("instance.ready twice ssh -p 1 twice@h") == 1


@pytest.mark.parametrize("path", ["url", "older_url"])
def test_a_changed_body_is_refused(receiver: ReceiverProcess, path: str) -> None:
    assert post(getattr(receiver, path), headers("evt_changed"), BODY.replace(b"inst_1", b"inst_2")) == 401


@pytest.mark.parametrize("path", ["url", "older_url"])
def test_another_secret_is_refused(receiver: ReceiverProcess, path: str) -> None:
    assert post(getattr(receiver, path), headers("evt_other", secret="whsec_b3RoZXI=")) == 401


@pytest.mark.parametrize("age", [301, -330, 3600])  # what comes from the future gets nearer on its way
def test_an_old_or_future_time_is_refused_though_its_signature_fits(
    receiver: ReceiverProcess, age: float
) -> None:
    assert post(receiver.url, headers("evt_old", age=age)) == 401
    assert post(receiver.url, headers("evt_fresh", age=age / 2 if age < 3600 else 0)) == 200


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_a_new_id_or_time_under_an_old_signature_is_refused(receiver: ReceiverProcess, name: str) -> None:
    given = headers("evt_moved")
    moved = {"webhook-id": "evt_new", "webhook-timestamp": str(int(given["webhook-timestamp"]) + 1)}
    assert post(receiver.url, {**given, name: moved[name]}) == 401


@pytest.mark.parametrize("path", ["url", "older_url"])
@pytest.mark.parametrize(
    "left", [{}, {"webhook-timestamp": "soon"}, {"webhook-signature": "v1,", "x-signature": "é"}]
)
def test_without_a_sound_signature_nothing_is_believed(
    receiver: ReceiverProcess, path: str, left: dict[str, str]
) -> None:
    given = {name: value.encode("latin-1") for name, value in left.items()}
    assert (
        httpx.post(
            getattr(receiver, path), headers=given, content=BODY, trust_env=False, verify=False
        ).status_code
        == 401
    )
