"""People keep whom they muted, notes about others, and the places that their profiles show."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "mutes",
        sa.Column("agent_id", sa.String(36), primary_key=True),
        sa.Column("muted_id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("flags", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "notes",
        sa.Column("agent_id", sa.String(36), primary_key=True),
        sa.Column("about_id", sa.String(36), primary_key=True),
        sa.Column("notes", sa.Text, nullable=False),
    )
    op.create_table(
        "picks",
        sa.Column("pick_id", sa.String(36), primary_key=True),
        sa.Column("agent_id", sa.String(36), nullable=False),
        sa.Column("pick", sa.JSON, nullable=False),
    )
    op.create_index("ix_picks_agent_id", "picks", ["agent_id"])
