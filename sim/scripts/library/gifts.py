"""What leaves the contents of a prim: things that are given, removed, or loaded into other prims.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from protocol.inventory import Item as Inside
from protocol.wellknown import NULL, AssetType, Permission
from sim.scripts.answers import Room, answers
from sim.scripts.language.values import NULL_KEY, Item, Key, Vector, to_string
from sim.scripts.library.contents import named
from sim.scripts.library.declare import ll
from sim.scripts.library.things import actor_of, key_of, prim_of, region_of, thing, uuid_of
from sim.scripts.machine.failures import Removed
from sim.scripts.machine.throttle import Limit
from sim.world.changes import What

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

GIFTS = Limit(2500, 1800.0)  # of an owner's scripts
MOST = 100  # things in one folder
TRANSFER_OK, TRANSFER_NO_TARGET, TRANSFER_THROTTLE, TRANSFER_NO_ITEMS = 0, -2, -3, -4


def _give(script: Script, function: str, target: Key, items: list[Inside], folder: str | None) -> int:
    """Things for a prim of this region, or for a person wherever they are. TRANSFER_*."""
    from sim.actions import give
    from sim.actions.outcome import Refused

    receiver = uuid_of(target)
    if not items:
        return TRANSFER_NO_ITEMS
    if receiver == NULL:
        script.complain(f"{function}: Unable to give inventory: 'No such agent or object in the region'")
        return TRANSFER_NO_TARGET
    if not script.allowed(GIFTS, "gifts"):
        return TRANSFER_THROTTLE
    prim, other = prim_of(script), thing(script, target)
    if other is None:
        script.world.gifts.give(script, [item.item_id for item in items], receiver, folder)
        return TRANSFER_OK
    for item in items:
        inside = give.into(region_of(script), actor_of(script), prim, item.item_id, other)
        if isinstance(inside, Refused):
            script.complain(f"{function}: Unable to give inventory: '{inside.words}'")
        elif not item.permissions.owner & Permission.COPY:
            script.world.gifts.left(script, prim, item.item_id)
    return TRANSFER_OK


@ll
def llGiveInventory(script: Script, target: Key, item: str) -> None:
    """Gives an item of the prim to a person, wherever they are, or puts it into another object of the region.

    What cannot be copied leaves the prim; what cannot be transferred stays.
    """
    found = named(script, item, "llGiveInventory")
    if found is not None:
        _give(script, "llGiveInventory", target, [found], None)


def _several(script: Script, function: str, names: list[Item]) -> list[Inside]:
    wanted = [str(name) for name in names[:MOST] if isinstance(name, str)]
    found = [named(script, name, function) for name in dict.fromkeys(wanted)]
    return [item for item in found if item is not None]


@ll
def llGiveInventoryList(script: Script, target: Key, folder: str, items: list[Item]) -> None:
    """Gives several items of the prim to a person, in a folder of that name, or puts them into another object. Sleeps 3 s."""
    _give(script, "llGiveInventoryList", target, _several(script, "llGiveInventoryList", items), folder[:63] or "Folder")


@ll(lacks="the folder is beside the person's others, whatever TRANSFER_DEST says")
def llGiveAgentInventory(script: Script, agent: Key, folder: str, items: list[Item], options: list[Item]) -> int:
    """As llGiveInventoryList, to a person alone. TRANSFER_OK, or what was in the way."""
    found = _several(script, "llGiveAgentInventory", items)
    return TRANSFER_NO_TARGET if thing(script, agent) is not None else _give(script, "llGiveAgentInventory", agent, found, folder[:63] or "Folder")


@ll
def llRemoveInventory(script: Script, item: str) -> None:
    """Takes an item out of the prim for good. A script that removes itself ends there."""
    from sim.actions import contents

    found = named(script, item, "llRemoveInventory")
    if found is None:
        return
    prim = prim_of(script)
    contents.remove(region_of(script), actor_of(script), prim, found.item_id)
    script.world.gifts.left(script, prim, found.item_id)
    if str(found.item_id) == str(script.item_id):
        raise Removed


@ll
def llAllowInventoryDrop(script: Script, add: int) -> None:
    """Whether everybody may put things into the prim, but for scripts. Its scripts hear changed(CHANGED_ALLOWED_DROP) of it."""
    from sim.actions import edit

    edit.rare(region_of(script), actor_of(script), prim_of(script), What.RIGHTS, drop=bool(add))


# --- scripts into other prims


@ll
def llSetRemoteScriptAccessPin(script: Script, pin: int) -> None:
    """The number by which llRemoteLoadScriptPin may put scripts into the prim; 0: nobody may. Sleeps 0.2 s."""
    from sim.actions import edit

    edit.rare(region_of(script), actor_of(script), prim_of(script), What.RIGHTS, pin=pin)


@ll
def llRemoteLoadScriptPin(script: Script, target: Key, name: str, pin: int, running: int, start_param: int) -> None:
    """Puts a copy of a script into another prim of the same owner in the region that has this pin, in the place of one of its name,
    and runs it with a start parameter. Sleeps 3 s."""
    item, other, prim = named(script, name, "llRemoteLoadScriptPin"), thing(script, target), prim_of(script)
    if item is None:
        return
    if item.asset_type != AssetType.LSL_TEXT or other is None or other is prim or other.owner_id != prim.owner_id:
        script.complain("llRemoteLoadScriptPin: Unable to add item!")
    elif not other.permissions.owner & Permission.MODIFY or not item.permissions.owner & Permission.COPY:
        script.complain("llRemoteLoadScriptPin: the script may not be copied, or the object not be changed")
    elif not pin or other.rare.pin != pin:
        script.complain(f"Task {prim.name} trying to illegally load script onto task {other.name}!")
    else:
        script.world.gifts.load(script, other, item, bool(running), start_param)


@ll
def llRemoteLoadScript(script: Script, target: Key, name: str, running: int, start_param: int) -> None:
    """Deprecated: it does nothing but tell its owner so. llRemoteLoadScriptPin took its place."""
    script.complain("Deprecated.  Please use llRemoteLoadScriptPin instead.")


# --- what is in landmarks


@answers("landmark")
async def landmark(room: Room, owner: Key, asset: str, x: float, y: float) -> str | None:
    from sim.neighbours.teleport import parse_landmark

    data = await room.services.asset(UUID(asset))
    try:
        region_id, position = parse_landmark(data or b"")
    except ValueError:
        return None
    region = await room.services.region(region_id)
    if region is None:
        return None
    return to_string(Vector(region.corner[0] - x + position[0], region.corner[1] - y + position[1], position[2]))


@ll
def llRequestInventoryData(script: Script, item: str) -> Key:
    """Asks where a landmark of the prim leads; the answer is a dataserver event with this key: the place from this region's corner.

    Sleeps 1 s.
    """
    found = named(script, item, "llRequestInventoryData")
    if found is None:
        return NULL_KEY
    if found.asset_type != AssetType.LANDMARK:
        script.complain("llRequestInventoryData: only landmarks have data")
        return NULL_KEY
    x, y = region_of(script).facts.corner
    return script.world.answers.ask(script, "landmark", key_of(found.asset_id), float(x), float(y))
