"""Selecting objects, and everything viewers ask about one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from protocol.events import event
from protocol.message import Message, clip
from sim.handlers import NEAR, OPEN, QUERY, Rate, handles
from sim.handlers.editors import ask_for_rights, named
from sim.handlers.replies import packets, send
from sim.world.agent import Agent
from sim.world.objects import DESCRIPTION_BYTES, NAME_BYTES, Prim

if TYPE_CHECKING:
    from sim.parts import Parts

SELECT = Rate("select", 500.0, 8000.0)  # objects: each is answered with some 300 bytes
MISSES = Rate("misses", 100.0, 2000.0)  # a cache that holds nothing asks for 30,000 prims in a few hundred messages
PROPERTIES_BYTES = 250  # of an ObjectProperties block without its texts
SELECTED_LIMIT = 4096  # objects one agent may have selected


@handles("ObjectSelect", state=NEAR, rate=SELECT)
def object_select(sim: Parts, agent: Agent, message: Message) -> None:
    """Every select is answered for every object, changed or not: clients force a refresh that way."""
    prims = named(sim, agent, dict.fromkeys(block["ObjectLocalID"] for block in message["ObjectData"]))
    ask_for_rights(sim, agent, prims)  # an edit is next, most likely
    selected = sim.interest.objects.selected_by(agent)
    for prim in prims:
        if len(selected) < SELECTED_LIMIT:
            selected.add(prim.local_id)
    for reply in properties_messages(prims):
        send(agent, reply)
    if agent.events is not None:
        for batch in packets(prims, lambda _: 1, 100):
            agent.events.post(event(physics_message(batch)), droppable=True)


@handles("ObjectDeselect", state=NEAR, rate=SELECT)
def object_deselect(sim: Parts, agent: Agent, message: Message) -> None:
    selected = sim.interest.objects.selected_by(agent)
    for block in message["ObjectData"]:
        selected.discard(block["ObjectLocalID"])


def properties_messages(prims: Iterable[Prim]) -> Iterable[Message]:
    """ObjectProperties of these prims, in as many packets as it takes."""
    blocks = [properties(prim) for prim in prims]
    for batch in packets(blocks, lambda block: PROPERTIES_BYTES + len(block["Name"]) + len(block["Description"])):
        yield Message("ObjectProperties", ObjectData=batch)


def properties(prim: Prim) -> dict[str, Any]:
    masks = prim.permissions
    return {
        "ObjectID": prim.full_id,
        "CreatorID": prim.creator_id,
        "OwnerID": prim.owner_id,
        "GroupID": prim.group_id,
        "CreationDate": prim.created,
        "BaseMask": masks.base,
        "OwnerMask": masks.owner,
        "GroupMask": masks.group,
        "EveryoneMask": masks.everyone,
        "NextOwnerMask": masks.next_owner,
        "SaleType": prim.sale_type,
        "SalePrice": prim.sale_price,
        "Category": prim.category,
        "InventorySerial": prim.inventory_serial,
        "ItemID": prim.from_item_id,
        "LastOwnerID": prim.last_owner_id,
        "Name": clip(prim.name, NAME_BYTES + 1),
        "Description": clip(prim.description, DESCRIPTION_BYTES + 1),
        "TouchName": clip(prim.touch_name, 32),
        "SitName": clip(prim.sit_name, 32),
    }


def physics_message(prims: Iterable[Prim]) -> Message:
    """The Features tab's figures, by the event queue."""
    return Message(
        "ObjectPhysicsProperties",
        ObjectData=[
            {
                "LocalID": prim.local_id,
                "PhysicsShapeType": prim.features.shape_type,
                "Density": prim.features.density,
                "Friction": prim.features.friction,
                "Restitution": prim.features.restitution,
                "GravityMultiplier": prim.features.gravity,
            }
            for prim in prims
        ],
    )


@handles("RequestObjectPropertiesFamily", state=OPEN, rate=QUERY)
def request_object_properties_family(sim: Parts, agent: Agent, message: Message) -> None:
    asked = message["ObjectData"]
    prim = sim.world.objects.by_id.get(asked["ObjectID"])
    if prim is None:
        return
    whole = properties(prim)
    wanted = (
        "ObjectID", "OwnerID", "GroupID", "BaseMask", "OwnerMask", "GroupMask", "EveryoneMask", "NextOwnerMask",
        "SaleType", "SalePrice", "Category", "LastOwnerID", "Name", "Description",
    )  # fmt: skip
    block = {"RequestFlags": asked["RequestFlags"], **{name: whole[name] for name in wanted}}
    send(agent, Message("ObjectPropertiesFamily", ObjectData=block))


@handles("RequestMultipleObjects", state=OPEN, rate=MISSES)
def request_multiple_objects(sim: Parts, agent: Agent, message: Message) -> None:
    """Full updates of what the viewer's cache does not hold, or what it heard of and does not know."""
    wanted = {block["ID"] for block in message["ObjectData"]}
    known = sim.world.objects.by_local_id
    sim.interest.objects.show(agent, [known[local_id] for local_id in wanted if local_id in known])
    sim.interest.send_again(agent, wanted)
