"""The chat.* methods: each takes the arguments of a call and gives the answer without `ok`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.inspection import Inspector
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import Channel
from bot.sandbox.slack.workspace import Workspace

Answer = dict[str, Any]
Method = Callable[[Workspace, Inspector, Arguments], Answer]


def post_message(workspace: Workspace, inspector: Inspector, arguments: Arguments) -> Answer:
    channel = workspace.destination(arguments.text("channel"))
    inspector.message("chat.postMessage", arguments.values)
    message = workspace.post(
        channel,
        arguments.content,
        thread_ts=arguments.maybe("thread_ts"),
        is_broadcast=arguments.values.get("reply_broadcast", False),
        metadata=arguments.values.get("metadata"),
    )
    return {"channel": channel.id, "ts": message.ts, "message": _with_metadata(message)}


def update(workspace: Workspace, inspector: Inspector, arguments: Arguments) -> Answer:
    """Slack wants the id of a conversation here, not a user's. A text without blocks removes the blocks."""
    channel = workspace.writable_channel(arguments.text("channel"))
    message = workspace.board.get(channel.id, arguments.text("ts"))
    inspector.message("chat.update", arguments.values)
    newer = workspace.edit(message, arguments.content, arguments.values.get("metadata"))
    return {"channel": channel.id, "ts": newer.ts, "text": newer.text, "message": _with_metadata(newer)}


def delete(workspace: Workspace, _: Inspector, arguments: Arguments) -> Answer:
    channel = workspace.writable_channel(arguments.text("channel"))
    message = workspace.board.get(channel.id, arguments.text("ts"))
    workspace.delete(message)
    return {"channel": channel.id, "ts": message.ts}


def post_ephemeral(workspace: Workspace, inspector: Inspector, arguments: Arguments) -> Answer:
    channel = workspace.writable_channel(arguments.text("channel"))
    reader = arguments.text("user")
    if reader not in channel.members:
        raise SlackError("user_not_in_channel")
    inspector.message("chat.postEphemeral", arguments.values)
    thread_ts = arguments.maybe("thread_ts")
    if not whispers_show(workspace, inspector, "chat.postEphemeral", channel, thread_ts):
        return {"message_ts": workspace.timestamps.next()}
    message = workspace.whisper(reader, channel, arguments.content, thread_ts=thread_ts)
    return {"message_ts": message.ts}


def whispers_show(
    workspace: Workspace, inspector: Inspector, where: str, channel: Channel, thread_ts: str | None
) -> bool:
    """Whether an ephemeral message can be seen: in a thread only where there is one already, with a reply.
    Slack accepts it all the same (docs.slack.dev/reference/methods/chat.postEphemeral)."""
    if thread_ts is None or len(workspace.board.thread(channel.id, thread_ts)) > 1:
        return True
    inspector.record(where, f"nobody sees it: {thread_ts} has no reply, so it is no thread")
    return False


def get_permalink(workspace: Workspace, _: Inspector, arguments: Arguments) -> Answer:
    channel = workspace.readable_channel(arguments.text("channel"))
    message = workspace.board.get(channel.id, arguments.text("message_ts"))
    return {"channel": channel.id, "permalink": workspace.permalink(message)}


def _with_metadata(message: Message) -> Answer:
    body = message.as_json()
    return body | {"metadata": message.metadata} if message.metadata else body


CHAT_METHODS: dict[str, Method] = {
    "chat.postMessage": post_message,
    "chat.update": update,
    "chat.delete": delete,
    "chat.postEphemeral": post_ephemeral,
    "chat.getPermalink": get_permalink,
}
