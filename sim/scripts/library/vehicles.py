"""Vehicles: a physical object with motors, friction, deflection, hover and banking.

A script sets a type, which fills in all parameters as usual for it, and then those it wants different. VEHICLE_* are their
numbers. What they do each step is in `sim/physics/vehicles.py`.

Source of all: the functions' pages on the LSL wiki, and its "Linden Vehicle Tutorial".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim.scripts.language.values import Rotation, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.motion import body, drive
from sim.scripts.library.things import finite, prim_of, unit

if TYPE_CHECKING:
    from sim.physics.vehicles import Vehicle
    from sim.scripts.machine.script import Script

FLAGS = 0x1FFF
LINEAR_MOTOR, ANGULAR_MOTOR = 18, 19  # VEHICLE_*_MOTOR_DIRECTION
MOST = 1e6


def _vehicle(script: Script) -> Vehicle:
    from sim.physics.vehicles import Vehicle, from_numbers

    numbers = prim_of(script).linkset_root.drives.vehicle
    return from_numbers(numbers) if numbers else Vehicle()


def _set(script: Script, param: int, value: float | Sequence[float], width: int) -> None:
    """One parameter; what the parameter is not of the kind of the function is passed over."""
    from sim.physics.vehicles import PARAMETERS, Type, as_numbers

    vehicle = _vehicle(script)
    name = PARAMETERS.get(param)
    old = getattr(vehicle, name) if name is not None else None
    if (
        name is None
        or vehicle.type == Type.NONE
        or (len(old) if isinstance(old, tuple) else 1) not in (width, 3 if width == 1 else width)
    ):
        return
    drive(script, vehicle=as_numbers(vehicle.with_parameter(name, value)))
    handle = body(script)
    engine = script.world.rooms.home.bodies.engine
    if handle >= 0 and param in (LINEAR_MOTOR, ANGULAR_MOTOR) and hasattr(engine, "push_motor"):
        engine.push_motor(handle, linear=param == LINEAR_MOTOR, angular=param == ANGULAR_MOTOR)


@ll
def llSetVehicleType(script: Script, type: int) -> None:
    """Makes the object a vehicle with the parameters usual for a type, VEHICLE_TYPE_*; VEHICLE_TYPE_NONE makes it none."""
    from sim.physics.vehicles import PRESETS, Type, as_numbers

    kinds = {int(kind): kind for kind in Type}
    kind = kinds.get(type)
    if kind is not None:
        drive(script, vehicle=as_numbers(PRESETS[kind]) if kind in PRESETS else ())


@ll
def llSetVehicleFloatParam(script: Script, param: int, value: float) -> None:
    """Sets a parameter of the vehicle that is a number; of one that is a vector, all three parts."""
    _set(script, param, finite(value, -MOST, MOST), 1)


@ll
def llSetVehicleVectorParam(script: Script, param: int, vec: Vector) -> None:
    """Sets a parameter of the vehicle that is a vector. A motor's direction starts the motor anew."""
    _set(script, param, [finite(part, -MOST, MOST) for part in vec], 3)


@ll
def llSetVehicleRotationParam(script: Script, param: int, rot: Rotation) -> None:
    """Sets the vehicle's reference frame: how its axes are turned against the object's."""
    _set(script, param, unit(rot), 4)


def _flags(script: Script, change: int, on: bool) -> None:
    from dataclasses import replace

    from sim.physics.vehicles import Flag, Type, as_numbers

    vehicle = _vehicle(script)
    if vehicle.type == Type.NONE:
        return
    flags = int(vehicle.flags) | change & FLAGS if on else int(vehicle.flags) & ~change
    drive(script, vehicle=as_numbers(replace(vehicle, flags=Flag(flags & FLAGS))))


@ll(lacks="VEHICLE_FLAG_MOUSELOOK_STEER, _MOUSELOOK_BANK and _CAMERA_DECOUPLED steer nothing")
def llSetVehicleFlags(script: Script, flags: int) -> None:
    """Sets flags of the vehicle, VEHICLE_FLAG_*."""
    _flags(script, flags, True)


@ll
def llRemoveVehicleFlags(script: Script, flags: int) -> None:
    """Takes flags of the vehicle away, VEHICLE_FLAG_*."""
    _flags(script, flags, False)
