"""Changes to objects that are there: place, size, shape, surface, texts, flags, permissions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from protocol.errors import ProtocolError
from protocol.message import Message, text
from protocol.objects import Edit, decode_edit
from protocol.wellknown import Permission
from sim.handlers import ROOT, handles
from sim.handlers.building import BUILD, chosen, clean_position, clean_scale, is_leaving, make_temporary, may
from sim.handlers.replies import alert
from sim.physics import materials
from sim.physics.asset_solids import SCULPT
from sim.physics.bodies import NO_SHAPE
from sim.world.agent import TEXTURE_ENTRY_LIMIT, Agent, Vector
from sim.world.changes import What
from sim.world.objects import DESCRIPTION_BYTES, NAME_BYTES, Material, Prim, conjugate, multiply, rotate
from sim.world.shapes import clean_shape

if TYPE_CHECKING:
    from sim.simulator import Simulator

EXTRA_PARAM_LIMIT = 256
# Types of ObjectExtraParams: flexi, light, sculpt, light image, mesh, extended mesh, material, probe.
EXTRA_PARAMS = (0x10, 0x20, 0x30, 0x40, 0x60, 0x70, 0x80, 0x90)


# --- place and size


@handles("MultipleObjectUpdate", state=ROOT, rate=BUILD)
def multiple_object_update(sim: Simulator, agent: Agent, message: Message) -> None:
    for block in message["ObjectData"]:
        prim = sim.world.objects.by_local_id.get(block["ObjectLocalID"])
        if is_leaving(sim, agent, block["ObjectLocalID"]) or prim is None:
            continue
        try:
            edit = decode_edit(block["Type"], block["Data"])
        except ProtocolError:
            sim.metrics.count("messages_dropped", label="malformed")
            continue
        needed = Permission.MODIFY if edit.scale is not None else Permission.MOVE
        if not may(agent, prim, needed):
            sim.interest.objects.show(agent, [prim])
            continue
        apply_edit(sim, prim, edit)


def apply_edit(sim: Simulator, prim: Prim, edit: Edit) -> None:
    """Move, turn or resize a prim; a whole linkset where the edit says so or where the root goes."""
    if edit.scale is not None:
        _resize(sim, prim, edit)
    if edit.position is not None or edit.rotation is not None:
        _move(sim, prim, edit)
    sim.world.objects.placed(prim)


def _move(sim: Simulator, prim: Prim, edit: Edit) -> None:
    objects = sim.world.objects
    if prim.root is not None and edit.linked:
        prim = prim.root  # a child dragged as part of its set moves the set
    row = objects.row(prim)
    alone = prim.root is None and prim.children and not edit.linked
    places = [(child, *objects.world_place(child)) for child in prim.children] if alone else []
    if edit.position is not None and prim.root is None and _over_border(sim, prim, edit.position):
        return
    if edit.position is not None:
        row["position"] = edit.position if prim.root is not None else clean_position(sim, edit.position)
    if edit.rotation is not None:
        row["rotation"] = edit.rotation
    row["velocity"] = row["angular_velocity"] = row["acceleration"] = (0.0, 0.0, 0.0)
    objects.changes.note(prim, What.PLACE)
    if alone:  # "edit linked parts" on the root: the children stay where they are
        base, turn = objects.world_place(prim)
        back = conjugate(turn)
        for child, position, rotation in places:
            child_row = objects.row(child)
            child_row["position"] = rotate(back, [position[axis] - base[axis] for axis in range(3)])
            child_row["rotation"] = multiply(back, rotation)
            objects.changes.note(child, What.PLACE)


def _over_border(sim: Simulator, prim: Prim, position: Vector) -> bool:
    """Whether it was moved out of the region, and goes to the one beyond."""
    x, y, _ = position
    outside = not (0 <= x < 256 and 0 <= y < 256) and -256 <= x < 512 and -256 <= y < 512
    return outside and sim.neighbours.objects.begin(prim, position)


def _resize(sim: Simulator, prim: Prim, edit: Edit) -> None:
    objects = sim.world.objects
    assert edit.scale is not None
    scale = clean_scale(edit.scale)
    row = objects.row(prim)
    if edit.linked and prim.root is None and prim.children:
        before = row["scale"].tolist()
        factor = min(scale[axis] / before[axis] for axis in range(3))
        for child in prim.children:
            child_row = objects.row(child)
            child_row["scale"] = clean_scale(tuple(part * factor for part in child_row["scale"].tolist()))
            child_row["position"] = [part * factor for part in child_row["position"].tolist()]
            objects.changes.note(child, What.SCALE)
    row["scale"] = scale
    objects.changes.note(prim, What.SCALE)


@handles("ObjectPosition", state=ROOT, rate=BUILD)
def object_position(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MOVE):
        apply_edit(sim, prim, Edit(block["Position"], None, None, True, False))


@handles("ObjectRotation", state=ROOT, rate=BUILD)
def object_rotation(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MOVE):
        apply_edit(sim, prim, Edit(None, block["Rotation"], None, True, False))


@handles("ObjectScale", state=ROOT, rate=BUILD)
def object_scale(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MODIFY):
        apply_edit(sim, prim, Edit(None, None, block["Scale"], False, False))


# --- shape and surface


@handles("ObjectShape", state=ROOT, rate=BUILD)
def object_shape(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MODIFY):
        prim.shape = clean_shape(block)
        sim.world.changes.prims.note(prim, What.SHAPE)


@handles("ObjectImage", state=ROOT, rate=BUILD)
def object_image(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MODIFY):
        if len(block["TextureEntry"]) <= TEXTURE_ENTRY_LIMIT:
            prim.texture_entry = block["TextureEntry"]
            prim.media_url = text(block["MediaURL"])
            sim.world.changes.prims.note(prim, What.SURFACE)


@handles("ObjectExtraParams", state=ROOT, rate=BUILD)
def object_extra_params(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MODIFY):
        kind = block["ParamType"]
        if kind not in EXTRA_PARAMS or len(block["ParamData"]) > EXTRA_PARAM_LIMIT:
            continue
        if block["ParamInUse"]:
            prim.extra_params[kind] = block["ParamData"]
        else:
            prim.extra_params.pop(kind, None)
        sim.world.changes.prims.note(prim, What.SHAPE if kind == SCULPT else What.EFFECTS)


@handles("ObjectMaterial", state=ROOT, rate=BUILD)
def object_material(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MODIFY):
        prim.material = min(block["Material"], 7)
        made_of = materials.material(prim.material)
        prim.features.friction, prim.features.restitution = made_of.friction, made_of.restitution
        sim.world.changes.prims.note(prim, What.MATERIAL)


@handles("ObjectFlagUpdate", state=ROOT, rate=BUILD)
def object_flag_update(sim: Simulator, agent: Agent, message: Message) -> None:
    """Physics, temporary, phantom, and the Features tab. The flags are the whole linkset's, the features one prim's."""
    block = message["AgentData"]
    prim = sim.world.objects.by_local_id.get(block["ObjectLocalID"])
    if is_leaving(sim, agent, block["ObjectLocalID"]) or prim is None:
        return
    if not may(agent, prim, Permission.MODIFY):
        sim.interest.objects.show(agent, [prim])
        return
    root = prim.linkset_root
    for one in root.linkset():
        one.physical, one.phantom = block["UsePhysics"], block["IsPhantom"]
    if block["IsTemporary"] != root.temporary:
        make_temporary(sim, root, block["IsTemporary"])
    for extra in message["ExtraPhysics"][:1]:
        before, prim.features = prim.features.shape_type, _features(extra)
        if prim is root and prim.features.shape_type == NO_SHAPE:
            prim.features.shape_type = before  # only children can be left out of what a linkset is solid as
    sim.world.objects.note_linkset(root, What.BODY | What.MATERIAL)


def _features(block: dict[str, Any]) -> Material:
    def held(name: str, value: float) -> float:
        low, high = materials.LIMITS[name]
        return min(max(value, low), high) if math.isfinite(value) else low

    return Material(
        density=held("density", block["Density"]),
        friction=held("friction", block["Friction"]),
        restitution=held("restitution", block["Restitution"]),
        gravity=held("gravity_multiplier", block["GravityMultiplier"]),
        shape_type=min(block["PhysicsShapeType"], 2),
    )


@handles("ObjectClickAction", state=ROOT, rate=BUILD)
def object_click_action(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MODIFY):
        prim.click_action = block["ClickAction"]
        sim.world.changes.prims.note(prim, What.EFFECTS)


# --- texts, and what others may


@handles("ObjectName", state=ROOT, rate=BUILD)
def object_name(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MODIFY, "LocalID"):
        prim.name = _clipped(block["Name"], NAME_BYTES)
        sim.world.changes.prims.note(prim, What.NAME)


@handles("ObjectDescription", state=ROOT, rate=BUILD)
def object_description(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MODIFY, "LocalID"):
        prim.description = _clipped(block["Description"], DESCRIPTION_BYTES)
        sim.world.changes.prims.note(prim, What.NAME)


def _clipped(raw: bytes, limit: int) -> str:
    return text(raw).encode()[:limit].decode("utf-8", "ignore")


@handles("ObjectCategory", state=ROOT, rate=BUILD)
def object_category(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MODIFY, "LocalID"):
        prim.category = block["Category"]
        sim.world.changes.prims.note(prim, What.NAME)


@handles("ObjectSaleInfo", state=ROOT, rate=BUILD)
def object_sale_info(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message, Permission.MODIFY, "LocalID"):
        if prim.owner_id == agent.agent_id:
            prim.sale_type, prim.sale_price = min(block["SaleType"], 3), max(block["SalePrice"], 0)
            sim.world.changes.prims.note(prim, What.RIGHTS)


@handles("ObjectPermissions", state=ROOT, rate=BUILD)
def object_permissions(sim: Simulator, agent: Agent, message: Message) -> None:
    """Field 1 base (never changed from outside), 2 owner, 4 group, 8 everyone, 16 next owner. Only within the base."""
    fields = {2: "owner", 4: "group", 8: "everyone", 16: "next_owner"}
    for block in message["ObjectData"]:
        prim = sim.world.objects.by_local_id.get(block["ObjectLocalID"])
        field = fields.get(block["Field"])
        if is_leaving(sim, agent, block["ObjectLocalID"]) or prim is None or field is None:
            continue
        if prim.owner_id != agent.agent_id:
            alert(agent, "Only its owner can set an object's permissions.")
            continue
        masks = prim.permissions
        bits = block["Mask"] & masks.base
        old = getattr(masks, field)
        setattr(masks, field, old | bits if block["Set"] else old & ~block["Mask"])
        sim.world.changes.prims.note(prim, What.RIGHTS)


@handles("ObjectGroup", state=ROOT, rate=BUILD)
def object_group(sim: Simulator, agent: Agent, message: Message) -> None:
    for prim, _ in chosen(sim, agent, message, Permission.MODIFY):
        for one in prim.linkset():
            one.group_id = message["AgentData"]["GroupID"]
            sim.world.changes.prims.note(one, What.RIGHTS)
