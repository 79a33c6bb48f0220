"""uvicorn on loopback, in the loop of the test."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from starlette.responses import PlainTextResponse

from bot.web import server as server_module
from bot.web.server import ListenError, WebServer

SOON = timedelta(seconds=5)


@asynccontextmanager
async def _serving(app, host="127.0.0.1", port=0):
    server = WebServer(app, host, port)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(timedelta(0))


async def _raw(port, request):
    """What comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_documented_client_gets_what_it_reads(rest):
    """Creates, waits and lists, as the documented Python client does: without a key, on this machine."""
    wanted = {
        "name": "my-training-instance",
        "productName": "RTX 4090 24GB",
        "templateId": "pytorch-jupyter",
        "gpuNum": 1,
        "rootfsSize": 60,
        "webhookUrl": "https://example.com/webhook",
    }
    async with (
        _serving(rest.app) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http,
    ):
        created = await http.post("/api/instances", json=wanted)
        made = (await http.get(f"/api/instances/{created.json()['instanceId']}")).json()
        listed = (await http.get("/api/instances", params={"status": "creating"})).json()
        health = await http.get("/health")

    assert created.status_code == 201
    assert (made["name"], made["status"]) == ("my-training-instance", "creating")
    assert (listed["total"], listed["instances"][0]["status"]) == (1, "creating")
    assert (health.status_code, health.json()["status"]) == (200, "healthy")
    assert "date" in health.headers
    assert "server" not in health.headers


async def test_what_a_proxy_says_about_the_caller_is_not_believed():
    async def app(scope, receive, send):
        await PlainTextResponse(f"{scope['client'][0]} {scope['scheme']}")(scope, receive, send)

    said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    async with (
        _serving(app) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http,
    ):
        answer = await http.get("/", headers=said)

    assert answer.text == "127.0.0.1 http"


async def test_a_chunked_body_over_the_limit_is_413(rest):
    async def chunks():
        for _ in range(30):
            yield b"x" * 100

    async with (
        _serving(rest.app) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http,
    ):
        answer = await http.post(
            "/api/instances", content=chunks(), headers={"Content-Type": "application/json"}
        )

    assert answer.status_code == 413


async def test_endless_headers_are_refused(rest):
    endless = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Padding: " + b"x" * 40_000
    async with _serving(rest.app) as server:
        answer = await _raw(server.port, endless)

    assert answer.startswith(b"HTTP/1.1 4")


async def test_headers_that_trickle_in_are_refused_when_they_are_too_long(rest):
    async with _serving(rest.app) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        for number in range(17):
            writer.write(b"X-%d: " % number + b"x" * 1_000 + b"\r\n")
            await writer.drain()
        answer = await reader.read()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.endswith(b"The headers are longer than 16384 bytes.")


async def test_trailers_without_end_are_refused(rest):
    async with _serving(rest.app) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"".join(b"X-%d: " % number + b"x" * 1_000 + b"\r\n" for number in range(17)))
        answer = await reader.read()
        writer.close()

    assert answer.endswith(b"The headers are longer than 16384 bytes.")


async def test_a_long_body_is_no_long_head_and_neither_are_many_requests_together(rest):
    body = json.dumps({"name": "a", "productName": "b", "templateId": "c", "more": "x" * 900}).encode()
    head = b"POST /api/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with _serving(rest.app) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request * 8 + request.replace(b"Host", b"Connection: close\r\nHost", 1))
        answers = await reader.read()
        writer.close()

    assert answers.count(b"HTTP/1.1 201") == 9


async def test_what_is_not_http_is_refused(rest):
    async with _serving(rest.app) as server:
        answer = await _raw(server.port, b"nonsense\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_request_without_a_host_is_not_local(rest):
    async with _serving(rest.app) as server:
        answer = await _raw(server.port, b"GET /api/instances HTTP/1.0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 401")


async def test_the_port_is_known_and_answers_once_it_has_started(rest):
    async with _serving(rest.app) as server:
        assert server.port > 0
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.close()
        await writer.wait_closed()
        del reader


async def test_a_port_that_is_taken_is_told_by_name_and_leaves_nothing_open(rest):
    async with _serving(rest.app) as first:
        second = WebServer(rest.app, "127.0.0.1", first.port)
        with pytest.raises(ListenError) as caught:
            await second.start()
        await second.stop(SOON)

    assert str(caught.value) == f"Cannot listen at 127.0.0.1, port {first.port}: Address already in use."
    assert isinstance(caught.value, OSError)


async def test_a_host_that_is_not_there_is_told_by_name(rest):
    with pytest.raises(ListenError, match=r"^Cannot listen at nowhere\.invalid, port 3000: "):
        await WebServer(rest.app, "nowhere.invalid", 3_000).start()


async def test_an_address_of_another_machine_is_told_by_name(rest):
    with pytest.raises(ListenError, match=r"^Cannot listen at 203\.0\.113\.1, port 0: "):
        await WebServer(rest.app, "203.0.113.1", 0).start()


def _resolved_to(monkeypatch, *addresses):
    async def resolve(self, host, port, **_hints):
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        ends = [(address, port, 0, 0) if ":" in address else (address, port) for address in addresses]
        return [(f, socket.SOCK_STREAM, 6, "", end) for f, end in zip(families, ends, strict=True)]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)


async def test_a_name_with_several_addresses_is_served_at_each_on_one_port(rest, monkeypatch):
    _resolved_to(monkeypatch, "127.0.0.1", "127.0.0.2", "127.0.0.1")
    async with _serving(rest.app, "localhost") as server:
        monkeypatch.undo()
        for address in ("127.0.0.1", "127.0.0.2"):
            reader, writer = await asyncio.open_connection(address, server.port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
            await writer.wait_closed()


async def test_an_address_that_this_machine_lacks_does_not_keep_it_from_the_others(rest, monkeypatch):
    """As `localhost` names ::1 also where there is no IPv6."""
    _resolved_to(monkeypatch, "203.0.113.1", "127.0.0.1")
    async with _serving(rest.app, "localhost") as server:
        assert server.port > 0


async def test_all_addresses_of_both_kinds_are_served_on_one_port(rest, monkeypatch):
    _resolved_to(monkeypatch, "::", "0.0.0.0")
    async with _serving(rest.app, "everywhere") as server:
        monkeypatch.undo()
        assert await _accepts(server.port)


async def test_a_server_that_fails_at_its_start_says_why(rest, monkeypatch):
    async def broken(self, sockets):
        for opened in sockets:
            opened.close()
        raise RuntimeError("broken")

    monkeypatch.setattr(server_module.uvicorn.Server, "startup", broken)
    with pytest.raises(RuntimeError, match="broken"):
        await WebServer(rest.app, "127.0.0.1", 0).start()


async def test_the_signals_stay_with_the_caller(rest):
    before = [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)]
    async with _serving(rest.app):
        assert [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)] == before


class _Slow:
    """An app whose answer waits for `go`."""

    def __init__(self):
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.begun.set()
        await self.go.wait()
        await PlainTextResponse("done")(scope, receive, send)


async def test_what_is_under_way_is_finished_before_it_stops():
    app = _Slow()
    server = WebServer(app, "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
        asking = asyncio.create_task(http.get("/"))
        await app.begun.wait()
        stopping = asyncio.create_task(server.stop(SOON))
        while await _accepts(server.port):
            pass
        app.go.set()
        await stopping

        assert (await asking).text == "done"


async def _accepts(port):
    try:
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
    except ConnectionError:
        # Refused, or taken by the system for a listener that was closed before it looked.
        return False
    return True


async def test_what_takes_too_long_is_cut_off():
    app = _Slow()
    server = WebServer(app, "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
        asking = asyncio.create_task(http.get("/"))
        await app.begun.wait()
        async with asyncio.timeout(5):
            await server.stop(timedelta(milliseconds=10))
        [result] = await asyncio.gather(asking, return_exceptions=True)

    assert isinstance(result, httpx.HTTPError) or result.status_code == 500
    assert not await _accepts(server.port)


async def test_a_caller_who_does_not_read_does_not_hold_up_the_stop():
    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            sent.set()

    sent = asyncio.Event()
    server = WebServer(endless, "127.0.0.1", 0)
    await server.start()
    _reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await sent.wait()
    async with asyncio.timeout(5):
        await server.stop(timedelta(milliseconds=10))
        while server._server.server_state.connections:  # noqa: ASYNC110 - lost some turns after it was cut
            await asyncio.sleep(0)
    writer.close()


async def test_an_idle_connection_does_not_hold_up_the_stop(rest):
    server = WebServer(rest.app, "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
        await http.get("/health")
        async with asyncio.timeout(5):
            await server.stop(SOON)


async def test_a_stop_is_idempotent_and_needs_no_start(rest):
    server = WebServer(rest.app, "127.0.0.1", 0)
    await server.stop(SOON)
    await server.start()
    await server.stop(SOON)
    await server.stop(SOON)

    assert not await _accepts(server.port)
