"""Who asks, for what, and where from."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from storage.cloud import BillingMode
from storage.records import Instance
from storage.store.keys import RequestKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks. Guests and people of other workspaces are no full members, and may nothing."""

    user_id: str | None
    """Slack user id; None: a program with a REST key, which may act on all."""
    team_id: str | None = None
    full_member: bool = True

    @property
    def is_program(self) -> bool:
        return self.user_id is None


PROGRAM = Actor(user_id=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """The DEFAULT_* settings."""

    region: str
    gpu_count: int
    disk_gb: int
    template: str | None
    billing_mode: BillingMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for, before defaults."""

    gpu: str
    gpu_count: int | None = None
    name: str | None = None
    template: str | None = None
    image: str | None = None
    billing_mode: BillingMode | None = None
    regions: tuple[str, ...] = ()
    regions_only: bool = True
    disk_gb: int | None = None
    max_usd_per_hour: Decimal | None = None
    webhook_url: str | None = None
    quoted_usd_per_hour: Decimal | None = None
    """What the whole instance was said to cost, where that was said first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from."""

    key: str | None
    """The same for every delivery of one request; None: each is a request of its own."""
    fingerprint: str | None = None
    """Digest of a program's request: its key must not come again with another one."""
    correlation_id: str | None = None
    """A program's own name for what it does; it goes on to Novita and to webhooks."""
    channel: str | None = None
    """Where notices go; None: nowhere."""
    response_url: str | None = None

    @property
    def request_key(self) -> RequestKey | None:
        return None if self.key is None else RequestKey(text=self.key, fingerprint=self.fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    instance: Instance
    nothing_to_do: bool
    """It was so already."""
