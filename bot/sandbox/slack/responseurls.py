"""What a post to a response_url does."""

from __future__ import annotations

from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.chatmethods import whispers_show
from bot.sandbox.slack.grants import ResponseUrl
from bot.sandbox.slack.inspection import Inspector
from bot.sandbox.slack.messages import Content, Message
from bot.sandbox.slack.workspace import Workspace


def respond(workspace: Workspace, inspector: Inspector, path: str, arguments: Arguments) -> None:
    """Works where the bot is no member. Raises SlackError.

    What was pressed is replaced unless the app says that it is not to be: Slack's guide to handling user
    interaction warns of that. A message keeps its visibility for life. After a command or a shortcut there is
    nothing to replace or to delete: a new message comes instead (slackapi/bolt-js#2287), or nothing.
    """
    url = workspace.response_urls.get(path)
    inspector.message("response_url", arguments.values)
    workspace.response_urls.count(path)
    original = _original(workspace, url)
    deletes = bool(arguments.values.get("delete_original"))
    if deletes:
        _delete(workspace, url, original)
        if arguments.content == Content():
            return
    if original is not None and not deletes and arguments.values.get("replace_original", True):
        _replace(workspace, url, original, arguments)
    else:
        _add(workspace, inspector, url, arguments)


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


def _add(workspace: Workspace, inspector: Inspector, url: ResponseUrl, arguments: Arguments) -> None:
    """For a thread Slack's guide tells of `in_channel` only; to one person as in chat.postEphemeral."""
    channel = workspace.channels[url.channel]
    thread_ts = arguments.maybe("thread_ts")
    if arguments.values.get("response_type") == "in_channel":
        workspace.post(channel, arguments.content, thread_ts=thread_ts)
    elif whispers_show(workspace, inspector, "response_url", channel, thread_ts):
        workspace.whisper(url.user, channel, arguments.content, thread_ts=thread_ts)
