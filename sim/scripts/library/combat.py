"""Damage and health.

People have 100 of health, which comes back by and by; it goes down only where the land allows damage. At 0 they are sent home.

Source of all: the functions' pages on the LSL wiki, and its category "LSL Combat2".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import Item, Key
from sim.scripts.library.declare import ll
from sim.scripts.library.motion import drive
from sim.scripts.library.things import avatar, finite, prim_of, thing

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


@ll
def llSetDamage(script: Script, damage: float) -> None:
    """What the object does to the health of whom it hits, 0 to 100; and it is gone then."""
    drive(script, damage=finite(damage, 0.0, 100.0))
    script.world.rooms.heed(prim_of(script))


@ll(lacks="what people wear hears no on_damage")
def llDamage(script: Script, target: Key, damage: float, damage_type: int) -> None:
    """Damages a person or an object in the region; heals where damage is negative. Objects only hear of it, as on_damage."""
    from sim.scripts.rooms.detecting import of_object

    rooms = script.world.rooms
    who, prim = avatar(script, target), thing(script, target)
    victim = who if who is not None else prim.linkset_root if prim is not None else None
    if victim is not None and damage == damage:
        rooms.combat.hurt(
            victim, finite(damage, -1e6, 1e6), damage_type, of_object(rooms.home, prim_of(script).linkset_root)
        )


@ll
def llDetectedDamage(script: Script, number: int) -> list[Item]:
    """Of a damage in on_damage: [as it is now, its type, as it was at first]; empty elsewhere."""
    found = script.detected[number].damage if 0 <= number < len(script.detected) else None
    return list(found) if found is not None else []


@ll(lacks="a person has been damaged already: the difference is made good")
def llAdjustDamage(script: Script, number: int, new_damage: float) -> None:
    """In on_damage: what the damage comes to."""
    script.world.rooms.combat.adjusted(script, number, new_damage)


@ll
def llGetHealth(script: Script, id: Key) -> float:
    """The health of a person in the region, 0 to 100, or what an object's scripts keep as its health; 0 of nobody."""
    who, prim = avatar(script, id), thing(script, id)
    if who is not None:
        return script.world.rooms.combat.health(who)
    return prim.linkset_root.drives.health if prim is not None else 0.0
