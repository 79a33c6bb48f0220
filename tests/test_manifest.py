"""`manifest.yml` against Slack's schema, and against what the code calls."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bot.installed import INSTALLED
from bot.slack import listeners
from tests.manifest import installed_app

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "tests/fixtures/slack-manifest.schema.2.0.0.json"

SCOPE_OF_METHOD = {
    "auth_test": None,
    "chat_getPermalink": None,
    "chat_postEphemeral": "chat:write",
    "chat_postMessage": "chat:write",
    "chat_update": "chat:write",
    "conversations_open": "im:write",
    "users_info": "users:read",
    "views_open": None,
    "views_publish": None,
    "views_update": None,
}
"""As on each method's page at docs.slack.dev/reference/methods; None: any bot token may call it."""

SCOPE_OF_EVENT = {"app_home_opened": None, "app_mention": "app_mentions:read", "message.im": "im:history"}
"""As on each event's page at docs.slack.dev/reference/events."""

API_METHODS = {name for name in dir(AsyncWebClient) if "_" in name.strip("_")} - {"api_call"}


@pytest.fixture
def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    return loaded


def faults(manifest: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    return [error.json_path for error in validator.iter_errors(manifest)]


def test_slack_takes_the_manifest(manifest: dict[str, Any]) -> None:
    assert faults(manifest) == []


def test_the_schema_finds_what_is_wrong(manifest: dict[str, Any]) -> None:
    manifest["display_information"]["long_description"] = "short"
    manifest["features"]["slash_commands"][0]["command"] = "gpu"
    manifest["settings"]["socket_mode"] = True
    assert faults(manifest) == [
        "$.display_information.long_description",
        "$.features.slash_commands[0].command",
        "$.settings",
    ]


def test_socket_mode_needs_no_public_address(manifest: dict[str, Any]) -> None:
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert "http" not in json.dumps(manifest)


def test_the_bot_subscribes_to_the_events_that_it_listens_to(manifest: dict[str, Any]) -> None:
    subscribed = manifest["settings"]["event_subscriptions"]["bot_events"]
    assert set(subscribed) == SCOPE_OF_EVENT.keys()
    assert {event.partition(".")[0] for event in subscribed} == set(listened_to("event"))
    assert manifest["features"]["app_home"]["home_tab_enabled"] is True


def test_the_shortcuts_are_those_that_it_listens_to(manifest: dict[str, Any]) -> None:
    offered = {each["callback_id"]: each["type"] for each in manifest["features"]["shortcuts"]}
    assert offered == {listeners.RENT: "global", listeners.RENT_HERE: "message", listeners.ABOUT: "message"}
    assert len(list(listened_to("shortcut"))) == len(offered)


def test_the_demo_installs_the_same_app() -> None:
    assert installed_app() == INSTALLED


def test_one_command_whose_mentions_arrive_as_ids(manifest: dict[str, Any]) -> None:
    (command,) = manifest["features"]["slash_commands"]
    assert command["command"] == "/gpu"
    assert command["should_escape"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True


def test_the_scopes_are_those_of_the_methods_and_events_that_are_used(manifest: dict[str, Any]) -> None:
    scopes = manifest["oauth_config"]["scopes"]
    assert list(scopes) == ["bot"]
    # `commands` is what the slash command itself needs; a method that has no row above is a KeyError here.
    needed = {SCOPE_OF_METHOD[method] for method in set(methods_called())} - {None}
    events = {SCOPE_OF_EVENT[event] for event in manifest["settings"]["event_subscriptions"]["bot_events"]}
    assert set(scopes["bot"]) == needed | (events - {None}) | {"commands"}


def methods_called() -> Iterator[str]:
    for file in [*(ROOT / "bot/slack").rglob("*.py"), *(ROOT / "bot/sinks").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in API_METHODS:
                yield node.attr


def listened_to(kind: str) -> Iterator[str]:
    """The first argument of each `app.<kind>(...)`."""
    tree = ast.parse((ROOT / "bot/slack/listeners.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"app.{kind}":
            argument = node.args[0]
            yield argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)
