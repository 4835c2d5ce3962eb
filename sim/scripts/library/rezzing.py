"""Rezzing: objects out of the prim's contents into the world, and what they are told on the way.

A rezzed object hears `on_rez` with its start parameter, the rezzing prim `object_rez` with its key. Objects that rez objects that
rez objects are one chain: it is slowed when it makes many, and stopped when it makes too many; its owner is told.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sim.scripts.language.values import NULL_KEY, ZERO_ROTATION, ZERO_VECTOR, Item, Key, Rotation, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.things import finite, key_of, place, prim_of, region_of, unit, uuid_of
from sim.scripts.rooms.rezzing import Wish

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

FASTEST = 250.0  # metres a second
KINDS: dict[str, Any] = {"i": int, "f": (float, int), "s": str, "v": Vector, "r": Rotation}


def _wish(pos: Vector, vel: Vector, rot: Rotation, parameter: int, at_root: bool) -> Wish:
    x, y, z = (finite(part, -1e6, 1e6) for part in pos)
    speed = tuple([finite(part, -FASTEST, FASTEST) for part in vel])
    return Wish((x, y, z), unit(rot), speed, at_root, parameter)  # type: ignore[arg-type]


@ll
def llRezObject(script: Script, item: str, pos: Vector, vel: Vector, rot: Rotation, start_param: int) -> None:
    """Rezzes an object of the prim's contents with its middle at a place in the region, at most 10 m away. Sleeps 0.1 s.

    Nothing happens farther away. What cannot be copied leaves the contents. A physical object starts at the velocity. Where
    its owner may not build, or the land is full, the owner is told so.
    """
    script.world.rooms.rezzing.rez(script, item, _wish(pos, vel, rot, start_param, False))


@ll
def llRezAtRoot(script: Script, item: str, pos: Vector, vel: Vector, rot: Rotation, start_param: int) -> None:
    """As llRezObject, with the object's root at the place."""
    script.world.rooms.rezzing.rez(script, item, _wish(pos, vel, rot, start_param, True))


# What llRezObjectWithParams takes: the number of a parameter, its name, its values, and what they mean.


def _position(script: Script, wish: Wish, pos: Vector, relative: int, at_root: int) -> None:
    x, y, z = (finite(part, -1e6, 1e6) for part in pos)
    if relative:
        from sim.world.objects import rotate

        here, turn = place(script, prim_of(script))
        way = rotate(turn, (x, y, z))
        x, y, z = here.x + way[0], here.y + way[1], here.z + way[2]
    wish.position, wish.at_root = (x, y, z), bool(at_root)


def _rotation(script: Script, wish: Wish, rot: Rotation, relative: int) -> None:
    from sim.world.objects import multiply

    turn = unit(rot)
    wish.rotation = multiply(tuple(place(script, prim_of(script))[1]), turn) if relative else turn
    wish.keeps_turn = False


def _velocity(script: Script, wish: Wish, vel: Vector, local: int, inherit: int) -> None:
    from sim.world.objects import rotate

    way = tuple([finite(part, -FASTEST, FASTEST) for part in vel])
    if local:
        way = rotate(place(script, prim_of(script))[1], way)
    if inherit:
        own = region_of(script).world.objects.row(prim_of(script).linkset_root)["velocity"].tolist()
        way = tuple([finite(a + b, -FASTEST, FASTEST) for a, b in zip(way, own, strict=True)])
    wish.velocity = way  # type: ignore[assignment]


def _push(name: str) -> Callable[..., None]:
    def push(script: Script, wish: Wish, force: Vector, local: int) -> None:
        wish.changes[name] = tuple([finite(part, -1e6, 1e6) for part in force])
        wish.changes[f"{name}_local"] = bool(local)

    return push


def _omega(script: Script, wish: Wish, axis: Vector, local: int, spin: float, gain: float) -> None:
    from sim.world.objects import rotate

    way = tuple([finite(part, -1e3, 1e3) * finite(spin, -60.0, 60.0) for part in axis])
    wish.changes["spin"] = rotate(wish.rotation, way) if local else way


def _damage(script: Script, wish: Wish, damage: float) -> None:
    wish.changes["damage"] = finite(damage, 0.0, 1e6)


def _damage_type(script: Script, wish: Wish, kind: int) -> None:
    wish.changes["damage_type"] = max(kind, 0)


def _locks(script: Script, wish: Wish, locks: Vector) -> None:
    wish.changes["locks"] = sum(bit for part, bit in zip(locks, (0x2, 0x4, 0x8), strict=True) if part)


PARAMETERS: dict[int, tuple[str, str, Callable[..., None]]] = {
    0: ("REZ_PARAM", "i", lambda script, wish, parameter: setattr(wish, "parameter", parameter)),
    1: ("REZ_FLAGS", "i", lambda script, wish, flags: setattr(wish, "flags", flags & 0xFF)),
    2: ("REZ_POS", "vii", _position),
    3: ("REZ_ROT", "ri", _rotation),
    4: ("REZ_VEL", "vii", _velocity),
    5: ("REZ_ACCEL", "vi", _push("force")),
    6: ("REZ_TORQUE", "vi", _push("torque")),
    7: ("REZ_OMEGA", "viff", _omega),
    8: ("REZ_DAMAGE", "f", _damage),
    9: ("REZ_SOUND", "sfi", lambda script, wish, *values: None),
    10: ("REZ_SOUND_COLLIDE", "sf", lambda script, wish, *values: None),
    11: ("REZ_LOCK_AXES", "v", _locks),
    12: ("REZ_DAMAGE_TYPE", "i", _damage_type),
    13: ("REZ_PARAM_STRING", "s", lambda script, wish, text: setattr(wish, "text", text[:1024])),
}


@ll(lacks="REZ_SOUND and REZ_SOUND_COLLIDE are passed over")
def llRezObjectWithParams(script: Script, item: str, options: list[Item]) -> Key:
    """As llRezObject, with any of the REZ_* parameters: place, turn, velocity, force, torque, spin, damage, flags. Sleeps 0.1 s.

    Gives the key that the object has once it is there; NULL_KEY when it is clear that none will come. Without REZ_POS it is
    rezzed where the prim is, without REZ_ROT turned as it was when taken. A list that is wrong rezzes nothing, and the owner
    is told which parameter.
    """
    here = place(script, prim_of(script))[0]
    wish = _wish(here, ZERO_VECTOR, ZERO_ROTATION, 0, False)
    wish.keeps_turn = True
    at = 0
    while at < len(options):
        number = options[at]
        name, kinds, change = PARAMETERS.get(number, ("", "", None)) if isinstance(number, int) else ("", "", None)
        values = options[at + 1 : at + 1 + len(kinds)]
        fits = len(values) == len(kinds) and all(
            isinstance(value, KINDS[kind]) for kind, value in zip(kinds, values, strict=True)
        )
        if change is None or not fits:
            script.complain(f"llRezObjectWithParams: wrong parameter {name or str(number)[:20]}")
            return NULL_KEY
        change(script, wish, *values)
        at += 1 + len(kinds)
    wish.key = UUID(int=script.random.getrandbits(128), version=4)
    return key_of(wish.key) if script.world.rooms.rezzing.rez(script, item, wish) else NULL_KEY


@ll(lacks="DEREZ_TO_INVENTORY gives FALSE")
def llDerezObject(script: Script, id: Key, flags: int) -> int:
    """Takes away an object that this one has rezzed (DEREZ_DIE), or makes it temporary (DEREZ_MAKE_TEMP); TRUE when done.

    It must be of the same owner, who may copy it.
    """
    return script.world.rooms.rezzing.derez(script, uuid_of(id), flags)


@ll
def llGetStartString(script: Script) -> str:
    """The text given with REZ_PARAM_STRING when this object was rezzed, else empty."""
    return script.start_text
