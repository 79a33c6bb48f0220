"""What the app's answer does: to a command (it is shown) and to a submitted view (`response_action`)."""

from __future__ import annotations

from typing import Any

from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.inspection import Inspector
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import Channel
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import Workspace

WHERE = "answer to view_submission"


def show_command_answer(
    workspace: Workspace, inspector: Inspector, user_id: str, channel: Channel, answer: dict[str, Any]
) -> Message | None:
    """None for an empty answer. Raises SlackError."""
    if not answer:
        return None
    inspector.message("answer to a command", answer)
    content = Arguments(answer).content
    if answer.get("response_type") == "in_channel":
        return workspace.post(channel, content)
    return workspace.whisper(user_id, channel, content)


def settle_submission(
    workspace: Workspace, inspector: Inspector, view: View, answer: dict[str, Any]
) -> dict[str, str]:
    """Gives the complaints of the app, block_id to text. Raises SlackError."""
    match answer.get("response_action"):
        case None if not answer:
            workspace.close_view(view)
        case "clear":
            workspace.close_views(view.user)
        case "errors":
            return _errors(inspector, view, answer.get("errors"))
        case "update":
            inspector.view(WHERE, answer.get("view"))
            workspace.update_view(view, answer["view"])
        case "push":
            inspector.view(WHERE, answer.get("view"))
            workspace.push_onto(view, answer["view"])
        case action:
            _refuse(inspector, f"response_action {action!r} does not exist: {answer!r:.200}")
    return {}


def _errors(inspector: Inspector, view: View, errors: Any) -> dict[str, str]:
    if not isinstance(errors, dict) or not errors:
        _refuse(inspector, f"errors must name a block, is {errors!r}")
    inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
    for block_id, text in errors.items():
        if block_id not in inputs:
            _refuse(inspector, f"errors.{block_id}: there is no such input block")
        if not isinstance(text, str) or not text:
            _refuse(inspector, f"errors.{block_id}: must be a text")
    return dict(errors)


def _refuse(inspector: Inspector, sentence: str) -> None:
    inspector.record(WHERE, sentence)
    raise SlackError("invalid_response", [sentence])
