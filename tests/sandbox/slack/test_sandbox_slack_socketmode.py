from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import aiohttp
import pytest
from sandbox_slack_app import RawApp, new_address

from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

Connect = Callable[[], Awaitable[RawApp]]


async def refused_handshake(session: aiohttp.ClientSession, url: str) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await session.ws_connect(url)
    return caught.value.status


async def test_a_greeting_counts_the_connections(connect_app: Connect) -> None:
    first, second = await connect_app(), await connect_app()
    assert [first.frames[0]["num_connections"], second.frames[0]["num_connections"]] == [1, 2]
    assert first.frames[0]["type"] == "hello"
    assert first.frames[0]["connection_info"] == {"app_id": "A0GPUBOT"}


async def test_a_ticket_works_once(server: SlackServer, session: aiohttp.ClientSession) -> None:
    url = await new_address(server, session)
    async with session.ws_connect(url):
        assert await refused_handshake(session, url) == 404


async def test_a_dead_ticket_stays_dead_and_the_next_one_lives(
    server: SlackServer, session: aiohttp.ClientSession
) -> None:
    server.socket.kill_next_ticket()
    dead = await new_address(server, session)
    assert [await refused_handshake(session, dead) for _ in range(2)] == [404, 404]
    async with session.ws_connect(await new_address(server, session)) as socket:
        assert (await socket.receive_json())["type"] == "hello"


async def test_the_eleventh_connection_is_sent_away(
    server: SlackServer, session: aiohttp.ClientSession, connect_app: Connect
) -> None:
    for _ in range(10):
        await connect_app()
    async with session.ws_connect(await new_address(server, session)) as socket:
        frame = await socket.receive_json()
        assert (frame["type"], frame["reason"]) == ("disconnect", "too_many_websockets")
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    assert server.connections == 10


async def test_each_payload_goes_to_just_one_connection_and_not_always_the_same(
    server: SlackServer, connect_app: Connect
) -> None:
    apps = [await connect_app() for _ in range(3)]
    for number in range(12):
        assert (await server.person("U0ADA").command(f"/gpu {number}", channel="C0GPU")).ok
    received = sorted(int(payload["text"]) for app in apps for payload in app.payloads)
    assert received == list(range(12))
    assert all(app.payloads for app in apps)


async def test_the_choice_of_a_connection_repeats_with_the_seed(clock: Callable[[], object]) -> None:
    async def shares() -> list[list[str]]:
        async with (
            SlackServer(Workspace(clock=clock, seed=3)) as server,
            aiohttp.ClientSession() as session,
        ):
            apps = [await RawApp(server, session).connect() for _ in range(2)]
            for number in range(6):
                await server.person("U0ADA").command(f"/gpu {number}", channel="C0GPU")
            for app in apps:
                await app.close()
            return [[payload["trigger_id"] for payload in app.payloads] for app in apps]

    assert await shares() == await shares()


async def test_an_ack_is_kept_with_the_time_it_took(server: SlackServer, app: RawApp) -> None:
    app.answer = lambda _: {"text": "pong"}
    reply = await server.person("U0ADA").command("/gpu ping", channel="C0GPU")
    (ack,) = server.log.of(reply.envelope_id)
    assert ack == reply.ack
    assert ack.payload == {"text": "pong"}
    assert timedelta(0) < ack.took < timedelta(seconds=1)
    assert server.acks == [ack]


async def test_without_a_connection_the_dispatch_fails_at_once(server: SlackServer) -> None:
    reply = await server.person("U0ADA").command("/gpu", channel="C0GPU")
    assert (reply.error, reply.took) == ("dispatch_failed", timedelta(0))


async def test_without_an_ack_the_operation_times_out_and_a_late_one_is_marked(
    server: SlackServer, app: RawApp
) -> None:
    app.answer = lambda _: None
    server.socket.ack_timeout = timedelta(seconds=0.05)
    reply = await server.person("U0ADA").command("/gpu", channel="C0GPU")
    assert (reply.error, reply.text) == ("operation_timeout", "")
    assert server.acks == []
    await app.send(f'{{"envelope_id": "{reply.envelope_id}", "payload": {{"text": "sorry"}}}}')
    await server.wait_for(lambda: server.acks)
    (ack,) = server.acks
    assert ack.is_late
    assert ack.took >= timedelta(seconds=0.05)
    assert server.person("U0ADA").sees("C0GPU") == []


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"envelope_id": "unheard-of"}'])
async def test_an_ack_of_nothing_is_a_violation(server: SlackServer, app: RawApp, text: str) -> None:
    await app.send(text)
    await server.wait_for(lambda: server.violations)
    assert server.violations == [f"Socket Mode: a frame that acknowledges nothing: {text}"]


async def test_an_envelope_is_delivered_again_on_request(server: SlackServer, app: RawApp) -> None:
    reply = await server.person("U0ADA").command("/gpu create", channel="C0GPU")
    again = await server.redeliver(reply.envelope_id)
    anew = await server.redeliver(reply.envelope_id, new_envelope=True, attempt=2)
    first, second, third = app.envelopes
    assert first["payload"] == second["payload"] == third["payload"]
    assert first["envelope_id"] == second["envelope_id"] != third["envelope_id"]
    assert "retry_attempt" not in first
    assert (second["retry_attempt"], third["retry_attempt"]) == (1, 2)
    assert (again.error, anew.error) == (None, None)
    assert len(server.log.of(reply.envelope_id)) == 2


async def test_each_of_two_copies_under_way_gets_its_own_ack(server: SlackServer, app: RawApp) -> None:
    app.answer = lambda _: None
    first = asyncio.create_task(server.person("U0ADA").command("/gpu", channel="C0GPU"))
    await server.wait_for(lambda: app.envelopes)
    envelope_id = app.envelopes[0]["envelope_id"]
    second = asyncio.create_task(server.redeliver(envelope_id))
    await server.wait_for(lambda: len(app.envelopes) == 2)
    for _ in range(2):
        await app.send(f'{{"envelope_id": "{envelope_id}"}}')
    assert ((await first).error, (await second).error) == (None, None)
    assert [ack.is_late for ack in server.acks] == [False, False]


async def test_an_event_that_nobody_acknowledges_is_sent_again(server: SlackServer, app: RawApp) -> None:
    server.socket.ack_timeout = timedelta(seconds=0.02)
    server.event_retries = (timedelta(0), timedelta(0))
    app.answer = lambda frame: {} if frame["retry_attempt"] == 1 else None
    reply = await server.person("U0ADA").home()
    assert reply.ok
    assert [frame["retry_attempt"] for frame in app.envelopes] == [0, 1]
    assert app.envelopes[1]["retry_reason"] == "http_timeout"
    assert len({payload["event_id"] for payload in app.payloads}) == 1


async def test_a_refresh_ends_the_connection_and_takes_it_out_of_the_choice(
    server: SlackServer, connect_app: Connect
) -> None:
    leaving, staying = await connect_app(), await connect_app()
    await server.socket.disconnect("refresh_requested", most=1, grace=timedelta(0))
    for _ in range(5):
        await server.person("U0ADA").command("/gpu", channel="C0GPU")
    await asyncio.wait_for(leaving.ended.wait(), 2)
    assert leaving.frames[-1]["reason"] == "refresh_requested"
    assert len(staying.envelopes) == 5
    await server.wait_for(lambda: server.connections == 1)


async def test_a_warned_connection_still_takes_payloads(server: SlackServer, app: RawApp) -> None:
    await server.socket.disconnect("warning")
    assert (await server.person("U0ADA").command("/gpu", channel="C0GPU")).ok
    assert [frame.get("reason") for frame in app.frames] == [None, "warning", None]


async def test_a_disabled_link_is_closed_at_once(server: SlackServer, app: RawApp) -> None:
    await server.socket.disconnect("link_disabled")
    await asyncio.wait_for(app.ended.wait(), 2)
    assert app.frames[-1]["reason"] == "link_disabled"


async def test_dropped_connections_end_without_a_word(server: SlackServer, connect_app: Connect) -> None:
    apps = [await connect_app(), await connect_app()]
    server.drop_connections()
    for app in apps:
        await asyncio.wait_for(app.ended.wait(), 2)
        assert len(app.frames) == 1
    await server.wait_for(lambda: not server.connections)
    assert (await server.person("U0ADA").command("/gpu", channel="C0GPU")).error == "dispatch_failed"


async def test_a_connection_that_breaks_during_a_dispatch_fails_it(server: SlackServer, app: RawApp) -> None:
    (connection,) = server.socket.connections
    connection.abort()
    reply = await server.person("U0ADA").command("/gpu", channel="C0GPU")
    assert reply.error == "dispatch_failed"


async def test_the_server_pings(clock: Callable[[], object], session: aiohttp.ClientSession) -> None:
    ping_interval = timedelta(seconds=0.02)
    async with SlackServer(Workspace(clock=clock), ping_interval=ping_interval) as server:
        socket = await session.ws_connect(await new_address(server, session), autoping=False)
        await socket.receive_json()
        assert (await asyncio.wait_for(socket.receive(), 2)).type is aiohttp.WSMsgType.PING
        # A client that answers no ping is dropped.
        await server.wait_for(lambda: not server.connections)
        await socket.close()


async def test_closing_is_prompt_with_everything_open(
    server: SlackServer, connect_app: Connect, session: aiohttp.ClientSession
) -> None:
    await connect_app()
    await server.socket.disconnect("warning")
    async with session.get(server.api_url) as response:
        assert response.status == 404
    async with asyncio.timeout(0.5):
        await server.close()
