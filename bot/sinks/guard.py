"""Connects to public addresses only, whatever a name turns out to mean.

```
name ─► looked up ONCE ─► every answer judged ─► connect to the answers themselves ─► TLS, for the name
              per connection      one bad: none                no second look-up           URL untouched
```

It sits below HTTP, where a connection is made: whatever is above cannot go round it, and a name that changes
between the look-up and the connection changes nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpcore
import httpx

from bot.receivers import Receivers
from bot.tls import authorities

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host (ASCII) and port -> its addresses, best first. Raises OSError."""

_LOOKUPS_AT_ONCE = 64
_SELF_TEST_TIMEOUT = 2
"""Seconds. The guard refuses at once; what waits is not it."""
_NEVER_PUBLIC = {
    "127.0.0.1": ("127.0.0.1",),
    "0.0.0.0": ("0.0.0.0",),
    "[::1]": ("::1",),
    "localhost": ("127.0.0.1", "::1"),
}
"""Hosts of the self-test, and what they mean: this machine, so that a knock never leaves it."""


class Forbidden(OSError):
    """The host is, or means, an address that may not be connected to. Nothing was sent."""


class Lookup:
    """The system's resolver, in threads of its own: a name server that never answers must not use up those
    that look up Slack and Novita. A thread that nobody waits for any more ends when the system gives up."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS_AT_ONCE, thread_name_prefix="receiver-lookup")

    async def __call__(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _look_up, host, port)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Guard(httpcore.AsyncNetworkBackend):
    def __init__(self, receivers: Receivers, resolve: Resolve) -> None:
        self._receivers = receivers
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises Forbidden, and what httpcore's own backend raises.

        `timeout` is for the look-up and all connections together; each address gets an equal share of what is
        left, so that one that is silent does not hide the next.
        """
        try:
            async with asyncio.timeout(timeout) as limit:
                addresses = await self._addresses(host, port)
                for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
                    try:
                        return await self._network.connect_tcp(
                            address, port, _share(limit, left), local_address, socket_options
                        )
                    except (httpcore.ConnectError, httpcore.ConnectTimeout):
                        if left == 1:
                            raise
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        raise httpcore.ConnectError("the name has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        raise Forbidden(f"a socket of this machine: {path}")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> tuple[str, ...]:
        """All of them may be connected to. One that may not spoils the rest: whoever answers for the name
        would otherwise need only patience."""
        try:
            found = tuple(dict.fromkeys(await self._resolve(host, port)))
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name cannot be looked up") from error
        if not all(self._receivers.may_connect(host, address) for address in found):
            raise Forbidden("not public")
        return found


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own, over a pool that connects through `guard`. httpx has no parameter for that: the pool is
    put where the pinned version keeps it, and `breaches` says at the start whether it is used."""

    def __init__(self, guard: httpcore.AsyncNetworkBackend, *, limits: httpx.Limits) -> None:
        tls = authorities()
        super().__init__(verify=tls, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=guard,
        )


async def breaches(client: httpx.AsyncClient, receivers: Receivers) -> tuple[str, ...]:
    """Hosts that `client` should have refused and did not: none, when all is well.

    Opens no connection then. Otherwise it knocks at port 1, where nothing listens. Hosts that are allowed
    explicitly are left out.
    """
    hosts = [
        host
        for host, addresses in _NEVER_PUBLIC.items()
        if not any(receivers.may_connect(host, address) for address in addresses)
    ]
    # Anything but a refusal is a breach, whatever it is: hence no `except`, which could miss something.
    outcomes = await asyncio.gather(*(_knock(client, host) for host in hosts), return_exceptions=True)
    return tuple(
        host for host, outcome in zip(hosts, outcomes, strict=True) if not isinstance(outcome, Forbidden)
    )


async def _knock(client: httpx.AsyncClient, host: str) -> None:
    async with asyncio.timeout(_SELF_TEST_TIMEOUT):
        await client.head(f"http://{host}:1/")


def _share(limit: asyncio.Timeout, left: int) -> float | None:
    """Seconds for the next of `left` addresses."""
    ends_at = limit.when()
    if ends_at is None:
        return None
    return max(ends_at - asyncio.get_running_loop().time(), 0) / left


def _look_up(host: str, port: int) -> list[str]:
    # As bytes: for text Python would apply its own, older rules of names, and the host is ASCII already.
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
