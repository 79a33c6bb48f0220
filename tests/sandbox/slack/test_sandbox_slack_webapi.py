from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.journal import LONGEST_MEMORY, Call, Journal
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}


async def refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_auth_test_names_the_bot(client: AsyncWebClient) -> None:
    answer = await client.auth_test()
    assert (answer["user_id"], answer["bot_id"], answer["team_id"]) == ("U0GPUBOT", "B0GPUBOT", "T0SANDBOX")


async def test_a_post_is_seen_and_an_update_edits_it_in_place(
    server: SlackServer, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(channel="C0GPU", text="one", blocks=[SECTION])
    updated = await client.chat_update(channel="C0GPU", ts=posted["ts"], text="two")
    (message,) = server.person("U0BEN").sees("C0GPU")
    assert (message.text, message.words, message.ts, message.revision) == ("two", "two", updated["ts"], 1)
    assert updated["message"]["edited"]["user"] == "U0GPUBOT"
    assert server.violations == []


async def test_blocks_stay_only_if_they_are_sent_again(server: SlackServer, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="C0GPU", text="one", blocks=[SECTION])
    updated = await client.chat_update(channel="C0GPU", ts=posted["ts"], text="two", blocks=[SECTION])
    assert updated["message"]["blocks"][0]["text"] == SECTION["text"]
    assert "edited" not in updated["message"]
    await client.chat_update(channel="C0GPU", ts=posted["ts"], text="three")
    assert server.person("U0BEN").sees("C0GPU")[0].blocks == ()


async def test_every_way_to_send_arguments_is_understood(
    server: SlackServer, session: aiohttp.ClientSession
) -> None:
    url = f"{server.api_url}chat.postMessage"
    headers = {"Authorization": f"Bearer {server.bot_token}"}
    arguments = {"channel": "C0GPU", "text": "t", "blocks": json.dumps([SECTION]), "unfurl_links": "false"}
    ways: list[tuple[str, dict[str, Any]]] = [
        ("GET", {"params": arguments, "headers": headers}),
        ("POST", {"params": arguments, "headers": headers}),
        ("POST", {"data": {**arguments, "token": server.bot_token}}),
        ("POST", {"json": {**arguments, "blocks": [SECTION], "unfurl_links": False}, "headers": headers}),
    ]
    for verb, how in ways:
        async with session.request(verb, url, **how) as response:
            assert (await response.json())["ok"], how
    assert [message.words for message in server.person("U0BEN").sees("C0GPU")] == ["hello"] * 4
    assert [call.verb for call in server.journal.calls()] == ["GET", "POST", "POST", "POST"]
    assert not any("token" in call.arguments for call in server.journal.calls())
    assert server.violations == []


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        ("{", "application/json", "invalid_json"),
        ("[]", "application/json", "json_not_object"),
        ("blocks=%7B", "application/x-www-form-urlencoded", "invalid_json"),
        ("", "application/json", "invalid_arguments"),
        ('{"channel": 7, "text": "t"}', "application/json", "invalid_arguments"),
    ],
)
async def test_unreadable_arguments_are_refused(
    server: SlackServer, session: aiohttp.ClientSession, body: str, content_type: str, error: str
) -> None:
    headers = {"Authorization": f"Bearer {server.bot_token}", "Content-Type": content_type}
    async with session.post(f"{server.api_url}chat.postMessage", data=body, headers=headers) as response:
        assert (await response.json())["error"] == error


@pytest.mark.parametrize(
    ("method", "token", "error"),
    [
        ("auth.test", "", "not_authed"),
        ("auth.test", "xoxb-other", "invalid_auth"),
        ("auth.test", "xapp-sandbox", "not_allowed_token_type"),
        ("apps.connections.open", "xoxb-sandbox", "not_allowed_token_type"),
    ],
)
async def test_a_wrong_token_is_refused(
    server: SlackServer, session: aiohttp.ClientSession, method: str, token: str, error: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with session.post(f"{server.api_url}{method}", headers=headers) as response:
        assert await response.json() == {"ok": False, "error": error}


async def test_an_unknown_method_is_a_violation(server: SlackServer, client: AsyncWebClient) -> None:
    assert await refused(client.conversations_history(channel="C0GPU")) == "unknown_method"
    assert server.violations == ["conversations.history: there is no such method here"]


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("C0RANDOM", "not_in_channel"),
        ("C0SECRET", "channel_not_found"),
        ("D0ADABEN", "channel_not_found"),
        ("C0OLD", "is_archived"),
        ("C0NOWHERE", "channel_not_found"),
        ("U0DAN", "channel_not_found"),
        ("U0GPUBOT", "channel_not_found"),
    ],
)
async def test_the_bot_cannot_post_everywhere(client: AsyncWebClient, channel: str, error: str) -> None:
    assert await refused(client.chat_postMessage(channel=channel, text="t")) == error


async def test_an_invitation_opens_a_channel_and_a_removal_closes_it(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    workspace.invite_bot("C0SECRET")
    posted = await client.chat_postMessage(channel="C0SECRET", text="t")
    workspace.remove_bot("C0SECRET")
    assert (
        await refused(client.chat_update(channel="C0SECRET", ts=posted["ts"], text="u"))
        == "channel_not_found"
    )


async def test_a_post_to_a_user_id_lands_in_their_dms_and_is_updated_under_the_channels_id(
    server: SlackServer, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(channel="U0BEN", text="psst")
    assert posted["channel"].startswith("D")
    assert (
        await refused(client.chat_update(channel="U0BEN", ts=posted["ts"], text="u")) == "channel_not_found"
    )
    await client.chat_update(channel=posted["channel"], ts=posted["ts"], text="u")
    opened = await client.conversations_open(users="U0BEN", return_im=True)
    assert (opened["channel"]["id"], opened["channel"]["user"]) == (posted["channel"], "U0BEN")
    assert [message.text for message in server.person("U0BEN").dms()] == ["u"]
    assert server.person("U0ADA").dms() == []


async def test_a_conversation_is_opened_with_those_who_can_have_one(client: AsyncWebClient) -> None:
    both = await client.conversations_open(users="U0ADA,U0BEN")
    again = await client.conversations_open(channel=both["channel"]["id"])
    info = await client.conversations_info(channel=both["channel"]["id"])
    assert again["channel"]["id"] == both["channel"]["id"]
    assert (info["channel"]["is_mpim"], info["channel"]["num_members"]) == (True, 3)
    assert await refused(client.conversations_open(users="U0NOBODY")) == "user_not_found"
    assert await refused(client.conversations_open(users="U0DAN")) == "user_disabled"
    assert await refused(client.conversations_open(users="U0GPUBOT")) == "cannot_dm_bot"


async def test_what_the_bot_can_know_about_a_channel(client: AsyncWebClient) -> None:
    public = (await client.conversations_info(channel="C0RANDOM"))["channel"]
    assert (public["is_member"], public["is_channel"], public["is_private"]) == (False, True, False)
    lab = (await client.conversations_info(channel="C0LAB"))["channel"]
    assert (lab["is_member"], lab["is_group"], lab["is_private"]) == (True, True, True)
    assert await refused(client.conversations_info(channel="C0SECRET")) == "channel_not_found"


async def test_guests_strangers_and_the_departed_are_told_by_their_flags(client: AsyncWebClient) -> None:
    users = {
        name: (await client.users_info(user=name))["user"] for name in ("U0ADA", "U0GUS", "U0MIA", "U0SAM")
    }
    assert users["U0ADA"]["is_admin"]
    assert (users["U0GUS"]["is_ultra_restricted"], users["U0GUS"]["is_restricted"]) == (True, True)
    assert (users["U0MIA"]["is_ultra_restricted"], users["U0MIA"]["is_restricted"]) == (False, True)
    assert (users["U0SAM"]["is_stranger"], users["U0SAM"]["team_id"]) == (True, "T0ELSEWHERE")
    departed = (await client.users_info(user="U0DAN"))["user"]
    assert departed["deleted"]
    assert "is_restricted" not in departed
    assert await refused(client.users_info(user="U0NOBODY")) == "user_not_found"


async def test_a_reply_goes_into_the_thread_of_a_parent_only(
    server: SlackServer, client: AsyncWebClient
) -> None:
    parent = await client.chat_postMessage(channel="C0GPU", text="card")
    reply = await client.chat_postMessage(
        channel="C0GPU", text="ready", thread_ts=parent["ts"], reply_broadcast=True
    )
    assert reply["message"]["thread_ts"] == parent["ts"]
    assert [m.text for m in server.workspace.board.thread("C0GPU", parent["ts"])] == ["card", "ready"]
    for ts in (reply["ts"], "1.000002"):
        assert (
            await refused(client.chat_postMessage(channel="C0GPU", text="t", thread_ts=ts))
            == "thread_not_found"
        )


async def test_only_its_own_messages_can_be_changed(workspace: Workspace, client: AsyncWebClient) -> None:
    human = workspace.say("U0ADA", "C0GPU", "mine")
    assert await refused(client.chat_update(channel="C0GPU", ts=human.ts, text="t")) == "cant_update_message"
    assert await refused(client.chat_delete(channel="C0GPU", ts=human.ts)) == "cant_delete_message"
    assert await refused(client.chat_update(channel="C0GPU", ts="1.000001", text="t")) == "message_not_found"


async def test_a_deleted_message_is_gone(server: SlackServer, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="C0GPU", text="t")
    await client.chat_delete(channel="C0GPU", ts=posted["ts"])
    assert server.person("U0BEN").sees("C0GPU") == []
    assert await refused(client.chat_delete(channel="C0GPU", ts=posted["ts"])) == "message_not_found"


async def test_an_ephemeral_is_seen_by_one_and_cannot_be_updated(
    server: SlackServer, client: AsyncWebClient
) -> None:
    ada, ben = server.person("U0ADA"), server.person("U0BEN")
    shown = await client.chat_postEphemeral(channel="C0GPU", user="U0ADA", text="secret")
    assert [message.text for message in ada.sees("C0GPU")] == ["secret"]
    assert ben.sees("C0GPU") == []
    ts = shown["message_ts"]
    assert await refused(client.chat_update(channel="C0GPU", ts=ts, text="t")) == "message_not_found"
    ada.reload()
    assert ada.sees("C0GPU") == []
    outsider = client.chat_postEphemeral(channel="C0LAB", user="U0GUS", text="t")
    assert await refused(outsider) == "user_not_in_channel"


async def test_a_permalink_names_the_message_and_its_thread(client: AsyncWebClient) -> None:
    parent = await client.chat_postMessage(channel="C0GPU", text="t")
    reply = await client.chat_postMessage(channel="C0GPU", text="t", thread_ts=parent["ts"])
    link = await client.chat_getPermalink(channel="C0GPU", message_ts=parent["ts"])
    assert link["permalink"] == f"https://sandbox.slack.com/archives/C0GPU/p{parent['ts'].replace('.', '')}"
    link = await client.chat_getPermalink(channel="C0GPU", message_ts=reply["ts"])
    assert link["permalink"].endswith(f"?thread_ts={parent['ts']}&cid=C0GPU")


async def test_metadata_comes_back_and_is_lost_by_an_update_without_it(client: AsyncWebClient) -> None:
    mark = {"event_type": "gpu", "event_payload": {"id": "7"}}
    posted = await client.chat_postMessage(channel="C0GPU", text="t", metadata=mark)
    assert posted["message"]["metadata"] == mark
    updated = await client.chat_update(channel="C0GPU", ts=posted["ts"], text="t")
    assert "metadata" not in updated["message"]
    large = {"event_type": "gpu", "event_payload": {"id": "x" * 8000}}
    refusal = client.chat_postMessage(channel="C0GPU", text="t", metadata=large)
    assert await refused(refusal) == "metadata_too_large"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"text": ""}, "no_text"),
        ({"text": "x" * 4001}, "msg_too_long"),
        ({"text": "t", "blocks": [{"type": "divider", "block_id": "x" * 14_000}]}, "msg_blocks_too_long"),
        ({"text": "t", "blocks": [{"type": "alert"}]}, "invalid_blocks"),
    ],
)
async def test_what_slack_would_refuse_is_refused_and_remembered(
    server: SlackServer, client: AsyncWebClient, content: dict[str, Any], error: str
) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.api_call("chat.postMessage", json={"channel": "C0GPU", **content})
    assert caught.value.response["error"] == error
    assert [f"chat.postMessage: {m}" for m in caught.value.response["errors"]] == server.violations
    assert server.person("U0BEN").sees("C0GPU") == []


async def test_validation_finds_without_remembering(server: SlackServer, client: AsyncWebClient) -> None:
    await client.blocks_validate(blocks=json.dumps([SECTION]))
    assert await refused(client.blocks_validate(blocks=json.dumps([{"type": "x"}]))) == "invalid_blocks"
    assert await refused(client.blocks_validate(message=json.dumps({}))) == "invalid_message"
    assert await refused(client.blocks_validate(view=json.dumps({"type": "x"}))) == "invalid_view"
    assert server.violations == []


async def test_the_journal_counts_beyond_what_it_keeps(server: SlackServer, client: AsyncWebClient) -> None:
    await client.auth_test()
    (call,) = server.journal.calls("auth.test")
    assert (call.error, server.journal.count("auth.test"), server.journal.count("chat.update")) == (
        None,
        1,
        0,
    )
    journal = Journal()
    for _ in range(LONGEST_MEMORY + 1):
        journal.add(Call(method="m", verb="GET", arguments={}, at=call.at))
    assert (journal.count("m"), len(journal.calls())) == (LONGEST_MEMORY + 1, LONGEST_MEMORY)
