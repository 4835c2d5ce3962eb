"""Moves between an inventory and a region are remembered, and an item on its way is in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "transits",
        sa.Column("transit_id", sa.String(36), primary_key=True),
        sa.Column("region_id", sa.String(36), nullable=False),
        sa.Column("agent_id", sa.String(36)),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("item", sa.JSON(none_as_null=True)),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("closed", sa.BigInteger),
    )
    op.create_index("transits_of", "transits", ["region_id", "closed"])
    op.create_index("ix_transits_closed", "transits", ["closed"])
