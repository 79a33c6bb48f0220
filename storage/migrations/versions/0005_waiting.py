"""Deliveries are found by target, however many wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_partial_index("target_due_at", "due_at", ["target_kind", "target_address", "due_at", "sequence", "id"])
    create_partial_index("leased_until", "leased_until", ["leased_until"])


def create_partial_index(name: str, given: str, columns: list[str]) -> None:
    condition = sa.text(f"{given} IS NOT NULL")
    op.create_index(
        f"ix_deliveries_{name}", "deliveries", columns, sqlite_where=condition, postgresql_where=condition
    )
