"""The JSON shapes of the API, once: bodies are checked by them and OpenAPI prints them.

A schema with a ``title`` becomes a named component of the OpenAPI document. Every number and text is
bounded, because every one of them comes from outside.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

# Python's $ also matches before a last newline, hence \Z where the checks are compiled (kit.py).
ID: Schema = {"type": "string", "format": "uuid", "pattern": UUID_PATTERN}
MAYBE_ID: Schema = {"anyOf": [ID, {"type": "null"}]}
MASK: Schema = {"type": "integer", "minimum": 0, "maximum": 0xFFFFFFFF}
UNIX_TIME: Schema = {"type": "integer", "minimum": 0, "maximum": 2**40, "description": "unix seconds"}
BOOLEAN: Schema = {"type": "boolean"}
COORDINATE: Schema = {"type": "number", "minimum": -1e6, "maximum": 1e6}
VECTOR: Schema = {"type": "array", "items": COORDINATE, "minItems": 3, "maxItems": 3}


def text(longest: int, shortest: int = 0, **more: Any) -> Schema:
    return {"type": "string", "minLength": shortest, "maxLength": longest, **more}


def integer(lowest: int, highest: int, **more: Any) -> Schema:
    return {"type": "integer", "minimum": lowest, "maximum": highest, **more}


def array(of: Schema, most: int = 100_000) -> Schema:
    return {"type": "array", "items": of, "maxItems": most}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def record(title: str | None, properties: dict[str, Schema], optional: tuple[str, ...] | str = ()) -> Schema:
    """An object with these members and no others; ``optional`` names those that may be absent, "*" all."""
    required = [] if optional == "*" else [name for name in properties if name not in optional]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    if title:
        schema["title"] = title
    return schema


ERROR = record("Error", {"title": text(200), "description": text(4000)}, ("description",))

PLACE_MEMBERS = {"region_id": ID, "position": VECTOR, "look_at": VECTOR}
PLACE = record("Place", PLACE_MEMBERS)
HOME = record("Home", {**PLACE_MEMBERS, "region_name": maybe(text(63))})

PRESENCE = record(
    "Presence",
    {
        "agent_id": ID,
        "online": BOOLEAN,
        "region_id": MAYBE_ID,
        "region_name": maybe(text(63)),
        "since": maybe(UNIX_TIME),
    },
)
ARRIVAL = record("Arrival", {"session_id": ID, **PLACE_MEMBERS})

REGION_NAME = text(63, 1, pattern=r"^[^\s\x00-\x1f](?:[^\x00-\x1f]*[^\s\x00-\x1f])?$")
HTTP_URL = r"^http://[A-Za-z0-9.\[\]:_-]+(?:/[!-~]*)?$"
CLAIM_MEMBERS: dict[str, Schema] = {
    "name": REGION_NAME,
    "grid_x": integer(0, 0xFFFFFF),
    "grid_y": integer(0, 0xFFFFFF),
    "ip": text(15, 7, pattern=r"^\d{1,3}(?:\.\d{1,3}){3}$", description="as UDP packets show it; never a name"),
    "port": integer(1, 65535),
    "http_url": text(300, 8, pattern=HTTP_URL, description="where viewers reach it"),
    "access": text(8, 1, description="PG, M or A"),
    "water_height": {"type": "number", "minimum": -1000, "maximum": 10000},
    "map_image_id": ID,
}
LEASE_LENGTH: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": 3600, "description": "from now on"}
HOLDER: Schema = {**ID, "description": "made by the process that claims, at its start: whose lease it is"}
INNER_URL: Schema = {
    **maybe(text(300, 8, pattern=HTTP_URL)),
    "description": "where the grid's own services reach it, if elsewhere; told to bearers of the grid secret alone",
}
REGION_CLAIM = record(
    "RegionClaim",
    {**CLAIM_MEMBERS, "owner": HOLDER, "inner_url": INNER_URL},
    ("access", "water_height", "map_image_id", "inner_url"),
)
OWNER_ID: Schema = {**MAYBE_ID, "description": "the account whose land it is; null while the grid has no account"}
REGION = record(
    "Region",
    {
        "region_id": ID,
        **CLAIM_MEMBERS,
        "size": integer(256, 256, description="metres"),
        "online": BOOLEAN,
        "agents": integer(0, 2**31, description="root agents"),
        "epoch": integer(0, 2**62),
        "owner_id": OWNER_ID,
        "inner_url": INNER_URL,
    },
    ("inner_url",),
)
REGIONS = record(
    "Regions",
    {
        "version": integer(0, 2**62, description="to ask for what changed since"),
        "whole": {"type": "boolean", "description": "these are all that there are where you look, not changes"},
        "regions": array(REGION),
        "gone": {**array(ID), "description": "regions that are no longer where they were, or not at all"},
    },
)
LEASE = record(
    "Lease",
    {
        "epoch": integer(0, 2**62),
        "lease_seconds": LEASE_LENGTH,
        "takeover_seconds": {**LEASE_LENGTH, "description": "from the last heartbeat until another process may claim"},
        "region_owner_id": OWNER_ID,
        "region": REGION,
    },
)
REGION_AGENTS = record(
    "RegionAgents",
    {
        "region_id": ID,
        "count": integer(0, 2**31),
        "agents": array(record(None, {"agent_id": ID, "name": text(63), "since": maybe(UNIX_TIME)})),
    },
)
HEARTBEAT = record(
    "Heartbeat",
    {
        "epoch": integer(0, 2**62),
        "agents": array(record(None, {"agent_id": ID, "session_id": ID}), 20_000),
    },
)
HEARTBEAT_ANSWER = record(
    "HeartbeatAnswer", {"lease_seconds": LEASE_LENGTH, "gone": array(ID), "region_owner_id": OWNER_ID}
)

PASSWORD = text(256, 1)
NEW_USER = record(
    "NewUser",
    {
        "first": text(31, 1),
        "last": text(31),
        "password": PASSWORD,
        "guest": {"type": "boolean", "description": "for a visit: the account goes after a day without one"},
        "address": text(45, description="from where the guest comes: so many an hour from one"),
    },
    ("last", "guest", "address"),
)
NEW_PASSWORD = record("NewPassword", {"old": PASSWORD, "new": PASSWORD}, ("old",))
VISIBILITY = record(
    "Visibility",
    {
        "visibility": {
            "type": "string",
            "enum": ["everybody", "online", "friends"],
            "description": "who may know: everybody that and where one is online; that, and nobody where; friends alone",
        }
    },
)
USER = record("User", {"agent_id": ID, "first": text(31), "last": text(31), "created": UNIX_TIME})
PROFILE_MEMBERS: dict[str, Schema] = {
    "about": text(65000),
    "first_life_about": text(65000),
    "image_id": ID,
    "first_life_image_id": ID,
    "profile_url": text(1024),
    "partner_id": ID,
    "born_on": text(10, 10, description="ISO date"),
    "allow_publish": BOOLEAN,
    "mature_publish": BOOLEAN,
    "interests": record(
        None,
        {
            "want_mask": MASK,
            "want_text": text(1024),
            "skills_mask": MASK,
            "skills_text": text(1024),
            "languages": text(1024),
        },
        "*",
    ),
}
PROFILE = record("Profile", {"agent_id": ID, **PROFILE_MEMBERS})
# agent_id and born_on may be sent back as they were read, and are not changed by it.
PROFILE_CHANGE = record("ProfileChange", {"agent_id": ID, **PROFILE_MEMBERS}, "*")

MUTE = record(
    "Mute",
    {
        "muted_id": {**ID, "description": "of a person, object or group; the null id for what is muted by its name"},
        "name": text(255),
        "kind": integer(0, 4, description="0 by name, 1 person, 2 object, 3 group, 4 elsewhere"),
        "flags": {**MASK, "description": "as viewers keep them"},
    },
)
NOTES = record("Notes", {"notes": text(4096, description="read by nobody but their writer")})
PICK_MEMBERS: dict[str, Schema] = {
    "name": text(255),
    "desc": text(1024),
    "parcel_id": ID,
    "region_id": ID,
    "region_name": text(63),
    "snapshot_id": ID,
    "position": {**VECTOR, "items": {"type": "number", "minimum": -1e10, "maximum": 1e10}, "description": "metres of the grid"},
    "sort_order": integer(-(2**31), 2**31 - 1),
    "enabled": BOOLEAN,
}
WRITTEN_PICK = record("WrittenPick", PICK_MEMBERS)
PICK = record("Pick", {"pick_id": ID, "agent_id": ID, **PICK_MEMBERS})

FRIEND = record(
    "Friend",
    {
        "agent_id": ID,
        "name": text(63),
        "rights_given": integer(0, 7),
        "rights_has": integer(0, 7),
        "online": {"type": "boolean", "description": "true only if the friend lets this agent see it"},
    },
)

MESSAGE_MEMBERS: dict[str, Schema] = {
    "message_id": ID,
    "from_agent_id": ID,
    "from_name": text(255),
    "to_agent_id": ID,
    "dialog": integer(0, 255),
    "id": ID,
    "message": text(4096),
    "binary_bucket": text(16384, pattern=r"^[A-Za-z0-9+/]*={0,2}$", description="base64"),
    "region_id": ID,
    "position": VECTOR,
    "timestamp": integer(0, 0xFFFFFFFF),
    "from_group": BOOLEAN,
    "parent_estate_id": MASK,
}
MESSAGE = record(
    "Message",
    MESSAGE_MEMBERS,
    ("id", "binary_bucket", "region_id", "position", "timestamp", "from_group", "parent_estate_id"),
)
MESSAGE_FATE = record(
    "MessageFate",
    {"result": {"type": "string", "enum": ["delivered", "stored", "dropped"]}, "reason": text(200)},
    ("reason",),
)
STORED_MESSAGE = record("StoredMessage", {**MESSAGE_MEMBERS, "offline": integer(0, 1)})

FOLDER_NAME = text(255)
FOLDER_TYPE = integer(-1, 127)
FOLDER = record(
    "Folder",
    {"folder_id": ID, "parent_id": ID, "name": FOLDER_NAME, "type": FOLDER_TYPE, "version": integer(0, 2**31 - 1)},
)
SKELETON = record("Skeleton", {"root": ID, "folders": array(FOLDER)})
NEW_FOLDER = record(
    "NewFolder", {"folder_id": ID, "parent_id": ID, "name": FOLDER_NAME, "type": FOLDER_TYPE}, ("type",)
)
FOLDER_OPEN: dict[str, Schema] = {"parent_id": ID, "name": FOLDER_NAME, "type": FOLDER_TYPE}  # what a change may touch
FOLDER_CHANGE = record("FolderChange", FOLDER_OPEN, "*")

ITEM_OPEN: dict[str, Schema] = {  # what a change may touch
    "parent_id": ID,
    "asset_id": ID,
    "name": text(255),
    "desc": text(512),
    "type": integer(-1, 127),
    "inv_type": integer(-1, 127),
    "flags": MASK,
    "group_id": ID,
    "is_owner_group": BOOLEAN,
    "base_mask": MASK,
    "owner_mask": MASK,
    "group_mask": MASK,
    "everyone_mask": MASK,
    "next_owner_mask": MASK,
    "sale_price": integer(0, 2**31 - 1),
    "sale_type": integer(0, 3),
}
ITEM_MEMBERS: dict[str, Schema] = {
    "item_id": ID,
    **ITEM_OPEN,
    "created_at": UNIX_TIME,
    "creator_id": ID,
    "owner_id": ID,
    "last_owner_id": ID,
}
ITEM = record("Item", ITEM_MEMBERS)
NEW_ITEM = record(
    "NewItem",
    ITEM_MEMBERS,
    tuple(name for name in ITEM_MEMBERS if name not in ("parent_id", "asset_id", "name", "type", "inv_type")),
)
ITEM_CHANGE = record("ItemChange", ITEM_OPEN, "*")
GIFT = record(
    "Gift",
    {
        "gift_id": ID,
        "from_agent_id": ID,
        "to_agent_id": ID,
        "kind": integer(-1, 127, description="asset type; 8 for a folder"),
        "thing_id": {**ID, "description": "the receiver's item or folder"},
        "name": text(255),
        "count": integer(0, 2**31 - 1, description="items in it"),
        "state": {"type": "string", "enum": ["offered", "accepted", "declined"]},
        "moved": {**array(ID), "description": "the giver's items that went, since they cannot be copied"},
        "returned": {**array(ID), "description": "those of them that are the giver's again"},
    },
)
INVENTORY_THING: dict[str, Schema] = {
    "kind": {"type": "string", "enum": ["item", "folder"]},
    "id": ID,
    "name": text(255),
}
MOMENT: Schema = {"type": "number", "minimum": 0, "maximum": 2**40, "description": "unix seconds"}
WHERE: Schema = text(65536, description="folders by name, with slashes between; / is the root, ? one that is gone")
INVENTORY_HISTORY = record(
    "InventoryHistory",
    {
        "begins": {**MOMENT, "description": "unix seconds; nothing is known of before"},
        "changes": array(
            record(
                None,
                {
                    "at": MOMENT,
                    "what": {"type": "string", "enum": ["made", "changed", "removed", "left"]},
                    **INVENTORY_THING,
                    "where": WHERE,
                    "members": {**array(text(32)), "description": "what changed of it"},
                    "was_called": text(255),
                    "was_in": WHERE,
                },
            )
        ),
    },
)
TRASH = record(
    "Trash",
    {
        "things": array(
            record(
                None,
                {
                    **INVENTORY_THING,
                    "type": integer(-1, 127),
                    "since": maybe(MOMENT),
                    "was_in": maybe(WHERE),
                    "holds": integer(0, 2**31 - 1, description="folders and items below"),
                },
            )
        )
    },
)
RESTORE = record("Restore", {"to": MOMENT, "dry_run": BOOLEAN}, ("dry_run",))
COUNT = integer(0, 2**31 - 1)
RESTORED = record(
    "Restored",
    {
        "to": MOMENT,
        "dry_run": BOOLEAN,
        "back": array(record(None, INVENTORY_THING)),
        "changed": array(record(None, INVENTORY_THING)),
        "elsewhere": array(record(None, INVENTORY_THING)),
        "back_count": COUNT,
        "changed_count": COUNT,
        "elsewhere_count": {**COUNT, "description": "what cannot be copied and left: it does not come back"},
        "came_since": {**COUNT, "description": "what is new since then and stays"},
    },
)

MAX_CHANGES = 1000
ITEM_CHANGES = record(
    "ItemChanges",
    {
        "changes": array(record(None, {"item_id": ID, **ITEM_OPEN}, tuple(ITEM_OPEN)), MAX_CHANGES),
        "removed": array(ID, MAX_CHANGES),
        "folders": array(record(None, {"folder_id": ID, **FOLDER_OPEN}, tuple(FOLDER_OPEN)), MAX_CHANGES),
    },
    "*",
)
CHANGED_ITEMS = record(
    "ChangedItems",
    {
        "items": array(ITEM),
        "refused": array(record(None, {"item_id": ID, "folder_id": ID, "reason": text(4000)}, ("item_id", "folder_id"))),
    },
)
