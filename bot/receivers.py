"""Whom a request's own `webhookUrl` may name: public hosts, and those that WEBHOOK_ALLOWED_HOSTS lists.

Judged twice. `check` reads the text when the request comes in, so that whoever asks learns at once what is
wrong. `may_connect` judges the addresses that a name turns out to have whenever somebody connects: names
change, so only this one keeps anybody out. Pure: nothing is looked up here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import assert_never
from urllib.parse import SplitResult, urlsplit

from bot.errors import ForbiddenReceiver

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

# Written out, because what `ipaddress` calls global differs between Python's versions and counts
# addresses in that lead to private ones. From IANA's registries of special-purpose addresses:
# https://www.iana.org/assignments/iana-ipv4-special-registry
# https://www.iana.org/assignments/iana-ipv6-special-registry
_NOT_PUBLIC_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this host, this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a provider's customers
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform, as its machines see it
        "169.254.0.0/16",  # link-local: where clouds keep their metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
"""All that is given out for the Internet. Loopback, unique local, link-local, multicast ... are outside."""
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments; Teredo, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
"""Leads to the IPv4 address in its last 32 bits: how networks without IPv4 reach hosts without IPv6."""

_READABLE = re.compile(r"[^\x00-\x20\x7f\\]+")
"""Blanks are dropped by some readers, and a backslash is a slash to some: they would read another host."""
_NAME = re.compile(r"(?=.{1,253}\Z)[\w-]+(\.[\w-]+)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_IDEOGRAPHIC_FULL_STOP = "\u3002"

_NO_HOST = "A webhook's address begins with https:// or http:// and names a host."
_USERINFO = "A webhook's address must not hold a user or a password. Leave out what stands before the @."
_PORT = "The port of a webhook's address is 1 to 65535."


class Receivers:
    def __init__(self, allowed: Iterable[str]) -> None:
        """`allowed`: host names, addresses and CIDRs that may be named although they are not public."""
        networks = {text: _network(text) for text in allowed}
        self._networks = tuple(network for network in networks.values() if network is not None)
        self._names = frozenset(_plain(text) for text, network in networks.items() if network is None)

    def check(self, url: str) -> None:
        """Raises ForbiddenReceiver where the text alone shows that it may not be named."""
        host = _host(url)
        if host in self._names:
            return
        address = _address(host)
        if address is None:
            _check_name(host)
        elif not self._may_reach(address):
            raise _not_public(host)

    def may_connect(self, host: str, address: str) -> bool:
        """`address` is one that `host` has now. What is no address at all is not connected to."""
        if _plain(host) in self._names:
            return True
        found = _address(address)
        return found is not None and self._may_reach(found)

    def _may_reach(self, address: _Address) -> bool:
        return _is_public(address) or any(address in network for network in self._networks)


PUBLIC_ONLY = Receivers(())


def _host(url: str) -> str:
    """The host that is named, as `_plain` writes it; raises ForbiddenReceiver."""
    if not _READABLE.fullmatch(url):
        raise ForbiddenReceiver(_NO_HOST)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ForbiddenReceiver(_NO_HOST) from error
    if parts.scheme not in {"http", "https"}:
        raise ForbiddenReceiver(_NO_HOST)
    if "@" in parts.netloc:
        raise ForbiddenReceiver(_USERINFO)
    _check_port(parts)
    return _plain(parts.hostname or "")


def _check_port(parts: SplitResult) -> None:
    try:
        port = parts.port
    except ValueError as error:
        raise ForbiddenReceiver(_PORT) from error
    if port == 0:
        raise ForbiddenReceiver(_PORT)


def _plain(host: str) -> str:
    """Lower case, ASCII where it only looks different, without brackets and without the dot of the root."""
    text = unicodedata.normalize("NFKC", host).replace(_IDEOGRAPHIC_FULL_STOP, ".")
    return text.lower().removeprefix("[").removesuffix("]").rstrip(".")


def _check_name(host: str) -> None:
    if not _NAME.fullmatch(host):
        raise ForbiddenReceiver(_NO_HOST)
    last = host.rpartition(".")[2]
    if _NUMBER.fullmatch(last):
        # 127.1, 0x7f000001 and 0177.0.0.1 mean one address here and another one there.
        raise ForbiddenReceiver(
            f"{host} is no address that everybody reads alike. "
            "Write it as four decimal numbers, or name a public host."
        )
    if last == "localhost":
        raise _not_public(host)


def _not_public(host: str) -> ForbiddenReceiver:
    return ForbiddenReceiver(
        f"A webhook's address may name public hosts only, and {host} is none. "
        "Name a public host, or have this one put into WEBHOOK_ALLOWED_HOSTS."
    )


def _network(text: str) -> _Network | None:
    """None: a name."""
    try:
        return ip_network(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _address(text: str) -> _Address | None:
    """None: a name. An IPv4 address in IPv6's clothes is the IPv4 address: so the kernel connects."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_public(address: _Address) -> bool:
    match address:
        case IPv4Address():
            return not any(address in block for block in _NOT_PUBLIC_V4)
        case IPv6Address() if address in _NAT64:
            return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        case IPv6Address():
            return address in _PUBLIC_V6 and not any(address in block for block in _NOT_PUBLIC_V6)
        case _:
            assert_never(address)
