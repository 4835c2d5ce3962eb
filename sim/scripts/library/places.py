"""Where the object is, how it is turned, how large and how fast, and moving it. Positions in metres, in the region.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sim.scripts.language.values import ZERO_VECTOR, Item, Key, Rotation, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.things import actor_of, avatar, finite, place, prim_of, region_of, thing, unit

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

FARTHEST_STEP = 10.0  # metres that llSetPos moves at once
BORDERS = "an object stays inside the region: it is held at the border"


def column(script: Script, prim: Prim, name: str) -> Vector:
    """A column of the prim's row as a vector."""
    return Vector(*region_of(script).world.objects.row(prim)[name].tolist())


@ll
def llGetPos(script: Script) -> Vector:
    """The position of the prim in the region."""
    return place(script, prim_of(script))[0]


@ll
def llGetRootPosition(script: Script) -> Vector:
    """The position of the object's root in the region."""
    return place(script, prim_of(script).linkset_root)[0]


@ll
def llGetLocalPos(script: Script) -> Vector:
    """The position of a child relative to its root, in the root's axes; of a root that in the region."""
    return column(script, prim_of(script), "position")


@ll
def llGetRot(script: Script) -> Rotation:
    """How the prim is turned in the region."""
    return place(script, prim_of(script))[1]


@ll
def llGetRootRotation(script: Script) -> Rotation:
    """How the object's root is turned in the region."""
    return place(script, prim_of(script).linkset_root)[1]


@ll
def llGetLocalRot(script: Script) -> Rotation:
    """How a child is turned relative to its root; of a root how it is turned in the region."""
    return Rotation(*region_of(script).world.objects.row(prim_of(script))["rotation"].tolist())


@ll
def llGetScale(script: Script) -> Vector:
    """The size of the prim."""
    return column(script, prim_of(script), "scale")


@ll
def llGetVel(script: Script) -> Vector:
    """The velocity of the object, in metres a second."""
    return column(script, prim_of(script).linkset_root, "velocity")


@ll
def llGetAccel(script: Script) -> Vector:
    """The acceleration of the object, in metres a second squared."""
    return column(script, prim_of(script).linkset_root, "acceleration")


@ll
def llGetOmega(script: Script) -> Vector:
    """The angular velocity of the object, in radians a second."""
    return column(script, prim_of(script).linkset_root, "angular_velocity")


@ll
def llGetGeometricCenter(script: Script) -> Vector:
    """The mean of the positions of the object's prims, in the region."""
    return center(script, prim_of(script))


def center(script: Script, prim: Prim) -> Vector:
    places = [place(script, one)[0] for one in prim.linkset()]
    return Vector(*[sum(each) / len(places) for each in zip(*places, strict=True)])


def mass(script: Script, prim: Prim) -> float:
    """Kilograms of a linkset, by its prims' boxes."""
    total = 0.0
    for one in prim.linkset():
        x, y, z = column(script, one, "scale")
        total += one.features.density / 100.0 * x * y * z
    return total


BOXES = "counts every prim as its box, whatever its shape"


@ll(lacks=BOXES)
def llGetMass(script: Script) -> float:
    """The mass of the object: 10 kg a cubic metre at the usual density."""
    return mass(script, prim_of(script))


@ll(lacks=BOXES)
def llGetMassMKS(script: Script) -> float:
    """The mass of the object in kilograms: a hundred times llGetMass."""
    return mass(script, prim_of(script)) * 100.0


@ll(lacks=BOXES)
def llGetObjectMass(script: Script, id: Key) -> float:
    """The mass of an object or avatar in the region; 0 when there is none."""
    prim = thing(script, id)
    if prim is not None:
        return mass(script, prim)
    agent = avatar(script, id)
    return agent.appearance.size[2] * 0.45 * 0.6 * 2.0 if agent is not None else 0.0


@ll
def llGetBoundingBox(script: Script, object: Key) -> list[Item]:
    """The two corners of the box around an object, relative to its root and in its axes, or around an avatar.

    Empty when there is none in the region. Any prim's key means its whole object.
    """
    prim = thing(script, object)
    if prim is None:
        agent = avatar(script, object)
        if agent is None:
            return []
        x, y, z = (part / 2.0 for part in agent.appearance.size)
        return [Vector(-x, -y, -z), Vector(x, y, z)]
    rows = region_of(script).world.objects
    low, high = [math.inf] * 3, [-math.inf] * 3
    for one in prim.linkset():
        row = rows.row(one)
        size = [part / 2.0 for part in row["scale"].tolist()]
        base, (x, y, z, s) = ([0.0] * 3, (0.0, 0.0, 0.0, 1.0)) if one.root is None else (row["position"].tolist(), row["rotation"].tolist())
        # how far the turned box reaches along each axis: the matrix of the rotation, without signs
        turned = (
            (1 - 2 * (y * y + z * z), 2 * (x * y - z * s), 2 * (x * z + y * s)),
            (2 * (x * y + z * s), 1 - 2 * (x * x + z * z), 2 * (y * z - x * s)),
            (2 * (x * z - y * s), 2 * (y * z + x * s), 1 - 2 * (x * x + y * y)),
        )
        for axis in range(3):
            reach = sum(abs(part) * half for part, half in zip(turned[axis], size, strict=True))
            low[axis], high[axis] = min(low[axis], base[axis] - reach), max(high[axis], base[axis] + reach)
    return [Vector(*low), Vector(*high)]


# --- moving


def move(
    script: Script, prim: Prim, position: Vector | None = None, rotation: Rotation | None = None, scale: Vector | None = None
) -> bool:
    """Puts a prim somewhere: a root in the region with its whole set, a child relative to its root. False when refused."""
    from protocol.objects import Edit
    from sim.actions.place import place as put

    where = tuple(finite(part, -1e6, 1e6) for part in position) if position is not None else None
    size = tuple(finite(part) for part in scale) if scale is not None else None
    turn = unit(rotation) if rotation is not None else None
    wish = Edit(where, turn, size, prim.root is None and scale is None, False)  # type: ignore[arg-type]
    return put(region_of(script), actor_of(script), prim, wish, inside=True) is None


@ll(lacks=BORDERS)
def llSetPos(script: Script, pos: Vector) -> None:
    """Moves the object, at most 10 m at once, or a child relative to its root. Physical objects stay. Sleeps 0.2 s."""
    step(script, prim_of(script), pos)


def step(script: Script, prim: Prim, pos: Vector) -> None:
    """Moves a root towards a place by at most 10 m, a child to its place relative to the root."""
    if prim.root is not None:
        move(script, prim, pos)
        return
    if prim.physical:
        return
    here = place(script, prim)[0]
    way = Vector(*[finite(there - now, -1e6, 1e6) for there, now in zip(pos, here, strict=True)])
    far = math.hypot(*way)
    share = min(FARTHEST_STEP / far, 1.0) if far > 0 else 0.0
    move(script, prim, Vector(*[now + part * share for now, part in zip(here, way, strict=True)]))


@ll(lacks=BORDERS)
def llSetRegionPos(script: Script, pos: Vector) -> int:
    """Moves the whole object anywhere in the region; FALSE, and nothing, when it can't go there or is physical."""
    root = prim_of(script).linkset_root
    x, y, z = pos
    if root.physical or not (0.0 <= x <= 256.0 and 0.0 <= y <= 256.0 and z <= 4096.0):
        return False
    return move(script, root, pos)


@ll
def llSetRot(script: Script, rot: Rotation) -> None:
    """Turns the object; of a child relative to the root's own rotation. Sleeps 0.2 s."""
    turn(script, prim_of(script), rot)


def turn(script: Script, prim: Prim, rot: Rotation) -> None:
    if prim.root is not None or not prim.physical:
        move(script, prim, rotation=rot)


@ll
def llSetLocalRot(script: Script, rot: Rotation) -> None:
    """Turns a child relative to its root, or the object in the region. Sleeps 0.2 s."""
    turn(script, prim_of(script), rot)


@ll
def llSetScale(script: Script, size: Vector) -> None:
    """Sets the size of the prim, 0.01 to 64 m along each axis; nothing for physical objects."""
    prim = prim_of(script)
    if not prim.linkset_root.physical:
        move(script, prim, scale=size)


@ll
def llGetCenterOfMass(script: Script) -> Vector:
    """The object's centre of mass in the region, by its prims' boxes."""
    total, weighted = 0.0, [0.0, 0.0, 0.0]
    prim = prim_of(script)
    for one in prim.linkset():
        x, y, z = column(script, one, "scale")
        own = one.features.density * x * y * z
        total += own
        for axis, part in enumerate(place(script, one)[0]):
            weighted[axis] += own * part
    return Vector(*[part / total for part in weighted]) if total > 0 else ZERO_VECTOR
