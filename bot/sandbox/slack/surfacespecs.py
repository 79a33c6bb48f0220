"""What a message, a modal and a Home tab may hold, beside and around their blocks."""

from __future__ import annotations

from typing import Literal

from bot.sandbox.slack.blockkinds import Anything, Flag, Kind, Several, Shape, String, Words

Surface = Literal["message", "modal", "home"]

_EVERYWHERE = frozenset({"section", "header", "context", "actions", "divider", "image", "input", "rich_text"})
BLOCKS_OF_SURFACE: dict[Surface, frozenset[str]] = {
    "message": _EVERYWHERE | {"table", "markdown"},
    "modal": _EVERYWHERE | {"alert"},
    "home": _EVERYWHERE | {"table"},
}
MOST_BLOCKS: dict[Surface, int] = {"message": 50, "modal": 100, "home": 100}

ATTACHMENT = Shape(
    optional={
        "color": String(least=1, most=20),
        "fallback": String(most=4000),
        "blocks": Anything(),
    }
)
# The body of chat.postMessage, chat.update, chat.postEphemeral, of a response_url and of a command's ack.
MESSAGE = Shape(
    optional={
        "text": String(least=1, most=4000),
        "blocks": Anything(),
        "attachments": Several(of=ATTACHMENT, most=100, least=0),
        "response_type": String(choices=("ephemeral", "in_channel")),
        "metadata": Shape(required={"event_type": String(least=1, most=255), "event_payload": Anything()}),
        "parse": String(choices=("none", "full")),
        **dict.fromkeys(("replace_original", "delete_original", "reply_broadcast", "link_names"), Flag()),
        **dict.fromkeys(("unfurl_links", "unfurl_media", "mrkdwn", "as_user"), Flag()),
        **dict.fromkeys(("channel", "user", "ts", "thread_ts", "team_id"), String(least=1)),
        **dict.fromkeys(("username", "icon_emoji", "icon_url"), String(least=1)),
    }
)

_VIEW: dict[str, Kind] = {
    "private_metadata": String(most=3000),
    "callback_id": String(most=255),
    "external_id": String(most=255),
}
_BODY: dict[str, Kind] = {"type": String(least=1), "blocks": Anything()}
VIEWS: dict[str, Kind] = {
    "modal": Shape(
        required={**_BODY, "title": Words(most=24)},
        optional={
            **_VIEW,
            "submit": Words(most=24),
            "close": Words(most=24),
            "clear_on_close": Flag(),
            "notify_on_close": Flag(),
        },
    ),
    "home": Shape(required=_BODY, optional=_VIEW),
}
