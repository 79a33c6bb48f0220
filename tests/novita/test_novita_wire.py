"""The client against real sockets on loopback that misbehave."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from bot.errors import NotSent, NovitaRefused, NovitaUnavailable, OutcomeUnknown
from bot.novita.client import NovitaClient
from bot.novita.limits import Limits

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMITS = Limits(timeout=timedelta(seconds=0.4), max_retries=0, max_answer_bytes=10_000)


def to(port: int, clock) -> NovitaClient:
    return NovitaClient(base_url=f"http://127.0.0.1:{port}", api_key="k", clock=clock, limits=LIMITS)


@asynccontextmanager
async def serving(clock, handler: Handler) -> AsyncIterator[NovitaClient]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = to(port, clock)
    try:
        yield client
    finally:
        await client.aclose()
        server.close()
        await server.wait_closed()


def sends(raw: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return handler


def http(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Each byte comes well before a read timeout; the whole never does."""
    writer.write(http(b"", length=1000))
    while not reader.at_eof():
        writer.write(b" ")
        await writer.drain()
        with suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)


UNKNOWN = {
    "closed without a word": sends(b""),
    "reset": resets,
    "nothing said": says_nothing,
    "not HTTP": sends(b"SSH-2.0-OpenSSH\r\n"),
    "body cut off": sends(http(b'{"id":"a1"}', length=500)),
    "body too long": sends(http(b'{"id":"a1"}' + b" " * 20_000)),
    "body that unfolds too far": sends(http(gzip.compress(b" " * 500_000), "Content-Encoding: gzip")),
    "broken compression": sends(http(b"not gzip", "Content-Encoding: gzip")),
    "redirect to nowhere": sends(http(b"", "Location: data:x,y", status="302 Found")),
}


@pytest.mark.parametrize("handler", UNKNOWN.values(), ids=UNKNOWN.keys())
async def test_a_change_may_have_happened_when_no_whole_answer_came(clock, handler) -> None:
    async with serving(clock, handler) as novita:
        with pytest.raises(OutcomeUnknown):
            await novita.delete_instance("a1")


@pytest.mark.parametrize("handler", UNKNOWN.values(), ids=UNKNOWN.keys())
async def test_a_list_is_unavailable_when_no_whole_answer_came(clock, handler) -> None:
    async with serving(clock, handler) as novita:
        with pytest.raises(NovitaUnavailable):
            await novita.list_instances()
        assert novita.health.unhealthy_since is not None


async def test_an_answer_that_drips_is_cut_off_in_time(clock) -> None:
    async with serving(clock, drips) as novita, asyncio.timeout(3):
        with pytest.raises(OutcomeUnknown, match="in time"):
            await novita.delete_instance("a1")


async def test_a_refused_connection_sent_nothing(clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    novita = to(port, clock)
    with pytest.raises(NotSent):
        await novita.delete_instance("a1")
    await novita.aclose()


async def test_a_connection_that_is_never_accepted_sent_nothing(clock) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        novita = to(full.getsockname()[1], clock)
        with pytest.raises(NotSent):
            await novita.delete_instance("a1")
        await novita.aclose()
        for filler in fillers:
            filler.close()


async def test_a_redirect_is_not_followed(clock) -> None:
    followed = asyncio.Event()

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        followed.set()
        writer.close()

    other = await asyncio.start_server(elsewhere, "127.0.0.1", 0)
    location = f"Location: http://127.0.0.1:{other.sockets[0].getsockname()[1]}/"
    async with serving(clock, sends(http(b"{}", location, status="307 Temporary Redirect"))) as novita:
        with pytest.raises(OutcomeUnknown):
            await novita.delete_instance("a1")
    other.close()
    await other.wait_closed()
    assert not followed.is_set()


async def test_a_definite_no_arrives_whole(clock) -> None:
    body = b'{"code":400,"reason":"VALIDATOR_PARAM","message":"bad","metadata":{}}'
    async with serving(clock, sends(http(body, status="400 Bad Request"))) as novita:
        with pytest.raises(NovitaRefused, match="Novita says: bad"):
            await novita.delete_instance("a1")


async def test_a_proxy_of_the_environment_is_not_used_towards_this_machine(clock, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with serving(clock, sends(http(b"{}"))) as novita:
        await novita.delete_instance("a1")


async def test_a_cancelled_call_leaves_the_client_usable(clock) -> None:
    asked = asyncio.Event()

    async def first_hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not asked.is_set():
            asked.set()
            await reader.read()
            return
        writer.write(http(b'{"id":"a1","status":"running"}'))
        await writer.drain()

    async with serving(clock, first_hangs) as novita:
        task = asyncio.create_task(novita.get_instance("a1"))
        await asyncio.wait_for(asked.wait(), 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await novita.get_instance("a1")).observation.status == "running"
