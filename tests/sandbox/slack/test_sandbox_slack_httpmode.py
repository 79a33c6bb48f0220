from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
import uvicorn
from aiohttp import web
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import Clock as SdkClock
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.routing import Route

from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

Answer = Callable[[], web.Response]


class Received:
    def __init__(self, request: web.Request, body: str) -> None:
        self.headers, self.body = dict(request.headers), body


class Receiver:
    """An app without any SDK; checks signatures with Slack's own verifier."""

    def __init__(self, server: SlackServer) -> None:
        self.requests: list[Received] = []
        self.answer: Answer = web.Response
        self.pause = asyncio.Event()
        self.pause.set()
        clock = SdkClock()
        clock.now = lambda: server.workspace.clock().timestamp()
        self._verifier = SignatureVerifier(server.signing_secret, clock)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.requests.append(Received(request, body))
        await self.pause.wait()
        if not self._verifier.is_valid_request(body, dict(request.headers)):
            return web.json_response({"error": "invalid request"}, status=401)
        return self.answer()


@pytest.fixture
async def receiver(server: SlackServer) -> AsyncIterator[Receiver]:
    receiver = Receiver(server)
    app = web.Application()
    app.router.add_post("/slack/events", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.events_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield receiver
    await runner.cleanup()


async def test_a_command_is_posted_as_a_signed_form(server: SlackServer, receiver: Receiver) -> None:
    receiver.answer = lambda: web.json_response({"text": "pong", "response_type": "ephemeral"})
    reply = await server.person("U0ADA").command("/gpu a&b", channel="C0GPU")
    assert (reply.error, reply.text) == (None, "pong")
    (request,) = receiver.requests
    fields = parse_qs(request.body)
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert fields["text"] == ["a&amp;b"]
    assert fields["is_enterprise_install"] == ["false"]
    assert server.acks[0].status_code == 200


async def test_an_interaction_is_posted_as_a_payload_and_an_event_as_json(
    server: SlackServer, receiver: Receiver
) -> None:
    assert (await server.person("U0ADA").shortcut("gpu_create")).ok
    assert (await server.person("U0ADA").home()).ok
    interaction, event = receiver.requests
    assert json.loads(parse_qs(interaction.body)["payload"][0])["callback_id"] == "gpu_create"
    assert json.loads(event.body)["event"]["type"] == "app_home_opened"
    assert event.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda: web.Response(text="plain"), "plain"),
        (lambda: web.Response(text=" "), ""),
        (lambda: web.Response(text="{", content_type="application/json"), "{"),
        (lambda: web.Response(text="[]", content_type="application/json"), "[]"),
        (lambda: web.Response(content_type="application/json"), ""),
    ],
)
async def test_the_body_of_an_answer_is_its_text(
    server: SlackServer, receiver: Receiver, answer: Answer, text: str
) -> None:
    receiver.answer = answer
    reply = await server.person("U0ADA").command("/gpu", channel="C0GPU")
    assert (reply.error, reply.text) == (None, text)


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_anything_but_a_success_fails_the_dispatch(
    server: SlackServer, receiver: Receiver, status: int
) -> None:
    receiver.answer = lambda: web.Response(status=status, headers={"Location": "/"})
    reply = await server.person("U0ADA").command("/gpu", channel="C0GPU")
    assert reply.error == "dispatch_failed"
    assert reply.ack is not None
    assert reply.ack.status_code == status
    assert server.acks == []


async def test_no_answer_in_time_is_a_timeout(server: SlackServer, receiver: Receiver) -> None:
    receiver.pause.clear()
    server.http.ack_timeout = timedelta(seconds=0.05)
    reply = await server.person("U0ADA").command("/gpu", channel="C0GPU")
    assert reply.error == "operation_timeout"
    receiver.pause.set()


async def test_nobody_at_the_address_fails_the_dispatch(server: SlackServer) -> None:
    server.events_url = "http://127.0.0.1:1/slack/events"
    assert (await server.person("U0ADA").command("/gpu", channel="C0GPU")).error == "dispatch_failed"
    server.events_url = None
    assert await server.http.check_ssl() is None


@pytest.mark.parametrize(("age", "forges"), [(301, False), (0, True), (-301, False)])
async def test_a_stale_or_forged_request_is_refused_by_slacks_own_verifier(
    server: SlackServer, receiver: Receiver, age: int, *, forges: bool
) -> None:
    server.http.age, server.http.forges = timedelta(seconds=age), forges
    reply = await server.person("U0ADA").command("/gpu", channel="C0GPU")
    assert reply.ack is not None
    assert reply.ack.status_code == 401


async def test_a_repeat_says_which_and_why(server: SlackServer, receiver: Receiver) -> None:
    reply = await server.person("U0ADA").command("/gpu", channel="C0GPU")
    await server.redeliver(reply.envelope_id, attempt=2)
    first, second = receiver.requests
    assert first.body == second.body
    assert "X-Slack-Retry-Num" not in first.headers
    assert second.headers["X-Slack-Retry-Num"] == "2"
    assert second.headers["X-Slack-Retry-Reason"] == "http_timeout"


async def test_an_event_is_sent_again_until_the_app_wants_no_more(
    server: SlackServer, receiver: Receiver
) -> None:
    server.event_retries = (timedelta(0),) * 3
    receiver.answer = lambda: web.Response(status=500)
    assert (await server.person("U0ADA").home()).error == "dispatch_failed"
    assert len(receiver.requests) == 4
    receiver.answer = lambda: web.Response(status=500, headers={"X-Slack-No-Retry": "1"})
    await server.person("U0ADA").home()
    assert len(receiver.requests) == 5


@pytest.fixture
async def bolt_over_http() -> AsyncIterator[SlackServer]:
    """Bolt behind Starlette and uvicorn, on the real clock: Bolt's verifier has no other."""
    workspace = Workspace(clock=lambda: datetime.now(UTC))
    async with SlackServer(workspace) as server:
        client = AsyncWebClient(server.bot_token, base_url=server.api_url)
        bolt = AsyncApp(client=client, signing_secret=server.signing_secret)

        @bolt.command("/gpu")
        async def command(ack: Any, command: Any, client: Any) -> None:
            await ack(f"got {command['text']}")
            await client.chat_postMessage(channel=command["channel_id"], text="a card")

        handler = AsyncSlackRequestHandler(bolt)
        app = Starlette(routes=[Route("/slack/events", handler.handle, methods=["POST"])])
        web_server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        # Listening already: a request that comes before uvicorn is ready waits.
        listening = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(web_server.serve(sockets=[listening]))
        server.events_url = f"http://127.0.0.1:{listening.getsockname()[1]}/slack/events"
        yield server
        web_server.should_exit = True
        await serving


async def test_bolt_answers_over_http(bolt_over_http: SlackServer) -> None:
    server = bolt_over_http
    ada = server.person("U0ADA")
    reply = await ada.command("/gpu list", channel="C0GPU")
    assert (reply.error, reply.text) == (None, "got list")
    await server.wait_for(lambda: server.person("U0BEN").sees("C0GPU"))
    assert await server.http.verify_url("a-challenge")
    assert await server.http.check_ssl() == 200
    server.http.forges = True
    assert not await server.http.verify_url("a-challenge")
    reply = await ada.command("/gpu list", channel="C0GPU")
    assert reply.ack is not None
    assert reply.ack.status_code == 401
    server.http.forges = False
    reply = await ada.command("/unheard-of", channel="C0GPU")
    assert reply.ack is not None
    assert reply.ack.status_code == 404
    assert server.violations == []
