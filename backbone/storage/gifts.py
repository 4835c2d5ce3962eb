"""Gifts: an item, a folder with all it holds, or things out of an object's contents, from one inventory into another's.

One transaction, known by the gift's id: repeated, it happens once. Of what the giver may copy the receiver gets a copy; what
cannot be copied moves. All of it goes or nothing does, and what may not be given away stays with a word of which it is.

A gift lies in the receiver's inventory from the beginning, and is remembered until it is answered: accepted, it goes where
the receiver wants it; declined, what was copied goes to the receiver's trash, and what was moved is the giver's again, as
it was, unless the receiver has changed it or passed it on already.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, delete, insert, or_, select, update

from backbone.errors import Conflict
from backbone.storage import history, inventory
from backbone.storage.inventory import NO_ID, Missing, Refused, Tied
from backbone.storage.limits import check_room
from backbone.storage.tables import folders, gifts, items
from protocol import permissions
from protocol.permissions import Masks
from protocol.wellknown import AssetType, Folder, Permission

Row = dict[str, Any]
MASKS = ("base_mask", "owner_mask", "group_mask", "everyone_mask", "next_owner_mask")
LINKS = (AssetType.LINK, AssetType.FOLDER_LINK)
MOST_THINGS = 1000  # items and folders in one gift
SLAM = 0x100  # Item.flags of an object: what it holds has the last owner's masks until it is put into the world
NAMED = 3  # things that a refusal names
OFFERED, ACCEPTED, DECLINED = "offered", "accepted", "declined"
SHOWN = ("gift_id", "from_agent_id", "to_agent_id", "kind", "thing_id", "name", "count", "state", "returned")


def give(conn: Connection, giver: str, wanted: Row, now: int) -> Row:
    """Give ``wanted["item_id"]``, or the folder ``wanted["folder_id"]``, or ``wanted["things"]`` = {name, items} out of an
    object of the giver's, whose permissions are narrowed already (name: of a folder they come in; None for a single one).

    The gift: {gift_id, from_agent_id, to_agent_id, kind, thing_id, name, count, state, returned, moved}, ``moved`` being ids
    of the giver's items that are gone. Missing, Refused, Tied, InventoryFull.
    """
    gift_id, to = wanted["gift_id"], wanted["to_agent_id"]
    source = wanted.get("item_id") or wanted.get("folder_id") or gift_id
    known = _find(conn, gift_id)
    if known is not None:
        if (known["from_agent_id"], known["to_agent_id"], known["source_id"]) != (giver, to, source):
            raise Tied(f"gift id {gift_id} is in use")
        return _shown(known)
    inventory.folder_of_type(conn, to, int(Folder.ROOT))
    if "things" in wanted:
        made, moved = _out_of_an_object(conn, gift_id, to, wanted["things"], now)
    elif giver == to:
        raise Refused("that is in the same inventory already")
    elif "folder_id" in wanted:
        made, moved = _folder(conn, gift_id, giver, to, source, now)
    else:
        made, moved = _single(conn, gift_id, giver, to, source, now)
    gift = {
        "gift_id": gift_id, "from_agent_id": giver, "to_agent_id": to, "source_id": source, "moved": moved, "state": OFFERED,
        "returned": [], "created": now, **made,
    }  # fmt: skip
    conn.execute(insert(gifts).values(**gift))
    return _shown(gift)


def _find(conn: Connection, gift_id: str) -> Row | None:
    row = conn.execute(select(gifts).where(gifts.c.gift_id == gift_id)).first()
    return None if row is None else dict(row._mapping)


def _shown(gift: Row) -> Row:
    return {**{key: gift[key] for key in SHOWN}, "moved": [row["item_id"] for row in gift["moved"]]}


def derived(gift_id: str, thing_id: str) -> str:
    """The id of what comes of a thing by a gift: the same however often it is asked for."""
    return str(uuid5(UUID(gift_id), thing_id))


# what is given ---------------------------------------------------------------------------------------


def _single(conn: Connection, gift_id: str, giver: str, to: str, item_id: str, now: int) -> tuple[Row, list[Row]]:
    source = inventory.item(conn, giver, item_id)
    if source["type"] in LINKS:
        raise Refused("a link cannot be given: give what it points to")
    _check_transfer([source])
    check_room(conn, to, 1)
    moved = _pass_on(conn, gift_id, giver, to, [source], {source["parent_id"]: inventory.folder_of_type(conn, to, source["type"])}, now)
    made = {"kind": source["type"], "thing_id": derived(gift_id, item_id), "name": source["name"], "count": 1}
    return made, moved


def _folder(conn: Connection, gift_id: str, giver: str, to: str, folder_id: str, now: int) -> tuple[Row, list[Row]]:
    """The folder comes into the receiver's root; system folders become plain ones, links are left out."""
    top = inventory.folder(conn, giver, folder_id)
    if top["type"] == Folder.ROOT:
        raise Refused("nobody gives away a whole inventory")
    tree = inventory.subtree(folder_id)
    query = select(folders).join(tree, tree.c.folder_id == folders.c.folder_id).limit(MOST_THINGS + 1)
    below = [dict(row._mapping) for row in conn.execute(query)]
    ids = [row["folder_id"] for row in below][: MOST_THINGS + 1]
    inside: list[Row] = []
    for at in range(0, len(ids), 500):
        held = select(items).where(items.c.parent_id.in_(ids[at : at + 500]), items.c.type.not_in([int(kind) for kind in LINKS]))
        inside += [dict(row._mapping) for row in conn.execute(held.limit(MOST_THINGS + 1))]
    if len(below) + len(inside) > MOST_THINGS:
        raise Refused(f"a folder that is given holds at most {MOST_THINGS} items and folders: give its parts")
    _check_transfer(inside)
    check_room(conn, to, len(below) + len(inside))
    new = {row["folder_id"]: derived(gift_id, row["folder_id"]) for row in below}
    root = inventory.folder_of_type(conn, to, int(Folder.ROOT))
    for row in below:
        parent = root if row["folder_id"] == folder_id else new[row["parent_id"]]
        _add_folder(conn, to, new[row["folder_id"]], parent, row["name"])
    moved = _pass_on(conn, gift_id, giver, to, inside, new, now)
    inventory.touch(conn, root)
    made = {"kind": int(AssetType.FOLDER), "thing_id": new[folder_id], "name": top["name"], "count": len(inside)}
    return made, moved


def _out_of_an_object(conn: Connection, gift_id: str, to: str, things: Row, now: int) -> tuple[Row, list[Row]]:
    given = things["items"]
    named = things.get("name")
    if named is None and len(given) != 1:
        raise Refused("things that come together come in a folder: it needs a name")
    if len({one["item_id"] for one in given}) != len(given):
        raise Tied("the same thing twice")
    check_room(conn, to, len(given) + (named is not None))
    made: Row = {"count": len(given)}
    if named is not None:
        root = inventory.folder_of_type(conn, to, int(Folder.ROOT))
        parent = derived(gift_id, "folder")
        _add_folder(conn, to, parent, root, named)
        inventory.touch(conn, root)
        made |= {"kind": int(AssetType.FOLDER), "thing_id": parent, "name": named}
    else:
        parent = inventory.folder_of_type(conn, to, given[0]["type"])
        made |= {"kind": given[0]["type"], "thing_id": derived(gift_id, given[0]["item_id"]), "name": given[0]["name"]}
    for one in given:
        placed = {"item_id": derived(gift_id, one["item_id"]), "parent_id": parent, "owner_id": to}
        inventory.add_item(conn, inventory.new_item(to, **{"created_at": now, **one, **placed}))
    return made, []


def _check_transfer(sources: list[Row]) -> None:
    held = [row["name"] for row in sources if not row["owner_mask"] & Permission.TRANSFER]
    if held:
        more = f" and {len(held) - NAMED} more" if len(held) > NAMED else ""
        raise Refused(f"may not be given away: {', '.join(held[:NAMED])}{more}")


def _pass_on(
    conn: Connection, gift_id: str, giver: str, to: str, sources: list[Row], parents: dict[str, str], now: int
) -> list[Row]:
    """Copies of the giver's items, or they themselves, into the receiver's folders (by those they were in); what left."""
    moved = [row for row in sources if not row["owner_mask"] & Permission.COPY]
    given = []
    for row in sources:
        masks = permissions.taken(Masks(*(row[column] for column in MASKS)), False)
        given.append(
            {
                **row, "item_id": derived(gift_id, row["item_id"]), "parent_id": parents[row["parent_id"]], "owner_id": to,
                "last_owner_id": giver, "flags": row["flags"] | (SLAM if row["type"] == AssetType.OBJECT else 0),
                "group_id": NO_ID, "is_owner_group": False, "sale_type": 0, "sale_price": 0, **dict(zip(MASKS, map(int, masks), strict=True)),
                "created_at": now,
            }
        )  # fmt: skip
    if given:
        conn.execute(insert(items), given)
        history.made(conn, to, *given)
        inventory.touch(conn, *(row["parent_id"] for row in given))
    for row in moved:
        conn.execute(delete(items).where(items.c.item_id == row["item_id"]))
    if moved:
        history.removed(conn, giver, moved, history.LEFT)
        inventory.touch(conn, *(row["parent_id"] for row in moved))
    return moved


def _add_folder(conn: Connection, owner: str, folder_id: str, parent_id: str, name: str) -> None:
    row = {"folder_id": folder_id, "parent_id": parent_id, "name": name, "type": -1, "version": 1}
    conn.execute(insert(folders).values(owner_id=owner, **row))
    history.made(conn, owner, row)


# the answer ------------------------------------------------------------------------------------------


def answer(conn: Connection, receiver: str, gift_id: str, accepted: bool, folder_id: str | None, now: int) -> Row:
    """The receiver says yes or no; the gift as it is then, as of ``give``. Said again, it is what it was.

    ``folder_id``: where the receiver wants it, if that is a folder of its own. Missing: nothing of that id was given to
    this one. Conflict: the other answer was given before.
    """
    gift = _find(conn, gift_id)
    if gift is None or gift["to_agent_id"] != receiver:
        raise Missing(f"no gift {gift_id}")
    wished = ACCEPTED if accepted else DECLINED
    if gift["state"] != OFFERED:
        if gift["state"] != wished:
            raise Conflict(f"this gift was {gift['state']} before")
        return _shown(gift)
    if not accepted:
        gift["returned"] = _return(conn, gift, receiver)
        folder_id = inventory.folder_of_type(conn, receiver, int(Folder.TRASH))
    if folder_id is not None:
        _put(conn, receiver, gift, folder_id)
    gift["state"] = wished
    changed = update(gifts).where(gifts.c.gift_id == gift_id)
    conn.execute(changed.values(state=wished, returned=gift["returned"]))
    return _shown(gift)


def _put(conn: Connection, owner: str, gift: Row, folder_id: str) -> None:
    """The thing as a whole into a folder; where it is gone, or cannot go there, it is left alone."""
    move = inventory.update_folder if gift["kind"] == AssetType.FOLDER else inventory.update_item
    try:
        move(conn, owner, gift["thing_id"], {"parent_id": folder_id})
    except (Missing, Tied, Refused):
        return


def _return(conn: Connection, gift: Row, receiver: str) -> list[str]:
    """What was moved goes back to the giver as it was; the ids of what did."""
    back = []
    for row in gift["moved"]:
        new_id = derived(gift["gift_id"], row["item_id"])
        query = select(items).where(items.c.item_id == new_id, items.c.owner_id == receiver)
        here = conn.execute(query).first()
        if here is None or here.asset_id != row["asset_id"]:
            continue
        conn.execute(delete(items).where(items.c.item_id == new_id))
        history.removed(conn, receiver, [dict(here._mapping)], history.LEFT)
        inventory.touch(conn, here.parent_id)
        try:
            inventory.folder(conn, row["owner_id"], row["parent_id"])
        except Missing:
            row = {**row, "parent_id": inventory.folder_of_type(conn, row["owner_id"], row["type"])}
        conn.execute(insert(items).values(**row))
        history.made(conn, row["owner_id"], row)
        inventory.touch(conn, row["parent_id"])
        back.append(row["item_id"])
    return back


# chores ----------------------------------------------------------------------------------------------


def waiting(conn: Connection, receiver: str) -> list[Row]:
    """Gifts to this one that wait for its answer, oldest first."""
    query = select(gifts).where(gifts.c.to_agent_id == receiver, gifts.c.state == OFFERED)
    return [_shown(dict(row._mapping)) for row in conn.execute(query.order_by(gifts.c.created).limit(MOST_THINGS))]


def sweep(conn: Connection, before: int) -> int:
    """Forget gifts of before a moment: what was not answered stays where it lies."""
    return conn.execute(delete(gifts).where(gifts.c.created < before)).rowcount


def forget(conn: Connection, agent_id: str) -> None:
    """Somebody is gone for good, and with them what was given to or by them."""
    conn.execute(delete(gifts).where(or_(gifts.c.to_agent_id == agent_id, gifts.c.from_agent_id == agent_id)))
