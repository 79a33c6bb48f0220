from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from sandbox_slack_app import Clock, RawApp

from bot.sandbox.slack.changes import (
    Change,
    EphemeralDeleted,
    EphemeralEdited,
    EphemeralShown,
    InteractionFailed,
    MessageDeleted,
    MessageEdited,
    MessagePosted,
)
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.messages import Content, Message
from bot.sandbox.slack.people import Channel, User
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

PLAIN = {"type": "plain_text", "text": "Stop"}
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}
BUTTONS = [
    {
        "type": "actions",
        "block_id": "deeds",
        "elements": [
            {"type": "button", "action_id": "stop", "value": "i-1", "text": PLAIN, "style": "danger"},
            {"type": "button", "text": {"type": "plain_text", "text": "Docs"}, "url": "https://example.com"},
            {
                "type": "static_select",
                "action_id": "region",
                "options": [{"text": {"type": "plain_text", "text": "Hong Kong"}, "value": "hk"}],
            },
            {
                "type": "overflow",
                "action_id": "more",
                "options": [{"text": {"type": "plain_text", "text": "Restart"}, "value": "restart"}],
            },
        ],
    }
]


@pytest.fixture
def card(workspace: Workspace) -> Message:
    content = Content(text="a card", blocks=tuple(BUTTONS))
    return workspace.post(workspace.channels["C0GPU"], content)


async def respond(session: aiohttp.ClientSession, url: str, **body: Any) -> tuple[int, str]:
    async with session.post(url, json=body) as response:
        if response.content_type == "application/json":
            return response.status, str((await response.json())["error"])
        return response.status, await response.text()


async def test_a_command_arrives_with_every_field(server: SlackServer, app: RawApp, ada: Person) -> None:
    await ada.command("/gpu create 4090", channel="C0GPU")
    payload = app.payloads[0]
    response_url, trigger_id = payload.pop("response_url"), payload.pop("trigger_id")
    assert payload == {
        "token": "sandbox-verification-token",
        "team_id": "T0SANDBOX",
        "team_domain": "sandbox",
        "channel_id": "C0GPU",
        "channel_name": "gpu",
        "user_id": "U0ADA",
        "user_name": "ada",
        "command": "/gpu",
        "text": "create 4090",
        "api_app_id": "A0GPUBOT",
        "is_enterprise_install": "false",
    }
    assert response_url.startswith(f"{server.url}/respond/")
    assert len(trigger_id.split(".")) == 3
    assert app.envelopes[0]["type"] == "slash_commands"
    assert app.envelopes[0]["accepts_response_payload"] is True


@pytest.mark.parametrize(
    ("channel", "name"),
    [("D0ADABEN", "directmessage"), ("C0LAB", "privategroup"), ("C0SECRET", "privategroup")],
)
async def test_the_name_of_a_private_conversation_is_hidden(
    app: RawApp, ada: Person, channel: str, name: str
) -> None:
    await ada.command("/gpu", channel=channel)
    assert app.payloads[0]["channel_name"] == name


async def test_a_group_conversation_has_a_name(workspace: Workspace, app: RawApp, ada: Person) -> None:
    group = workspace.direct_channel({"U0ADA", "U0BEN", "U0GPUBOT"})
    await ada.command("/gpu", channel=group.id)
    assert app.payloads[0]["channel_name"] == "mpdm-ada--ben--gpu-ops-1"


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("a & b <c>", "a &amp; b &lt;c&gt;"),
        ("""a "quoted" 'word'""", """a "quoted" 'word'"""),
        ("for @ben in #gpu", "for <@U0BEN|ben> in <#C0GPU|gpu>"),
        ("for @nobody, me@ben.com, #7", "for @nobody, me@ben.com, #7"),
        (
            "--webhook https://a.b/c?d=1&e=2",
            "--webhook <https://a.b/c?d=1&amp;e=2|https://a.b/c?d=1&amp;e=2>",
        ),
    ],
)
async def test_slack_escapes_what_is_typed(app: RawApp, ada: Person, typed: str, sent: str) -> None:
    await ada.command(f"/gpu {typed}", channel="C0GPU")
    assert app.payloads[0]["text"] == sent


async def test_a_phone_bends_punctuation(app: RawApp, ada: Person) -> None:
    await ada.command('/gpu create "RTX 4090" --spot it\'s', channel="C0GPU", phone=True)
    assert app.payloads[0]["text"] == "create\u00a0“RTX 4090” —spot it’s"


async def test_slack_itself_refuses_a_command_in_a_thread(app: RawApp, ada: Person) -> None:
    reply = await ada.command("/gpu", channel="C0GPU", in_thread=True)
    assert (reply.error, reply.envelope_id, reply.payload, app.envelopes) == (
        "not_supported_in_threads",
        "",
        {},
        [],
    )
    assert (reply.took.total_seconds(), reply.trigger_id, reply.response_url) == (0, "", "")


async def test_the_text_of_an_ack_is_for_the_asker_alone(
    server: SlackServer, app: RawApp, ada: Person
) -> None:
    app.answer = lambda _: {"text": "fallback", "blocks": [SECTION]}
    reply = await ada.command("/gpu", channel="C0GPU")
    assert (reply.ok, reply.text, reply.words) == (True, "fallback", "hello")
    assert [message.is_ephemeral for message in ada.sees("C0GPU")] == [True]
    assert server.person("U0BEN").sees("C0GPU") == []


async def test_an_ack_can_speak_to_the_channel_even_where_the_bot_is_not(
    server: SlackServer, app: RawApp, ada: Person
) -> None:
    app.answer = lambda _: {"text": "all of you", "response_type": "in_channel"}
    assert (await ada.command("/gpu", channel="D0ADABEN")).text == "all of you"
    assert [message.text for message in server.person("U0BEN").sees("D0ADABEN")] == ["all of you"]


async def test_an_empty_ack_shows_nothing(app: RawApp, ada: Person) -> None:
    reply = await ada.command("/gpu", channel="C0GPU")
    assert (reply.ok, reply.text, reply.words, ada.sees("C0GPU")) == (True, "", "", [])


async def test_a_faulty_ack_is_an_invalid_response(
    server: SlackServer, workspace: Workspace, app: RawApp, ada: Person
) -> None:
    seen: list[Change] = []
    workspace.subscribe(seen.append)
    app.answer = lambda _: {"blocks": [{"type": "x"}]}
    reply = await ada.command("/gpu go", channel="C0GPU")
    assert reply.error == "invalid_command_response"
    assert len(server.violations) == 2
    assert seen == [InteractionFailed(user="U0ADA", what="/gpu go", error="invalid_command_response")]


async def test_a_press_brings_everything_along(app: RawApp, ada: Person, card: Message) -> None:
    assert (await ada.press(card, "stop")).ok
    payload = app.payloads[0]
    (action,) = payload["actions"]
    assert action.pop("action_ts") > card.ts
    assert action == {
        "type": "button",
        "block_id": "deeds",
        "action_id": "stop",
        "value": "i-1",
        "text": PLAIN,
        "style": "danger",
    }
    assert payload["type"] == "block_actions"
    assert payload["user"] == {"id": "U0ADA", "username": "ada", "name": "ada", "team_id": "T0SANDBOX"}
    assert payload["team"] == {"id": "T0SANDBOX", "domain": "sandbox"}
    assert payload["channel"] == {"id": "C0GPU", "name": "gpu"}
    assert payload["container"] == {
        "type": "message",
        "message_ts": card.ts,
        "channel_id": "C0GPU",
        "is_ephemeral": False,
    }
    assert (payload["message"]["ts"], payload["message"]["bot_id"]) == (card.ts, "B0GPUBOT")
    assert payload["state"]["values"] == {
        "deeds": {"region": {"type": "static_select", "selected_option": None}}
    }
    assert payload["is_enterprise_install"] is False
    assert {"trigger_id", "response_url", "api_app_id", "token"} <= payload.keys()


async def test_a_button_is_pressed_by_its_text_too_and_a_link_tells_the_app(
    app: RawApp, ada: Person, card: Message
) -> None:
    await ada.press(card, "Docs")
    assert app.payloads[0]["actions"][0]["url"] == "https://example.com"
    assert app.payloads[0]["actions"][0]["action_id"] == card.buttons["Docs"]


async def test_a_choice_in_a_message_comes_with_the_state(app: RawApp, ada: Person, card: Message) -> None:
    await ada.choose(card, "region", "Hong Kong")
    await ada.choose(card, "more", "restart")
    first, second = app.payloads
    assert first["actions"][0]["selected_option"]["value"] == "hk"
    assert first["state"]["values"]["deeds"]["region"]["selected_option"]["value"] == "hk"
    assert second["actions"][0]["selected_option"]["value"] == "restart"
    with pytest.raises(LookupError, match="'region' offers no 'us', only: 'hk'"):
        await ada.choose(card, "region", "us")


async def test_what_is_not_there_cannot_be_pressed(workspace: Workspace, ada: Person, card: Message) -> None:
    with pytest.raises(LookupError, match="there is no 'Start', only: button 'stop' Stop"):
        await ada.press(card, "Start")
    twice = workspace.post(workspace.channels["C0GPU"], Content(text="t", blocks=(*BUTTONS, *BUTTONS)))
    with pytest.raises(LookupError, match="'stop' is there 2 times"):
        await ada.press(twice, "stop")


async def test_a_button_in_an_attachment_can_be_pressed(
    workspace: Workspace, app: RawApp, ada: Person
) -> None:
    attachments: tuple[dict[str, Any], ...] = ({"color": "#fff", "blocks": BUTTONS}, {"fallback": "f"})
    message = workspace.post(workspace.channels["C0GPU"], Content(text="t", attachments=attachments))
    assert (await ada.press(message, "stop")).ok
    assert app.payloads[0]["message"]["attachments"][0]["blocks"][0]["block_id"] == "deeds"
    assert message.words == "Stop\nDocs\nHong Kong\nRestart"


async def test_a_press_in_a_thread_names_the_thread(workspace: Workspace, app: RawApp, ada: Person) -> None:
    parent = ada.say("C0GPU", "hello")
    content = Content(text="t", blocks=tuple(BUTTONS))
    reply = workspace.post(workspace.channels["C0GPU"], content, thread_ts=parent.ts)
    await ada.press(reply, "stop")
    assert app.payloads[0]["container"]["thread_ts"] == parent.ts


async def test_an_ephemeral_message_is_not_sent_along(workspace: Workspace, app: RawApp, ada: Person) -> None:
    content = Content(text="t", blocks=tuple(BUTTONS))
    message = workspace.whisper("U0ADA", workspace.channels["C0GPU"], content)
    await ada.press(message, "stop")
    assert "message" not in app.payloads[0]
    assert app.payloads[0]["container"]["is_ephemeral"] is True


async def test_a_stale_message_presses_the_button_of_then_and_shows_the_message_of_now(
    workspace: Workspace, app: RawApp, ada: Person, card: Message
) -> None:
    workspace.edit(card, Content(text="no buttons any more"))
    await ada.press(card, "stop")
    assert app.payloads[0]["message"]["text"] == "no buttons any more"


async def test_an_answer_to_a_press_is_ignored_by_slack_and_a_violation(
    server: SlackServer, app: RawApp, ada: Person, card: Message
) -> None:
    app.answer = lambda _: {"text": "thanks"}
    await ada.press(card, "stop")
    assert server.violations == ["answer to block_actions: Slack ignores what it says"]


async def test_a_press_that_nobody_takes_fails_visibly(
    workspace: Workspace, ada: Person, card: Message
) -> None:
    seen: list[Change] = []
    workspace.subscribe(seen.append)
    reply = await ada.press(card, "stop")
    assert reply.error == "dispatch_failed"
    assert seen == [InteractionFailed(user="U0ADA", what="stop", error="dispatch_failed")]


async def test_a_response_url_takes_five_posts_wherever_the_bot_is_not(
    app: RawApp, session: aiohttp.ClientSession, ada: Person
) -> None:
    url = (await ada.command("/gpu", channel="D0ADABEN")).response_url
    answers = [await respond(session, url, text=str(number)) for number in range(6)]
    assert answers == [(200, "ok")] * 5 + [(404, "used_url")]
    assert [message.text for message in ada.sees("D0ADABEN")] == ["0", "1", "2", "3", "4"]
    assert await respond(session, f"{url}x", text="t") == (404, "no_such_url")


async def test_a_response_url_lives_half_an_hour(
    app: RawApp, session: aiohttp.ClientSession, ada: Person, clock: Clock
) -> None:
    url = (await ada.command("/gpu", channel="C0GPU")).response_url
    clock.advance(minutes=30)
    assert await respond(session, url, text="t") == (200, "ok")
    clock.advance(seconds=1)
    assert await respond(session, url, text="t") == (404, "expired_url")


async def test_a_refused_post_to_a_response_url_does_not_count(
    server: SlackServer, app: RawApp, session: aiohttp.ClientSession, ada: Person
) -> None:
    url = (await ada.command("/gpu", channel="C0GPU")).response_url
    for _ in range(6):
        assert await respond(session, url, text="t", blocks=[{"type": "x"}]) == (400, "invalid_blocks")
    async with session.post(url, data="{", headers={"Content-Type": "application/json"}) as response:
        assert response.status == 400
    assert await respond(session, url, text="t") == (200, "ok")
    assert server.violations == ["response_url: blocks[0]: unknown block type 'x'"] * 6
    assert server.journal.count("response_url") == 8


async def test_a_response_url_can_speak_to_the_channel_and_into_a_thread(
    server: SlackServer, app: RawApp, session: aiohttp.ClientSession, ada: Person
) -> None:
    parent = ada.say("C0RANDOM", "hello")
    url = (await ada.command("/gpu", channel="C0RANDOM")).response_url
    await respond(session, url, text="t", response_type="in_channel", thread_ts=parent.ts)
    assert [m.thread_ts for m in server.person("U0BEN").sees("C0RANDOM")] == [None, parent.ts]


async def test_after_a_command_there_is_nothing_to_replace_or_delete(
    app: RawApp, session: aiohttp.ClientSession, ada: Person
) -> None:
    app.answer = lambda _: {"text": "ack"}
    url = (await ada.command("/gpu", channel="C0GPU")).response_url
    await respond(session, url, text="more", replace_original=True)
    await respond(session, url, delete_original=True)
    assert [message.text for message in ada.sees("C0GPU")] == ["ack", "more"]


@pytest.mark.parametrize("is_ephemeral", [True, False])
async def test_after_a_press_the_message_can_be_replaced_and_deleted(
    app: RawApp, workspace: Workspace, session: aiohttp.ClientSession, ada: Person, *, is_ephemeral: bool
) -> None:
    seen: list[Change] = []
    channel, content = workspace.channels["C0GPU"], Content(text="old", blocks=tuple(BUTTONS))
    workspace.subscribe(seen.append)
    message = (
        workspace.whisper("U0ADA", channel, content) if is_ephemeral else workspace.post(channel, content)
    )
    url = (await ada.press(message, "stop")).response_url
    await respond(session, url, text="new", replace_original=True)
    (shown,) = ada.sees("C0GPU")
    assert (shown.text, shown.ts, shown.revision, shown.is_ephemeral) == ("new", message.ts, 1, is_ephemeral)
    await respond(session, url, delete_original=True)
    assert ada.sees("C0GPU") == []
    await respond(session, url, text="again", replace_original=True)
    assert [message.text for message in ada.sees("C0GPU")] == ["again"]
    of_ephemeral = [EphemeralShown, EphemeralEdited, EphemeralDeleted, EphemeralShown]
    of_message = [MessagePosted, MessageEdited, MessageDeleted, EphemeralShown]
    assert [type(change) for change in seen] == (of_ephemeral if is_ephemeral else of_message)


async def test_nobody_reads_a_conversation_of_others(server: SlackServer, ada: Person) -> None:
    with pytest.raises(LookupError, match="U0CLEO sees no channel D0ADABEN"):
        server.person("U0CLEO").sees("D0ADABEN")
    with pytest.raises(LookupError, match="sees no channel C0NOWHERE"):
        await ada.command("/gpu", channel="C0NOWHERE")
    with pytest.raises(SlackError, match="user_not_found"):
        server.person("U0NOBODY")


async def test_a_mention_and_shortcuts_reach_the_app(app: RawApp, ada: Person, card: Message) -> None:
    assert (await ada.mention("C0GPU", "status", thread_ts=card.ts)).ok
    assert (await ada.shortcut("gpu_create")).ok
    assert (await ada.shortcut("gpu_status", card)).ok
    mention, world, on_message = app.payloads
    assert mention["event"]["type"] == "app_mention"
    assert mention["event"]["text"] == "<@U0GPUBOT> status"
    assert mention["event"]["thread_ts"] == card.ts
    assert (world["type"], world["callback_id"], "channel" in world) == ("shortcut", "gpu_create", False)
    assert (on_message["type"], on_message["message"]["ts"]) == ("message_action", card.ts)
    assert on_message["channel"]["id"] == "C0GPU"
    assert app.envelopes[0]["accepts_response_payload"] is False


async def test_an_observer_hears_until_it_leaves(workspace: Workspace, ada: Person) -> None:
    seen: list[Change] = []
    leave = workspace.subscribe(seen.append)
    message = ada.say("C0GPU", "one")
    leave()
    ada.say("C0GPU", "two")
    assert seen == [MessagePosted(message=message)]


async def test_waiting_ends_with_the_change(server: SlackServer, ada: Person) -> None:
    waiting = asyncio.create_task(server.wait_for(lambda: ada.sees("C0GPU")))
    await asyncio.sleep(0)
    message = ada.say("C0GPU", "one")
    assert await waiting == [message]


def test_a_workspace_can_have_its_own_people(clock: Clock) -> None:
    user = User(id="U1", name="eve", is_owner=True)
    workspace = Workspace(clock=clock, users=[user], channels=[Channel(id="C1", name="only", members={"U1"})])
    assert (list(workspace.users), list(workspace.channels)) == (["U1"], ["C1"])
    assert user.as_json()["is_primary_owner"]


def test_timestamps_are_times_and_never_repeat(clock: Clock, workspace: Workspace) -> None:
    first, second = workspace.say("U0ADA", "C0GPU", "a"), workspace.say("U0ADA", "C0GPU", "b")
    clock.advance(seconds=2)
    third = workspace.say("U0ADA", "C0GPU", "c")
    assert (first.ts, second.ts, third.ts) == (
        "1795435200.000000",
        "1795435200.000001",
        "1795435202.000000",
    )


def test_the_words_of_rich_text_are_read_in_order(workspace: Workspace) -> None:
    elements = [
        {"type": "text", "text": "go "},
        {"type": "link", "url": "https://a.b"},
        {"type": "emoji", "name": "tada"},
        {"type": "user", "user_id": "U1"},
        {"type": "channel", "channel_id": "C1"},
        {"type": "date", "timestamp": 7, "format": "{date}"},
        {"type": "broadcast", "range": "here"},
    ]
    rich = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}
    image = {"type": "image", "image_url": "https://a/b", "alt_text": "a picture"}
    context = {"type": "context", "elements": [image]}
    message = workspace.post(workspace.channels["C0GPU"], Content(text="t", blocks=(rich, context, SECTION)))
    assert message.words == "go https://a.b:tada:<@U1><#C1>7(broadcast)\na picture\nhello"
    assert replace(message, content=Content(text="t")).words == "t"
