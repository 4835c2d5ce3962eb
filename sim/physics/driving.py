"""What scripts ask of a linkset's movement (`world/drives.py`), told to its body: all at once, as often as anybody likes."""

from __future__ import annotations

from sim.physics.engine import BadBody, Engine
from sim.physics.vehicles import from_numbers
from sim.world.drives import NO_DRIVES, Drives

ROTATE_X, ROTATE_Y, ROTATE_Z = 0x2, 0x4, 0x8


def tell(engine: Engine, handle: int, drives: Drives, before: Drives = NO_DRIVES) -> None:
    """The body of this handle is driven so from now on; it was told `before` until now (a new body: nothing)."""
    if (drives.force, drives.force_local) != (before.force, before.force_local):
        engine.set_force(handle, drives.force, drives.force_local)
    if (drives.torque, drives.torque_local) != (before.torque, before.torque_local):
        engine.set_torque(handle, drives.torque, drives.torque_local)
    if drives.buoyancy != before.buoyancy:
        engine.set_material(handle, buoyancy=min(max(drives.buoyancy, -10.0), 10.0))
    if drives.locks != before.locks:
        locks = bool(drives.locks & ROTATE_X), bool(drives.locks & ROTATE_Y), bool(drives.locks & ROTATE_Z)
        engine.set_material(handle, lock_axes=locks)
    if drives.hover != before.hover:
        height, water, tau = drives.hover
        engine.set_hover(handle, height, tau, bool(water))
    if drives.goal != before.goal:
        engine.set_move_target(handle, drives.goal[:3], drives.goal[3])
    if drives.turn != before.turn:
        engine.set_turn_target(handle, drives.turn[:4], drives.turn[4], drives.turn[5])
    if drives.vehicle != before.vehicle:
        try:
            engine.set_vehicle(handle, from_numbers(drives.vehicle) if drives.vehicle else None)
        except BadBody:  # of a form that somebody made up: it is no vehicle
            engine.set_vehicle(handle, None)


def moves_by_keyframes(drives: Drives) -> bool:
    """Whether keyframes move it now: its body goes as it is told, and pushes what it meets."""
    return drives.keyframes is not None and drives.keyframes.playing
