"""Sensors: looking around for people and things, once or again and again.

What is found comes as the event `sensor`, the nearest first and at most 32; nothing found as `no_sensor`. Objects are found by
their roots, and never the script's own.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import Key
from sim.scripts.library.declare import ll
from sim.scripts.library.things import finite
from sim.scripts.machine.senses import Sweep

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

FARTHEST, WIDEST = 96.0, 3.1415927


def _sweep(name: str, id: str, type: int, radius: float, arc: float) -> Sweep:
    return Sweep(name, Key(id), type, finite(radius, 0.0, FARTHEST), finite(arc, 0.0, WIDEST))


@ll
def llSensor(script: Script, name: str, id: Key, type: int, radius: float, arc: float) -> None:
    """Looks once for people and objects of a type within a radius (96 m at most) and an angle around the prim's x axis.

    Type: AGENT, ACTIVE (physical and moving, or with scripts that do something), PASSIVE (what is not active), SCRIPTED,
    DAMAGEABLE, added together. Name and id: only those; empty and NULL_KEY for any. AGENT_BY_USERNAME takes the name as a
    user name.
    """
    if radius > 0:
        script.sense(_sweep(name, id, type, radius, arc))


@ll
def llSensorRepeat(script: Script, name: str, id: Key, type: int, radius: float, arc: float, rate: float) -> None:
    """As llSensor, every so many seconds from now on, instead of what was repeated before. Ends with a change of state."""
    script.sense_every(_sweep(name, id, type, radius, arc) if radius > 0 else None, finite(rate, 0.0, 1e9))


@ll
def llSensorRemove(script: Script) -> None:
    """Ends llSensorRepeat."""
    script.sense_every(None, 0.0)
