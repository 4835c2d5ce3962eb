"""Gifts are remembered until they are answered; inventories have a history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Uuid = sa.String(36)


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "inventory_changes",
        sa.Column("seq", serial, primary_key=True, autoincrement=True),
        sa.Column("owner_id", Uuid, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("thing_id", Uuid, nullable=False),
        sa.Column("is_folder", sa.Boolean, nullable=False),
        sa.Column("what", sa.String(8), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("parent_id", Uuid, nullable=False),
        sa.Column("before", sa.JSON),
    )
    op.create_index("inventory_changes_of", "inventory_changes", ["owner_id", "seq"])
    op.create_index("inventory_changes_age", "inventory_changes", ["at"])
    op.create_table(
        "gifts",
        sa.Column("gift_id", Uuid, primary_key=True),
        sa.Column("from_agent_id", Uuid, nullable=False),
        sa.Column("to_agent_id", Uuid, nullable=False),
        sa.Column("source_id", Uuid, nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("thing_id", Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("moved", sa.JSON, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("returned", sa.JSON, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_gifts_to_agent_id", "gifts", ["to_agent_id"])
    op.create_index("ix_gifts_created", "gifts", ["created"])
