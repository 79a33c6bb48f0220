"""The views.* methods, and blocks.validate."""

from __future__ import annotations

from typing import Any

from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.blocklint import lint_blocks, lint_message, lint_view
from bot.sandbox.slack.chatmethods import Answer, Method
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.inspection import Inspector
from bot.sandbox.slack.workspace import Workspace


def open_view(workspace: Workspace, inspector: Inspector, arguments: Arguments) -> Answer:
    definition = _checked(inspector, "views.open", arguments, "modal")
    return {"view": workspace.view_json(workspace.open_view(arguments.text("trigger_id"), definition))}


def push(workspace: Workspace, inspector: Inspector, arguments: Arguments) -> Answer:
    definition = _checked(inspector, "views.push", arguments, "modal")
    return {"view": workspace.view_json(workspace.push_view(arguments.text("trigger_id"), definition))}


def update(workspace: Workspace, inspector: Inspector, arguments: Arguments) -> Answer:
    view_id, external_id = arguments.maybe("view_id"), arguments.maybe("external_id")
    view = workspace.views.get(view_id=view_id, external_id=external_id)
    definition = _checked(inspector, "views.update", arguments, view.type)
    return {"view": workspace.view_json(workspace.update_view(view, definition, arguments.maybe("hash")))}


def publish(workspace: Workspace, inspector: Inspector, arguments: Arguments) -> Answer:
    definition = _checked(inspector, "views.publish", arguments, "home")
    view = workspace.publish_home(arguments.text("user_id"), definition, arguments.maybe("hash"))
    return {"view": workspace.view_json(view)}


def validate(_: Workspace, __: Inspector, arguments: Arguments) -> Answer:
    """Asks only, so nothing is kept as a violation."""
    checks = {
        "blocks": lambda blocks: lint_blocks(blocks, "message"),
        "message": lint_message,
        "view": lint_view,
    }
    for name, check in checks.items():
        if name in arguments.values and (findings := check(arguments.values[name])):
            raise SlackError(f"invalid_{name}", findings)
    return {}


def _checked(inspector: Inspector, where: str, arguments: Arguments, kind: str) -> dict[str, Any]:
    definition = arguments.values.get("view")
    inspector.view(where, definition)
    assert isinstance(definition, dict)  # noqa: S101 (the inspector has seen to it)
    if definition["type"] != kind:
        inspector.record(where, f"view.type must be {kind}, is {definition['type']}")
        raise SlackError("invalid_arguments", [f"[ERROR] view type must be {kind}"])
    return definition


VIEW_METHODS: dict[str, Method] = {
    "views.open": open_view,
    "views.push": push,
    "views.update": update,
    "views.publish": publish,
    "blocks.validate": validate,
}
