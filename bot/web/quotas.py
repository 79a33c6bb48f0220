"""How many requests a caller has, and how that is told."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from bot.web.errors import Fault, fault

STANDING = "rate_limit"
"""Where a request's `Standing` is in `scope["state"]`, once it was counted: the outermost layer tells it."""

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """`most` requests in each window of `within`, which begins with the first one."""

    name: str
    most: int
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Of one caller, after a request."""

    quota: Quota
    allowed: bool
    remaining: int
    resets_at: datetime
    """In whole seconds, rounded up: from then on there is all of the quota."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        values = (self.quota.most, self.remaining, int(self.resets_at.timestamp()))
        return tuple((name, str(value)) for name, value in zip(HEADERS, values, strict=True))


def too_many(standing: Standing, now: datetime, hint: str = "") -> Fault:
    quota, pause = standing.quota, standing.resets_at - now
    limit = f"The limit is {quota.most} {quota.name} in {quota.within.total_seconds():g} seconds."
    return replace(fault(429, f"{limit} {hint}".rstrip()), retry_after=pause)


def address_of(client: tuple[str, int] | None) -> str:
    """By whom a request without a key is counted. Addresses that a proxy tells are not believed."""
    return "unknown" if client is None else _network_of(client[0])


@lru_cache(maxsize=1_024)
def _network_of(host: str) -> str:
    """An IPv6 address by its /64: whoever has one has all of them."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
