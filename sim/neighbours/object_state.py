"""A linkset as one region hands it to another, as JSON: everything about it, its scripts in the middle of what they do.

    parts        root first: the prim's fields, shape, permissions, features, extra parameters, sit target,
                 position (metres; a child's relative to the root), rotation, scale, scripts
    lineage      of each part: the hand-overs it came by (`handovers.py`)
    scripts      name, item_id, source, state (machine/saved.py, base64)
    motion       velocity, angular_velocity of the root
    linkset_data what llLinksetData* keeps: name -> [value, pass phrase]; and its size in bytes
    expires_in   seconds, of a temporary object

Bytes are base64. Everything is checked on the way in, as in `state.py`.
"""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from protocol.errors import ProtocolError
from sim.neighbours.state import SPEED_LIMIT, lineage, vector
from sim.scripts.library.linkset_data import MOST_BYTES as MOST_DATA
from sim.scripts.library.world import LinksetStore
from sim.scripts.machine.saved import save
from sim.world.objects import (
    DESCRIPTION_BYTES,
    MAX_LINKS,
    MAX_SCALE,
    MIN_SCALE,
    NAME_BYTES,
    TEXT_BYTES,
    Material,
    Permissions,
    Prim,
    Quaternion,
    Vector,
)
from sim.world.shapes import SHAPE_FIELDS, clean_shape

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.simulator import Simulator

U31, U32 = (1 << 31) - 1, (1 << 32) - 1
IDS = ("full_id", "owner_id", "creator_id", "group_id", "last_owner_id", "sound")
TEXTS = {
    "name": NAME_BYTES, "description": DESCRIPTION_BYTES, "touch_name": NAME_BYTES, "sit_name": NAME_BYTES,
    "text": TEXT_BYTES, "media_url": 255,
}  # fmt: skip
BYTES = {"texture_entry": 2048, "texture_anim": 16, "text_color": 4, "particles": 255}
WHOLE = {
    "created": 1 << 62, "sale_type": 3, "sale_price": U31, "category": U32, "pcode": 255, "state": 255, "material": 7,
    "click_action": 255, "sound_flags": 255, "inventory_serial": U31,
}  # fmt: skip
NUMBERS = {"sound_gain": 100.0, "sound_radius": 1000.0}
FLAGS = ("physical", "phantom", "temporary", "volume_detect")
MASKS = ("base", "owner", "group", "everyone", "next_owner")
FEATURES = {"density": 22587.0, "friction": 255.0, "restitution": 1.0, "gravity": 28.0}
EXTRA_PARAMS, EXTRA_BYTES = 16, 256
MOST_SCRIPTS = 64  # of one prim
MOST_SOURCE = 1 << 17
FARTHEST = 300.0  # metres from a prim to its sit target
APART = 512.0  # metres from a root to a child


@dataclass(slots=True)
class ScriptState:
    name: str
    item_id: str
    source: str
    state: bytes


@dataclass(slots=True)
class Part:
    prim: Prim  # in no region yet
    position: Vector
    rotation: Quaternion
    scale: Vector
    scripts: list[ScriptState] = field(default_factory=list)


@dataclass(slots=True)
class Linkset:
    parts: list[Part]
    velocity: Vector
    angular_velocity: Vector
    data: LinksetStore | None
    expires_in: float


# --- out


def linkset_state(sim: Simulator, root: Prim, position: Vector) -> dict[str, Any]:
    """The hand-off of a linkset whose root will be at `position` over there."""
    row = sim.world.objects.row(root)
    parts = [_part_state(sim, prim) for prim in root.linkset()]
    parts[0]["position"] = list(position)
    state: dict[str, Any] = {
        "parts": parts,
        "velocity": row["velocity"].tolist(),
        "angular_velocity": row["angular_velocity"].tolist(),
    }
    if root.linkset_data is not None:
        store: LinksetStore = root.linkset_data
        state["linkset_data"] = {"pairs": {name: list(pair) for name, pair in store.pairs.items()}, "used": store.used}
    if root.temporary:
        state["expires_in"] = max(root.expires - sim.clock.now(), 0.0)
    return state


def _part_state(sim: Simulator, prim: Prim) -> dict[str, Any]:
    row = sim.world.objects.row(prim)
    now = sim.world.time
    return {
        **{name: str(getattr(prim, name)) for name in IDS},
        **{name: getattr(prim, name) for name in (*TEXTS, *WHOLE, *NUMBERS, *FLAGS)},
        **{name: _base64(getattr(prim, name)) for name in BYTES},
        "shape": prim.shape,
        "permissions": {name: int(getattr(prim.permissions, name)) for name in MASKS},
        "features": {name: getattr(prim.features, name) for name in (*FEATURES, "shape_type")},
        "extra_params": {str(kind): _base64(data) for kind, data in prim.extra_params.items()},
        "lineage": [str(one) for one in prim.lineage],
        "sit_target": [*prim.sit_target[0], *prim.sit_target[1]] if prim.sit_target is not None else None,
        "position": row["position"].tolist(),
        "rotation": row["rotation"].tolist(),
        "scale": row["scale"].tolist(),
        "scripts": [_script_state(script, now) for script in sim.scripts.of(prim)],
    }


def _script_state(script: Script, now: float) -> dict[str, Any]:
    return {
        "name": script.name,
        "item_id": str(script.item_id),
        "source": script.source,
        "state": _base64(save(script, now)),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- in


def parse_linkset(body: Any) -> Linkset:
    """A linkset as received. ProtocolError says what is wrong."""
    if not isinstance(body, dict) or not isinstance(body.get("parts"), list):
        raise ProtocolError("a linkset has parts")
    if not 1 <= len(body["parts"]) <= MAX_LINKS:
        raise ProtocolError(f"a linkset has 1 to {MAX_LINKS} parts")
    try:
        parts = [_part(part, root=number == 0) for number, part in enumerate(body["parts"])]
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise ProtocolError(f"a part cannot be read: {type(error).__name__}: {error}") from error
    if len({part.prim.full_id for part in parts}) < len(parts):
        raise ProtocolError("two parts have one id")
    return Linkset(
        parts,
        _vector(body.get("velocity", [0, 0, 0]), SPEED_LIMIT),
        _vector(body.get("angular_velocity", [0, 0, 0]), SPEED_LIMIT),
        _store(body.get("linkset_data")),
        _number(body.get("expires_in", 0.0), 0.0, 3600.0),
    )


def _part(data: Any, root: bool) -> Part:
    values: dict[str, Any] = {name: UUID(data[name]) for name in IDS}
    for name, most in TEXTS.items():
        values[name] = _text(data[name], most)
    for name, most in BYTES.items():
        values[name] = _bytes(data[name], most)
    values["text_color"] = values["text_color"].ljust(4, b"\0")
    for name, highest in WHOLE.items():
        values[name] = _whole(data[name], highest)
    for name, limit in NUMBERS.items():
        values[name] = _number(data[name], 0.0, limit)
    for name in FLAGS:
        values[name] = bool(data[name])
    shape = {name: _whole(data["shape"][name], *_shape_range(name)) for name in SHAPE_FIELDS}
    features = {name: _number(data["features"][name], -1.0, limit) for name, limit in FEATURES.items()}
    extras = dict(data["extra_params"])
    if len(extras) > EXTRA_PARAMS or len(data["scripts"]) > MOST_SCRIPTS:
        raise ProtocolError("too many extra parameters or scripts")
    prim = Prim(
        **values,
        shape=clean_shape(shape),
        permissions=Permissions(**{name: _whole(data["permissions"][name], U32) for name in MASKS}),
        features=Material(**features, shape_type=_whole(data["features"]["shape_type"], 2)),
        extra_params={int(kind): _bytes(value, EXTRA_BYTES) for kind, value in extras.items()},
        sit_target=_sit_target(data["sit_target"]),
        lineage=lineage(data["lineage"]),
    )
    scale = _vector(data["scale"], MAX_SCALE)
    if min(scale) < MIN_SCALE * 0.99:
        raise ProtocolError("a prim has a size")
    position = _vector(data["position"], 8192.0 if root else APART)
    return Part(prim, position, turn(data["rotation"]), scale, [_script(each) for each in data["scripts"]])


def _shape_range(name: str) -> tuple[int, int]:
    """Highest and lowest of a path or profile field: U16, S8 or U8 on the wire."""
    if name.endswith(("Begin", "End", "Hollow")) and "Twist" not in name:
        return 65535, 0
    return (127, -128) if name.startswith(("PathTwist", "PathTaper", "PathRadius", "PathSkew")) else (255, 0)


def _script(data: Any) -> ScriptState:
    state = _bytes(data["state"], 1 << 20)
    return ScriptState(_text(data["name"], 255), str(UUID(data["item_id"])), _text(data["source"], MOST_SOURCE), state)


def _sit_target(value: Any) -> tuple[Vector, Quaternion] | None:
    return None if value is None else (_vector(value[:3], FARTHEST), turn(value[3:]))


def _store(value: Any) -> LinksetStore | None:
    if value is None:
        return None
    try:
        pairs = {str(name): (str(text), str(phrase)) for name, (text, phrase) in value["pairs"].items()}
        return LinksetStore(pairs, _whole(value["used"], MOST_DATA))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError("linkset data cannot be read") from error


def turn(value: Any) -> Quaternion:
    """A rotation, made a unit one."""
    x, y, z, w = vector(value, 4, 1.01)
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if length < 0.5:
        raise ProtocolError("rotation is not a unit quaternion")
    return x / length, y / length, z / length, w / length


def _vector(value: Any, limit: float) -> Vector:
    x, y, z = vector(value, 3, limit)
    return x, y, z


def _whole(value: Any, highest: int, lowest: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise ProtocolError(f"expected a whole number from {lowest} to {highest}")
    return value


def _number(value: Any, lowest: float, highest: float) -> float:
    (number,) = vector([value], 1, max(abs(lowest), abs(highest)))
    return max(number, lowest)


def _text(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value.encode()) > most:
        raise ProtocolError(f"expected a text of at most {most} bytes")
    return value


def _bytes(value: Any, most: int) -> bytes:
    data = base64.b64decode(value, validate=True)
    if len(data) > most:
        raise ProtocolError(f"expected at most {most} bytes")
    return data
