"""Which scope each method and event needs of a bot token.

As on each one's page at docs.slack.dev/reference/methods and docs.slack.dev/reference/events.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.sandbox.slack.errors import SlackError

COMMANDS = "commands"
"""What slash commands and shortcuts need."""

SCOPE_OF_METHOD: dict[str, str] = {
    **dict.fromkeys(("chat.postMessage", "chat.update", "chat.delete", "chat.postEphemeral"), "chat:write"),
    "users.info": "users:read",
}
"""A method that is not here needs none, or one by the kind of conversation (below)."""

SCOPE_TO_READ: dict[str, str] = {
    "channel": "channels:read",
    "group": "groups:read",
    "im": "im:read",
    "mpim": "mpim:read",
}
"""For conversations.info, by ChannelKind."""

SCOPE_TO_OPEN: dict[str, str] = {"im": "im:write", "mpim": "mpim:write"}
"""For conversations.open, by ChannelKind."""

SCOPE_OF_EVENT: dict[str, str | None] = {
    "app_home_opened": None,
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
}
EVENT_OF_MESSAGES: dict[str, str] = {
    "channel": "message.channels",
    "group": "message.groups",
    "im": "message.im",
    "mpim": "message.mpim",
}
"""By ChannelKind."""

ALL_SCOPES = frozenset(
    {COMMANDS}
    | set(SCOPE_OF_METHOD.values())
    | set(SCOPE_TO_READ.values())
    | set(SCOPE_TO_OPEN.values())
    | {scope for scope in SCOPE_OF_EVENT.values() if scope}
)
USUAL_EVENTS = frozenset({"app_home_opened", "app_mention", "message.im"})


def demand(provided: Iterable[str], needed: str | None) -> None:
    """Raises SlackError missing_scope, with both beside it as Slack writes them."""
    granted = set(provided)
    if needed is None or needed in granted:
        return
    raise SlackError("missing_scope", details={"needed": needed, "provided": ",".join(sorted(granted))})
