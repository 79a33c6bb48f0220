"""The methods about who and where: auth.test, users.info, conversations.open and conversations.info."""

from __future__ import annotations

from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.chatmethods import Answer, Method
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.inspection import Inspector
from bot.sandbox.slack.people import ChannelKind
from bot.sandbox.slack.scopes import SCOPE_TO_OPEN, SCOPE_TO_READ, demand
from bot.sandbox.slack.workspace import Workspace


def auth_test(workspace: Workspace, _: Inspector, __: Arguments) -> Answer:
    return {
        "url": f"https://{workspace.team.domain}.slack.com/",
        "team": workspace.team.name,
        "team_id": workspace.team.id,
        "user": workspace.app.name,
        "user_id": workspace.app.user_id,
        "bot_id": workspace.app.bot_id,
        "is_enterprise_install": False,
    }


def user_info(workspace: Workspace, _: Inspector, arguments: Arguments) -> Answer:
    return {"user": workspace.user(arguments.text("user")).as_json()}


def conversation_info(workspace: Workspace, _: Inspector, arguments: Arguments) -> Answer:
    channel = workspace.readable_channel(arguments.text("channel"))
    demand(workspace.app.scopes, SCOPE_TO_READ[channel.kind])
    return {"channel": channel.as_json(workspace.app.user_id)}


def open_conversation(workspace: Workspace, _: Inspector, arguments: Arguments) -> Answer:
    """With `users`, one id or a comma list, or with the `channel` of a conversation that is there already."""
    known = arguments.maybe("channel")
    if known:
        channel = workspace.readable_channel(known)
        demand(workspace.app.scopes, SCOPE_TO_OPEN.get(channel.kind))
        return {"channel": {"id": channel.id}}
    users = [workspace.user(user_id.strip()) for user_id in arguments.text("users").split(",")]
    if any(user.deleted for user in users):
        raise SlackError("user_disabled")
    if any(user.is_bot for user in users):
        raise SlackError("cannot_dm_bot")
    kind = ChannelKind.DIRECT if len(users) == 1 else ChannelKind.GROUP_DIRECT
    demand(workspace.app.scopes, SCOPE_TO_OPEN[kind])
    channel = workspace.direct_channel({workspace.app.user_id, *(user.id for user in users)})
    whole = arguments.values.get("return_im")
    return {"channel": channel.as_json(workspace.app.user_id) if whole else {"id": channel.id}}


DIRECTORY_METHODS: dict[str, Method] = {
    "auth.test": auth_test,
    "users.info": user_info,
    "conversations.info": conversation_info,
    "conversations.open": open_conversation,
}
