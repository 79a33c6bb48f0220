"""The arguments of a Web API call, from wherever clients put them: query, form or JSON body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.messages import Content

JSON_ARGUMENTS = frozenset({"blocks", "attachments", "metadata", "view", "message"})
FLAGS = frozenset(
    {"reply_broadcast", "link_names", "unfurl_links", "unfurl_media", "mrkdwn", "as_user", "return_im"}
)


@dataclass(frozen=True, slots=True)
class Arguments:
    values: dict[str, Any]

    def text(self, name: str) -> str:
        """Raises SlackError invalid_arguments."""
        value = self.maybe(name)
        if value is None:
            raise SlackError("invalid_arguments", [f"[ERROR] missing required field: {name}"])
        return value

    def maybe(self, name: str) -> str | None:
        """Raises SlackError invalid_arguments for what is no string."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise SlackError("invalid_arguments", [f"[ERROR] must be a string: {name}"])
        return value or None

    @property
    def content(self) -> Content:
        return Content(
            text=self.values.get("text", ""),
            blocks=tuple(self.values.get("blocks", ())),
            attachments=tuple(self.values.get("attachments", ())),
        )


async def read_arguments(request: web.Request) -> Arguments:
    """A body wins over the query. Raises SlackError invalid_json or json_not_object."""
    values = {name: _decoded(name, value) for name, value in request.query.items()}
    if request.content_type == "application/json":
        values |= _json_object(await request.text())
    elif request.method == "POST":
        form = await request.post()
        values |= {name: _decoded(name, value) for name, value in form.items() if isinstance(value, str)}
    return Arguments(values)


def _json_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text or "{}")
    except ValueError as error:
        raise SlackError("invalid_json") from error
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return body


def _decoded(name: str, value: str) -> Any:
    if name in FLAGS:
        return value.lower() in {"1", "true"}
    if name not in JSON_ARGUMENTS:
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise SlackError("invalid_json") from error
