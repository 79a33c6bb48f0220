"""The tables. A column is named as the field of the record that it holds.

A lease is three columns: `due_at` (None: nothing to do), `lease_token` and `leased_until`. A row is free when
it has no token or `leased_until` is over; whoever writes after work names the token.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.cloud import Connection, Offer, Phase, Spot
from storage.columns import Json, Moment, Money, Span, Word
from storage.records import (
    CreateRequest,
    DeliveryState,
    EventKind,
    Failure,
    Fate,
    Instance,
    NewEvent,
    Notify,
    Outcome,
    Reason,
    State,
    TargetKind,
    Wish,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _lease() -> tuple[Column[object], ...]:
    return (Column("due_at", Moment()), Column("lease_token", Text()), Column("leased_until", Moment()))


instances = Table(
    "instances",
    metadata,
    Column("id", Text(), primary_key=True),
    Column("name", Text(), nullable=False),
    Column("name_lower", Text(), nullable=False),  # names are compared without case
    Column("requester", Text()),
    Column("team_id", Text()),
    Column("channel", Text()),
    Column("request", Json(CreateRequest), nullable=False),
    Column("created_at", Moment(), nullable=False),
    Column("state", Word(State), nullable=False),
    Column("wish", Word(Wish)),
    Column("wished_by", Text()),
    Column("wished_at", Moment(), nullable=False),
    Column("call", Word(Wish)),
    Column("called_at", Moment()),
    Column("outcome", Word(Outcome)),
    Column("tries", Integer(), nullable=False),
    Column("retry_at", Moment()),
    Column("refusal", Json(Failure)),
    Column("attempt", Integer(), nullable=False),
    Column("offer", Json(Offer)),
    Column("first_usd_per_hour", Money()),
    Column("novita_id", Text()),
    Column("bound_at", Moment()),
    Column("status", Text()),
    Column("phase", Word(Phase)),
    Column("seen_at", Moment()),
    Column("underway", Boolean(), nullable=False),
    Column("absent_lists", Integer(), nullable=False),
    Column("absent_for", Span(), nullable=False),
    Column("not_found_at", Moment()),
    Column("status_error", Text()),
    Column("spot", Word(Spot)),
    Column("reclaim_at", Moment()),
    Column("last_started_at", Moment()),
    Column("delayed_since", Moment()),
    Column("connection", Json(Connection)),
    Column("connection_complete", Boolean(), nullable=False),
    Column("probe_began_at", Moment()),
    Column("answering", Boolean(), nullable=False),
    Column("ready_at", Moment()),
    Column("usable_at", Moment()),
    Column("reclaim_told_at", Moment()),
    Column("reason", Word(Reason)),
    Column("error", Json(Failure)),
    Column("correlation_id", Text()),
    Column("billing_since", Moment()),
    Column("billed_usd", Money(), nullable=False),
    Column("sequence", Integer(), nullable=False),
    Column("version", BigInteger(), nullable=False),
    Column("acted_at", Moment(), nullable=False),
    Column("updated_at", Moment(), nullable=False),
    *_lease(),
    # Two rows never hold one GPU; several without one are fine.
    UniqueConstraint("novita_id"),
    Index(None, "name_lower"),
    Index(None, "requester"),
    Index(None, "state"),
    Index(None, "created_at"),
    Index(
        "ix_instances_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

attempts = Table(
    "attempts",
    metadata,
    # No foreign key: an attempt outlives its instance, so that a late GPU is recognised for ever.
    Column("instance_id", Text(), primary_key=True),
    Column("number", Integer(), primary_key=True, autoincrement=False),
    Column("begun_at", Moment(), nullable=False),
    Column("fate", Word(Fate), nullable=False),
    Column("novita_id", Text()),
    Column("offer", Json(Offer)),
)

events = Table(
    "events",
    metadata,
    Column("id", Text(), primary_key=True),
    Column("instance_id", ForeignKey("instances.id", ondelete="CASCADE"), nullable=False),
    Column("sequence", Integer(), nullable=False),
    Column("kind", Word(EventKind), nullable=False),
    Column("at", Moment(), nullable=False),
    Column("fact", Json(NewEvent), nullable=False),
    Column("instance", Json(Instance), nullable=False),
    UniqueConstraint("instance_id", "sequence"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text(), primary_key=True),
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
    # Of the event, again: the order of deliveries is judged without looking at events.
    Column("instance_id", Text(), nullable=False),
    Column("sequence", Integer(), nullable=False),
    Column("target_kind", Word(TargetKind), nullable=False),
    Column("target_address", Text(), nullable=False),
    Column("state", Word(DeliveryState), nullable=False),
    Column("attempts", Integer(), nullable=False),
    Column("last_status_code", Integer()),
    Column("last_error", Text()),
    Column("delivered_at", Moment()),
    Column("created_at", Moment(), nullable=False),
    *_lease(),
    UniqueConstraint("event_id", "target_kind", "target_address"),
    Index(None, "instance_id", "target_kind", "target_address", "sequence"),
    Index(None, "created_at"),
    Index(None, "state"),
    Index(
        "ix_deliveries_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    # The first few of a target are found here, however many wait for it.
    Index(
        "ix_deliveries_target_due_at",
        "target_kind",
        "target_address",
        "due_at",
        "sequence",
        "id",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    # What is in flight, however much has been delivered.
    Index(
        "ix_deliveries_leased_until",
        "leased_until",
        sqlite_where=text("leased_until IS NOT NULL"),
        postgresql_where=text("leased_until IS NOT NULL"),
    ),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_id", ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer(), primary_key=True, autoincrement=False),
    Column("at", Moment(), nullable=False),
    Column("status_code", Integer()),
    Column("error", Text()),
)

targets = Table(
    "targets",
    metadata,
    # Webhooks that fail. No row: the target is well.
    Column("address", Text(), primary_key=True),
    Column("failing_since", Moment()),
    Column("disabled_at", Moment()),
    Column("reason", Text()),
)

cards = Table(
    "cards",
    metadata,
    Column("instance_id", ForeignKey("instances.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", Text(), nullable=False),
    Column("ts", Text()),
    Column("wanted_version", Integer(), nullable=False),
    Column("shown_version", Integer(), nullable=False),
    Column("edited_at", Moment()),
    Column("attempts", Integer(), nullable=False),
    Column("response_url", Text()),
    *_lease(),
    Index(
        "ix_cards_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

people = Table(
    "people",
    metadata,
    # Who chose how to be told, or opened the Home tab. Its versions and its lease are those of a card.
    Column("user_id", Text(), primary_key=True),
    Column("notify", Word(Notify), nullable=False),
    Column("has_home", Boolean(), nullable=False),
    Column("wanted_version", Integer(), nullable=False),
    Column("shown_version", Integer(), nullable=False),
    Column("edited_at", Moment()),
    Column("attempts", Integer(), nullable=False),
    *_lease(),
    Index(
        "ix_people_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

requests = Table(
    "requests",
    metadata,
    # Checked at commit: the key is taken first, so that a second bearer waits for the first one's outcome.
    Column("key", Text(), primary_key=True),
    Column(
        "instance_id",
        ForeignKey("instances.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
        nullable=False,
        index=True,
    ),
    Column("created_at", Moment(), nullable=False, index=True),
    # Of a program's request: what was asked for, as a digest, and the instance as it was answered.
    Column("fingerprint", Text()),
    Column("answer", Json(Instance)),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text(), primary_key=True),
    Column("owner", Text(), nullable=False),
    Column("until", Moment(), nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    # GPUs with our mark that no row knows. Kept after they left: one that comes back is not told again.
    Column("novita_id", Text(), primary_key=True),
    Column("name", Text(), nullable=False),
    Column("first_seen_at", Moment(), nullable=False),
    Column("left_at", Moment()),
    Column("told_at", Moment()),
)

meta = Table(
    "meta",
    metadata,
    # One row, written by the first migration.
    Column("id", Integer(), primary_key=True, autoincrement=False),
    Column("deployment", Text(), nullable=False),
    Column("listed_at", Moment()),
    Column("poll_broken", Boolean(), nullable=False),
)
