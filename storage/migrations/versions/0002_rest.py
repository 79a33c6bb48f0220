"""What REST needs: idempotent requests, attempts of deliveries, correlation ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In the order in which a request takes them: an older replica may be at work.
    op.add_column("requests", sa.Column("fingerprint", sa.Text()))
    op.add_column("requests", sa.Column("answer", sa.Text()))
    op.create_index("ix_requests_created_at", "requests", ["created_at"])
    op.add_column("instances", sa.Column("correlation_id", sa.Text()))
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status_code", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="pk_delivery_attempts"),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name="fk_delivery_attempts_delivery_id",
            ondelete="CASCADE",
        ),
    )
