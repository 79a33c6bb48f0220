"""What Novita has and shows, as plain values: products, clusters, templates, instances as last seen.

Nothing here knows HTTP or JSON; `bot.novita` translates. Prices are `Decimal` USD per GPU per hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class BillingMode(StrEnum):
    """Novita's own words; `monthly` is not offered."""

    ON_DEMAND = "onDemand"
    SPOT = "spot"


class Phase(StrEnum):
    """What Novita's raw status word means for us. The mapping is in `bot.novita.statuses`."""

    PROVISIONING = "provisioning"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    REMOVING = "removing"
    GONE = "gone"
    UNKNOWN = "unknown"


class Spot(StrEnum):
    """What Novita's raw spot word means for us; mapped beside the phases."""

    UNDISTURBED = "undisturbed"
    NOTIFIED = "notified"
    """It will be taken back, usually within the hour."""
    RECLAIMED = "reclaimed"
    """It is being taken back, or has been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    number: int
    protocol: str
    """`http` or `tcp`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Env:
    key: str
    value: str = field(repr=False)
    """May be a secret: never logged, never stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    name: str
    port: int
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One thing that Novita sells, as answered for one billing mode: stock and price are that mode's.

    Several products share a `name` (`RTX 4090 24GB`). Empty `regions` means all clusters.
    """

    id: str
    name: str
    billing_mode: BillingMode
    usd_per_gpu_hour: Decimal | None
    """None: not sold in this billing mode."""
    available: bool
    """False: cannot be created now."""
    stock: str | None = None
    """`none`, `low`, `normal`, `high`, or None where Novita does not say."""
    regions: tuple[str, ...] = ()
    """Display names such as `US-CA-06 (California)`; a create wants a cluster id."""
    cpu_per_gpu: int | None = None
    memory_gb_per_gpu: int | None = None
    min_disk_gb: int | None = None
    max_disk_gb: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A data centre. Its id cannot be derived from its name (`CN-HK-01` is `cn-hongkong-1`)."""

    id: str
    name: str
    """Display name such as `US-CA-06 (California)`; may lack the part in brackets."""
    gpu_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    id: str
    name: str
    channel: str
    """`official`, `community`, `private`, or `` where Novita does not say."""
    image: str
    registry_auth_id: str | None = None
    ports: tuple[Port, ...] = ()
    envs: tuple[Env, ...] = ()
    tools: tuple[Tool, ...] = ()
    command: str = ""
    entrypoint: str = ""
    disk_gb: int | None = None
    min_cuda_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The choice of one create attempt: what, where, at which price."""

    product_id: str
    product_name: str
    cluster_id: str
    region: str
    """Display name of the cluster."""
    billing_mode: BillingMode
    gpu_count: int
    usd_per_gpu_hour: Decimal

    @property
    def usd_per_hour(self) -> Decimal:
        """For the whole instance."""
        return self.usd_per_gpu_hour * self.gpu_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Everything that a create call sends. Never stored whole: `envs` may hold secrets."""

    name: str
    """The name at Novita, which carries our token."""
    offer: Offer
    disk_gb: int
    image: str
    registry_auth_id: str | None = None
    ports: tuple[Port, ...] = ()
    envs: tuple[Env, ...] = ()
    tools: tuple[Tool, ...] = ()
    command: str = ""
    entrypoint: str = ""
    min_cuda_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """An instance as one list item or one get shows it. Unknown or absent fields are None."""

    novita_id: str
    name: str
    status: str
    """Novita's raw word, as sent."""
    phase: Phase
    product_name: str | None = None
    cluster_id: str | None = None
    region: str | None = None
    status_error: str | None = None
    """`statusError.message`, never empty."""
    spot: Spot | None = None
    """None when it is no spot instance, or Novita does not say."""
    reclaim_at: datetime | None = None
    last_started_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    port: int
    protocol: str
    url: str | None
    """Where it is reached (`https://...`, or host:port for tcp); None while Novita does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How an instance is reached, without any secret: this is what may be stored and shown."""

    ssh: str | None = None
    """The command, without the password."""
    jupyter: str | None = None
    """The address, without query and fragment (where tokens are)."""
    web_terminal: str | None = None
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What only the person who asks may see, fetched when asked, never stored or logged."""

    ssh_password: str | None = field(default=None, repr=False)
    jupyter_url: str | None = field(default=None, repr=False)
    """With its token."""
    web_terminal_url: str | None = field(default=None, repr=False)
    web_terminal_username: str | None = field(default=None, repr=False)
    web_terminal_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """The answer of get: the observation and what a list never shows."""

    observation: Observation
    connection: Connection
    complete: bool
    """Every declared http endpoint has its address, and each component that Novita announces (SSH, Jupyter)
    says that it is running."""
    secrets: Secrets = field(default_factory=Secrets, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The whole account at one time; only ever built from complete lists."""

    began_at: datetime
    """Before the first page was asked: says nothing about what was written later."""
    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A GPU that has our mark and that no row knows."""

    novita_id: str
    name: str
    first_seen_at: datetime
