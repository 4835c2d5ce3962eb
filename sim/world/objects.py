"""The objects of a region: prims and linksets.

What kernels touch every frame is a row of columns; everything else is on the `Prim` record. A linkset is a tree one
level deep: the root's row holds its place in the region, a child's row its place relative to the root (as viewers are
told), and `world_position` of every row where it is in the region.

Ownership, permissions and an inventory serial are part of the record from the start; contents live elsewhere and hang
on `full_id`. Whoever changes a prim notes it (`changes.py`); a row's `dirty` says that a movement of it is to be told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from protocol.attachment_points import HUD
from protocol.inventory import Item
from protocol.objects import BOX, PRIM
from protocol.permissions import Masks
from protocol.textures import PLAIN
from protocol.wellknown import NULL
from sim.world.avatars import Avatars
from sim.world.changes import Log, What
from sim.world.drives import NO_DRIVES, Drives, MadeBy
from sim.world.encodable import DESCRIPTION_BYTES, NAME_BYTES, TEXT_BYTES, URL_BYTES, make_encodable
from sim.world.linkset_data import LinksetStore
from sim.world.rare import NONE, Rare

if TYPE_CHECKING:
    from sim.world.agent import Agent
    from sim.world.linkset import ScriptState

Permissions = Masks
__all__ = ["DESCRIPTION_BYTES", "NAME_BYTES", "TEXT_BYTES", "URL_BYTES", "Permissions"]

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

MIN_SCALE, MAX_SCALE = 0.01, 64.0  # metres
MAX_HEIGHT = 4096.0
MAX_LINKS = 256  # prims of a linkset, the root included
# Metres from a root to a child of it: the middles of two of the largest prims that touch at a corner. Second Life links
# across 54 m at most; without a bound, children are where neither physics nor viewers can count any more.
MAX_APART = 111.0

# What viewers are shown of a prim by a full update. Its place alone takes a terse one, its names are told to who asks.
SHOWN = (
    What.MADE | What.SCALE | What.SHAPE | What.SURFACE | What.MEDIA | What.COLOUR | What.TEXT | What.EFFECTS | What.BODY | What.MATERIAL
    | What.LINK | What.RIGHTS | What.OWNER | What.CONTENTS | What.SCRIPTS | What.WORN
)  # fmt: skip

OBJECT_DTYPE = np.dtype(
    [
        ("active", np.uint8),
        ("root", np.uint8),
        ("physical", np.uint8),
        ("dirty", np.uint8),  # viewers extrapolate it wrongly: a terse update is due
        ("moving", np.uint8),
        ("repeats", np.uint8),  # how often a stop is still to be said again
        ("parent", np.int32),  # the root's row of a child, -1 of a root
        ("local_id", np.uint32),
        ("crc", np.uint32),  # goes up with every full change; viewers key their cache by it
        ("position", np.float32, 3),  # metres; of a child relative to its root
        ("rotation", np.float32, 4),
        ("velocity", np.float32, 3),
        ("acceleration", np.float32, 3),
        ("angular_velocity", np.float32, 3),
        ("scale", np.float32, 3),
        ("world_position", np.float32, 3),
        ("radius", np.float32),  # of a ball around it: half the diagonal of its box
        ("body", np.int32),  # the physics engine's handle, -1 without
        ("sent_position", np.float32, 3),
        ("sent_velocity", np.float32, 3),
        ("sent_acceleration", np.float32, 3),
        ("sent_rotation", np.float32, 4),
        ("sent_angular_velocity", np.float32, 3),
        ("sent_age", np.float32),  # seconds since
    ],
    align=True,
)


@dataclass(slots=True)
class Material:
    """The viewer's Features tab. Density in kg/m3; the friction and restitution of Second Life's materials."""

    density: float = 1000.0
    friction: float = 0.6
    restitution: float = 0.5
    gravity: float = 1.0
    shape_type: int = 0  # 0 prim, 1 none, 2 convex hull


@dataclass(slots=True, eq=False)
class Worn:
    """What makes an object an attachment. Its root's place is relative to the point."""

    bearer: Agent
    item_id: UUID  # of the inventory of who wears it; null: it was put on for a while and belongs to no item
    flags: int = -1  # what the item's are to be when it gets what became of the object; -1: as they are
    saved: bytes = b""  # a digest of what the item holds, without its scripts' states
    waiting: dict[Prim, list[ScriptState]] = field(default_factory=dict)  # scripts that still compile, as they came


@dataclass(slots=True, eq=False)
class Prim:
    full_id: UUID
    owner_id: UUID
    creator_id: UUID
    row: int = -1
    local_id: int = 0
    group_id: UUID = NULL
    last_owner_id: UUID = NULL
    from_item_id: UUID = NULL  # of a root: the item of its owner's inventory that it was rezzed from
    name: str = "Object"
    description: str = ""
    touch_name: str = ""
    sit_name: str = ""
    created: int = 0  # unix microseconds
    permissions: Masks = Masks()
    sale_type: int = 0
    sale_price: int = 0
    category: int = 0
    pcode: int = PRIM
    state: int = 0  # species of trees and grass
    material: int = 3
    click_action: int = 0
    shape: Mapping[str, int] = field(default_factory=lambda: BOX)  # path and profile fields as on the wire; never changed in place
    texture_entry: bytes = PLAIN
    texture_anim: bytes = b""
    extra_params: dict[int, bytes] = field(default_factory=dict)
    text: str = ""
    text_color: bytes = bytes(4)
    media_url: str = ""
    particles: bytes = b""
    sound: UUID = NULL
    sound_gain: float = 0.0
    sound_flags: int = 0
    sound_radius: float = 0.0
    physical: bool = False
    phantom: bool = False
    temporary: bool = False
    volume_detect: bool = False
    scripted: bool = False
    touchable: bool = False
    sit_target: tuple[Vector, Quaternion] | None = None  # offset and turn, in the prim's axes (llSitTarget)
    features: Material = field(default_factory=Material)
    inventory_serial: int = 0  # of the contents: rises with every change of them
    attach_point: int = 0  # of a root: where it hangs, or hung last; 0: it was never worn
    hung: bool = False  # of a root: its place is one at that point, not in the region
    linkset_data: LinksetStore | None = None  # of a root, once a script uses it
    root: Prim | None = None  # None when it is a root itself
    children: list[Prim] = field(default_factory=list)  # in link order
    contents: list[Item] = field(default_factory=list)  # items are replaced, never changed in place
    worn: Worn | None = None  # of a root: who wears it
    leaving: bool = False  # of a root: it is just being handed to another region, and nobody changes it
    expires: float = math.inf  # real time at which a temporary object goes
    lineage: tuple[UUID, ...] = ()  # the hand-overs by which it came here (neighbours/handovers.py)
    rare: Rare = NONE  # what few prims have; replaced, never changed in place
    drives: Drives = NO_DRIVES  # what scripts ask of its movement; replaced, never changed in place
    made_by: MadeBy | None = None  # of a root that a script has rezzed

    @property
    def linkset_root(self) -> Prim:
        return self.root or self

    def linkset(self) -> Iterator[Prim]:
        """Root first, then the children in link order."""
        root = self.linkset_root
        yield root
        yield from root.children


def rotate(q: Sequence[float], v: Sequence[float]) -> Vector:
    """The vector turned by the quaternion."""
    x, y, z, w = q
    tx, ty, tz = 2 * (y * v[2] - z * v[1]), 2 * (z * v[0] - x * v[2]), 2 * (x * v[1] - y * v[0])
    return (
        v[0] + w * tx + y * tz - z * ty,
        v[1] + w * ty + z * tx - x * tz,
        v[2] + w * tz + x * ty - y * tx,
    )


def multiply(a: Sequence[float], b: Sequence[float]) -> Quaternion:
    """The quaternion that turns by b first and then by a."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def conjugate(q: Sequence[float]) -> Quaternion:
    return -q[0], -q[1], -q[2], q[3]


def hold_offset(offset: Sequence[float]) -> Vector:
    """The place for a child, relative to its root, that is nearest to a wish and within MAX_APART."""
    x, y, z = (part if math.isfinite(part) else 0.0 for part in offset)
    away = math.hypot(x, y, z)
    if away <= MAX_APART:
        return x, y, z
    if math.isinf(away):
        return 0.0, 0.0, 0.0
    return x / away * MAX_APART, y / away * MAX_APART, z / away * MAX_APART


class Objects:
    """All prims of a region, standing or worn. `rows` may be replaced by a larger array on `add`: fetch it anew each frame."""

    def __init__(self, changes: Log[Prim] | None = None, capacity: int = 256, avatars: Avatars | None = None) -> None:
        self.changes: Log[Prim] = Log() if changes is None else changes
        self.changes.at_once(SHOWN | What.PLACE, self._count_change)
        self.avatars = Avatars() if avatars is None else avatars  # of those who wear some
        self.rows = np.zeros(capacity, OBJECT_DTYPE)
        self.bearer = np.full(capacity, -1, np.int32)  # by row: the avatar's row of who wears it, -1 of what stands
        self.private = np.zeros(capacity, bool)  # by row: on its bearer's screen, and seen by nobody else
        self.carried = 0  # prims that are worn
        self.count = 0  # one past the highest row in use
        self.by_local_id: dict[int, Prim] = {}
        self.by_id: dict[UUID, Prim] = {}
        self.of_row: dict[int, Prim] = {}
        self.left: dict[
            int, float
        ] = {}  # local id -> real time until which viewers may think it here: it has gone over a border
        self.owned: Counter[UUID] = Counter()  # prims that stand here, by owner
        self.least_crc = 0  # of what changes from now on: viewers may have seen changes that the store has not
        self.removed: list[tuple[int, int]] = []  # (local id, row) of those that went: their rows may be others' by now
        self._free: list[int] = list(range(capacity - 1, -1, -1))

    def __len__(self) -> int:
        return len(self.by_local_id)

    @property
    def standing(self) -> int:
        """Prims that stand here; what people wear is theirs, and nobody's land carries it."""
        return len(self.by_local_id) - self.carried

    def roots(self) -> Iterator[Prim]:
        """Of linksets that stand here."""
        return (prim for prim in self.by_local_id.values() if prim.root is None and prim.worn is None)

    # --- coming and going

    def add(
        self, prim: Prim, local_id: int, position: Vector, rotation: Quaternion, scale: Vector, by: UUID | None = None
    ) -> Prim:
        """Put a prim into the region, as the root of a linkset of its own. ValueError when its id is here already."""
        if prim.full_id in self.by_id:
            raise ValueError(f"object {prim.full_id} is in the region already")
        make_encodable(prim)
        if not self._free:
            self._grow()
        index = self._free.pop()
        prim.row = index
        prim.local_id = local_id
        row = self.rows[index]
        row["active"] = 1
        row["root"] = 1
        row["local_id"] = local_id
        row["position"] = position
        row["rotation"] = rotation
        row["scale"] = scale
        row["body"] = -1
        row["parent"] = -1
        row["crc"] = 1
        row["sent_rotation"] = (0.0, 0.0, 0.0, 1.0)
        row["angular_velocity"] = prim.drives.spin
        self.count = max(self.count, index + 1)
        self.by_local_id[local_id] = prim
        self.by_id[prim.full_id] = prim
        self.of_row[index] = prim
        self.owned[prim.owner_id] += 1
        self.placed(prim)
        self.changes.note(prim, What.MADE, by)
        return prim

    def add_all(
        self, prims: Sequence[Prim], local_ids: Sequence[int], positions: np.ndarray, rotations: np.ndarray, scales: np.ndarray
    ) -> None:
        """As `add` for each, in a few operations on columns: (n, 3), (n, 4) and (n, 3)."""
        if self.by_id.keys() & {prim.full_id for prim in prims} or len({prim.full_id for prim in prims}) < len(prims):
            raise ValueError("an object is in the region already")
        while len(self._free) < len(prims):
            self._grow()
        taken = [self._free.pop() for _ in prims]
        for prim, index, local_id in zip(prims, taken, local_ids, strict=True):
            prim.row, prim.local_id = index, local_id
            self.by_local_id[local_id] = prim
            self.by_id[prim.full_id] = prim
            self.of_row[index] = prim
            make_encodable(prim)
        self.owned.update([prim.owner_id for prim in prims])
        fresh = np.zeros(len(prims), OBJECT_DTYPE)
        fresh["active"] = fresh["root"] = 1
        fresh["local_id"] = local_ids
        fresh["body"] = fresh["parent"] = -1
        fresh["crc"] = 2  # as `add`, which counts the change
        fresh["position"] = fresh["world_position"] = positions
        fresh["rotation"], fresh["scale"] = rotations, scales
        fresh["radius"] = np.linalg.norm(scales, axis=1) / 2
        fresh["sent_rotation"][:, 3] = 1.0
        fresh["angular_velocity"] = np.array([prim.drives.spin for prim in prims], np.float32).reshape(-1, 3)
        self.rows[taken] = fresh
        self.count = max(self.count, *(index + 1 for index in taken)) if taken else self.count
        self.changes.note_all(prims, What.MADE)

    def _grow(self) -> None:
        old = len(self.rows)
        self.rows = np.concatenate([self.rows, np.zeros(old, OBJECT_DTYPE)])
        self.bearer = np.concatenate([self.bearer, np.full(old, -1, np.int32)])
        self.private = np.concatenate([self.private, np.zeros(old, bool)])
        self._free = list(range(2 * old - 1, old - 1, -1)) + self._free

    def remove(self, prim: Prim, by: UUID | None = None) -> list[Prim]:
        """Take a whole linkset away; returns its prims, which keep their local ids and have no row."""
        if prim.linkset_root.worn is not None:
            self._unhang(prim.linkset_root)
        gone = list(prim.linkset())
        for one in gone:
            self.removed.append((one.local_id, one.row))
            del self.by_local_id[one.local_id]
            del self.by_id[one.full_id]
            del self.of_row[one.row]
            self._disown(one)
            self.rows[one.row] = np.zeros((), OBJECT_DTYPE)
            self._free.append(one.row)
            one.row = -1
            self.changes.note(one, What.GONE, by)
        while self.count and not self.rows[self.count - 1]["active"]:
            self.count -= 1
        return gone

    def set_owner(self, prim: Prim, owner_id: UUID) -> None:
        """The prim belongs to somebody else from now on."""
        standing = self.bearer[prim.row] < 0
        if standing:
            self._disown(prim)
        prim.owner_id = owner_id
        self.owned[owner_id] += standing

    def _disown(self, prim: Prim) -> None:
        self.owned[prim.owner_id] -= 1
        if not self.owned[prim.owner_id]:
            del self.owned[prim.owner_id]

    # --- worn

    def hang(self, root: Prim, worn: Worn, point: int) -> None:
        """Somebody who has an avatar here wears a linkset of theirs from now on, its root's place being at the point."""
        if root.worn is None:
            for one in root.linkset():
                self._disown(one)
            self.carried += 1 + len(root.children)
            worn.bearer.worn.append(root)
        root.worn, root.attach_point, root.hung = worn, point, True
        for one in root.linkset():
            self.bearer[one.row] = worn.bearer.row
            self.private[one.row] = point in HUD
        self.placed(root)
        self.note_linkset(root, What.WORN | What.BODY)

    def set_down(self, root: Prim, position: Vector, rotation: Quaternion) -> None:
        """What was worn stands in the region from now on."""
        self._unhang(root)
        row = self.rows[root.row]
        row["position"], row["rotation"] = position, rotation
        root.hung = False
        self.placed(root)
        self.note_linkset(root, What.WORN | What.BODY)

    def _unhang(self, root: Prim) -> None:
        assert root.worn is not None
        root.worn.bearer.worn.remove(root)
        root.worn = None
        for one in root.linkset():
            self.bearer[one.row] = -1
            self.private[one.row] = False
            self.owned[one.owner_id] += 1
        self.carried -= 1 + len(root.children)

    def hidden_from(self, prim: Prim, agent: Agent) -> bool:
        """Whether it is on somebody else's screen, as far as this agent is concerned."""
        return bool(self.private[prim.row]) and int(self.bearer[prim.row]) != agent.row

    # --- places

    def row(self, prim: Prim) -> np.void:
        """The prim's row, a view: assigning to its fields changes the world. Call `placed` after moving one."""
        return self.rows[prim.row]

    def world_place(self, prim: Prim) -> tuple[Vector, Quaternion]:
        """Where a prim is in the region, and how it is turned. What is worn is where its bearer is."""
        bearer = self.bearer[prim.row]
        if bearer >= 0:
            row = self.avatars.rows[bearer]
            position, rotation = row["position"].tolist(), row["rotation"].tolist()
            return (position[0], position[1], position[2]), (rotation[0], rotation[1], rotation[2], rotation[3])
        return self.frame_place(prim)

    def frame_place(self, prim: Prim) -> tuple[Vector, Quaternion]:
        """Where a prim is and how it is turned, in the axes that its root's place is in: the region's, or the point's on which
        it is worn."""
        row = self.rows[prim.row]
        position, rotation = row["position"].tolist(), row["rotation"].tolist()
        if prim.root is None:
            return (position[0], position[1], position[2]), (rotation[0], rotation[1], rotation[2], rotation[3])
        above = self.rows[prim.root.row]
        turn = above["rotation"].tolist()
        offset = rotate(turn, position)
        base = above["position"].tolist()
        return (base[0] + offset[0], base[1] + offset[1], base[2] + offset[2]), multiply(turn, rotation)

    def placed(self, prim: Prim) -> None:
        """After a prim's position, rotation or scale changed: what is derived from it, for its linkset too."""
        for one in prim.linkset() if prim.root is None else (prim,):
            row = self.rows[one.row]
            row["world_position"] = self.world_place(one)[0]
            row["radius"] = float(np.linalg.norm(row["scale"])) / 2

    # --- changes

    def _count_change(self, prim: Prim, what: What) -> None:
        """A viewer's cached copy of the prim is void from now on; one that was only moved is told so tersely."""
        if prim.row < 0:
            return
        row = self.rows[prim.row]
        row["crc"] = max(int(row["crc"]) + 1, self.least_crc)
        if what is What.PLACE or what == What.PLACE:
            row["dirty"] = 1

    def note_linkset(self, prim: Prim, what: What, by: UUID | None = None) -> None:
        """The same change of every prim of a linkset."""
        for one in prim.linkset():
            self.changes.note(one, what, by)

    # --- linksets

    def link(self, root: Prim, others: Sequence[Prim], by: UUID | None = None) -> None:
        """Make one linkset with `root` as its root; whole linksets may join. All keep their places in the region.

        ValueError when it would have more than MAX_LINKS prims, or reach further than MAX_APART from its root.
        """
        root = root.linkset_root
        joining: list[Prim] = []
        for other in others:
            for one in other.linkset():
                if one.linkset_root is not root and one not in joining:
                    joining.append(one)
        if 1 + len(root.children) + len(joining) > MAX_LINKS:
            raise ValueError(f"a linkset has at most {MAX_LINKS} prims")
        base, turn = self.world_place(root)
        back = conjugate(turn)
        places = [(one, *self.world_place(one)) for one in joining]
        _check_span(base, [position for _, position, _ in places])
        for one, position, rotation in places:
            one.children.clear()
            one.root = root
            row = self.rows[one.row]
            row["root"] = 0
            row["parent"] = root.row
            row["position"] = rotate(back, [position[axis] - base[axis] for axis in range(3)])
            row["rotation"] = multiply(back, rotation)
            row["velocity"] = row["acceleration"] = (0.0, 0.0, 0.0)
            row["angular_velocity"] = one.drives.spin
        # Newly linked prims come before those that were there, as in Second Life's link numbers.
        root.children = joining + root.children
        self.placed(root)
        self.note_linkset(root, What.LINK, by)

    def join(self, root: Prim, children: Sequence[Prim]) -> None:
        """Make one linkset of single prims whose places are relative to the root already, in this order."""
        for child in children:
            child.root = root
            row = self.rows[child.row]
            row["position"] = hold_offset(row["position"].tolist())
            row["root"] = 0
            row["parent"] = root.row
        root.children = list(children)
        self.placed(root)
        self.note_linkset(root, What.LINK)

    def unlink(self, leaving: Sequence[Prim], by: UUID | None = None) -> list[Prim]:
        """Take prims out of their linksets; each becomes a root where it is. When a root leaves, its first remaining
        child becomes the root of the rest. Returns every root whose linkset changed. ValueError, and nothing has changed,
        when what remains would reach further than MAX_APART from its new root."""
        changed: list[Prim] = []
        going = set(leaving)
        for root in {prim.linkset_root for prim in leaving}:
            rest = [one for one in root.linkset() if one not in going]
            if rest and root in going:
                _check_span(self.world_place(rest[0])[0], [self.world_place(one)[0] for one in rest[1:]])
        for root in {prim.linkset_root: None for prim in leaving}:
            here = [one for one in root.linkset() if one in going]
            staying = [one for one in root.linkset() if one not in going]
            places = {one: self.world_place(one) for one in root.linkset()}
            for one in places:
                one.root = None
                one.children = []
                row = self.rows[one.row]
                row["root"] = 1
                row["parent"] = -1
                row["position"], row["rotation"] = places[one]
            if len(staying) > 1:
                self.link(staying[0], staying[1:], by)
            changed += [*here, *staying[:1]]
            for one in places:
                self.placed(one)
                self.changes.note(one, What.LINK, by)
        return changed


def _check_span(root: Vector, others: Sequence[Vector]) -> None:
    """ValueError when one of these places is too far from a root's."""
    if any(math.dist(root, other) > MAX_APART for other in others):
        raise ValueError(f"parts of it would be more than {MAX_APART:g} m from its root")
