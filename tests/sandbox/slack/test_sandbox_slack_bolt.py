"""Slack's own SDK, unmodified, against the simulation: AsyncApp, its Socket Mode handler, the web client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

from bot.sandbox.slack.server import SlackServer

Run = Callable[..., Awaitable[AsyncSocketModeHandler]]


def button(text: str, action_id: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": text}}


FORM = {
    "type": "modal",
    "callback_id": "launch",
    "title": {"type": "plain_text", "text": "Launch"},
    "submit": {"type": "plain_text", "text": "Go"},
    "blocks": [
        {
            "type": "input",
            "block_id": "name",
            "label": {"type": "plain_text", "text": "Name"},
            "element": {"type": "plain_text_input", "action_id": "value"},
        }
    ],
}


@pytest.fixture
def gpu(bolt: AsyncApp) -> AsyncApp:
    """A small app that does a bit of everything."""

    @bolt.command("/gpu")
    async def command(ack: Any, command: Any, respond: Any, client: Any) -> None:
        await ack(f"creating {command['text']}")
        buttons = {"type": "actions", "elements": [button("Stop", "stop"), button("Form", "form")]}
        await client.chat_postMessage(channel=command["channel_id"], text="a card", blocks=[buttons])
        await respond("and more", response_type="ephemeral")

    @bolt.action("stop")
    async def stop(ack: Any, body: Any, client: Any) -> None:
        await ack()
        message = body["message"]
        await client.chat_update(channel=body["channel"]["id"], ts=message["ts"], text="stopped")
        thread = {"channel": body["channel"]["id"], "thread_ts": message["ts"]}
        await client.chat_postMessage(text=f"<@{body['user']['id']}> stopped it", **thread)
        await client.chat_postMessage(channel=body["user"]["id"], text="you stopped it")

    @bolt.action("form")
    async def form(ack: Any, body: Any, client: Any) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @bolt.view("launch")
    async def launch(ack: Any, view: Any) -> None:
        name = view["state"]["values"]["name"]["value"]["value"]
        if name == "taken":
            await ack(response_action="errors", errors={"name": "taken"})
        else:
            await ack()

    @bolt.event("app_home_opened")
    async def home(event: Any, client: Any) -> None:
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "your GPUs"}}]
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    return bolt


async def test_a_command_and_its_buttons_work_through_bolt(
    server: SlackServer, gpu: AsyncApp, bolt_running: Run
) -> None:
    await bolt_running()
    ada, ben = server.person("U0ADA"), server.person("U0BEN")
    reply = await ada.command("/gpu create 4090", channel="C0GPU")
    assert (reply.error, reply.text) == (None, "creating create 4090")
    await server.wait_for(lambda: any(message.text == "and more" for message in ada.sees("C0GPU")))
    (card,) = ben.sees("C0GPU")
    assert (await ben.press(card, "Stop")).ok
    await server.wait_for(ben.dms)
    assert [message.text for message in ben.sees("C0GPU")] == ["stopped", "<@U0BEN> stopped it"]
    assert [message.text for message in ben.dms()] == ["you stopped it"]
    assert server.violations == []


async def test_a_form_opens_complains_and_closes_through_bolt(
    server: SlackServer, gpu: AsyncApp, bolt_running: Run
) -> None:
    await bolt_running()
    ada = server.person("U0ADA")
    await ada.command("/gpu", channel="C0GPU")
    card = (await server.wait_for(lambda: server.person("U0BEN").sees("C0GPU")))[0]
    await ada.press(card, "Form")
    await server.wait_for(lambda: ada.view)
    assert (await ada.submit(values={"name": "taken"})).errors == {"name": "taken"}
    reply = await ada.submit(values={"name": "free"})
    assert (reply.ok, reply.errors, ada.view) == (True, {}, None)
    assert server.violations == []


async def test_the_home_tab_is_published_through_bolt(
    server: SlackServer, gpu: AsyncApp, bolt_running: Run
) -> None:
    await bolt_running()
    ada = server.person("U0ADA")
    assert (await ada.home()).ok
    view = await server.wait_for(lambda: ada.home_view)
    assert view.words == "your GPUs"
    assert server.journal.count("views.publish") == 1


async def test_two_handlers_share_the_payloads_and_one_survives_a_refresh(
    server: SlackServer, gpu: AsyncApp, bolt_running: Run
) -> None:
    await bolt_running()
    await bolt_running()
    before = server.journal.count("apps.connections.open")
    await server.socket.disconnect("refresh_requested", most=1)
    for _ in range(4):
        assert (await server.person("U0ADA").command("/gpu", channel="C0GPU")).ok
    await server.wait_for(lambda: server.journal.count("apps.connections.open") == before + 1)
    await server.wait_connected(2)


async def test_bolt_comes_back_after_a_dropped_connection(
    server: SlackServer, gpu: AsyncApp, bolt_running: Run
) -> None:
    await bolt_running(ping_interval=0.1)
    server.drop_connections()
    await server.wait_for(lambda: not server.connections)
    await server.wait_connected()
    assert (await server.person("U0ADA").command("/gpu", channel="C0GPU")).ok


async def test_bolt_stays_deaf_after_a_dead_ticket_until_its_address_is_forgotten(
    server: SlackServer, gpu: AsyncApp, bolt_running: Run
) -> None:
    handler = await bolt_running(ping_interval=0.1)
    asked = server.journal.count("apps.connections.open")
    server.socket.kill_next_ticket()
    server.drop_connections()
    await server.wait_for(lambda: server.journal.count("apps.connections.open") == asked + 1)
    with pytest.raises(TimeoutError):
        await server.wait_connected(timeout=0.5)
    handler.client.wss_uri = None
    await server.wait_connected()


async def test_bolt_acts_on_a_repeated_command_again(
    server: SlackServer, gpu: AsyncApp, bolt_running: Run
) -> None:
    await bolt_running()
    reply = await server.person("U0ADA").command("/gpu", channel="C0GPU")
    assert (await server.redeliver(reply.envelope_id)).error is None
    await server.wait_for(lambda: server.journal.count("chat.postMessage") == 2)


async def test_a_listener_that_does_not_ack_times_out(
    server: SlackServer, bolt: AsyncApp, bolt_running: Run
) -> None:
    release = asyncio.Event()

    @bolt.command("/slow")
    async def slow(ack: Any) -> None:
        await release.wait()
        await ack()

    server.socket.ack_timeout = timedelta(seconds=0.1)
    await bolt_running()
    reply = await server.person("U0ADA").command("/slow", channel="C0GPU")
    assert reply.error == "operation_timeout"
    release.set()
    await server.wait_for(lambda: [ack for ack in server.acks if ack.is_late])
