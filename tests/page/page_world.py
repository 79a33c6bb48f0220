"""A workspace whose page is asked without a browser, and an app that answers over HTTP what it is told to answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from clocks import Clock
from page_reading import Reading

from bot.sandbox.page.drawing import Drawing
from bot.sandbox.page.kit.address import Address, InMessage, InView
from bot.sandbox.page.offers import Suggestion
from bot.sandbox.page.openforms import OpenForms
from bot.sandbox.page.place import Place, read_place
from bot.sandbox.slack.messages import Content, Message
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import Workspace

Client = TestClient[web.Request, web.Application]

GPU = "C0GPU"
SUGGESTIONS = (
    Suggestion(usage="/gpu", purpose="my instances"),
    Suggestion(usage="/gpu create [GPU[:N]] [NAME]", purpose="rent a GPU"),
    Suggestion(usage="/gpu stop [NAME]", purpose="stop one"),
)


@dataclass
class App:
    """What it heard, the payloads as Slack sent them; `answers` by type, callback_id or command."""

    heard: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    async def serve(self, request: web.Request) -> web.Response:
        payload = _read(await request.text(), dict(await request.post()))
        self.heard.append(payload)
        form = payload.get("view", {}).get("callback_id")
        for key in (payload.get("command"), payload.get("callback_id"), form, payload.get("type")):
            if key in self.answers:
                return web.json_response(self.answers[key])
        return web.Response()

    @property
    def last(self) -> dict[str, Any]:
        return self.heard[-1]

    @property
    def action(self) -> dict[str, Any]:
        return dict(self.last["actions"][0])


class World:
    def __init__(self, slack: SlackServer | None = None) -> None:
        self.slack = slack or SlackServer(Workspace(clock=Clock()))
        self.workspace: Workspace = self.slack.workspace
        self.clock = self.workspace.clock
        self.forms = OpenForms()
        self.drawing = Drawing(self.slack, self.forms, suggestions=SUGGESTIONS, zone=UTC)

    def post(
        self, *blocks: Mapping[str, Any], text: str = "text", channel: str = GPU, **extra: Any
    ) -> Message:
        content = Content(text=text, blocks=tuple(dict(block) for block in blocks))
        return self.workspace.post(self.workspace.channels[channel], content, **extra)

    def whisper(self, text: str, user: str = "U0ADA") -> Message:
        return self.workspace.whisper(user, self.workspace.channels[GPU], Content(text=text))

    def open(self, definition: Mapping[str, Any], user: str = "U0ADA") -> View:
        return self.workspace.open_view(self.workspace.triggers.issue(user), dict(definition))

    def place(self, person: str = "U0ADA", where: str = GPU, thread: str | None = None) -> Place:
        return read_place({"as": person, "in": where, "thread": thread or ""}, self.workspace)

    def read(self, person: str = "U0ADA", where: str = GPU, thread: str | None = None) -> Reading:
        return Reading(self.drawing.slack(self.place(person, where, thread)))


def address(where: Message | View, block_id: str = "", action_id: str = "") -> str:
    place = (
        InView(view_id=where.id) if isinstance(where, View) else InMessage(channel=where.channel, ts=where.ts)
    )
    return str(Address(where=place, block_id=block_id, action_id=action_id))


def _read(text: str, form: Mapping[str, Any]) -> dict[str, Any]:
    if "payload" in form:
        return dict(json.loads(form["payload"]))
    if "command" in form:
        return dict(form)
    event: dict[str, Any] = json.loads(text)["event"]
    return event
