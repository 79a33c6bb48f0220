"""People: how they want to be told, and their Home tab; deliveries are counted by state."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("notify", sa.Text(), nullable=False),
        sa.Column("has_home", sa.Boolean(), nullable=False),
        sa.Column("wanted_version", sa.Integer(), nullable=False),
        sa.Column("shown_version", sa.Integer(), nullable=False),
        sa.Column("edited_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("lease_token", sa.Text()),
        sa.Column("leased_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("user_id", name="pk_people"),
    )
    given = sa.text("due_at IS NOT NULL")
    op.create_index("ix_people_due_at", "people", ["due_at"], sqlite_where=given, postgresql_where=given)
    op.create_index("ix_deliveries_state", "deliveries", ["state"])
