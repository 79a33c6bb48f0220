"""What a response_url does to the message behind it: every combination."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from sandbox_slack_app import RawApp
from sandbox_slack_blocks import plain
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.messages import Content, Message
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

BUTTON = {"type": "actions", "elements": [{"type": "button", "action_id": "go", "text": plain("Go")}]}
OLD = Content(text="old", blocks=(BUTTON,))


@pytest.fixture
def post(session: aiohttp.ClientSession) -> Callable[..., Any]:
    async def post(url: str, **body: Any) -> None:
        async with session.post(url, json=body) as response:
            assert await response.text() == "ok"

    return post


def original(workspace: Workspace, *, is_ephemeral: bool) -> Message:
    channel = workspace.channels["C0GPU"]
    return workspace.whisper("U0ADA", channel, OLD) if is_ephemeral else workspace.post(channel, OLD)


@pytest.mark.parametrize("is_ephemeral", [True, False])
@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"text": "new"}, [("new", None)]),
        ({"text": "new", "replace_original": True}, [("new", None)]),
        ({"text": "new", "replace_original": True, "response_type": "ephemeral"}, [("new", None)]),
        ({"text": "new", "replace_original": True, "response_type": "in_channel"}, [("new", None)]),
        ({"text": "new", "replace_original": False}, [("old", None), ("new", True)]),
        (
            {"text": "new", "replace_original": False, "response_type": "ephemeral"},
            [("old", None), ("new", True)],
        ),
        (
            {"text": "new", "replace_original": False, "response_type": "in_channel"},
            [("old", None), ("new", False)],
        ),
        ({"delete_original": True}, []),
        ({"text": "new", "delete_original": True}, [("new", True)]),
        ({"text": "new", "delete_original": True, "response_type": "in_channel"}, [("new", False)]),
    ],
)
async def test_of_a_button(
    workspace: Workspace,
    app: RawApp,
    ada: Person,
    post: Callable[..., Any],
    body: dict[str, Any],
    left: list[tuple[str, bool | None]],
    *,
    is_ephemeral: bool,
) -> None:
    """Whether what is left is ephemeral; None: as the original was, for life."""
    url = (await ada.press(original(workspace, is_ephemeral=is_ephemeral), "go")).response_url
    await post(url, **body)
    expected = [(text, is_ephemeral if kind is None else kind) for text, kind in left]
    assert [(message.text, message.is_ephemeral) for message in ada.sees("C0GPU")] == expected


async def test_of_a_message_shortcut_nothing_is_replaced_or_deleted(
    workspace: Workspace, app: RawApp, ada: Person, post: Callable[..., Any]
) -> None:
    message = workspace.post(workspace.channels["C0GPU"], OLD)
    url = (await ada.shortcut("status", message)).response_url
    await post(url, text="one", replace_original=True)
    await post(url, delete_original=True)
    await post(url, text="two", response_type="in_channel", thread_ts=message.ts)
    seen = [(m.text, m.is_ephemeral, m.thread_ts) for m in ada.sees("C0GPU")]
    assert seen == [("old", False, None), ("one", True, None), ("two", False, message.ts)]


async def test_a_message_shortcut_answers_where_the_bot_is_not(
    app: RawApp, ada: Person, post: Callable[..., Any]
) -> None:
    url = (await ada.shortcut("status", ada.say("D0ADABEN", "hello"))).response_url
    await post(url, text="seen")
    assert [message.text for message in ada.sees("D0ADABEN")] == ["hello", "seen"]


@pytest.mark.parametrize("way", ["response_url", "chat.postEphemeral"])
async def test_an_ephemeral_message_shows_in_a_thread_only_where_there_is_one(
    server: SlackServer,
    workspace: Workspace,
    client: AsyncWebClient,
    app: RawApp,
    ada: Person,
    post: Callable[..., Any],
    way: str,
) -> None:
    parent = workspace.post(workspace.channels["C0GPU"], OLD)

    async def whisper() -> None:
        if way == "response_url":
            url = (await ada.press(parent, "go")).response_url
            await post(url, text="psst", replace_original=False, thread_ts=parent.ts)
        else:
            await client.chat_postEphemeral(channel="C0GPU", user="U0ADA", text="psst", thread_ts=parent.ts)

    await whisper()
    assert [message.text for message in ada.sees("C0GPU")] == ["old"]
    assert server.violations == [f"{way}: nobody sees it: {parent.ts} has no reply, so it is no thread"]
    ada.say("C0GPU", "a reply", parent.ts)
    await whisper()
    shown = ada.sees("C0GPU")[-1]
    assert (shown.text, shown.thread_ts, shown.is_ephemeral) == ("psst", parent.ts, True)
    assert len(server.violations) == 1


async def test_a_press_in_an_attachment_names_it(workspace: Workspace, app: RawApp, ada: Person) -> None:
    attachments: tuple[dict[str, Any], ...] = ({"fallback": "f"}, {"blocks": [BUTTON]})
    message = workspace.post(workspace.channels["C0GPU"], Content(text="t", attachments=attachments))
    await ada.press(message, "go")
    container = app.payloads[0]["container"]
    assert (container["type"], container["attachment_id"], container["is_app_unfurl"]) == (
        "message_attachment",
        2,
        False,
    )
