"""Block Kit in short, and forms that are open."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.person import Person
from bot.sandbox.slack.views import View


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    optional = {"optional": more.pop("optional")} if "optional" in more else {}
    item = {"type": kind, "action_id": f"{name}-value", **more}
    return {"type": "input", "block_id": name, "label": plain(name), "element": item, **optional}


def offered(*values: str) -> list[dict[str, Any]]:
    return [{"text": plain(value.upper()), "value": value} for value in values]


def modal(*blocks: dict[str, Any], title: str = "Launch", **more: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain(title), "submit": plain("Go"), "blocks": list(blocks), **more}


async def refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


class Opener:
    def __init__(self, ada: Person, client: AsyncWebClient) -> None:
        self.ada, self.client = ada, client

    async def __call__(self, view: dict[str, Any]) -> View:
        reply = await self.ada.command("/gpu", channel="C0GPU")
        await self.client.views_open(trigger_id=reply.trigger_id, view=view)
        assert self.ada.view is not None
        return self.ada.view
