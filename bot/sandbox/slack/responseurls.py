"""What a post to a response_url does."""

from __future__ import annotations

from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.grants import ResponseUrl
from bot.sandbox.slack.inspection import Inspector
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.workspace import Workspace


def respond(workspace: Workspace, inspector: Inspector, path: str, arguments: Arguments) -> None:
    """Works where the bot is no member. After a command there is nothing to replace or to delete: a new
    message comes instead (slackapi/bolt-js#2287), or nothing. Raises SlackError."""
    url = workspace.response_urls.get(path)
    inspector.message("response_url", arguments.values)
    workspace.response_urls.count(path)
    original = _original(workspace, url)
    if arguments.values.get("delete_original"):
        _delete(workspace, url, original)
    elif arguments.values.get("replace_original") and original is not None:
        _replace(workspace, url, original, arguments)
    else:
        _add(workspace, url, arguments)


def _original(workspace: Workspace, url: ResponseUrl) -> Message | None:
    if url.original_ts is None:
        return None
    if url.original_is_ephemeral:
        return workspace.board.find_whispered(url.user, url.original_ts)
    return workspace.board.find(url.channel, url.original_ts)


def _delete(workspace: Workspace, url: ResponseUrl, original: Message | None) -> None:
    if original is None:
        return
    if original.is_ephemeral:
        workspace.delete_whisper(url.user, original)
    else:
        workspace.delete(original)


def _replace(workspace: Workspace, url: ResponseUrl, original: Message, arguments: Arguments) -> None:
    if original.is_ephemeral:
        workspace.edit_whisper(url.user, original, arguments.content)
    else:
        workspace.edit(original, arguments.content)


def _add(workspace: Workspace, url: ResponseUrl, arguments: Arguments) -> None:
    channel = workspace.channels[url.channel]
    thread_ts = arguments.maybe("thread_ts")
    if arguments.values.get("response_type") == "in_channel":
        workspace.post(channel, arguments.content, thread_ts=thread_ts)
    else:
        workspace.whisper(url.user, channel, arguments.content, thread_ts=thread_ts)
