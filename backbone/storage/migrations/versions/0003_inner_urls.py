"""Regions have a second address: where the grid's own services reach them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("regions", sa.Column("inner_url", sa.Text))
