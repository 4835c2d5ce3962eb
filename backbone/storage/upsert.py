"""Insert or update, in the words both databases understand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(conn: Connection, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """Set ``values`` in the row of ``key`` (its primary key or a unique one), making the row if need be."""
    dialect: Any = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table).values(**key, **values)
    conn.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))


def insert_if_absent(conn: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Add a row unless one of its unique keys is there already; whether it was added."""
    dialect: Any = sqlite if conn.dialect.name == "sqlite" else postgresql
    return conn.execute(dialect.insert(table).values(**values).on_conflict_do_nothing()).rowcount > 0
