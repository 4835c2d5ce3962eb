"""What people wear."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "worn",
        sa.Column("agent_id", sa.String(36), primary_key=True),
        sa.Column("item_id", sa.String(36), primary_key=True),
        sa.Column("point", sa.Integer, nullable=False),
        sa.Column("since", sa.Float(53), nullable=False),
    )
