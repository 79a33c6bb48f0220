"""What the app hears of what is said, its own words among it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from sandbox_slack_app import RawApp
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.installation import App
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.scopes import ALL_SCOPES, SCOPE_OF_EVENT
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

EVERYTHING = App(events=frozenset(SCOPE_OF_EVENT))


def events(app: RawApp) -> list[dict[str, Any]]:
    return [payload["event"] for payload in app.payloads]


def kinds(found: Iterable[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in found]


async def test_a_direct_message_is_told_as_it_was_written(app: RawApp, ada: Person) -> None:
    reply = await ada.write(ada.direct_channel, "stop <it> @ben")
    (event,) = events(app)
    message = reply.message
    assert message is not None
    assert reply.ok
    assert {
        key: event[key] for key in ("type", "channel", "channel_type", "user", "text", "ts", "event_ts")
    } == {
        "type": "message",
        "channel": ada.direct_channel,
        "channel_type": "im",
        "user": "U0ADA",
        "text": "stop &lt;it&gt; <@U0BEN>",
        "ts": message.ts,
        "event_ts": message.ts,
    }
    assert not {"bot_id", "thread_ts", "subtype"} & event.keys()
    assert app.envelopes[0]["type"] == "events_api"


async def test_a_mention_is_told_in_channels_and_threads(app: RawApp, ada: Person) -> None:
    first = (await ada.write("C0GPU", "@gpu-ops status")).message
    assert first is not None
    await ada.write("C0LAB", "so, @gpu-ops?")
    await ada.write("C0GPU", "and @gpu-ops now?", first.ts)
    assert kinds(events(app)) == ["app_mention"] * 3
    assert events(app)[0]["text"] == "<@U0GPUBOT> status"
    assert [event.get("thread_ts") for event in events(app)] == [None, None, first.ts]
    assert "channel_type" not in events(app)[0]


async def test_what_is_not_for_the_app_it_does_not_hear(app: RawApp, ada: Person) -> None:
    await ada.write("C0GPU", "hello @ben")
    await ada.write("C0RANDOM", "@gpu-ops is not here")
    reply = await ada.write("D0ADABEN", "@gpu-ops")
    assert (reply.delivery, reply.ok, app.payloads) == (None, True, [])
    await ada.write(ada.direct_channel, "@gpu-ops hello")
    assert kinds(events(app)) == ["message"]


async def test_what_is_merely_said_stays_in_the_workspace(app: RawApp, ada: Person) -> None:
    ada.say("C0GPU", "<@U0GPUBOT> hello")
    await ada.home()
    assert kinds(events(app)) == ["app_home_opened"]


@pytest.mark.parametrize(
    ("subscribed", "heard"),
    [
        ((), []),
        (("app_mention",), ["app_mention"]),
        (("message.channels",), ["message"]),
        (("message.channels", "app_mention"), ["message", "app_mention"]),
        (("message.groups", "message.im", "app_home_opened"), []),
    ],
)
async def test_only_what_is_subscribed_to_is_delivered(
    workspace: Workspace, app: RawApp, ada: Person, subscribed: tuple[str, ...], heard: list[str]
) -> None:
    workspace.app = App(events=frozenset(subscribed))
    await ada.write("C0GPU", "@gpu-ops hello")
    assert sorted(kinds(events(app))) == sorted(heard)


@pytest.mark.parametrize("scope", sorted(scope for scope in SCOPE_OF_EVENT.values() if scope))
async def test_without_its_scope_an_event_is_not_delivered(
    workspace: Workspace, app: RawApp, ada: Person, scope: str
) -> None:
    workspace.app = replace(EVERYTHING, scopes=ALL_SCOPES - {scope})
    group = workspace.direct_channel({"U0ADA", "U0BEN", "U0GPUBOT"}).id
    for channel in ("C0GPU", "C0LAB", group, ada.direct_channel):
        await ada.write(channel, "hello")
    await ada.mention("C0GPU", "hello")
    told = {event.get("channel_type", event["type"]) for event in events(app)}
    lost = {
        "app_mentions:read": "app_mention",
        "channels:history": "channel",
        "groups:history": "group",
        "im:history": "im",
        "mpim:history": "mpim",
    }
    assert told == set(lost.values()) - {lost[scope]}


async def test_the_app_hears_itself_in_direct_messages(
    server: SlackServer, app: RawApp, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(channel="U0ADA", text="hello <@U0GPUBOT>")
    place = {"channel": posted["channel"], "ts": posted["ts"]}
    await client.chat_update(**place, text="changed")
    await client.chat_delete(**place)
    await client.chat_postMessage(channel="C0GPU", text="<@U0GPUBOT>")
    await client.chat_postEphemeral(channel="C0GPU", user="U0ADA", text="t")
    await server.wait_for(lambda: len(app.payloads) == 3)
    new, changed, deleted = events(app)
    assert kinds(events(app)) == ["message"] * 3
    assert (new["bot_id"], new["user"], new["app_id"], new["channel_type"]) == (
        "B0GPUBOT",
        "U0GPUBOT",
        "A0GPUBOT",
        "im",
    )
    assert new["bot_profile"]["id"] == "B0GPUBOT"
    assert (changed["subtype"], changed["hidden"]) == ("message_changed", True)
    assert (changed["message"]["text"], changed["previous_message"]["ts"]) == ("changed", posted["ts"])
    assert changed["previous_message"]["text"].startswith("hello")
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", posted["ts"])


async def test_a_bot_that_answers_whatever_it_hears_answers_itself(
    server: SlackServer, app: RawApp, client: AsyncWebClient, ada: Person
) -> None:
    await ada.write(ada.direct_channel, "hello")
    for number in range(3):
        await client.chat_postMessage(channel=events(app)[-1]["channel"], text="hello yourself")
        await server.wait_for(lambda number=number: len(app.payloads) == number + 2)
    assert [event.get("bot_id") for event in events(app)] == [None, *["B0GPUBOT"] * 3]


async def test_bolt_takes_its_own_words_for_its_own(
    server: SlackServer, bolt: AsyncApp, bolt_running: Any, client: AsyncWebClient, ada: Person
) -> None:
    heard: list[str] = []

    @bolt.event("message")
    async def hear(event: dict[str, Any]) -> None:
        heard.append(event["text"])
        await client.chat_postMessage(channel=event["channel"], text="you said so")
        server.signal.notify()

    await bolt_running()
    await ada.write(ada.direct_channel, "hello")
    await server.wait_for(lambda: len(server.acks) == 2)
    assert heard == ["hello"]
