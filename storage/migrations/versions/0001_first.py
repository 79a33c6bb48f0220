"""The first tables, and the row that names this deployment."""

from __future__ import annotations

import secrets
import string

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_instances()
    create_attempts()
    create_events()
    create_deliveries()
    create_cards()
    create_requests()
    create_leases()
    create_meta()


def create_instances() -> None:
    op.create_table(
        "instances",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_lower", sa.Text(), nullable=False),
        sa.Column("requester", sa.Text()),
        sa.Column("team_id", sa.Text()),
        sa.Column("channel", sa.Text()),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("wish", sa.Text()),
        sa.Column("wished_by", sa.Text()),
        sa.Column("wished_at", sa.BigInteger(), nullable=False),
        sa.Column("call", sa.Text()),
        sa.Column("called_at", sa.BigInteger()),
        sa.Column("outcome", sa.Text()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.BigInteger()),
        sa.Column("refusal", sa.Text()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("offer", sa.Text()),
        sa.Column("first_usd_per_hour", sa.Text()),
        sa.Column("novita_id", sa.Text()),
        sa.Column("bound_at", sa.BigInteger()),
        sa.Column("status", sa.Text()),
        sa.Column("phase", sa.Text()),
        sa.Column("seen_at", sa.BigInteger()),
        sa.Column("underway", sa.Boolean(), nullable=False),
        sa.Column("absent_lists", sa.Integer(), nullable=False),
        sa.Column("absent_for", sa.BigInteger(), nullable=False),
        sa.Column("not_found_at", sa.BigInteger()),
        sa.Column("status_error", sa.Text()),
        sa.Column("spot", sa.Text()),
        sa.Column("reclaim_at", sa.BigInteger()),
        sa.Column("last_started_at", sa.BigInteger()),
        sa.Column("delayed_since", sa.BigInteger()),
        sa.Column("connection", sa.Text()),
        sa.Column("connection_complete", sa.Boolean(), nullable=False),
        sa.Column("probe_began_at", sa.BigInteger()),
        sa.Column("answering", sa.Boolean(), nullable=False),
        sa.Column("ready_at", sa.BigInteger()),
        sa.Column("usable_at", sa.BigInteger()),
        sa.Column("reclaim_told_at", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("billing_since", sa.BigInteger()),
        sa.Column("billed_usd", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("acted_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("lease_token", sa.Text()),
        sa.Column("leased_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_instances"),
        sa.UniqueConstraint("novita_id", name="uq_instances_novita_id"),
    )
    for column in ("name_lower", "requester", "state", "created_at"):
        op.create_index(f"ix_instances_{column}", "instances", [column])
    create_due_index("instances")


def create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("fate", sa.Text(), nullable=False),
        sa.Column("novita_id", sa.Text()),
        sa.Column("offer", sa.Text()),
        sa.PrimaryKeyConstraint("instance_id", "number", name="pk_attempts"),
    )


def create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("fact", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances.id"], name="fk_events_instance_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("instance_id", "sequence", name="uq_events_instance_id_sequence"),
    )


def create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("target_kind", sa.Text(), nullable=False),
        sa.Column("target_address", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_status_code", sa.Integer()),
        sa.Column("last_error", sa.Text()),
        sa.Column("delivered_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("lease_token", sa.Text()),
        sa.Column("leased_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_deliveries_event_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint(
            "event_id",
            "target_kind",
            "target_address",
            name="uq_deliveries_event_id_target_kind_target_address",
        ),
    )
    op.create_index(
        "ix_deliveries_instance_id_target_kind_target_address_sequence",
        "deliveries",
        ["instance_id", "target_kind", "target_address", "sequence"],
    )
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"])
    create_due_index("deliveries")
    op.create_table(
        "targets",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("disabled_at", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("address", name="pk_targets"),
    )


def create_cards() -> None:
    op.create_table(
        "cards",
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("ts", sa.Text()),
        sa.Column("wanted_version", sa.Integer(), nullable=False),
        sa.Column("shown_version", sa.Integer(), nullable=False),
        sa.Column("edited_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("response_url", sa.Text()),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("lease_token", sa.Text()),
        sa.Column("leased_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("instance_id", name="pk_cards"),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances.id"], name="fk_cards_instance_id", ondelete="CASCADE"
        ),
    )
    create_due_index("cards")


def create_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_requests"),
        sa.ForeignKeyConstraint(
            ["instance_id"],
            ["instances.id"],
            name="fk_requests_instance_id",
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        ),
    )
    op.create_index("ix_requests_instance_id", "requests", ["instance_id"])


def create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def create_meta() -> None:
    meta = op.create_table(
        "meta",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("deployment", sa.Text(), nullable=False),
        sa.Column("listed_at", sa.BigInteger()),
        sa.Column("poll_broken", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_meta"),
    )
    op.bulk_insert(meta, [{"id": 1, "deployment": new_deployment(), "poll_broken": False}])


def create_due_index(table: str) -> None:
    given = sa.text("due_at IS NOT NULL")
    op.create_index(f"ix_{table}_due_at", table, ["due_at"], sqlite_where=given, postgresql_where=given)


def new_deployment() -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
