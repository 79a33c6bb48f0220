"""What goes wrong at Slack, at Novita and here: everything is acknowledged, and somebody is told."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import replace

from samples import seconds
from slack_office import CREATE, GPU, Office, access
from structlog.testing import capture_logs

from bot.errors import NovitaUnavailable
from bot.sandbox.slack.delivery import Kind
from bot.sandbox.slack.faults import CloseConnection, ErrorCode, Hang, HttpStatus, RateLimited
from bot.slack import answering, connection, listeners, people, replies
from bot.slack.assembly import SlackSide
from storage.records import Wish

DOWN = [ErrorCode("internal_error"), HttpStatus(503), RateLimited(), CloseConnection()]


# --- nobody listens -----------------------------------------------------------------------------------------


async def test_a_command_of_another_name_is_answered(either: Office):
    told = await either.told(either.ada.command("/gpus list", channel=GPU))
    assert "I listen to /gpu only." in told.words
    assert "`/gpu help`" in told.words


async def test_what_nobody_listens_to_is_acknowledged_without_a_word(either: Office):
    answer = await either.side.client.chat_postMessage(
        channel=GPU,
        text="by an earlier version",
        blocks=[
            {
                "type": "actions",
                "elements": [
                    {"type": "button", "action_id": "docs", "text": {"type": "plain_text", "text": "Docs"}}
                ],
            }
        ],
    )
    message = either.slack.workspace.board.get(GPU, answer["ts"])
    assert (await either.ada.press(message, "docs")).ok
    view = await either.form()
    shortcut = either.slack.payloads.shortcut("U0ADA", "gpu_create", message)
    assert (await either.sends(shortcut, callback_id="of_old")).error is None
    delivery = either.slack.payloads.view_submission(view)
    ack = await either.sends(delivery, view={**delivery.payload["view"], "callback_id": "of_old"})
    assert (ack.error, ack.payload) == (None, {})
    assert (
        await either.slack.deliver(either.slack.payloads.view_closed(view, is_cleared=True))
    ).error is None


async def test_an_envelope_without_its_parts_is_answered_with_a_reference(either: Office):
    i = await either.running()
    command = either.slack.payloads.command("U0ADA", either.slack.workspace.channels[GPU], "/gpu", "")
    with capture_logs() as logs:
        ack = await either.sends(command, user_id=None)
    assert logs[0]["event"] == "slack.broken"
    assert logs[0]["reference"] in json.dumps(ack.payload)
    card = await either.card(i)
    press = await either.ada.press(card, "status")
    assert press.delivery is not None
    with capture_logs() as logs:
        assert (await either.sends(press.delivery, user={})).error is None
        await either.slack.wait_for(
            lambda: any(logs[0]["reference"] in message.words for message in either.whispers())
        )


# --- here ---------------------------------------------------------------------------------------------------


async def test_an_unexpected_error_has_a_reference_that_is_also_in_the_log(either: Office):
    i = await either.running()
    card = await either.card(i)
    for deed in (either.types("/gpu ssh"), either.presses(card, "connect")):
        either.scene.novita.before["get"].append(ZeroDivisionError())
        with capture_logs() as logs:
            told = await deed
        line = logs[0]
        assert (line["event"], line["log_level"]) == ("slack.broken", "error")
        assert isinstance(line["exc_info"], ZeroDivisionError)
        assert f"reference `{line['reference']}`" in told


async def test_an_unexpected_error_of_a_command_is_told_in_its_ack(o: Office, monkeypatch):
    async def broken(*_args, **_options):
        raise ZeroDivisionError

    monkeypatch.setattr(o.scene.operations, "list_instances", broken)
    with capture_logs() as logs:
        reply = await o.ada.command("/gpu", channel=GPU)
    assert logs[0]["reference"] in reply.words


async def test_an_answer_that_does_not_come_is_given_up(o: Office, monkeypatch):
    monkeypatch.setattr(answering, "_ANSWER_WITHIN", seconds(0.05))
    await o.running()
    o.scene.novita.gates["get"] = asyncio.Event()
    with capture_logs() as logs:
        told = await o.types("/gpu ssh")
    assert "in vain" in told
    assert "Try: `/gpu list`" in told
    assert [line["event"] for line in logs] == ["answer.slow", "slack.answered"]


async def test_a_query_that_takes_long_is_acknowledged_at_once_and_answered_later(o: Office):
    listing, gate = o.scene.operations.list_instances, asyncio.Event()

    async def slow(*args, **options):
        await gate.wait()
        return await listing(*args, **options)

    o.scene.operations.list_instances = slow
    reply = await o.ada.command("/gpu list", channel=GPU)
    assert (reply.ok, reply.words) == (True, "")
    assert reply.took < seconds(1)
    gate.set()
    await o.slack.wait_for(o.whispers)
    assert "You have no instance" in o.whispers()[0].words


async def test_a_change_that_takes_long_is_acknowledged_in_time_and_its_answer_follows(
    o: Office, monkeypatch
):
    monkeypatch.setattr(listeners, "ACK_CHANGE_WITHIN", seconds(0.05))
    i = await o.running()
    act, gate = o.scene.operations.act, asyncio.Event()

    async def slow(*args, **options):
        await gate.wait()
        return await act(*args, **options)

    o.scene.operations.act = slow
    assert (await o.ada.command("/gpu stop", channel=GPU)).words == ""
    assert (await o.ada.press(await o.card(i), "restart")).ok
    gate.set()
    await o.slack.wait_for(lambda: len(o.whispers()) == 2)
    assert (await o.scene.now(i)).wish is not None


async def test_a_novita_that_is_down_is_told_as_that(o: Office):
    await o.running()
    o.scene.novita.before["get"].append(NovitaUnavailable("Novita does not answer."))
    assert await o.types("/gpu ssh") == ":hourglass: Novita does not answer."


# --- Slack --------------------------------------------------------------------------------------------------


async def test_who_cannot_be_looked_up_is_to_try_again_and_changes_nothing(o: Office):
    i = await o.running()
    lines = ("/gpu stop my-train", CREATE, "/gpu list", "/gpu ssh", "/gpu create")
    for fault, line in itertools.product(DOWN, lines):
        # What only reads is tried twice by the HTTP client itself, where the connection breaks.
        o.slack.fail("users.info", fault, times=2 if isinstance(fault, CloseConnection) else 1)
        assert "Slack does not say who you are just now. Please try again." in await o.types(line)
    assert ((await o.scene.now(i)).wish, len(await o.instances())) == (None, 1)
    assert "Stopping" in await o.types("/gpu stop my-train")


async def test_a_look_up_that_hangs_is_given_up_within_the_time_of_an_ack(o: Office, monkeypatch):
    monkeypatch.setattr(people, "_LOOK_UP_WITHIN", seconds(0.05))
    o.slack.fail("users.info", Hang())
    reply = await o.ada.command(CREATE, channel=GPU)
    assert "Please try again" in reply.words
    assert await o.instances() == []


async def test_an_answer_that_is_lost_is_logged_once_and_nothing_else_happens(o: Office, monkeypatch):
    monkeypatch.setattr(replies, "_TELL_WITHIN", seconds(0.05))
    i = await o.running()
    card = await o.card(i)
    for number, fault in enumerate([*DOWN, Hang()], 1):
        o.slack.fail("response_url", fault)
        with capture_logs() as logs:
            assert (await o.ada.press(card, "stop")).ok
            await o.slack.wait_for(lambda number=number: o.slack.journal.count("response_url") == number)
            await o.side._replies.drain(seconds(5))
        assert [line["event"] for line in logs].count("answer.lost") == 1
    assert (await o.scene.now(i)).wish is Wish.STOP
    assert "my-train" in await o.types("/gpu status")


async def test_slack_may_be_down_at_the_start(o: Office, monkeypatch):
    monkeypatch.setattr(connection, "_PING_EVERY", 0.1)
    await o.side.close()
    o.slack.fail("auth.test", HttpStatus(503), times=2)
    o.slack.fail("apps.connections.open", HttpStatus(503), times=4)
    side = SlackSide(access(o.slack, "socket"), o.scene.operations, o.scene.catalog, clock=o.scene.clock)
    office = replace(o, side=side)
    try:
        with capture_logs() as logs:
            await side.start()
        assert "slack.unidentified" in [line["event"] for line in logs]
        await o.slack.wait_connected()
        # Without knowing who we are, strangers look like members.
        assert "Please try again" in await office.types("/gpu")
        assert "You have no instance" in await office.types("/gpu")
    finally:
        await side.close()


async def test_a_slack_that_hangs_does_not_hold_up_the_start(o: Office, monkeypatch):
    monkeypatch.setattr("bot.slack.assembly._CONNECT_WITHIN", seconds(0.1))
    o.slack.fail("auth.test", Hang())
    o.slack.fail("apps.connections.open", Hang(), times=2)
    side = SlackSide(access(o.slack, "socket"), o.scene.operations, o.scene.catalog, clock=o.scene.clock)
    with capture_logs() as logs:
        async with asyncio.timeout(2):
            await side.start()
    await side.close()
    assert sorted(line["event"] for line in logs) == ["slack.disconnected", "slack.unidentified"]


async def test_a_side_without_socket_mode_connects_nowhere(o: Office):
    connected = o.slack.journal.count("apps.connections.open")
    side = SlackSide(access(o.slack, "http"), o.scene.operations, o.scene.catalog, clock=o.scene.clock)
    await side.start()
    await side.watch()
    assert side.unhealthy_since() is None
    await side.close()
    assert o.slack.journal.count("apps.connections.open") == connected


async def test_both_modes_work_beside_each_other(o: Office):
    both = access(o.slack, "socket", signing_secret="s3cret")
    side = SlackSide(both, o.scene.operations, o.scene.catalog, clock=o.scene.clock)
    assert (side.handle_http is not None, o.side.handle_http is None) == (True, True)


async def test_this_machine_is_not_reached_through_a_proxy(o: Office, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    await o.side.close()
    side = SlackSide(access(o.slack, "socket"), o.scene.operations, o.scene.catalog, clock=o.scene.clock)
    far = access(o.slack, "socket", api_base_url="https://slack.example/api/")
    assert SlackSide(far, o.scene.operations, o.scene.catalog, clock=o.scene.clock).client.proxy is not None
    try:
        await side.start()
        await side.watch()
        assert side.unhealthy_since() is None
        i = await o.running()
        office = replace(o, side=side)
        assert "Stopping" in await office.presses(await office.card(i), "stop")
    finally:
        await side.close()


async def test_what_was_asked_before_the_end_is_answered_before_it(o: Office):
    await o.running()
    gate = o.scene.novita.gates["get"] = asyncio.Event()
    listing = o.scene.operations.list_instances

    taken = asyncio.Event()

    async def slow(*args, **options):
        taken.set()
        await gate.wait()
        return await listing(*args, **options)

    o.scene.operations.list_instances = slow
    assert (await o.ada.command("/gpu ssh", channel=GPU)).ok
    asked = asyncio.create_task(o.ada.command("/gpu list", channel=GPU))
    await asyncio.wait_for(taken.wait(), 5)  # sent is not yet received
    closing = asyncio.create_task(o.side.close())
    gate.set()
    await closing
    assert (await asked).ok
    assert len(o.whispers()) == 2


async def test_what_does_not_end_is_ended_with_the_service(o: Office, monkeypatch):
    monkeypatch.setattr("bot.slack.assembly._FINISH_WITHIN", seconds(0.05))
    await o.running()
    o.scene.novita.gates["get"] = asyncio.Event()
    assert (await o.ada.command("/gpu ssh", channel=GPU)).ok
    await o.side.close()
    assert o.side._replies._under_way == set()
    assert o.whispers() == []


async def test_a_press_that_cannot_be_answered_acts_all_the_same(o: Office):
    i = await o.running()
    place = await o.card(i)
    status = await o.ada.press(place, "status")
    assert status.delivery is not None
    action = {**status.delivery.payload["actions"][0], "action_id": "gpu:stop"}
    ack = await o.sends(status.delivery, response_url=None, actions=[action])
    assert ack.error is None
    assert (await o.scene.now(i)).wish is Wish.STOP


async def test_an_envelope_of_a_kind_that_does_not_exist_yet_is_acknowledged(o: Office):
    i = await o.running()
    press = await o.ada.press(await o.card(i), "status")
    assert press.delivery is not None
    assert press.delivery.kind is Kind.INTERACTIVE
    ack = await o.sends(press.delivery, type="hologram_touched")
    assert ack.error is None


# --- hostile ------------------------------------------------------------------------------------------------


HOSTILE = [
    "<!channel>",
    "status <!channel>",
    "status &lt;!here&gt;",
    "stop <@U0BEN|ben>",
    "create <!everyone> x --image a:1",
    "create 4090 <!channel> --image a:1",
    "create 4090 --template <!subteam^S1|all>",
    "create 4090 --template &lt;!channel&gt;",
    "create 4090 --image <https://evil.example|a:1> --region <!here>",
    "create 4090 n --image a:1 --webhook https://u:p@evil.example/",
    "create &lt;!channel&gt; --image a:1",
    "*" * 3000,
    "`" * 2000,
    '"',
    "status " + "a" * 200,
    "\u202e\u0000status",
    "help <!channel>",
]


async def test_whatever_is_typed_is_answered_and_calls_nobody(o: Office):
    place = o.slack.workspace.channels[GPU]
    with capture_logs() as logs:
        for text in HOSTILE:
            before = len(o.whispers())
            ack = await o.slack.deliver(o.slack.payloads.command("U0ADA", place, "/gpu", text))
            assert ack.error is None
            if not ack.payload:
                await o.slack.wait_for(lambda before=before: len(o.whispers()) > before or o.ada.view)
    shown = o.raw()
    assert [
        call for call in ("<!channel", "<!here", "<!everyone", "<!subteam", "<@U0BEN") if call in shown
    ] == []
    assert "slack.broken" not in [line["event"] for line in logs]
