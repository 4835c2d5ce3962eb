"""Regions know who holds them and whose land they are; accounts know guests, visits, visibility and how they are sought;
messages know their senders; the grid has facts."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from backbone.names import LONGEST_KEY, name_key, search_key

revision = "0002"
down_revision = "0001"

NOBODY = "00000000-0000-0000-0000-000000000000"


def upgrade() -> None:
    op.create_table(
        "facts", sa.Column("name", sa.String(32), primary_key=True), sa.Column("value", sa.Text, nullable=False)
    )
    op.add_column("regions", sa.Column("held_by", sa.String(36)))
    op.add_column("regions", sa.Column("owner_id", sa.String(36)))
    op.add_column("accounts", sa.Column("search_key", sa.String(255), nullable=False, server_default=""))
    op.add_column("accounts", sa.Column("guest", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("accounts", sa.Column("seen", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("accounts", sa.Column("visibility", sa.String(16), nullable=False, server_default="everybody"))
    op.add_column("messages", sa.Column("from_agent_id", sa.String(36), nullable=False, server_default=NOBODY))
    _names()
    _guests()
    _first_account()
    _senders()
    op.create_index("ix_accounts_search_key", "accounts", ["search_key"])
    op.create_index("ix_accounts_guest", "accounts", ["guest"])
    op.create_index("messages_between", "messages", ["to_agent_id", "from_agent_id", "delivered"])
    op.drop_table("schema")


def _names() -> None:
    """The keys by today's rule. Where two accounts would come to share one, or it is too long, one keeps what it had."""
    conn = op.get_bind()
    rows = conn.execute(sa.text("SELECT agent_id, first, last, name_key FROM accounts ORDER BY created, agent_id")).all()
    taken = {row.name_key for row in rows}
    for row in rows:
        key = name_key(row.first, row.last)
        if key != row.name_key and (key in taken or len(key) > LONGEST_KEY):
            key = row.name_key
        taken.add(key)
        values = {"id": row.agent_id, "key": key, "search": search_key(f"{row.first} {row.last}")}
        conn.execute(sa.text("UPDATE accounts SET name_key = :key, search_key = :search WHERE agent_id = :id"), values)


def _guests() -> None:
    """The page's gateway named its guests so, and nobody else could be told from people by anything else.

    Their last visit is not known: from now on they have a day like all others.
    """
    op.get_bind().execute(
        sa.text("UPDATE accounts SET guest = :yes WHERE last LIKE 'Guest____' AND length(last) = 9"), {"yes": True}
    )
    now = "strftime('%s', 'now')" if op.get_bind().dialect.name == "sqlite" else "extract(epoch from now())"
    op.get_bind().execute(sa.text(f"UPDATE accounts SET seen = cast({now} as bigint)"))


def _first_account() -> None:
    """Within a second SQLite still knows the order."""
    conn = op.get_bind()
    order = "created, rowid" if conn.dialect.name == "sqlite" else "created, agent_id"
    first = conn.execute(
        sa.text(f"SELECT agent_id FROM accounts WHERE guest = :no ORDER BY {order} LIMIT 1"), {"no": False}
    ).scalar()
    if first is not None:
        conn.execute(sa.text("INSERT INTO facts (name, value) VALUES ('first_account', :first)"), {"first": first})


def _senders() -> None:
    conn = op.get_bind()
    for row in conn.execute(sa.text("SELECT seq, message FROM messages")).all():
        message = json.loads(row.message) if isinstance(row.message, str) else row.message
        values = {"seq": row.seq, "sender": message.get("from_agent_id", NOBODY)}
        conn.execute(sa.text("UPDATE messages SET from_agent_id = :sender WHERE seq = :seq"), values)
