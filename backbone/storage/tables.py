"""All tables of Backbone, and the steps by which an older database becomes this one.

Ids are lower-case uuid text: readable in any SQL shell, and the same on SQLite and PostgreSQL.
Times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    inspect,
    select,
)

metadata = MetaData()
Uuid = String(36)

# SQLite gives a rowid only to a column declared INTEGER, PostgreSQL wants 64 bits said.
Serial = BigInteger().with_variant(Integer, "sqlite")

schema = Table("schema", metadata, Column("version", Integer, nullable=False))

accounts = Table(
    "accounts",
    metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("first", String(31), nullable=False),
    Column("last", String(31), nullable=False),
    Column("name_key", String(63), nullable=False, unique=True),  # "first last" in lower case
    Column("verifier", Text, nullable=False),  # passwords.py
    Column("created", BigInteger, nullable=False),
)

places = Table(  # where people were last, and their homes
    "places",
    metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("kind", String(4), primary_key=True),  # "last" or "home"
    Column("region_id", Uuid, nullable=False),
    Column("position", JSON, nullable=False),
    Column("look_at", JSON, nullable=False),
)

profiles = Table(
    "profiles",
    metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("profile", JSON, nullable=False),
)

sessions = Table(  # one a person at most: a second login replaces the row
    "sessions",
    metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("session_id", Uuid, nullable=False),
    Column("secure_session_id", Uuid, nullable=False),
    Column("circuit_code", BigInteger, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("region_id", Uuid),  # where the agent is root; before its first arrival, where login sent it
    Column("since", BigInteger),  # online since; null before the first arrival
)

regions = Table(
    "regions",
    metadata,
    Column("region_id", Uuid, primary_key=True),
    Column("name", String(63), nullable=False),
    Column("name_key", String(63), nullable=False, unique=True),
    Column("grid_x", Integer, nullable=False),
    Column("grid_y", Integer, nullable=False),
    Column("ip", String(45), nullable=False),
    Column("port", Integer, nullable=False),
    Column("http_url", Text, nullable=False),
    Column("access", String(8), nullable=False),
    Column("water_height", Float, nullable=False),
    Column("map_image_id", Uuid, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("lease_until", Float(53), nullable=False),  # by the database's clock
    UniqueConstraint("grid_x", "grid_y"),
)

# Epochs come from one counter of the grid, not one a region: they must never repeat, even for a region
# whose row was given up and made again.
counters = Table(
    "counters",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

friends = Table(  # two rows a friendship, one each way
    "friends",
    metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("friend_id", Uuid, primary_key=True),
    Column("rights_given", Integer, nullable=False),  # what agent_id lets friend_id do
)

friend_offers = Table(
    "friend_offers",
    metadata,
    Column("to_agent_id", Uuid, primary_key=True),
    Column("from_agent_id", Uuid, primary_key=True),
    Column("created", BigInteger, nullable=False),
)

# A delivered message stays for a day as a row without text: a late repeat of its POST must not bring it back.
messages = Table(
    "messages",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("message_id", Uuid, nullable=False, unique=True),
    Column("to_agent_id", Uuid, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("message", JSON, nullable=False),
    Index("messages_of", "to_agent_id", "delivered", "seq"),
    Index("messages_age", "delivered", "created"),
)

folders = Table(
    "folders",
    metadata,
    Column("folder_id", Uuid, primary_key=True),
    Column("owner_id", Uuid, nullable=False, index=True),
    Column("parent_id", Uuid, nullable=False, index=True),  # the root's is the null id
    Column("name", Text, nullable=False),
    Column("type", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("item_id", Uuid, primary_key=True),
    Column("parent_id", Uuid, nullable=False, index=True),
    Column("owner_id", Uuid, nullable=False, index=True),
    Column("asset_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("desc", Text, nullable=False),
    Column("type", Integer, nullable=False),
    Column("inv_type", Integer, nullable=False),
    Column("flags", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("creator_id", Uuid, nullable=False),
    Column("last_owner_id", Uuid, nullable=False),
    Column("group_id", Uuid, nullable=False),
    Column("is_owner_group", Boolean, nullable=False),
    Column("base_mask", BigInteger, nullable=False),
    Column("owner_mask", BigInteger, nullable=False),
    Column("group_mask", BigInteger, nullable=False),
    Column("everyone_mask", BigInteger, nullable=False),
    Column("next_owner_mask", BigInteger, nullable=False),
    Column("sale_price", Integer, nullable=False),
    Column("sale_type", Integer, nullable=False),
)


def _first_tables(conn: Connection) -> None:
    metadata.create_all(conn)
    conn.execute(insert(counters).values(name="epoch", value=0))


# Step n takes a database of version n to n + 1. Add at the end, never change one that was released.
STEPS: list[Callable[[Connection], None]] = [_first_tables]


class NewerDatabase(RuntimeError):
    """The database was written by a newer Mainland than this one."""


def migrate(conn: Connection) -> int:
    """Bring the schema up to date inside the caller's transaction; the version it has then."""
    version = 0
    if inspect(conn).has_table("schema"):
        version = conn.execute(select(schema.c.version)).scalar() or 0
    if version > len(STEPS):
        raise NewerDatabase(f"database has schema version {version}, this Mainland knows {len(STEPS)}")
    if version == len(STEPS):
        return version
    for step in STEPS[version:]:
        step(conn)
    conn.execute(delete(schema))
    conn.execute(insert(schema).values(version=len(STEPS)))
    return len(STEPS)
