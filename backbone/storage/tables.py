"""All tables of Backbone as they are today. How an older database becomes this one: migrations/, run by schema.py.

Ids are lower-case uuid text: readable in any SQL shell, and the same on SQLite and PostgreSQL.
Times are unix seconds. A column that came later has a server default, which its older rows got.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData()
Uuid = String(36)

# SQLite gives a rowid only to a column declared INTEGER, PostgreSQL wants 64 bits said.
Serial = BigInteger().with_variant(Integer, "sqlite")

# What is true of the grid as a whole: "grid_id", by which a database and the grid's folder know each other.
facts = Table(
    "facts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("first", String(31), nullable=False),
    Column("last", String(31), nullable=False),
    Column("name_key", String(63), nullable=False, unique=True),  # names.name_key
    Column("search_key", String(255), nullable=False, server_default="", index=True),  # names.search_key
    Column("verifier", Text, nullable=False),  # passwords.py
    Column("created", BigInteger, nullable=False),
    Column("guest", Boolean, nullable=False, server_default=false(), index=True),
    Column("seen", BigInteger, nullable=False, server_default="0"),  # the last login or logout; 0: never
    Column("visibility", String(16), nullable=False, server_default="everybody"),  # presence.VISIBILITIES
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
    Column("http_url", Text, nullable=False),  # as viewers reach it
    Column("inner_url", Text),  # as the grid's own services do; null: the same
    Column("access", String(8), nullable=False),
    Column("water_height", Float, nullable=False),
    Column("map_image_id", Uuid, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("lease_until", Float(53), nullable=False),  # by the database's clock
    Column("held_by", Uuid),  # the process that has the lease; null: unknown, one of before this column
    Column("owner_id", Uuid),  # the account whose land it is; null: the grid's owner
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
    Column("from_agent_id", Uuid, nullable=False, server_default="00000000-0000-0000-0000-000000000000"),
    Column("created", BigInteger, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("message", JSON, nullable=False),
    Index("messages_of", "to_agent_id", "delivered", "seq"),
    Index("messages_between", "to_agent_id", "from_agent_id", "delivered"),
    Index("messages_age", "delivered", "created"),
)

mutes = Table(  # whom and what a person does not want to hear
    "mutes",
    metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("muted_id", Uuid, primary_key=True),  # the null id for what is muted by its name
    Column("name", String(255), primary_key=True),
    Column("kind", Integer, nullable=False),
    Column("flags", BigInteger, nullable=False),
)

notes = Table(  # what a person wrote down about another, for itself alone
    "notes",
    metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("about_id", Uuid, primary_key=True),
    Column("notes", Text, nullable=False),
)

picks = Table(  # places that a person shows in its profile
    "picks",
    metadata,
    Column("pick_id", Uuid, primary_key=True),
    Column("agent_id", Uuid, nullable=False, index=True),
    Column("pick", JSON, nullable=False),
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

# What became of each folder and item, newest last: what `mainland inventory history` reads and `restore` goes back by.
inventory_changes = Table(
    "inventory_changes",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("owner_id", Uuid, nullable=False),
    Column("at", Float(53), nullable=False),  # by the database's clock
    Column("thing_id", Uuid, nullable=False),
    Column("is_folder", Boolean, nullable=False),
    Column("what", String(8), nullable=False),  # history.py says which there are
    Column("name", Text, nullable=False),  # what it is called after the change
    Column("parent_id", Uuid, nullable=False),  # in which folder it is after the change; of what went: was
    Column("before", JSON(none_as_null=True)),  # changed: the members that changed, as they were; gone: all of it
    Index("inventory_changes_of", "owner_id", "seq"),
    Index("inventory_changes_age", "at"),
)

gifts = Table(
    "gifts",
    metadata,
    Column("gift_id", Uuid, primary_key=True),
    Column("from_agent_id", Uuid, nullable=False),
    Column("to_agent_id", Uuid, nullable=False, index=True),
    Column("source_id", Uuid, nullable=False),  # what was given, as the giver knew it
    Column("kind", Integer, nullable=False),  # its asset type, 8 for a folder
    Column("thing_id", Uuid, nullable=False),  # the receiver's item or folder
    Column("name", Text, nullable=False),
    Column("count", Integer, nullable=False),  # items in it
    Column("moved", JSON, nullable=False),  # the giver's items that went with it, as they were
    Column("state", String(8), nullable=False),  # offered, accepted, declined
    Column("returned", JSON, nullable=False),  # ids of items that the giver has again
    Column("created", BigInteger, nullable=False, index=True),
)

# Moves between an inventory and a region (transits.py). An item that is held is in the column `item` and in no inventory.
transits = Table(
    "transits",
    metadata,
    Column("transit_id", Uuid, primary_key=True),
    Column("region_id", Uuid, nullable=False),
    Column("agent_id", Uuid),  # whose inventory; null: undone before it was asked for
    Column("state", String(8), nullable=False),
    Column("item", JSON(none_as_null=True)),  # as held, as made, or as given back
    Column("since", BigInteger, nullable=False),
    Column("closed", BigInteger, index=True),  # when its region had done with it
    Index("transits_of", "region_id", "closed"),
)

worn = Table(  # what people wear; a row outlives its item, and means nothing then
    "worn",
    metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("item_id", Uuid, primary_key=True),
    Column("point", Integer, nullable=False),
    Column("since", Float(53), nullable=False),  # when it was put on
)
