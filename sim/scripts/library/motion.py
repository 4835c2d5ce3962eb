"""Movement by physics: impulses, forces, torque, velocity, buoyancy, hover, targets to glide and turn to, spin.

All act on the whole object, from whichever of its prims, and stay with it: over a restart, a crossing, into an inventory and back.
Only physical objects are pushed. Forces are in the units of llGetMass: what weighs `llGetMass()` is held up by
`9.8 * llGetMass()`.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sim.scripts.language.values import ZERO_VECTOR, Key, Rotation, Vector
from sim.scripts.library import places
from sim.scripts.library.declare import ll
from sim.scripts.library.things import avatar, finite, place, prim_of, region_of, thing, unit

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

KILOGRAMS = 100.0  # of one unit of llGetMass
MOST, FASTEST, FASTEST_SPIN = 1e7, 250.0, 60.0
LEAST_TAU, MOST_TAU = 0.05, 1000.0
RESTRICT_PUSH = 0x200000  # ParcelFlags
FARTHEST_PUSH = 64.0  # metres


def drive(script: Script, **changes: Any) -> None:
    """Something else is asked of the movement of the script's object."""
    drive_prim(script, prim_of(script).linkset_root, **changes)


def drive_prim(script: Script, prim: Prim, **changes: Any) -> None:
    from sim.world.changes import What

    drives = replace(prim.drives, **changes)
    if drives == prim.drives:
        return
    prim.drives = drives
    region_of(script).world.changes.prims.note(prim, What.DRIVES)
    if prim.root is None:
        script.world.rooms.home.bodies.drive(prim)


def body(script: Script) -> int:
    """The engine's handle of the script's object, -1 when it is not physical or has no body."""
    root = prim_of(script).linkset_root
    return script.world.rooms.home.bodies.handle(root) if root.physical else -1


def way(script: Script, vector: Vector, local: int, most: float, factor: float = 1.0) -> tuple[float, float, float]:
    """A vector within bounds, in the region's axes; `local`: it is given in the object's."""
    from sim.world.objects import rotate

    x, y, z = (finite(part, -most, most) * factor for part in vector)
    return rotate(place(script, prim_of(script).linkset_root)[1], (x, y, z)) if local else (x, y, z)


def held(vector: Vector, most: float, factor: float = 1.0) -> tuple[float, float, float]:
    x, y, z = (finite(part, -most, most) * factor for part in vector)
    return x, y, z


# --- at once


@ll
def llApplyImpulse(script: Script, momentum: Vector, is_local: int) -> None:
    """Pushes the physical object once: its velocity changes by the momentum over its mass. Local: along its own axes."""
    handle = body(script)
    if handle >= 0:
        script.world.rooms.home.bodies.engine.apply_impulse(handle, way(script, momentum, is_local, MOST, KILOGRAMS))


@ll
def llApplyRotationalImpulse(script: Script, force: Vector, is_local: int) -> None:
    """Twists the physical object once."""
    handle = body(script)
    if handle >= 0:
        script.world.rooms.home.bodies.engine.apply_angular_impulse(
            handle, way(script, force, is_local, MOST, KILOGRAMS)
        )


@ll
def llSetVelocity(script: Script, velocity: Vector, is_local: int) -> None:
    """Gives the physical object a velocity, in metres a second, whatever it had."""
    handle = body(script)
    if handle >= 0:
        engine = script.world.rooms.home.bodies.engine
        engine.set_velocity(handle, way(script, velocity, is_local, FASTEST), engine.angular_velocity[handle].tolist())


@ll
def llSetAngularVelocity(script: Script, initial_omega: Vector, is_local: int) -> None:
    """Gives the physical object an angular velocity, in radians a second, whatever it had."""
    handle = body(script)
    if handle >= 0:
        engine = script.world.rooms.home.bodies.engine
        engine.set_velocity(
            handle, engine.velocity[handle].tolist(), way(script, initial_omega, is_local, FASTEST_SPIN)
        )


@ll(lacks="distance and energy make no push weaker; who stands on the ground is only lifted off it by a push upward")
def llPushObject(script: Script, target: Key, impulse: Vector, ang_impulse: Vector, is_local: int) -> None:
    """Pushes a person or a physical object of anybody in the region. Local: along the target's own axes.

    Land may forbid it to all but its owner. People feel no angular impulse.
    """
    from sim.world.objects import rotate

    region, mine = region_of(script), prim_of(script).linkset_root
    agent, prim = avatar(script, target), thing(script, target)
    if agent is None and prim is None:
        return
    spot = region.world.position(agent) if agent is not None else place(script, prim)[0]  # type: ignore[arg-type]
    parcel = region.world.parcel_at(spot[0], spot[1])
    if parcel.flags & RESTRICT_PUSH and parcel.owner_id != mine.owner_id:
        return
    if math.dist(spot, place(script, mine)[0]) > FARTHEST_PUSH:
        return
    push, twist = held(impulse, MOST), held(ang_impulse, MOST, KILOGRAMS)
    if agent is not None:
        row = region.world.row(agent)
        if row["sitting"] or row["held"]:
            return
        if is_local:
            push = rotate(row["rotation"].tolist(), push)
        mass = places.llGetObjectMass(script, target)
        speed = [
            finite(now + part / mass, -FASTEST, FASTEST)
            for now, part in zip(row["velocity"].tolist(), push, strict=True)
        ]
        row["velocity"] = speed
        if speed[2] > 0.5:
            row["on_ground"] = 0
        return
    assert prim is not None
    root = prim.linkset_root
    handle = script.world.rooms.home.bodies.handle(root) if root.physical else -1
    if handle < 0:
        return
    if is_local:
        turn = place(script, root)[1]
        push, twist = rotate(turn, push), rotate(turn, twist)
    engine = script.world.rooms.home.bodies.engine
    engine.apply_impulse(handle, [part * KILOGRAMS for part in push])
    engine.apply_angular_impulse(handle, twist)


# --- kept up


@ll
def llSetForce(script: Script, force: Vector, is_local: int) -> None:
    """A force that acts on the physical object from now on; ZERO_VECTOR ends it. Local: along its own axes."""
    drive(script, force=held(force, MOST, KILOGRAMS), force_local=bool(is_local))


@ll
def llSetTorque(script: Script, torque: Vector, is_local: int) -> None:
    """A torque that acts on the physical object from now on; ZERO_VECTOR ends it."""
    drive(script, torque=held(torque, MOST, KILOGRAMS), torque_local=bool(is_local))


@ll
def llSetForceAndTorque(script: Script, force: Vector, torque: Vector, is_local: int) -> None:
    """llSetForce and llSetTorque in one."""
    drive(
        script, force=held(force, MOST, KILOGRAMS), force_local=bool(is_local), torque=held(torque, MOST, KILOGRAMS),
        torque_local=bool(is_local),
    )  # fmt: skip


@ll
def llGetForce(script: Script) -> Vector:
    """The force that llSetForce has set; ZERO_VECTOR of an object that is not physical."""
    root = prim_of(script).linkset_root
    return Vector(*[part / KILOGRAMS for part in root.drives.force]) if root.physical else ZERO_VECTOR


@ll
def llGetTorque(script: Script) -> Vector:
    """The torque that llSetTorque has set; ZERO_VECTOR of an object that is not physical."""
    root = prim_of(script).linkset_root
    return Vector(*[part / KILOGRAMS for part in root.drives.torque]) if root.physical else ZERO_VECTOR


@ll
def llSetBuoyancy(script: Script, buoyancy: float) -> None:
    """How much of its weight the physical object loses: 0 none, 1 floats, above 1 rises, below 0 is heavier."""
    drive(script, buoyancy=finite(buoyancy, -10.0, 10.0))


@ll
def llSetHoverHeight(script: Script, height: float, water: int, tau: float) -> None:
    """Holds the physical object so high above the ground, or above ground and water, getting there in about tau seconds."""
    drive(script, hover=(finite(height, -4096.0, 4096.0), float(bool(water)), finite(tau, LEAST_TAU, MOST_TAU)))


@ll(lacks="holds the object at the height from above, too")
def llGroundRepel(script: Script, height: float, water: int, tau: float) -> None:
    """Keeps the physical object at least so high above the ground, or above ground and water; ends with llStopHover."""
    drive(script, hover=(finite(height, -4096.0, 4096.0), float(bool(water)), finite(tau, LEAST_TAU, MOST_TAU)))


@ll
def llStopHover(script: Script) -> None:
    """Ends llSetHoverHeight and llGroundRepel."""
    drive(script, hover=(0.0, 0.0, 0.0))


@ll
def llMoveToTarget(script: Script, target: Vector, tau: float) -> None:
    """Glides the physical object to a place in the region in about tau seconds, and holds it there. A tau of 0 ends it."""
    if not tau > 0:
        drive(script, goal=(0.0, 0.0, 0.0, 0.0))
        return
    x, y, z = target
    spot = finite(x, -256.0, 512.0), finite(y, -256.0, 512.0), finite(z, -64.0, 4096.0)
    drive(script, goal=(*spot, finite(tau, LEAST_TAU, MOST_TAU)))


@ll
def llStopMoveToTarget(script: Script) -> None:
    """Ends llMoveToTarget."""
    drive(script, goal=(0.0, 0.0, 0.0, 0.0))


def _turn_to(script: Script, turn: tuple[float, float, float, float], strength: float, damping: float) -> None:
    root = prim_of(script).linkset_root
    if not root.physical:
        if strength > 0:
            places.turn(script, root, Rotation(*turn))
        return
    drive(script, turn=(*turn, finite(strength, 0.0, 100.0), finite(damping, LEAST_TAU, MOST_TAU)))


@ll(
    lacks="a physical object turns to where the target was when this was called, as in Second Life it does not follow it"
)
def llLookAt(script: Script, target: Vector, strength: float, damping: float) -> None:
    """Turns the object so that its z axis points at a place and its x axis stays below the horizon.

    A physical object turns by and by, in about `damping` seconds; another at once. A strength of 0 ends it.
    """
    here = place(script, prim_of(script).linkset_root)[0]
    z = [finite(there - now, -1e6, 1e6) for there, now in zip(target, here, strict=True)]
    far = math.hypot(*z)
    if far < 1e-6:
        return
    z = [part / far for part in z]
    flat = math.hypot(z[0], z[1])
    # x: in the upright plane of z, a quarter turn down from it
    x = [z[0] * z[2] / flat, z[1] * z[2] / flat, -flat] if flat > 1e-6 else [1.0, 0.0, 0.0]
    y = [z[1] * x[2] - z[2] * x[1], z[2] * x[0] - z[0] * x[2], z[0] * x[1] - z[1] * x[0]]
    _turn_to(script, _of_axes(x, y, z), strength, damping)


def _of_axes(x: list[float], y: list[float], z: list[float]) -> tuple[float, float, float, float]:
    """The rotation that takes the region's axes to these."""
    from sim.scripts.library.rotations import llAxes2Rot

    return unit(llAxes2Rot(None, Vector(*x), Vector(*y), Vector(*z)))  # type: ignore[arg-type]


@ll
def llRotLookAt(script: Script, target_direction: Rotation, strength: float, damping: float) -> None:
    """Turns the object to a rotation: a physical one in about `damping` seconds, another at once. A strength of 0 ends it."""
    _turn_to(script, unit(target_direction), strength, damping)


@ll
def llStopLookAt(script: Script) -> None:
    """Ends llLookAt and llRotLookAt."""
    drive(script, turn=(0.0, 0.0, 0.0, 1.0, 0.0, 0.0))


@ll
def llPointAt(script: Script, pos: Vector) -> None:
    """Does nothing, as in Second Life."""


@ll
def llStopPointAt(script: Script) -> None:
    """Does nothing, as in Second Life."""


@ll(lacks="a physical object is given the spin once, and the world slows it down")
def llTargetOmega(script: Script, axis: Vector, spinrate: float, gain: float) -> None:
    """Spins the prim about an axis, by so many radians a second; a rate or gain of 0 ends it.

    An object that is not physical is spun by viewers alone: its rotation stays what it was.
    """
    prim = prim_of(script)
    way = [finite(part, -1e6, 1e6) for part in axis]
    far = math.hypot(*way)
    rate = finite(spinrate, -FASTEST_SPIN, FASTEST_SPIN) if gain and far > 1e-9 else 0.0
    spin = tuple([part / far * rate for part in way]) if rate else (0.0, 0.0, 0.0)
    drive_prim(script, prim, spin=spin)
    handle = body(script) if prim.root is None else -1
    if handle >= 0:
        engine = script.world.rooms.home.bodies.engine
        engine.set_velocity(handle, engine.velocity[handle].tolist(), spin)
        return
    row = region_of(script).world.objects.row(prim)
    row["angular_velocity"] = spin
    row["dirty"] = 1
    row["crc"] += 1


@ll(lacks="objects have energy without end")
def llGetEnergy(script: Script) -> float:
    """How much of its energy for pushing the object has, 0 to 1."""
    return 1.0
