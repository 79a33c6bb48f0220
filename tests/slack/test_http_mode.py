"""HTTP mode faces the network: what Slack has not signed goes no further."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from measured import tally
from samples import seconds
from slack_office import CREATE, GPU, Office, office
from structlog.testing import capture_logs

from bot.sandbox.slack.httpmode import signature


@pytest.fixture
async def o(tmp_path: Path) -> AsyncIterator[Office]:
    """Over HTTP."""
    async with office(tmp_path, "http") as made:
        yield made


async def post(o: Office, body: bytes | str, **headers: str | bytes) -> httpx.Response:
    content = body.encode() if isinstance(body, str) else body
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:  # reading certificates takes long
        return await http.post(o.slack.events_url, content=content, headers=sent)


def signed(o: Office, body: str, **headers: str) -> dict[str, str]:
    timestamp = str(int(o.scene.clock().timestamp()))
    return {
        "x_slack_request_timestamp": timestamp,
        "x_slack_signature": signature(o.slack.signing_secret, timestamp, body),
        **headers,
    }


def command(o: Office, line: str = CREATE) -> str:
    place = o.slack.workspace.channels[GPU]
    verb, _, text = line.partition(" ")
    return urlencode(o.slack.payloads.command("U0ADA", place, verb, text).payload)


async def test_a_wrong_signature_is_refused_and_nothing_is_done(o: Office):
    o.slack.http.forges = True
    reply = await o.ada.command(CREATE, channel=GPU)
    assert (reply.error, reply.ack.status_code) == ("dispatch_failed", 401)
    assert await o.instances() == []


@pytest.mark.parametrize(("age", "status_code"), [(299, 200), (301, 401), (-299, 200), (-301, 401)])
async def test_an_old_request_is_not_taken_again(o: Office, age: int, status_code: int):
    o.slack.http.age = seconds(age)
    reply = await o.ada.command("/gpu", channel=GPU)
    assert reply.ack.status_code == status_code


UNSIGNED: list[dict[str, str | bytes]] = [
    {},
    {"x_slack_signature": "v0=abc"},
    {"x_slack_signature": "v0="},
    {"x_slack_signature": "v0=ä".encode()},
    {"x_slack_signature": "v0=abc", "x_slack_request_timestamp": "abc"},
    {"x_slack_signature": "v0=abc", "x_slack_request_timestamp": "9" * 500},
    {"x_slack_signature": "", "x_slack_request_timestamp": ""},
]


BODIES = ["{", "[1]", "payload=x", "payload=%5B1%5D", "", "\x00"]


async def test_what_nobody_signed_is_refused_without_a_line_in_the_log(o: Office):
    now = {"x_slack_request_timestamp": str(int(o.scene.clock().timestamp()))}
    sent = [(body, headers) for body in (command(o), *BODIES) for headers in UNSIGNED]
    with capture_logs() as logs:
        for body, headers in sent:
            kind = "application/json" if body.startswith("[") else "application/x-www-form-urlencoded"
            answer = await post(o, body, content_type=kind, **{**now, **headers})
            assert (answer.status_code, answer.json()) == (401, {"error": "invalid request"})
    told = [line for line in logs if line["log_level"] != "debug"]
    assert (told, await o.instances()) == ([], [])


async def test_bytes_that_are_no_text_are_refused(o: Office):
    assert (await post(o, b"\xff\xfe", **signed(o, ""))).status_code in (400, 401)


async def test_a_signature_is_for_one_body(o: Office):
    body = command(o, "/gpu list")
    answer = await post(o, command(o), **signed(o, body))
    assert answer.status_code == 401


async def test_the_certificate_is_shown_to_whoever_asks(o: Office):
    assert await o.slack.http.check_ssl() == 200
    assert (await post(o, "ssl_check=1&token=x")).status_code == 200
    assert (await post(o, "ssl_check=2")).status_code == 401
    # Nothing else is done for it.
    body = f"{command(o)}&ssl_check=1"
    assert (await post(o, body, content_type="application/x-www-form-urlencoded")).text == ""
    assert await o.instances() == []


async def test_slack_finds_the_address_that_was_entered(o: Office):
    assert await o.slack.http.verify_url("a-challenge")
    o.slack.http.forges = True
    assert not await o.slack.http.verify_url("a-challenge")


async def test_a_signed_command_is_answered_as_json(o: Office):
    body = command(o)
    answer = await post(o, body, content_type="application/x-www-form-urlencoded", **signed(o, body))
    assert answer.headers["content-type"].startswith("application/json")
    assert "Creating *my-train*" in json.loads(answer.text)["text"]


async def test_the_time_to_an_acknowledgement_is_measured_of_what_slack_sent(o: Office):
    assert (await o.ada.command("/gpu", channel=GPU)).ok
    o.slack.http.forges = True
    await o.ada.command("/gpu", channel=GPU)
    assert tally(o.scene.metrics, "slack_ack_duration_seconds") == {("http",): 1}
    assert o.side.connections() is None
