"""The nouns that are kept: instances, the requests behind them, events, deliveries, cards.

Plain frozen values of the standard library. All times are aware UTC, all money is `Decimal` USD.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from storage.cloud import BillingMode, Connection, Offer, Phase, Spot


class State(StrEnum):
    """Ours, closed. Novita's raw word is `Instance.status`."""

    CREATING = "creating"
    """No GPU is known yet."""
    STARTING = "starting"
    """It exists, or was started or restarted, and is not usable yet."""
    RUNNING = "running"
    """Usable."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETING = "deleting"
    DELETED = "deleted"


class Wish(StrEnum):
    """What was asked for and has not been reached yet. Reached once, it is spent (None)."""

    CREATE = "create"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    DELETE = "delete"
    REMOVE = "remove"
    """Nobody's: the GPU of a failed instance goes so that it bills no longer; the record stays failed."""


class Outcome(StrEnum):
    """What is known about the latest call that changes something at Novita."""

    BEGUN = "begun"
    """Committed before the call. Found by another worker, it means the same as UNKNOWN."""
    ACCEPTED = "accepted"
    NOT_MADE = "not_made"
    """Certainly without effect."""
    UNKNOWN = "unknown"


class Fate(StrEnum):
    """How a create attempt ended; kept for ever, so that a late instance is recognised."""

    BEGUN = "begun"
    BOUND = "bound"
    """Its instance is the row's."""
    NOT_MADE = "not_made"
    """Certainly without effect: it never reached Novita."""
    NO_CAPACITY = "no_capacity"
    """Novita said that this offer is not to be had; another one is tried."""
    UNCONFIRMED = "unconfirmed"
    """Given up without having been seen."""
    LATE = "late"
    """Seen after it was given up, or beside a bound one: to be removed."""
    REMOVED = "removed"
    """A late one, removed and told."""


class Reason(StrEnum):
    """Why something happened that nobody asked us for."""

    STOPPED_OUTSIDE = "stopped_outside"
    STARTED_OUTSIDE = "started_outside"
    DELETED_OUTSIDE = "deleted_outside"
    RECLAIMED = "reclaimed"
    STARTUP_TIMEOUT = "startup_timeout"
    START_FAILED = "start_failed"


class EventKind(StrEnum):
    """Past facts. Those whose value begins with `instance.` and are in `WEBHOOK_EVENTS` go to webhooks."""

    REQUESTED = "instance.requested"
    """Somebody asked for something: the audit trail; sent nowhere."""
    READY = "instance.ready"
    STARTED = "instance.started"
    FAILED = "instance.failed"
    STOPPED = "instance.stopped"
    DELETED = "instance.deleted"
    RECLAIMING = "instance.reclaiming"
    RECLAIMED = "instance.reclaimed"
    REFUSED = "instance.refused"
    """Novita refused a stop, restart or delete for good; the instance is as it was. Told in Slack only."""
    LATE_REMOVED = "instance.late_removed"
    """A GPU of an attempt that was given up appeared and was removed. Told in Slack only."""
    WEBHOOK_DISABLED = "instance.webhook_disabled"
    """A receiver gets nothing more, after this instance's events failed there. Told in Slack only."""


WEBHOOK_EVENTS = frozenset(
    {
        EventKind.READY,
        EventKind.STARTED,
        EventKind.FAILED,
        EventKind.STOPPED,
        EventKind.DELETED,
        EventKind.RECLAIMING,
        EventKind.RECLAIMED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    code: str
    """Upper case, such as `STARTUP_TIMEOUT`, `UNCONFIRMED`, or Novita's own reason."""
    message: str
    """A sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRequest:
    """What somebody asked for, defaults filled in, nothing looked up yet."""

    name: str
    gpu: str
    """As typed: a product name or an unambiguous part of one."""
    gpu_count: int
    template: str | None
    """Id or name. Exactly one of template and image is given."""
    image: str | None
    billing_mode: BillingMode
    regions: tuple[str, ...]
    """In order of preference, as typed."""
    regions_only: bool
    """True: no other region will do. False: the others follow, cheapest first."""
    disk_gb: int
    max_usd_per_hour: Decimal | None = None
    """For the whole instance."""
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One row of the table, less the lease.

    Who writes what: wishes come from people (any time, they void a lease); what Novita shows comes from
    `observe` (any time); everything else from the holder of the lease, by `settle`.
    """

    # who and what
    id: str
    """16 characters `[a-z0-9]`, part of the name at Novita."""
    name: str
    requester: str | None
    """Slack user id; None: came by REST."""
    team_id: str | None
    channel: str | None
    """Where notices go; None: nowhere."""
    request: CreateRequest
    created_at: datetime

    # what is wanted
    state: State
    wish: Wish | None
    wished_by: str | None
    """Slack user id, or None for REST."""
    wished_at: datetime

    # the latest call that changes something at Novita
    call: Wish | None = None
    """CREATE, START, STOP, RESTART or DELETE; None: none since the wish."""
    called_at: datetime | None = None
    outcome: Outcome | None = None
    tries: int = 0
    """Calls made for the present wish, for the back-off."""
    retry_at: datetime | None = None
    """Not before this."""
    refusal: Failure | None = None
    """Why the latest call was refused or did not get through; shown while it is tried again."""

    # the create attempts
    attempt: int = 0
    """How many creates were begun; the name at Novita ends in it."""
    offer: Offer | None = None
    """Of the latest attempt."""
    first_usd_per_hour: Decimal | None = None
    """Of the first attempt, for the 1.5 times rule."""
    novita_id: str | None = None
    bound_at: datetime | None = None

    # what Novita shows
    status: str | None = None
    phase: Phase | None = None
    seen_at: datetime | None = None
    """Beginning of the list or get that showed the present status first."""
    underway: bool = False
    """Since the latest accepted call Novita has shown that it acts on it."""
    absent_lists: int = 0
    """Complete lists in a row without it; at most 3 are counted for a bound instance."""
    absent_for: timedelta = timedelta(0)
    """Time covered by those lists; stretches in which Novita could not be listed are not in it."""
    not_found_at: datetime | None = None
    """A get said not found, and nothing has shown it since."""
    status_error: str | None = None
    spot: Spot | None = None
    reclaim_at: datetime | None = None
    last_started_at: datetime | None = None
    delayed_since: datetime | None = None
    """Novita cannot be listed since then while this one waits for it."""

    # usability
    connection: Connection | None = None
    """Of the present run; None until a get has shown it."""
    connection_complete: bool = False
    probe_began_at: datetime | None = None
    """Novita says running since then, as far as we know."""
    answering: bool = False
    """The declared endpoints answered."""
    ready_at: datetime | None = None
    """Usable for the first time in its life."""
    usable_at: datetime | None = None
    """Usable since then, in the present run."""
    reclaim_told_at: datetime | None = None
    """The `reclaim_at` that was told."""

    # how it ended
    reason: Reason | None = None
    error: Failure | None = None

    # for whom it is traced
    correlation_id: str | None = None
    """That came with the latest wish by REST: it goes on to Novita and to webhooks."""

    # money
    billing_since: datetime | None = None
    """The present run is billed since then; None: no GPU is billed."""
    billed_usd: Decimal = Decimal(0)
    """Of the runs that are over."""

    # bookkeeping
    sequence: int = 0
    """Of its latest event."""
    version: int = 0
    """Counts every write that a worker must not decide past: wishes and observations."""
    acted_at: datetime
    """The latest wish, binding or settled call: a list that began before it says nothing about this row."""
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event to be written; the store adds its id, sequence and instance."""

    kind: EventKind
    at: datetime
    actor: str | None = None
    """Slack user id of who asked; None: nobody, or REST."""
    verb: Wish | None = None
    """Of a REQUESTED or REFUSED event."""
    reason: Reason | None = None
    error: Failure | None = None
    note: str | None = None
    """A sentence for people, such as that the endpoints never answered."""
    elapsed: timedelta | None = None
    """Since the wish that it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An immutable fact about an instance, with what the instance was like at that moment."""

    id: str
    """Also the `webhook-id`: the same over all attempts."""
    instance_id: str
    sequence: int
    """1, 2, 3 ... per instance."""
    fact: NewEvent
    instance: Instance
    """As of the event, so that every later rendering says the same."""


class Notify(StrEnum):
    """How a person wants to be told when a wait for an instance of theirs ends.

    The thread of its card has every notice in any case: this decides who is called, and where.
    """

    THREAD = "thread"
    """Mentioned in the thread. The usual."""
    DIRECT = "direct"
    """In a direct message; the thread mentions nobody."""
    BOTH = "both"
    QUIET = "quiet"
    """Not called at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Of the whole team, now."""

    running: int
    under_way: int
    """Creating, starting, stopping or deleting."""
    stopped: int
    usd_per_hour: Decimal
    """Of all that are billed."""


class TargetKind(StrEnum):
    NOTICE = "notice"
    """A message in the thread of the instance's card."""
    DIRECT = "direct"
    """A direct message to the requester, who chose that; added when the event is written."""
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    kind: TargetKind
    address: str
    """`slack` for a notice; a Slack user id; the URL of a webhook."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One try that was made, and what came of it."""

    number: int
    """1, 2, 3 ... over the life of the delivery, replays included."""
    at: datetime
    """When its outcome was known."""
    status_code: int | None = None
    """The receiver's; None: there was no answer, or it was Slack's."""
    error: str | None = None
    """None: it was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event to one target."""

    id: str
    event: Event
    target: Target
    state: DeliveryState
    attempts: int
    """Tries that were made since it was written or replayed, failed or not."""
    due_at: datetime | None
    last_status_code: int | None = None
    last_error: str | None = None
    delivered_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The one Slack message of an instance, edited in place."""

    instance_id: str
    channel: str
    """Changes to the requester's direct messages where the bot is not in the channel."""
    ts: str | None
    """None until it is posted."""
    wanted_version: int
    shown_version: int
    edited_at: datetime | None
    attempts: int
    """Failed tries in a row."""
    response_url: str | None = None
    """Of the command that made it, to explain once why the card went elsewhere; forgotten once posted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCard:
    channel: str
    response_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One create that was begun. Never purged."""

    instance_id: str
    number: int
    begun_at: datetime
    fate: Fate
    novita_id: str | None = None
    offer: Offer | None = None
