from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from clocks import Clock
from receivers import receiver
from sink_samples import a_card, a_delivery, an_event, an_instance
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.sandbox.slack.faults import CloseConnection, DropReply, ErrorCode, Hang, HttpStatus, RateLimited
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from bot.sinks import slack as slack_module
from bot.sinks.slack import SlackSink
from bot.sinks.slack_answers import NEEDS_A_HAND
from bot.sinks.slack_pace import SlackPace
from bot.sinks.verdicts import Dead, Delivered, Later, Lost, Shown
from storage.records import Target, TargetKind

POST, UPDATE, OPEN = "chat.postMessage", "chat.update", "conversations.open"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def slack(clock):
    server = SlackServer(Workspace(clock=clock))
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(slack):
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(
            token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], session=session
        )


@pytest.fixture
def sink(client, clock):
    return SlackSink(client, clock=clock, pace=quick(clock), timeout=timedelta(seconds=5))


def quick(clock):
    return SlackPace(clock, edits_per_minute=60_000, posts_per_minute=60_000)


ADAS = an_instance(requester="U0ADA")
BY_REST = an_instance(requester=None)


def posted(slack, channel="C0GPU"):
    return slack.workspace.board.history(channel)


def direct_to_ada(slack):
    return slack.workspace.direct_channel({slack.workspace.app.user_id, "U0ADA"})


async def show(sink, card, instance=ADAS):
    return await asyncio.wait_for(sink.show_card(card, instance, sink._clock()), 30)


async def a_shown_card(sink, instance=ADAS, channel="C0GPU"):
    shown = await show(sink, a_card(channel=channel), instance)
    return a_card(channel=shown.channel, ts=shown.ts)


async def tell(sink, card, instance=ADAS):
    return await asyncio.wait_for(sink.post_notice(a_delivery(an_event(instance=instance)), card), 30)


# the card


async def test_a_card_is_posted_once_and_edited_in_place_from_then_on(sink, slack):
    card = await a_shown_card(sink)
    assert await show(sink, card, replace(ADAS, name="renamed")) == Shown(channel="C0GPU", ts=card.ts)
    (message,) = posted(slack)
    assert message.ts == card.ts
    assert "renamed" in message.words
    assert slack.violations == []


async def test_a_card_unfurls_nothing_and_is_marked_with_its_instance(sink, slack):
    card = await a_shown_card(sink)
    await show(sink, card)
    (call,) = slack.journal.calls(POST)
    assert (call.arguments["unfurl_links"], call.arguments["unfurl_media"]) == (False, False)
    (message,) = posted(slack)
    assert message.metadata == {
        "event_type": "gpu_instance",
        "event_payload": {"instance_id": "abcdefgh12345678"},
    }


async def test_a_card_that_somebody_deleted_is_lost(sink, slack):
    card = await a_shown_card(sink)
    slack.workspace.delete(posted(slack)[0])
    assert await show(sink, card) == Lost()


@pytest.mark.parametrize("channel", ["C0RANDOM", "C0SECRET", "C0OLD", "D0ADABEN", "C0NOWHERE"])
async def test_where_the_bot_cannot_post_the_card_goes_to_the_requester(sink, slack, channel):
    shown = await show(sink, a_card(channel=channel))
    assert shown.channel == direct_to_ada(slack).id
    (message,) = posted(slack, shown.channel)
    assert message.ts == shown.ts


async def test_a_card_in_direct_messages_is_edited_there(sink, slack):
    card = await a_shown_card(sink, channel="C0RANDOM")
    await show(sink, card, replace(ADAS, name="renamed"))
    (message,) = posted(slack, card.channel)
    assert "renamed" in message.words


async def test_a_card_whose_channel_was_left_moves_to_the_requester(sink, slack):
    card = await a_shown_card(sink)
    slack.workspace.remove_bot("C0GPU")
    shown = await show(sink, card)
    assert shown.channel == direct_to_ada(slack).id
    assert shown.ts != card.ts


async def test_whoever_typed_the_command_is_told_how_to_invite_the_bot(sink, slack):
    url = f"{slack.url}/{slack.workspace.response_urls.issue('U0ADA', 'C0RANDOM')}"
    await show(sink, a_card(channel="C0RANDOM", response_url=url))
    (whisper,) = slack.workspace.board.seen_by("U0ADA", "C0RANDOM")
    assert "/invite <@U0GPUBOT>" in whisper.words
    assert slack.violations == []


async def test_an_invitation_is_explained_even_when_slack_does_not_say_who_we_are(sink, slack):
    slack.fail("auth.test", HttpStatus(503))
    url = f"{slack.url}/{slack.workspace.response_urls.issue('U0ADA', 'C0RANDOM')}"
    await show(sink, a_card(channel="C0RANDOM", response_url=url))
    (whisper,) = slack.workspace.board.seen_by("U0ADA", "C0RANDOM")
    assert "invite" in whisper.words


async def test_nobody_is_told_to_invite_a_bot_that_was_there(sink, slack):
    url = f"{slack.url}/{slack.workspace.response_urls.issue('U0ADA', 'C0GPU')}"
    await show(sink, a_card(response_url=url))
    assert slack.journal.calls("response_url") == []


@pytest.mark.parametrize("fault", [CloseConnection(), HttpStatus(500), ErrorCode("expired_url")])
async def test_an_explanation_that_fails_does_not_take_the_card_back(sink, slack, fault):
    slack.fail("response_url", fault)
    url = f"{slack.url}/{slack.workspace.response_urls.issue('U0ADA', 'C0RANDOM')}"
    assert isinstance(await show(sink, a_card(channel="C0RANDOM", response_url=url)), Shown)


async def test_nothing_is_explained_before_the_card_has_arrived(sink, slack):
    slack.fail(OPEN, HttpStatus(503))
    url = f"{slack.url}/{slack.workspace.response_urls.issue('U0ADA', 'C0RANDOM')}"
    assert isinstance(await show(sink, a_card(channel="C0RANDOM", response_url=url)), Later)
    assert slack.journal.calls("response_url") == []


async def test_a_card_of_a_rest_instance_waits_for_an_invitation(sink, slack):
    assert await show(sink, a_card(channel="C0RANDOM"), BY_REST) == Later(
        reason="not_in_channel", after=NEEDS_A_HAND
    )
    slack.workspace.invite_bot("C0RANDOM")
    assert isinstance(await show(sink, a_card(channel="C0RANDOM"), BY_REST), Shown)
    assert slack.journal.calls(OPEN) == []


async def test_a_card_for_somebody_who_has_left_is_dead(sink):
    gone = replace(ADAS, requester="U0DAN")
    assert await show(sink, a_card(channel="C0RANDOM"), gone) == Dead(reason="user_disabled")


@pytest.mark.parametrize("code", ["cant_update_message", "edit_window_closed"])
async def test_a_card_that_may_not_be_edited_is_left_as_it_is(sink, slack, code):
    card = await a_shown_card(sink)
    slack.fail(UPDATE, ErrorCode(code))
    assert await show(sink, card) == Dead(reason=code)


# notices


async def test_a_notice_is_a_reply_in_the_thread_of_the_card(sink, slack):
    card = await a_shown_card(sink)
    assert await tell(sink, card) == Delivered(status_code=200)
    _, reply = posted(slack)
    assert reply.thread_ts == card.ts
    assert reply.metadata["event_payload"] == {"instance_id": "abcdefgh12345678", "event_id": "evt_0001"}
    assert slack.violations == []


async def test_a_notice_whose_thread_is_gone_is_told_in_the_channel(sink, slack):
    card = await a_shown_card(sink)
    slack.workspace.delete(posted(slack)[0])
    assert await tell(sink, card) == Delivered(status_code=200)
    (message,) = posted(slack)
    assert message.thread_ts is None


async def test_a_notice_in_a_channel_that_was_left_goes_to_the_requester(sink, slack):
    card = await a_shown_card(sink)
    slack.workspace.remove_bot("C0GPU")
    assert await tell(sink, card) == Delivered(status_code=200)
    (message,) = posted(slack, direct_to_ada(slack).id)
    assert message.thread_ts is None


async def test_a_notice_with_neither_thread_nor_channel_goes_to_the_requester(sink, slack):
    card = await a_shown_card(sink)
    slack.fail(POST, ErrorCode("thread_not_found"))
    slack.fail(POST, ErrorCode("is_archived"))
    assert await tell(sink, card) == Delivered(status_code=200)
    assert len(posted(slack, direct_to_ada(slack).id)) == 1


async def test_a_notice_without_a_card_is_told_in_the_instances_channel(sink, slack):
    assert await tell(sink, None) == Delivered(status_code=200)
    assert len(posted(slack)) == 1


async def test_a_notice_without_any_channel_is_dead(sink):
    nowhere = replace(BY_REST, channel=None)
    assert isinstance(await tell(sink, None, nowhere), Dead)


async def test_a_notice_of_a_rest_instance_waits_for_an_invitation(sink, slack):
    verdict = await tell(sink, a_card(channel="C0RANDOM", ts=None), BY_REST)
    assert verdict == Later(reason="not_in_channel", after=NEEDS_A_HAND)
    assert slack.journal.calls(OPEN) == []


async def test_a_notice_outside_a_thread_is_never_mistaken_for_one_whose_thread_is_gone(sink, slack):
    slack.fail(POST, ErrorCode("thread_not_found"))
    assert await tell(sink, None) == Later(reason="thread_not_found")


# looks


@pytest.fixture
def direct():
    event = an_event(instance=ADAS)
    return replace(a_delivery(event), target=Target(kind=TargetKind.DIRECT, address="U0ADA"))


async def test_who_chose_direct_messages_is_told_there_without_a_mention(sink, slack, direct):
    card = await a_shown_card(sink)
    assert await sink.post_direct(direct, card) == Delivered(status_code=200)
    (message,) = posted(slack, direct_to_ada(slack).id)
    assert ADAS.name in message.words
    assert "<@" not in message.text
    assert len(posted(slack)) == 1


async def test_nobody_is_told_twice_where_the_card_is_in_direct_messages(sink, slack, direct):
    card = await a_shown_card(sink, channel="C0RANDOM")
    before = len(posted(slack, card.channel))
    assert await sink.post_direct(direct, card) == Delivered(status_code=200)
    assert len(posted(slack, card.channel)) == before


async def test_a_direct_message_that_slack_does_not_take_now_is_tried_later(sink, slack, direct):
    slack.fail("conversations.open", RateLimited(retry_after=timedelta(seconds=7)))
    assert isinstance(await sink.post_direct(direct, None), Later)


async def test_who_does_not_want_to_be_called_is_not_mentioned_in_the_thread(sink, slack):
    card = await a_shown_card(sink)
    delivery = a_delivery(an_event(instance=ADAS))
    await sink.post_notice(delivery, card, uncalled=frozenset({"U0ADA"}))
    (reply,) = slack.workspace.board.thread("C0GPU", card.ts)[1:]
    assert "<@U0ADA>" not in reply.text


async def test_a_home_is_published_for_its_person(sink, slack):
    view = {"type": "home", "blocks": [{"type": "divider"}]}
    assert await sink.publish_home("U0ADA", view) == Delivered(status_code=200)
    assert slack.person("U0ADA").home_view.blocks[0]["type"] == "divider"
    assert await sink.publish_home("U0NOBODY", view) == Dead(reason="user_not_found")


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_blocks_too_long", "metadata_too_large"])
async def test_a_notice_is_never_lost_because_of_its_looks(sink, slack, code):
    card = await a_shown_card(sink)
    slack.fail(POST, ErrorCode(code))
    assert await tell(sink, card) == Delivered(status_code=200)
    _, reply = posted(slack)
    assert (reply.blocks, reply.metadata, reply.thread_ts) == ((), None, card.ts)
    assert "my-train" in reply.text


async def test_a_card_is_shown_as_text_when_its_blocks_are_refused(sink, slack):
    card = await a_shown_card(sink)
    slack.fail(UPDATE, ErrorCode("invalid_blocks"))
    assert isinstance(await show(sink, card), Shown)
    (message,) = posted(slack)
    assert message.blocks == ()


async def test_a_text_that_is_too_long_is_cut(sink, slack, monkeypatch):
    monkeypatch.setattr(slack_module, "notice", lambda _event, **_how: {"text": "x" * 5000, "blocks": []})
    assert await tell(sink, None) == Delivered(status_code=200)
    (message,) = posted(slack)
    assert message.text == "x" * 3000


async def test_what_slack_refuses_even_as_text_is_dead(sink, slack):
    slack.fail(POST, ErrorCode("no_text"), times=2)
    assert await tell(sink, None) == Dead(reason="no_text")
    assert len(slack.journal.calls(POST)) == 2


# trouble


async def test_slack_says_how_long_to_wait_and_is_left_alone_for_so_long(sink, slack, clock):
    slack.fail(POST, RateLimited(timedelta(seconds=30)))
    first = await tell(sink, None)
    assert (first.status_code, first.after) == (429, timedelta(seconds=30))
    clock.advance(10)
    second = await tell(sink, None)
    assert (second.status_code, second.after) == (429, timedelta(seconds=20))
    clock.advance(19)
    assert (await tell(sink, None)).after == timedelta(seconds=1)
    assert len(slack.journal.calls(POST)) == 1
    clock.advance(1)
    assert await tell(sink, None) == Delivered(status_code=200)


async def test_a_busy_channel_does_not_silence_another(sink, slack):
    slack.fail(POST, RateLimited(timedelta(seconds=30)))
    await tell(sink, None)
    assert await tell(sink, a_card(channel="C0LAB")) == Delivered(status_code=200)


async def test_a_429_without_a_time_is_waited_for_all_the_same(sink, slack):
    slack.fail(POST, ErrorCode("ratelimited"))
    assert await tell(sink, None) == Later(
        reason="Slack asks us to wait", status_code=429, after=timedelta(seconds=1)
    )


@pytest.mark.parametrize(
    ("fault", "status"),
    [(HttpStatus(500), 500), (HttpStatus(503), 503), (HttpStatus(200), 200), (CloseConnection(), None)],
)
async def test_no_sensible_answer_is_tried_later_and_only_later(sink, slack, fault, status):
    slack.fail(POST, fault)
    verdict = await tell(sink, None)
    assert isinstance(verdict, Later)
    assert verdict.status_code == status
    assert len(slack.journal.calls(POST)) == 1


async def test_an_answer_that_never_comes_is_given_up_after_the_timeout(client, clock, slack):
    sink = SlackSink(client, clock=clock, pace=quick(clock), timeout=timedelta(seconds=0.2))
    slack.fail(POST, Hang())
    assert await tell(sink, None) == Later(reason="Slack did not answer in time")


async def test_a_post_whose_answer_was_lost_is_told_again(sink, slack):
    slack.fail(POST, DropReply())
    assert isinstance(await tell(sink, None), Later)
    assert await tell(sink, None) == Delivered(status_code=200)
    assert len(posted(slack)) == 2


async def test_an_edit_whose_answer_was_lost_leaves_one_message(sink, slack):
    card = await a_shown_card(sink)
    slack.fail(UPDATE, DropReply())
    assert isinstance(await show(sink, card), Later)
    assert isinstance(await show(sink, card), Shown)
    assert len(posted(slack)) == 1


@pytest.mark.parametrize("code", ["account_inactive", "token_revoked", "invalid_auth", "missing_scope"])
async def test_a_token_that_is_refused_waits_for_a_hand(sink, slack, code):
    slack.fail(POST, ErrorCode(code))
    assert await tell(sink, None) == Later(reason=code, after=NEEDS_A_HAND)


async def test_a_refusal_that_nobody_has_heard_of_is_tried_later(sink, slack):
    slack.fail(POST, ErrorCode("flux_capacitor_empty"))
    assert await tell(sink, None) == Later(reason="flux_capacitor_empty")


@pytest.mark.parametrize(
    "answer", [{"ok": True}, {"ok": True, "ts": 17, "channel": "C0GPU"}, [], ["x"], None]
)
async def test_an_answer_that_is_not_slacks_is_tried_later(clock, answer):
    async def say(request):
        return web.json_response(answer)

    async with receiver(answer=say) as it, aiohttp.ClientSession() as session:
        client = AsyncWebClient(token="xoxb-1", base_url=it.url, retry_handlers=[], session=session)
        sink = SlackSink(client, clock=clock, pace=quick(clock))
        assert isinstance(await show(sink, a_card()), Later)


@pytest.mark.parametrize(("kind", "text"), [("text/plain", "Welcome to the hotel"), ("text/html", "<p>")])
async def test_the_page_of_a_captive_portal_is_tried_later(clock, kind, text):
    async def say(request):
        return web.Response(text=text, content_type=kind)

    async with receiver(answer=say) as it, aiohttp.ClientSession() as session:
        client = AsyncWebClient(token="xoxb-1", base_url=it.url, retry_handlers=[], session=session)
        sink = SlackSink(client, clock=clock, pace=quick(clock))
        assert isinstance(await tell(sink, None), Later)
        assert sink.unhealthy_since is not None


async def test_a_server_in_trouble_is_not_taken_at_its_word(clock):
    async def say(request):
        return web.json_response({"ok": False, "error": "user_not_found"}, status=500)

    async with receiver(answer=say) as it, aiohttp.ClientSession() as session:
        client = AsyncWebClient(token="xoxb-1", base_url=it.url, retry_handlers=[], session=session)
        sink = SlackSink(client, clock=clock, pace=quick(clock))
        verdict = await tell(sink, None)
    assert isinstance(verdict, Later)
    assert verdict.status_code == 500


async def test_json_that_breaks_off_is_tried_later(clock):
    async def say(request):
        return web.Response(text='{"ok": tr', content_type="application/json", status=502)

    async with receiver(answer=say) as it, aiohttp.ClientSession() as session:
        client = AsyncWebClient(token="xoxb-1", base_url=it.url, retry_handlers=[], session=session)
        sink = SlackSink(client, clock=clock, pace=quick(clock))
        assert (await show(sink, a_card())).status_code == 502


# health


async def test_slack_is_unhealthy_from_the_first_silence_to_the_first_answer(sink, slack, clock):
    assert sink.unhealthy_since is None
    broke_at = clock.now
    slack.fail(POST, HttpStatus(503), times=2)
    with capture_logs() as logs:
        await tell(sink, None)
        clock.advance(5)
        await tell(sink, None)
        assert sink.unhealthy_since == broke_at
        await tell(sink, None)
        await tell(sink, None)
    assert sink.unhealthy_since is None
    assert [entry["event"] for entry in logs] == ["receiver.failing", "receiver.recovered"]


async def test_a_refused_token_is_unhealthy(sink, slack, clock):
    slack.fail(POST, ErrorCode("token_revoked"))
    await tell(sink, None)
    assert sink.unhealthy_since == clock.now


@pytest.mark.parametrize("fault", [RateLimited(), ErrorCode("no_text"), ErrorCode("is_archived")])
async def test_a_refusal_about_the_message_is_no_sickness(sink, slack, fault):
    slack.fail(POST, fault)
    await tell(sink, None, BY_REST)
    assert sink.unhealthy_since is None


async def test_a_refusal_about_the_message_ends_a_sickness(sink, slack):
    slack.fail(POST, HttpStatus(503))
    slack.fail(POST, ErrorCode("is_archived"))
    await tell(sink, None, BY_REST)
    await tell(sink, None, BY_REST)
    assert sink.unhealthy_since is None


# pace


async def test_posts_to_one_channel_wait_for_each_other_and_not_for_another_channel(client, clock, slack):
    sink = SlackSink(client, clock=clock, pace=SlackPace(clock, posts_per_minute=0.001))
    first = await tell(sink, None)
    second = asyncio.ensure_future(tell(sink, None))
    other = await tell(sink, a_card(channel="C0LAB"))
    assert (first, other) == (Delivered(status_code=200), Delivered(status_code=200))
    assert not second.done()
    second.cancel()


async def test_edits_of_all_cards_share_one_allowance(client, clock, slack):
    pace = SlackPace(clock, edits_per_minute=5.001, posts_per_minute=60_000)
    sink = SlackSink(client, clock=clock, pace=pace)
    one, two = await a_shown_card(sink), await a_shown_card(sink, channel="C0LAB")
    assert isinstance(await show(sink, one), Shown)
    second = asyncio.ensure_future(show(sink, two))
    await slack.wait_for(lambda: slack.journal.count(UPDATE) == 1)
    assert not pace._limiter("chat.update").has_capacity()
    second.cancel()


async def test_few_channels_are_remembered(clock, monkeypatch):
    monkeypatch.setattr("bot.sinks.slack_pace._MOST_CHANNELS", 3)
    pace = quick(clock)
    for number in range(10):
        await pace.turn(f"C{number}")
    assert len(pace._limiters) == 3


async def test_an_administrator_is_told_of_an_unknown_gpu_directly(slack, sink):
    message = {"text": "A GPU.", "blocks": []}
    assert await sink.tell_person("U0CLEO", message, novita_id="nv-1") == Delivered(status_code=200)
    direct = slack.workspace.direct_channel({slack.workspace.app.user_id, "U0CLEO"})
    (said,) = posted(slack, direct.id)
    assert (said.text, said.metadata["event_payload"]) == ("A GPU.", {"novita_id": "nv-1"})


async def test_telling_an_administrator_fails_as_a_notice_does(slack, sink):
    slack.fail(OPEN, ErrorCode("user_not_found"))
    assert isinstance(await sink.tell_person("U0NOBODY", {"text": "A.", "blocks": []}, novita_id="n"), Dead)
    slack.fail(POST, HttpStatus(503))
    assert isinstance(await sink.tell_person("U0CLEO", {"text": "A.", "blocks": []}, novita_id="n"), Later)
