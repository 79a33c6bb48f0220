"""The bot's Slack side, assembled as in the service, against the simulated Slack; Novita is from memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from fakes import FakeNovita
from manifest import installed_app
from samples import running
from scene import Scene, scene

from bot.redelivery import Redelivery
from bot.sandbox.slack.delivery import Ack, Delivery
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import User, cast_of_users
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.replies import Reply
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import Workspace
from bot.slack.assembly import Access, SlackSide
from bot.web.api import build_api
from bot.web.health import Health
from bot.web.security import Inbound
from bot.web.server import WebServer
from storage.cloud import Details, Phase, Secrets
from storage.records import EventKind, Instance, NewEvent

Transport = Literal["socket", "http"]

GPU = "C0GPU"
"""A channel with the bot in it."""
CREATE = "/gpu create 4090 my-train --template pytorch-jupyter"
SOLD = {"text": {"type": "plain_text", "text": "RTX 4090 24GB"}, "value": "RTX 4090 24GB"}
"""As chosen in the form, which searches for GPUs."""
PASSWORD = "hunter2-is-the-password"
ADMIN = User(id="UADMIN", name="root", real_name="Root Admin")


@dataclass(kw_only=True)
class Office:
    scene: Scene
    slack: SlackServer
    side: SlackSide

    @property
    def ada(self) -> Person:
        return self.slack.person("U0ADA")

    @property
    def ben(self) -> Person:
        return self.slack.person("U0BEN")

    async def types(self, line: str, *, by: str = "U0ADA", channel: str = GPU) -> str:
        """What the person is told in the end, in the ack or after it."""
        return (await self.told(self.slack.person(by).command(line, channel=channel), by, channel)).words

    async def presses(self, where: Message, button: str, *, by: str = "U0ADA") -> str:
        return (await self.told(self.slack.person(by).press(where, button), by, where.channel)).words

    async def told(self, deed: Awaitable[Reply], by: str = "U0ADA", channel: str = GPU) -> Message:
        before = len(self.whispers(by, channel))
        reply = await deed
        assert reply.ok, reply.error
        await self.slack.wait_for(lambda: len(self.whispers(by, channel)) > before)
        return self.whispers(by, channel)[-1]

    def whispers(self, by: str = "U0ADA", channel: str = GPU) -> list[Message]:
        return [message for message in self.slack.person(by).sees(channel) if message.is_ephemeral]

    async def form(self, line: str = "/gpu create", *, by: str = "U0ADA") -> View:
        person = self.slack.person(by)
        assert (await person.command(line, channel=GPU)).ok
        return await self.slack.wait_for(lambda: person.view)

    async def priced(self, line: str = "/gpu create") -> View:
        """The form with a GPU chosen, whose price it shows."""
        view = await self.form(line)
        await self.ada.choose(view, "gpu", SOLD)
        await self.slack.wait_for(lambda: self.ada.view is not None and "About" in self.ada.view.words)
        assert self.ada.view is not None
        return self.ada.view

    async def orders(self, view: View, values: dict[str, Any] | None = None) -> Reply:
        """Presses Launch, and once more where the price had not been shown yet."""
        reply = await self.ada.submit(view, values)
        if reply.view is not None and "Press Launch again" in reply.view.words:
            reply = await self.ada.submit()
        return reply

    async def sends(self, delivery: Delivery, **changes: Any) -> Ack:
        """`delivery` with a payload that is not as it should be; None takes a part away."""
        changed = {**delivery.payload, **changes}
        payload = {name: value for name, value in changed.items() if value is not None}
        return await self.slack.deliver(replace(delivery, payload=payload))

    async def instances(self) -> list[Instance]:
        found, _total = await self.scene.store.instances.list_instances(
            requester=None, states=None, limit=100, offset=0
        )
        return list(found)

    async def instance(self) -> Instance:
        (only,) = await self.instances()
        return only

    async def running(self) -> Instance:
        """One of Ada's that can be used, at Novita and in the store, however it came there."""
        now = self.scene.clock()
        self.scene.novita.appear("n1", "gb-by-hand", Phase.RUNNING)
        return await self.scene.store.instances.add(
            running(requester="U0ADA", channel=GPU),
            key=None,
            event=NewEvent(kind=EventKind.READY, at=now, actor=None, verb=None),
            card=None,
            unique_name=False,
        )

    async def card(self, i: Instance, *, thread_ts: str | None = None) -> Message:
        """A message in the channel with all the buttons that an instance can have."""
        actions = ["status", "connect", "start", "stop", "restart", "delete", "create", "polish"]
        elements = [
            {
                "type": "button",
                "action_id": f"gpu:{what}",
                "value": i.id,
                "text": {"type": "plain_text", "text": what},
            }
            for what in actions
        ]
        answer = await self.side.client.chat_postMessage(
            channel=GPU,
            text=i.name,
            blocks=[{"type": "actions", "elements": elements}],
            thread_ts=thread_ts,
        )
        return self.slack.workspace.board.get(GPU, answer["ts"])

    def raw(self) -> str:
        """Everything that anybody was ever shown or asked to show, as it was sent."""
        sent = [call.arguments for call in self.slack.journal.calls()]
        return json.dumps([sent, [ack.payload for ack in self.slack.acks]], default=str)


@asynccontextmanager
async def office(folder: Path, transport: Transport = "socket") -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        s = await stack.enter_async_context(scene(folder))
        tell_passwords(s.novita)
        await s.catalog.warm()
        workspace = Workspace(
            clock=s.clock, seed=1, app=installed_app(), users=[*cast_of_users(installed_app()), ADMIN]
        )
        slack = await stack.enter_async_context(SlackServer(workspace))
        side = SlackSide(access(slack, transport), s.operations, s.catalog, clock=s.clock, metrics=s.metrics)
        if transport == "http":
            slack.events_url = await served(side, s, stack)
        stack.push_async_callback(side.close)
        await side.start()
        yield Office(scene=s, slack=slack, side=side)
    assert slack.violations == []


def tell_passwords(novita: FakeNovita) -> None:
    """Of no instance, but of who asks for one."""
    plain = novita.get_instance

    async def get_instance(novita_id: str, **how: Any) -> Details:
        return replace(await plain(novita_id, **how), secrets=Secrets(ssh_password=PASSWORD))

    novita.get_instance = get_instance


def access(slack: SlackServer, transport: Transport, **changes: Any) -> Access:
    return replace(
        Access(
            bot_token=slack.bot_token,
            app_token=slack.app_token if transport == "socket" else None,
            signing_secret=slack.signing_secret if transport == "http" else None,
            api_base_url=slack.api_url,
        ),
        **changes,
    )


async def served(side: SlackSide, s: Scene, stack: AsyncExitStack) -> str:
    """The route that Slack posts to, behind all the layers of the REST API."""
    api = build_api(
        s.operations,
        Health(version="1", started_at=s.clock()),
        redelivery=Redelivery(s.store, wake=lambda: None),
        catalog=s.catalog,
        clock=s.clock,
        inbound=Inbound(api_keys=(), request_size_limit=1_000_000),
        slack_handler=side.handle_http,
    )
    server = WebServer(api, "127.0.0.1", 0)
    await server.start()
    stack.push_async_callback(server.stop, timedelta(seconds=5))
    return f"http://127.0.0.1:{server.port}/slack/events"
