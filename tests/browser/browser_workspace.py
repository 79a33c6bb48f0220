"""A program: a workspace with every kind of field and an app that says in the channel what it hears.

It serves the page until its input ends.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from page_samples import Block, modal, mrkdwn, option, plain, question
from page_world import GPU, SUGGESTIONS, App

from bot.sandbox.page.server import PageServer
from bot.sandbox.slack.messages import Content
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

GPUS = [option(f"{name} 24GB", name) for name in ("RTX 3090", "RTX 4090", "L40S", "H100")]
ASKS = {"trigger_actions_on": ["on_character_entered"]}
FIELDS: list[Block] = [
    question("name", "plain_text_input", max_length=20),
    question("gpu", "static_select", options=GPUS),
    {**question("regions", "multi_static_select", options=GPUS), "optional": True},
    {**question("image", "external_select", min_query_length=1), "optional": True},
    {**question("mode", "radio_buttons", options=GPUS[:2]), "optional": True},
    {**question("when", "datetimepicker"), "optional": True},
    {
        **question("search", "plain_text_input", dispatch_action_config=ASKS),
        "optional": True,
        "dispatch_action": True,
    },
    {**question("code", "plain_text_input"), "optional": True, "dispatch_action": True},
]
DANGER: Block = {
    "type": "button",
    "text": plain("Delete"),
    "action_id": "delete",
    "style": "danger",
    "confirm": {
        "title": plain("Sure?"),
        "text": mrkdwn("It is gone then."),
        "confirm": plain("Delete it"),
        "deny": plain("Keep it"),
    },
}
CARD: list[Block] = [
    {"type": "section", "text": mrkdwn("*A card*")},
    {
        "type": "actions",
        "elements": [
            DANGER,
            {"type": "static_select", "action_id": "menu", "options": GPUS, "placeholder": plain("Which?")},
            {"type": "overflow", "action_id": "more", "options": GPUS[:2]},
        ],
    },
]


class Echo(App):
    """`/gpu form` opens the form, `/gpu slow` takes too long; all else is said in the channel."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.answers["block_suggestion"] = {
            "options": [option("pytorch:latest", "p1"), option("pytorch:2", "p2")]
        }
        self._workspace = workspace

    async def serve(self, request: web.Request) -> web.Response:
        answer = await super().serve(request)
        payload = self.last
        if payload.get("text") == "slow":
            await asyncio.sleep(60)
        if payload.get("text") == "form":
            self._workspace.open_view(payload["trigger_id"], modal(*FIELDS))
        elif payload["type"] in {"block_actions", "view_submission"} if "type" in payload else False:
            self._say(_heard(payload))
        if payload.get("actions", [{}])[0].get("action_id") == "search":
            view = self._workspace.views.top(payload["user"]["id"])
            assert view is not None
            title = plain(f"{len(payload['actions'][0]['value'] or '')} characters")
            self._workspace.update_view(view, {**view.definition, "title": title})
        return answer

    def _say(self, text: str) -> None:
        self._workspace.post(self._workspace.channels[GPU], Content(text=text))


def _heard(payload: dict[str, Any]) -> str:
    if payload["type"] == "block_actions":
        (action,) = payload["actions"]
        chosen = action.get("selected_option") or {}
        return f"heard {action['action_id']} {chosen.get('value') or action.get('value') or ''}".strip()
    values = payload["view"]["state"]["values"]
    return "heard " + ", ".join(f"{name}={_short(found[name])}" for name, found in values.items())


def _short(entry: dict[str, Any]) -> str:
    value = next(entry[key] for key in entry if key != "type")
    if isinstance(value, list):
        return "+".join(item["value"] for item in value)
    return str(value["value"] if isinstance(value, dict) else value)


async def serve() -> None:
    workspace = Workspace(clock=lambda: datetime.now(UTC))
    slack, echo, site = SlackServer(workspace), Echo(workspace), web.Application()
    site.router.add_post("/slack/events", echo.serve)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.events_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    workspace.post(workspace.channels[GPU], Content(text="A card", blocks=tuple(CARD)))
    async with PageServer(slack, suggestions=SUGGESTIONS) as page:
        print(page.url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await slack.close()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
