"""The guard, through the sink that deliveries use. A look-up is scripted where a name of the world is needed;
connections are real ones, and all that are begun are counted."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

import httpcore
import httpx
import pytest
from certificates import Certificates, certificates
from clocks import Clock
from hostile import FORBIDDEN_V4, FORBIDDEN_V6
from receivers import Receiver, receiver
from sink_samples import a_delivery
from structlog.testing import capture_logs

from bot.errors import UsageError
from bot.receivers import Receivers
from bot.sinks import guard as guard_module
from bot.sinks import webhook as webhook_module
from bot.sinks.guard import Forbidden, Guard, GuardedTransport, Lookup, breaches
from bot.sinks.verdicts import Delivered, Later
from bot.sinks.webhook import WebhookSink

NOT_PUBLIC = Later(reason="the address of the host is not public")
FAILED_ITS_TEST = Later(reason="the guard against private addresses failed its test when the service started")
LOOPBACK = Receivers(["127.0.0.0/8"])
"""So that a server of this test can stand for a public one."""

_watched: list[tuple] | None = None


def _watch(event: str, arguments: tuple) -> None:
    if _watched is not None and event == "socket.connect":
        _watched.append(arguments[1])


@pytest.fixture(scope="module", autouse=True)
def _watching():
    sys.addaudithook(_watch)  # for good: Python has no way to take one off


@pytest.fixture
def connections():
    """The addresses of all connections that are begun, by anybody."""
    global _watched  # noqa: PLW0603 - the hook outlives the test
    _watched = []
    yield _watched
    _watched = None


class Names:
    """A resolver that is told what to say; each answer is for one look-up, the last one for all that follow."""

    def __init__(self, **answers: list) -> None:
        self.answers = {host.replace("_", "."): list(script) for host, script in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        script = self.answers.get(host)
        if script is None:
            return await Lookup()(host, port)
        said = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture
async def sink_of():
    """Makes sinks, started unless told otherwise."""
    made: list[WebhookSink] = []

    async def make(*, start=True, seconds=5.0, **changes) -> WebhookSink:
        usual = {"secret": None, "trusted": None, "receivers": Receivers(()), "user_agent": "test"}
        usual |= {"timeout": timedelta(seconds=seconds), "clock": Clock()}
        made.append(WebhookSink(**usual | changes))
        if start:
            await made[-1].start()
        return made[-1]

    yield make
    for it in made:
        await it.aclose()


async def send(sink: WebhookSink, url: str):
    return await asyncio.wait_for(sink.send(a_delivery(address=url)), 30)


def at(it: Receiver, host: str) -> str:
    """The receiver's address, under another name."""
    return it.url.replace("127.0.0.1", host)


CLOSING = {"Connection": "close"}
"""Of an answer, so that the next delivery needs another connection."""


# what may not be named


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "127.255.255.254", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "0",
     "localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
     "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]"],
)  # fmt: skip
async def test_this_machine_is_not_reached_however_it_is_spelled(sink_of, connections, host):
    sink = await sink_of()
    async with receiver() as it:
        assert isinstance(await send(sink, at(it, host)), Later)
        with pytest.raises(UsageError):
            Receivers(()).check(at(it, host))
    assert it.received == []
    assert connections == []


@pytest.mark.parametrize("address", [*FORBIDDEN_V4, *FORBIDDEN_V6])
async def test_a_name_that_means_a_forbidden_address_is_not_connected_to(sink_of, connections, address):
    names = Names(hooks_example=[[address]])
    sink = await sink_of(resolve=names)
    assert await send(sink, "https://hooks.example/in") == NOT_PUBLIC
    assert connections == []


@pytest.mark.parametrize(
    "answers", [["127.0.0.1", "10.0.0.9"], ["10.0.0.9", "127.0.0.1"], ["127.0.0.1", "::1"]]
)
async def test_one_forbidden_answer_spoils_the_others(sink_of, connections, answers):
    sink = await sink_of(receivers=LOOPBACK, resolve=Names(hooks_example=[answers]))
    async with receiver() as it:
        assert await send(sink, at(it, "hooks.example")) == NOT_PUBLIC
    assert connections == []


async def test_a_name_that_changes_its_mind_is_refused_from_then_on(sink_of, connections):
    names = Names(hooks_example=[["127.0.0.1"], ["10.0.0.9"]])
    sink = await sink_of(receivers=LOOPBACK, resolve=names)
    async with receiver(headers=CLOSING) as it:
        url = at(it, "hooks.example")
        names.asked.clear()
        assert await send(sink, url) == Delivered(status_code=200)
        assert names.asked == ["hooks.example"]
        assert await send(sink, url) == NOT_PUBLIC
        assert names.asked == ["hooks.example"] * 2
    assert [host for host, _ in connections] == ["127.0.0.1"]
    assert it.received[0].headers["Host"] == url.split("/")[2]


async def test_a_connection_that_was_judged_is_used_again(sink_of):
    names = Names(hooks_example=[["127.0.0.1"], ["10.0.0.9"]])
    sink = await sink_of(receivers=LOOPBACK, resolve=names)
    async with receiver() as it:
        for _ in range(2):
            assert await send(sink, at(it, "hooks.example")) == Delivered(status_code=200)
    assert it.received[0].peer_port == it.received[1].peer_port


async def test_a_forbidden_receiver_is_tried_again_like_any_other(sink_of):
    names = Names(hooks_example=[["10.0.0.9"], ["127.0.0.1"]])
    sink = await sink_of(receivers=LOOPBACK, resolve=names)
    async with receiver() as it:
        assert await send(sink, at(it, "hooks.example")) == NOT_PUBLIC
        assert await send(sink, at(it, "hooks.example")) == Delivered(status_code=200)


@pytest.mark.parametrize("trusts", [True, False])
@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "hooks.example"])
async def test_no_redirect_leads_anywhere(sink_of, connections, trusts, host):
    async with receiver() as elsewhere, receiver(status=307, headers={"Location": at(elsewhere, host)}) as it:
        sink = await sink_of(receivers=LOOPBACK, trusted=it.url if trusts else None)
        assert (await send(sink, it.url)).status_code == 307
        assert elsewhere.received == []
    assert len(connections) == 1


@pytest.mark.parametrize("trusts", [True, False])
async def test_no_proxy_makes_the_connection(sink_of, monkeypatch, trusts):
    async with receiver() as it, receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        sink = await sink_of(receivers=LOOPBACK, trusted=it.url if trusts else None)
        assert await send(sink, it.url) == Delivered(status_code=200)
    assert proxy.received == []


# whom the operator allows


async def test_the_configured_address_may_be_private(sink_of):
    async with receiver() as it:
        sink = await sink_of(trusted=it.url)
        assert await send(sink, it.url) == Delivered(status_code=200)


@pytest.mark.parametrize("change", ["?a=b", "/", "#x"])
async def test_another_address_of_the_configured_host_is_not_trusted(sink_of, connections, change):
    async with receiver() as it:
        sink = await sink_of(trusted=it.url)
        assert await send(sink, it.url + change) == NOT_PUBLIC
    assert connections == []


async def test_what_was_configured_once_is_trusted_no_longer(sink_of, connections):
    async with receiver() as it:
        sink = await sink_of(trusted="https://hooks.example/now")
        assert await send(sink, it.url) == NOT_PUBLIC
    assert connections == []


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.0/30", "127.0.0.1"),
        ("127.0.0.0/8", "hooks.example"),
        ("hooks.example", "hooks.example"),
        ("Hooks.Example.", "HOOKS.example"),
        ("localhost", "localhost"),
    ],
)
async def test_a_host_that_is_listed_is_reached(sink_of, allowed, host):
    names = Names(hooks_example=[["127.0.0.1"]])
    sink = await sink_of(receivers=Receivers([allowed]), resolve=names)
    async with receiver() as it:
        Receivers([allowed]).check(at(it, host))
        assert await send(sink, at(it, host)) == Delivered(status_code=200)
    assert len(it.received) == 1


# look-ups and connections that fail


async def test_the_next_address_is_tried_when_one_refuses(sink_of, connections):
    names = Names(hooks_example=[["127.0.0.2", "127.0.0.2", "127.0.0.1"]])
    sink = await sink_of(receivers=LOOPBACK, resolve=names)
    async with receiver() as it:
        assert await send(sink, at(it, "hooks.example")) == Delivered(status_code=200)
    assert [host for host, _ in connections] == ["127.0.0.2", "127.0.0.1"]


@pytest.mark.parametrize(
    "answer", [["127.0.0.2", "127.0.0.3"], [], socket.gaierror("no such name"), UnicodeError("no such label")]
)
async def test_a_host_that_cannot_be_reached_is_tried_later(sink_of, answer):
    sink = await sink_of(receivers=LOOPBACK, resolve=Names(hooks_example=[answer]))
    async with receiver() as it:
        assert await send(sink, at(it, "hooks.example")) == Later(reason="cannot connect")


class FakeNetwork:
    """Silent addresses cost all the time that they are given; the loop's clock is what passes."""

    def __init__(self, *silent: str) -> None:
        self.silent = silent
        self.tried: list[tuple[str, float | None]] = []

    async def connect_tcp(self, host, port, timeout, local_address, socket_options):  # noqa: ASYNC109 - httpcore's
        self.tried.append((host, timeout))
        if host in self.silent:
            await asyncio.sleep(timeout)
            raise httpcore.ConnectTimeout
        return httpcore.AsyncMockStream([])


def a_guard(network: FakeNetwork, *addresses: str) -> Guard:
    it = Guard(Receivers(()), Names(hooks_example=[list(addresses)]))
    it._network = network
    return it


async def test_a_silent_address_leaves_time_for_the_next():
    network = FakeNetwork("1.1.1.1", "2.2.2.2")
    await a_guard(network, "1.1.1.1", "2.2.2.2", "3.3.3.3").connect_tcp("hooks.example", 443, timeout=0.3)
    assert [host for host, _ in network.tried] == ["1.1.1.1", "2.2.2.2", "3.3.3.3"]
    assert all(0.05 < share <= 0.11 for _, share in network.tried)


async def test_silent_addresses_take_no_longer_than_one():
    network = FakeNetwork("1.1.1.1", "2.2.2.2")
    with pytest.raises(httpcore.ConnectTimeout):
        await a_guard(network, "1.1.1.1", "2.2.2.2").connect_tcp("hooks.example", 443, timeout=0.1)
    assert sum(share for _, share in network.tried) <= 0.11


async def test_without_a_timeout_each_address_may_take_its_time():
    network = FakeNetwork()
    await a_guard(network, "1.1.1.1").connect_tcp("hooks.example", 443)
    assert network.tried == [("1.1.1.1", None)]


async def test_a_look_up_that_hangs_counts_as_connecting():
    async def hang(host, port):
        await asyncio.Event().wait()

    with pytest.raises(httpcore.ConnectTimeout):
        await Guard(Receivers(()), hang).connect_tcp("hooks.example", 443, timeout=0.05)


async def test_sockets_of_this_machine_are_refused():
    guard = Guard(Receivers(["0.0.0.0/0"]), Names())
    with pytest.raises(Forbidden):
        await guard.connect_unix_socket("/run/docker.sock")
    await guard.sleep(0)


async def test_name_servers_that_hang_delay_no_other_receiver_and_nobody_else(sink_of, monkeypatch):
    look_up, loop = socket.getaddrinfo, asyncio.get_running_loop()
    all_there, over = asyncio.Event(), threading.Event()
    more_than_asyncio_has_threads = 40
    dead: list[bytes] = []

    def hang_when_dead(host, *more, **kwargs):
        if b"dead" not in host:
            return look_up(b"127.0.0.1", *more, **kwargs)
        dead.append(host)
        if len(dead) == more_than_asyncio_has_threads:
            loop.call_soon_threadsafe(all_there.set)
        over.wait(10)
        raise socket.gaierror("no answer")

    sink = await sink_of(receivers=LOOPBACK, seconds=20)
    monkeypatch.setattr(guard_module.socket, "getaddrinfo", hang_when_dead)
    async with receiver() as it:
        urls = [at(it, f"dead-{number}.example") for number in range(more_than_asyncio_has_threads)]
        waiting = [asyncio.ensure_future(send(sink, url)) for url in urls]
        try:
            async with asyncio.timeout(5):
                await all_there.wait()
                assert await send(sink, at(it, "well.example")) == Delivered(status_code=200)
                await loop.getaddrinfo(b"slack.example", 443)
        finally:
            over.set()
        assert set(await asyncio.gather(*waiting)) == {Later(reason="cannot connect")}


# TLS


@pytest.fixture(scope="module")
def for_hooks_example(tmp_path_factory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"), "hooks.example")


@pytest.fixture
async def tls_server(for_hooks_example):
    """Where it is, and the names that it was greeted with."""
    greeted: list[str | None] = []
    for_hooks_example.server.sni_callback = lambda _socket, name, _context: greeted.append(name)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=for_hooks_example.server)
    async with server:
        yield server.sockets[0].getsockname()[1], greeted


@pytest.fixture
def trusting(for_hooks_example, monkeypatch):
    monkeypatch.setattr(guard_module, "authorities", lambda: for_hooks_example.client)


ANYWHERE = {name: [["127.0.0.1"]] for name in ("hooks_example", "other_example")}


async def test_tls_is_for_the_name_although_an_address_is_connected_to(sink_of, tls_server, trusting):
    port, greeted = tls_server
    sink = await sink_of(receivers=LOOPBACK, resolve=Names(**ANYWHERE))
    assert await send(sink, f"https://hooks.example:{port}/in") == Delivered(status_code=204)
    assert greeted == ["hooks.example"]


async def test_a_certificate_for_another_name_is_refused(sink_of, tls_server, trusting):
    port, greeted = tls_server
    sink = await sink_of(receivers=LOOPBACK, resolve=Names(**ANYWHERE))
    assert await send(sink, f"https://other.example:{port}/in") == Later(reason="cannot connect")
    assert greeted == ["other.example"]


async def test_a_certificate_of_an_unknown_authority_is_refused(sink_of, tls_server):
    port, _ = tls_server
    sink = await sink_of(receivers=LOOPBACK, resolve=Names(**ANYWHERE))
    assert await send(sink, f"https://hooks.example:{port}/in") == Later(reason="cannot connect")


# the test at the start


async def test_when_all_is_well_the_test_opens_no_connection_and_says_nothing(sink_of, connections):
    with capture_logs() as logs:
        sink = await sink_of()
    assert logs == []
    assert connections == []
    assert await breaches(sink._guarded, Receivers(())) == ()


@pytest.mark.parametrize(
    "allowed", [["127.0.0.1"], ["127.0.0.0/8", "::1", "localhost"], ["0.0.0.0/0"], ["0.0.0.0/0", "::/0"]]
)
async def test_what_is_allowed_is_not_taken_for_a_hole(sink_of, connections, allowed):
    with capture_logs() as logs:
        sink = await sink_of(receivers=Receivers(allowed), resolve=Names(hooks_example=[["fd00::1"]]))
    assert logs == []
    assert connections == []
    assert sink._guard_holds


class PlainTransport(GuardedTransport):
    """As if httpx kept its pool elsewhere in its next version: ours is put where nobody looks."""

    def __init__(self, guard, *, limits) -> None:
        httpx.AsyncHTTPTransport.__init__(self, trust_env=False)
        self._pool_of_the_version_before = guard


class AnsweringTransport(GuardedTransport):
    async def handle_async_request(self, request):
        return httpx.Response(200)


class BrokenTransport(GuardedTransport):
    async def handle_async_request(self, request):
        raise AttributeError("httpx is not what it was")


class HangingTransport(GuardedTransport):
    async def handle_async_request(self, request):
        await asyncio.Event().wait()


class OpenGuard(Guard):
    async def _addresses(self, host, port):
        return ("127.0.0.1",)


def replaced(name: str, kind: type) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(webhook_module, name, kind)


@pytest.mark.parametrize(
    "break_it",
    [
        replaced("GuardedTransport", PlainTransport),
        replaced("GuardedTransport", AnsweringTransport),
        replaced("GuardedTransport", BrokenTransport),
        replaced("GuardedTransport", HangingTransport),
        replaced("Guard", OpenGuard),
    ],
    ids=["plain", "answering", "broken", "hanging", "open"],
)
async def test_a_guard_that_fails_its_test_lets_nothing_pass(sink_of, connections, monkeypatch, break_it):
    monkeypatch.setattr(guard_module, "_SELF_TEST_TIMEOUT", 0.2)
    break_it(monkeypatch)
    async with receiver() as it, receiver() as configured:
        with capture_logs() as logs:
            sink = await sink_of(trusted=configured.url, receivers=Receivers(["hooks.example"]))
        assert [(line["log_level"], line["event"]) for line in logs] == [("error", "webhook.guard_failed")]
        assert set(logs[0]["reached"]) == {"127.0.0.1", "0.0.0.0", "[::1]", "localhost"}
        connections.clear()
        for host in ("127.0.0.1", "hooks.example"):
            assert await send(sink, at(it, host)) == FAILED_ITS_TEST
        assert connections == []
        assert await send(sink, configured.url) == Delivered(status_code=200)
    assert it.received == []


async def test_one_hole_is_enough(sink_of, monkeypatch):
    class Leaky(Guard):
        async def _addresses(self, host, port):
            return ("::1",) if host == "::1" else await super()._addresses(host, port)

    monkeypatch.setattr(webhook_module, "Guard", Leaky)
    with capture_logs() as logs:
        sink = await sink_of()
    assert [line["reached"] for line in logs] == [("[::1]",)]
    assert await send(sink, "https://hooks.example/in") == FAILED_ITS_TEST


async def test_before_its_test_nothing_passes(sink_of, connections):
    sink = await sink_of(start=False, receivers=LOOPBACK)
    async with receiver() as it:
        assert await send(sink, it.url) == FAILED_ITS_TEST
    assert connections == []
