"""The things a client sees, and where they are between two updates.

A simulator sends a motion only when the true path leaves the predicted one, so the position of a thing is a function of
time: last position + velocity + half the acceleration, for as long as the region is heard from. Movers arrive by the
thousand a second and are looked at now and then, so an ``Entity`` keeps a terse update's bytes and reads them when
asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from protocol import objects
from protocol.attachment_points import ITEM_NAME, POINTS, Point
from protocol.errors import ProtocolError
from protocol.inventory import Item

from .items import contents

if TYPE_CHECKING:
    from .regions import Region

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

AVATAR = 47  # PCode
_STILL = (0.0, 0.0, 0.0)
# A region encodes a mover once for everybody: clients that share a process (gateway, bots) read those bytes once.
_decode_terse = lru_cache(4096)(objects.decode_terse)
_GRACE = 3.0  # seconds past the region's last packet that motion is still extrapolated, as viewers do


class Entity:
    """An object or avatar as one region shows it. Positions are metres in that region's coordinates.

    For something seated or attached, ``parent_id`` is the local id it hangs on and the raw motion is relative to it;
    ``position`` is in region coordinates either way.
    """

    __slots__ = (
        "_motion", "_position", "_rotation", "_spin", "_terse", "_velocity", "acceleration_", "click_action", "crc",
        "extra_params", "id", "item_id", "local_id", "material", "name", "own", "parent_id", "pcode", "region", "scale", "sequence",
        "shape", "state", "stranded", "text", "text_color", "texture_animation", "texture_entry", "update_flags", "updated", "updates", "watcher",
    )  # fmt: skip

    def __init__(self, region: Region, local_id: int, full_id: UUID, pcode: int) -> None:
        self.region = region
        self.local_id = local_id
        self.id = full_id
        self.pcode = pcode
        self.name = ""
        self.own = False  # our own avatar
        self.item_id: UUID | None = None  # of the inventory, for what its owner wears
        self.parent_id = 0
        self.scale: Vector = (1.0, 1.0, 1.0)
        self.state = self.material = self.click_action = 0
        self.crc = self.update_flags = 0
        self.text = ""
        self.text_color = b"\0\0\0\0"  # of the hover text, as sent: alpha inverted (protocol.objects)
        self.shape: tuple[int, ...] = ()  # path and profile in wire values, in the order of shapes.WIRE_NAMES
        self.texture_entry = self.extra_params = self.texture_animation = b""
        self.sequence = -1  # of the packet whose motion we hold: an older one that comes late must not undo it
        self.updated = 0.0  # monotonic time of that packet
        self.updates = 0  # motions received
        self.stranded: Vector | None = None  # where it was in the region when its seat went, until we can tell better
        self.watcher: Callable[[Entity, float], None] | None = None  # called with each new motion and its time
        self._terse: bytes | None = None
        self._position: Vector = _STILL
        self._velocity: Vector = _STILL
        self.acceleration_: Vector = _STILL
        self._rotation: Quaternion = (0.0, 0.0, 0.0, 1.0)
        self._spin: Vector = _STILL

    def __repr__(self) -> str:
        kind = "avatar" if self.is_avatar else "object"
        return f"<{kind} {self.name or self.id} at {tuple(round(v, 2) for v in self.position)} in {self.region.name!r}>"

    @property
    def is_avatar(self) -> bool:
        """Whether it is a person rather than a thing."""
        return self.pcode == AVATAR

    # -- motion as received ---------------------------------------------------------------------------------------

    def moved_terse(self, data: bytes, sequence: int, now: float) -> bool:
        """Take a terse update's Data bytes, unread. False (and nothing taken) if a newer motion is known already."""
        if sequence < self.sequence:
            return False
        self.sequence = sequence
        self.updated = now
        self.updates += 1
        self._terse = data
        if self.watcher is not None:
            self.watcher(self, now)
        return True

    def moved_full(self, motion: Any, sequence: int, now: float) -> bool:
        """Take a decoded ``ObjectData`` (position, velocity, acceleration, rotation, angular_velocity)."""
        if sequence < self.sequence:
            return False
        self.sequence = sequence
        self.updated = now
        self.updates += 1
        self._terse = None
        self._take(motion)
        if self.watcher is not None:
            self.watcher(self, now)
        return True

    def leave_at(self, seat: Entity) -> None:
        """What it sits on goes, and nobody has said yet where that leaves it: there, for the time being."""
        now = self.region.clock()
        at, turned = seat.position, rotate(seat.own_rotation(now), self.own_position(now))
        self.stranded = (at[0] + turned[0], at[1] + turned[1], at[2] + turned[2])

    def _take(self, motion: Any) -> None:
        if self.parent_id == 0 or self.parent is not None:
            self.stranded = None
        self._position = motion.position
        self._velocity = motion.velocity
        self.acceleration_ = motion.acceleration
        self._rotation = motion.rotation
        self._spin = motion.angular_velocity

    def _read(self) -> None:
        if self._terse is not None:
            data, self._terse = self._terse, None
            try:
                self._take(_decode_terse(data))
            except ProtocolError:  # not a number, or cut off: what we knew before still stands
                self.region.malformed_motions += 1

    @property
    def velocity(self) -> Vector:
        """Metres a second, as last received."""
        self._read()
        return self._velocity

    @property
    def acceleration(self) -> Vector:
        """Metres a second squared, as last received."""
        self._read()
        return self.acceleration_

    @property
    def angular_velocity(self) -> Vector:
        """Spin, radians a second about each axis, as last received."""
        self._read()
        return self._spin

    @property
    def received_position(self) -> Vector:
        """The position in the last update, not extrapolated; relative to the parent if there is one."""
        self._read()
        return self._position

    # -- motion now -----------------------------------------------------------------------------------------------

    def _age(self, now: float) -> float:
        """Seconds to extrapolate over: since the update, but not beyond what a silent region lets us believe."""
        return max(0.0, min(now, self.region.circuit.last_heard + _GRACE) - self.updated) * self.region.dilation

    def own_position(self, now: float) -> Vector:
        """Extrapolated to ``now`` (monotonic seconds); relative to the parent if there is one."""
        self._read()
        position, velocity, acceleration = self._position, self._velocity, self.acceleration_
        if velocity == _STILL and acceleration == _STILL:
            return position
        t = self._age(now)
        half = 0.5 * t * t
        return (
            position[0] + velocity[0] * t + acceleration[0] * half,
            position[1] + velocity[1] * t + acceleration[1] * half,
            position[2] + velocity[2] * t + acceleration[2] * half,
        )

    def own_rotation(self, now: float) -> Quaternion:
        """Extrapolated by the spin to ``now``."""
        self._read()
        if self._spin == _STILL:
            return self._rotation
        rate = math.sqrt(sum(w * w for w in self._spin))
        half = 0.5 * rate * self._age(now)
        scale = math.sin(half) / rate
        turn = (self._spin[0] * scale, self._spin[1] * scale, self._spin[2] * scale, math.cos(half))
        return multiply(turn, self._rotation)

    @property
    def position(self) -> Vector:
        """Where it is now, in region coordinates."""
        self._read()
        if self.stranded is not None and self.parent is None:
            return self.stranded
        now = self.region.clock()
        position = self.own_position(now)
        parent = self.region.entities.get(self.parent_id) if self.parent_id else None
        # A seat may sit on another object, but chains are short; a loop in what a server sent must not hold us.
        for _ in range(8):
            if parent is None:
                break
            at, turned = parent.own_position(now), rotate(parent.own_rotation(now), position)
            position = (at[0] + turned[0], at[1] + turned[1], at[2] + turned[2])
            parent = self.region.entities.get(parent.parent_id) if parent.parent_id else None
        return position

    @property
    def parent(self) -> Entity | None:
        """What it hangs on, if it hangs on something that we were shown."""
        return self.region.entities.get(self.parent_id) if self.parent_id else None

    @property
    def point(self) -> Point | None:
        """Where somebody wears it, for the root of a linkset that is worn; None for everything else."""
        bearer = self.parent
        if bearer is None or not bearer.is_avatar or self.is_avatar:
            return None
        return POINTS.get(objects.attachment_state(self.state))

    @property
    def attachments(self) -> tuple[Entity, ...]:
        """What a person wears, as far as we were shown it: the roots. Empty for a thing."""
        hanging = (entity for entity in self.region.entities.values() if entity.parent_id == self.local_id)
        return tuple(entity for entity in hanging if entity.point is not None)

    @property
    def carrier(self) -> Entity:
        """What moves it: the end of its chain of parents, itself if it hangs on nothing."""
        carrier = self
        for _ in range(8):
            above = carrier.parent
            if above is None:
                break
            carrier = above
        return carrier

    @property
    def rotation(self) -> Quaternion:
        """Facing now; relative to the parent if there is one."""
        return self.own_rotation(self.region.clock())

    async def contents(self) -> tuple[Item, ...]:
        """What is in it: scripts, notecards, objects ... Raises ``CapError``."""
        return await contents(self.region.caps, self.id)

    @property
    def global_position(self) -> Vector:
        """Metres from the grid's south-west corner."""
        x, y, z = self.position
        return (x + self.region.west, y + self.region.south, z)


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """The rotation ``b`` followed by ``a``."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def rotate(q: Quaternion, v: Vector) -> Vector:
    """``v`` turned by the unit quaternion ``q``."""
    x, y, z, w = q
    tx, ty, tz = 2 * (y * v[2] - z * v[1]), 2 * (z * v[0] - x * v[2]), 2 * (x * v[1] - y * v[0])
    return (
        v[0] + w * tx + y * tz - z * ty,
        v[1] + w * ty + z * tx - x * tz,
        v[2] + w * tz + x * ty - y * tx,
    )


def name_values(text: str) -> dict[str, str]:
    """The ``NameValue`` lines of an avatar or a worn thing: ``FirstName STRING RW SV Ann`` -> ``{"FirstName": "Ann"}``."""
    values = {}
    for line in text.split("\n"):
        parts = line.split(" ", 4)
        if len(parts) == 5:
            values[parts[0]] = parts[4]
    return values


def worn_item(text: str) -> UUID | None:
    """The item of the inventory that a thing's ``NameValue`` says is worn, if it says so and makes sense."""
    try:
        return UUID(name_values(text)[ITEM_NAME])
    except (KeyError, ValueError):
        return None
