"""Changes to objects that are there: place, size, shape, surface, texts, flags, permissions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from protocol.errors import ProtocolError
from protocol.message import Message, text
from protocol.objects import Edit, decode_edit
from sim.actions import edit, permit, undo
from sim.actions.may import Actor, actor_of
from sim.actions.outcome import Refused
from sim.actions.place import OverBorder, place
from sim.handlers import NEAR, handles
from sim.handlers.editors import BUILD, chosen, each, named, tell, waits_for_rights
from sim.region import Region
from sim.world.agent import Agent
from sim.world.objects import Material, Prim
from sim.world.undo import ObjectSteps

if TYPE_CHECKING:
    from sim.parts import Parts

MASKS = {2: "owner", 4: "group", 8: "everyone", 16: "next_owner"}  # ObjectPermissions.Field; 1, the base, is nobody's to set


# --- place and size


@contextmanager
def undoable(sim: Parts, agent: Agent, prim: Prim) -> Iterator[None]:
    """An edit of a prim's place or form, which the agent may take back afterwards. Nothing is remembered of one that did nothing."""
    root, now = prim.linkset_root, sim.clock.now()
    steps = agent.undo.objects.get(root.full_id)
    before = undo.look(sim.region, root) if steps is None or undo.begins(steps, now) else None
    number = sim.world.changes.prims.number
    yield
    if sim.world.changes.prims.number != number:
        undo.remember(agent.undo.of(root.full_id), now, before)


def put(sim: Parts, agent: Agent, actor: Actor, prim: Prim, wish: Edit) -> None:
    """Move, turn or resize; what is moved out of the region goes to the one beyond, where there is one."""
    with undoable(sim, agent, prim):
        _put(sim, agent, actor, prim, wish)


def _put(sim: Parts, agent: Agent, actor: Actor, prim: Prim, wish: Edit) -> None:
    outcome = place(sim.region, actor, prim, wish)
    if isinstance(outcome, OverBorder):
        if sim.neighbours.objects.begin(outcome.root, outcome.position):
            return
        outcome = place(sim.region, actor, prim, wish._replace(scale=None), inside=True)
    if isinstance(outcome, Refused):
        tell(sim, agent, outcome, prim)


@handles("MultipleObjectUpdate", state=NEAR, rate=BUILD)
def multiple_object_update(sim: Parts, agent: Agent, message: Message) -> None:
    actor = actor_of(agent)
    for prim, block in chosen(sim, agent, message):
        try:
            wish = decode_edit(block["Type"], block["Data"])
        except ProtocolError as error:
            tell(sim, agent, Refused(f"Not moved: {error}.", "malformed"), prim)
            continue
        put(sim, agent, actor, prim, wish)


@handles("ObjectPosition", state=NEAR, rate=BUILD)
def object_position(sim: Parts, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message):
        put(sim, agent, actor_of(agent), prim, Edit(block["Position"], None, None, True, False))


@handles("ObjectRotation", state=NEAR, rate=BUILD)
def object_rotation(sim: Parts, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message):
        put(sim, agent, actor_of(agent), prim, Edit(None, block["Rotation"], None, True, False))


@handles("ObjectScale", state=NEAR, rate=BUILD)
def object_scale(sim: Parts, agent: Agent, message: Message) -> None:
    for prim, block in chosen(sim, agent, message):
        put(sim, agent, actor_of(agent), prim, Edit(None, None, block["Scale"], False, False))


# --- shape and surface


@handles("ObjectShape", state=NEAR, rate=BUILD)
def object_shape(sim: Parts, agent: Agent, message: Message) -> None:
    def shape(region: Region, actor: Actor, prim: Prim, block: dict[str, Any]) -> Refused | None:
        with undoable(sim, agent, prim):
            return edit.shape(region, actor, prim, block)

    each(sim, agent, message, shape)


# --- taken back


@handles("Undo", state=NEAR, rate=BUILD)
def undo_edits(sim: Parts, agent: Agent, message: Message) -> None:
    """The agent's last edits of these objects, each once."""
    _step(sim, agent, message, undo.undo)


@handles("Redo", state=NEAR, rate=BUILD)
def redo_edits(sim: Parts, agent: Agent, message: Message) -> None:
    _step(sim, agent, message, undo.redo)


def _step(
    sim: Parts, agent: Agent, message: Message, action: Callable[[Region, Actor, Prim, ObjectSteps], Refused | None]
) -> None:
    here = sim.world.objects.by_id
    roots = {here[block["ObjectID"]].linkset_root: None for block in message["ObjectData"] if block["ObjectID"] in here}
    if waits_for_rights(sim, agent, message, list(roots)):
        return
    for root in roots:
        steps = agent.undo.objects.get(root.full_id)
        refused = action(sim.region, actor_of(agent), root, steps) if steps is not None else None
        if refused is not None:
            tell(sim, agent, refused, root)


@handles("ObjectImage", state=NEAR, rate=BUILD)
def object_image(sim: Parts, agent: Agent, message: Message) -> None:
    each(sim, agent, message, lambda r, a, p, b: edit.surface(r, a, p, b["TextureEntry"], text(b["MediaURL"])))


@handles("ObjectExtraParams", state=NEAR, rate=BUILD)
def object_extra_params(sim: Parts, agent: Agent, message: Message) -> None:
    each(
        sim,
        agent,
        message,
        lambda r, a, p, b: edit.extra(r, a, p, b["ParamType"], b["ParamData"] if b["ParamInUse"] else None),
    )


@handles("ObjectMaterial", state=NEAR, rate=BUILD)
def object_material(sim: Parts, agent: Agent, message: Message) -> None:
    each(sim, agent, message, lambda r, a, p, b: edit.material(r, a, p, b["Material"]))


@handles("ObjectFlagUpdate", state=NEAR, rate=BUILD)
def object_flag_update(sim: Parts, agent: Agent, message: Message) -> None:
    """Physics, temporary, phantom, and the Features tab. The flags are the whole linkset's, the features one prim's."""
    block = message["AgentData"]
    prims = named(sim, agent, (block["ObjectLocalID"],))
    if not prims or waits_for_rights(sim, agent, message, prims):
        return
    (prim,) = prims
    actor = actor_of(agent)
    refused = edit.flags(sim.region, actor, prim, edit.Flags(block["UsePhysics"], block["IsPhantom"], block["IsTemporary"]))
    for extra in message["ExtraPhysics"][:1]:
        wished = Material(
            extra["Density"], extra["Friction"], extra["Restitution"], extra["GravityMultiplier"], extra["PhysicsShapeType"]
        )
        refused = refused or edit.features(sim.region, actor, prim, wished)
    if refused is not None:
        tell(sim, agent, refused, prim)


@handles("ObjectClickAction", state=NEAR, rate=BUILD)
def object_click_action(sim: Parts, agent: Agent, message: Message) -> None:
    each(sim, agent, message, lambda r, a, p, b: edit.click_action(r, a, p, b["ClickAction"]))


# --- texts, and what others may


@handles("ObjectName", state=NEAR, rate=BUILD)
def object_name(sim: Parts, agent: Agent, message: Message) -> None:
    each(sim, agent, message, lambda r, a, p, b: edit.name(r, a, p, text(b["Name"])), "LocalID")


@handles("ObjectDescription", state=NEAR, rate=BUILD)
def object_description(sim: Parts, agent: Agent, message: Message) -> None:
    each(sim, agent, message, lambda r, a, p, b: edit.description(r, a, p, text(b["Description"])), "LocalID")


@handles("ObjectCategory", state=NEAR, rate=BUILD)
def object_category(sim: Parts, agent: Agent, message: Message) -> None:
    each(sim, agent, message, lambda r, a, p, b: edit.category(r, a, p, b["Category"]), "LocalID")


@handles("ObjectSaleInfo", state=NEAR, rate=BUILD)
def object_sale_info(sim: Parts, agent: Agent, message: Message) -> None:
    each(sim, agent, message, lambda r, a, p, b: permit.sell(r, a, p, b["SaleType"], b["SalePrice"]), "LocalID")


@handles("ObjectPermissions", state=NEAR, rate=BUILD)
def object_permissions(sim: Parts, agent: Agent, message: Message) -> None:
    actor = actor_of(agent)
    for prim, block in chosen(sim, agent, message):
        mask = MASKS.get(block["Field"])
        if mask is None:
            continue
        refused = permit.permit(sim.region, actor, prim, mask, block["Mask"], block["Set"])
        if refused is not None:
            tell(sim, agent, refused, prim)


@handles("ObjectGroup", state=NEAR, rate=BUILD)
def object_group(sim: Parts, agent: Agent, message: Message) -> None:
    group_id = message["AgentData"]["GroupID"]
    each(sim, agent, message, lambda r, a, p, _: permit.set_group(r, a, p, group_id))
