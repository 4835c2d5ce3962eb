"""What people put on and take off: objects from the inventory or the ground onto a body or a screen, and back.

One agent's wishes are done one after the other, among its takes and rezzes. What was done is seen by object updates; what
was not is told in words.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from protocol.attachment_points import MOST_WORN
from protocol.errors import ProtocolError
from protocol.inventory import Item, item_to_json
from protocol.message import Message
from protocol.wellknown import NULL, Folder, Permission
from sim.actions import attach, permit, take
from sim.actions.may import actor_of, script_of
from sim.actions.outcome import Refused
from sim.handlers import ROOT, Later, Rate, handles
from sim.handlers.editors import named, tell
from sim.handlers.inventory import default_folder, update_create_item
from sim.handlers.replies import ask, send, start
from sim.handlers.taking import ORDER
from sim.moves import INVENTORY_SILENT, Came, Leaving
from sim.world.agent import Agent
from sim.world.linkset import gather
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.parts import Parts

GONE = "It has gone."
WEAR = Rate("wear", 5.0, 100.0)  # a whole outfit at login, and the next one


# --- on


@handles("RezSingleAttachmentFromInv", state=ROOT, rate=WEAR)
def rez_single_attachment(sim: Parts, agent: Agent, message: Message) -> None:
    block = message["ObjectData"]
    start(sim, agent, "wear", _wear(sim, agent, [(block["ItemID"], block["AttachmentPt"])]), order=ORDER)


@handles("RezMultipleAttachmentsFromInv", state=ROOT, rate=WEAR)
def rez_multiple_attachments(sim: Parts, agent: Agent, message: Message) -> None:
    """Some of an outfit; viewers send a few in each message. FirstDetachAll: what is worn comes off before."""
    wishes = [(block["ItemID"], block["AttachmentPt"]) for block in message["ObjectData"]][:MOST_WORN]
    start(sim, agent, "wear", _wear(sim, agent, wishes, bool(message["HeaderData"]["FirstDetachAll"])), order=ORDER)


async def _wear(sim: Parts, agent: Agent, wishes: list[tuple[UUID, int]], bare: bool = False) -> None:
    if bare:
        await _take_off(sim, agent, list(agent.worn))
    for item_id, point in wishes:
        worn = await sim.attachments.wear_item(agent, item_id, point)
        if isinstance(worn, Refused):
            tell(sim, agent, worn)


@handles("ObjectAttach", state=ROOT, rate=WEAR)
def object_attach(sim: Parts, agent: Agent, message: Message) -> None:
    """What stands in the region becomes an item of its owner's inventory, and is worn as that."""
    roots = {
        prim.linkset_root: None
        for prim in named(sim, agent, [block["ObjectLocalID"] for block in message["ObjectData"]])
    }
    point = message["AgentData"]["AttachmentPoint"]
    for root in list(roots)[:MOST_WORN]:
        start(sim, agent, "wear", wear_from_ground(sim, agent, root, point), order=ORDER)


async def wear_from_ground(sim: Parts, agent: Agent, root: Prim, wish: int) -> None:
    if root.row < 0:
        return
    chosen = attach.point_of(wish, root.attach_point)
    refused = chosen if isinstance(chosen, Refused) else attach.ground_refusal(sim.region, agent, root)
    if refused is not None or isinstance(chosen, Refused):
        tell(sim, agent, refused or Refused(), root)
        return
    point, beside = chosen
    if not beside:
        await _take_off(sim, agent, [one for one in agent.worn if one.attach_point == point])
        refused = attach.ground_refusal(sim.region, agent, root) if root.row >= 0 else Refused(GONE, "no such object")
    if refused is None:
        refused = await _become_item(sim, agent, root, point)
    if refused is not None:
        tell(sim, agent, refused, root)


async def _become_item(sim: Parts, agent: Agent, root: Prim, point: int) -> Refused | None:
    """It goes into the inventory as whatever is taken does, and hangs on its bearer as that item, under its own ids."""
    item = take.item_of(sim.region, [root], agent.agent_id)
    item.item_id, item.asset_id = uuid4(), uuid4()
    try:
        data = take.pack(gather(sim.world.objects, [root], sim.clock.now(), sim.scripts.states))
    except ProtocolError as error:
        return Refused(f"This object cannot be worn: {error}.", "does not fit")
    folder = await default_folder(sim, agent.agent_id, int(Folder.OBJECTS))
    if folder is None:
        return Refused(INVENTORY_SILENT, "inventory")
    item.folder_id = folder
    leaving = Leaving("take", agent.agent_id, item_to_json(item), data=data, roots=[root])
    made = await sim.moves.out(uuid4(), leaving, actor_of(agent))
    if isinstance(made, Refused):
        return made
    send(agent, update_create_item(agent, dict(made), 0, NULL))
    return await sim.attachments.wear_taken(agent, item.item_id, take.unpack(data)[0], point)


# --- off


@handles("ObjectDetach", state=ROOT, rate=WEAR)
def object_detach(sim: Parts, agent: Agent, message: Message) -> None:
    prims = named(sim, agent, [block["ObjectLocalID"] for block in message["ObjectData"]])
    roots = list({prim.linkset_root: None for prim in prims})[:MOST_WORN]
    start(sim, agent, "take off", _take_off(sim, agent, roots), order=ORDER)


@handles("DetachAttachmentIntoInv", state=ROOT, rate=WEAR)
def detach_attachment_into_inv(sim: Parts, agent: Agent, message: Message) -> None:
    """By the item's id; what belongs to no item is named by its own."""
    wanted = message["ObjectData"]["ItemID"]
    start(sim, agent, "take off", _take_off_item(sim, agent, wanted), order=ORDER)


async def _take_off_item(sim: Parts, agent: Agent, item_id: UUID) -> None:
    ours = [root for root in agent.worn if root.worn is not None and item_id in (root.worn.item_id, root.full_id)]
    await _take_off(sim, agent, ours[:1])


async def _take_off(sim: Parts, agent: Agent, roots: list[Prim]) -> None:
    for root in roots:
        refused = await sim.attachments.take_off(agent, root) if root.row >= 0 else None
        if refused is not None:
            tell(sim, agent, refused, root)


@handles("ObjectDrop", state=ROOT, rate=WEAR)
def object_drop(sim: Parts, agent: Agent, message: Message) -> None:
    """Onto the ground in front; the item goes with it."""
    prims = named(sim, agent, [block["ObjectLocalID"] for block in message["ObjectData"]])
    for root in list({prim.linkset_root: None for prim in prims})[:MOST_WORN]:
        start(sim, agent, "drop", _drop(sim, agent, root), order=ORDER)


async def _drop(sim: Parts, agent: Agent, root: Prim) -> None:
    if root.row < 0:
        return
    refused = attach.drop_refusal(sim.region, agent, root)
    if refused is None:
        await sim.attachments.last_words(root)
        refused = attach.drop_refusal(sim.region, agent, root) if root.row >= 0 else Refused(GONE, "no such object")
    if refused is not None or root.worn is None:
        tell(sim, agent, refused or Refused(GONE, "no such object"), root)
        return
    item_id = root.worn.item_id

    def stand(_: Item) -> Came | Refused:
        refused = attach.drop_refusal(sim.region, agent, root) if root.row >= 0 else Refused(GONE, "no such object")
        if refused is not None:
            return refused
        attach.drop(sim.region, actor_of(agent), root, attach.ahead_of(sim.region, agent))
        return Came([root])

    came = await sim.moves.into(uuid4(), "rez", agent.agent_id, item_id, stand)
    if isinstance(came, Refused):
        tell(sim, agent, came, root)
        return
    await ask(sim, sim.backbone.take_off(agent.agent_id, item_id))
    ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
    send(agent, Message("RemoveInventoryItem", AgentData=ids, InventoryData=[{"ItemID": item_id}]))


# --- scripts' wishes


def script_wears(sim: Parts, agent: Agent, root: Prim, wish: int, for_a_while: bool) -> None:
    """A script that somebody let do so has them wear its object."""
    with suppress(Later):  # it has too much under way
        work = _for_a_while(sim, agent, root, wish) if for_a_while else wear_from_ground(sim, agent, root, wish)
        start(sim, agent, "wear", work, order=ORDER)


def script_takes_off(sim: Parts, agent: Agent, root: Prim) -> None:
    with suppress(Later):
        start(sim, agent, "take off", _take_off(sim, agent, [root]), order=ORDER)


async def _for_a_while(sim: Parts, agent: Agent, root: Prim, wish: int) -> None:
    """It becomes no item. What is somebody else's becomes its bearer's, if it may."""
    chosen = attach.point_of(wish, root.attach_point)
    refused = chosen if isinstance(chosen, Refused) else attach.ground_refusal(sim.region, agent, root, owner_only=False)
    if refused is None and root.row >= 0 and root.owner_id != agent.agent_id:
        whole = all(one.permissions.owner & Permission.TRANSFER for one in root.linkset())
        refused = None if whole else Refused(attach.NOT_YOURS, "no transfer")
        refused = refused or permit.hand_over(sim.region, script_of(root), root, agent.agent_id)
    if refused is not None or isinstance(chosen, Refused) or root.row < 0:
        tell(sim, agent, refused or Refused(GONE, "no such object"))
        return
    sim.scripts.owned_by(root, agent.agent_id)
    sim.attachments.wear_for_a_while(agent, root, chosen[0])
    await sim.storage.durable()
