"""An object as viewers are told of it: its block of an ObjectUpdate, and its flags.

Both differ for its owner, for friends who may edit the owner's objects, and for everybody else. A block is encoded once for
each, and kept until the object changes: its checksum says when. An object that cannot be encoded is shown as a plain box,
counted and named in the log, so that what is wrong with it costs nobody else.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from protocol import objects as wire
from protocol.attachment_points import item_name_value
from protocol.errors import ProtocolError
from protocol.message import Message, encode
from protocol.packet import zero_encode
from protocol.permissions import LOCK
from protocol.textures import PLAIN
from protocol.wellknown import NULL, Permission
from sim.setaside import SetAside
from sim.world.agent import Agent
from sim.world.objects import Objects, Prim

HEADER = 12  # message number, region handle, dilation, count: what precedes the blocks of an ObjectUpdate
CACHED_DTYPE = np.dtype([("id", "<u4"), ("crc", "<u4"), ("flags", "<u4")])  # a block of ObjectUpdateCached
NUMBERS = ("position", "velocity", "acceleration", "rotation", "angular_velocity", "scale")
MOST_RAW = 7000  # bytes of one packet, and so of one block: viewers unpack into 8 KB
Block = tuple[bytes, int]  # and the bytes it takes on the line, zero coded

# UpdateFlags
PHYSICS, CREATE_SELECTED, MODIFY, COPY, ANY_OWNER, YOU_OWNER = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
SCRIPTED, TOUCH, MOVE, PHANTOM, INVENTORY_EMPTY = 0x40, 0x80, 0x100, 0x400, 0x800
TRANSFER, OWNER_MODIFY, TEMPORARY = 0x20000, 0x10000000, 0x20000000


class Relation(IntEnum):
    """What somebody is to an object's owner."""

    NOBODY = 0
    OWNER = 1
    FRIEND = 2  # who may edit the owner's objects


def relation(prim: Prim, agent: Agent) -> Relation:
    if prim.owner_id == agent.agent_id:
        return Relation.OWNER
    return Relation.FRIEND if agent.edits_of and prim.owner_id in agent.edits_of else Relation.NOBODY


class Blocks:
    def __init__(self, objects: Objects, aside: SetAside) -> None:
        self._objects = objects
        self._aside = aside
        self._kept: dict[tuple[int, Relation], tuple[int, Block]] = {}  # (local id, whose block) -> (crc, block)
        self._flags = np.zeros(256, CACHED_DTYPE)  # by row: as told to everybody but its owner, and when that was true

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def forget(self, local_id: int) -> None:
        for viewer in Relation:
            self._kept.pop((local_id, viewer), None)

    def kept(self, prim: Prim, viewer: Agent) -> Block | None:
        """The block for this agent's viewer where it is encoded already and true."""
        crc, block = self._kept.get((prim.local_id, relation(prim, viewer)), (0, None))
        row = self._objects.row(prim)
        return block if crc == row["crc"] and not row["moving"] else None

    def encoded(self, prim: Prim, viewer: Agent, created: bool) -> Block:
        """The block for this agent's viewer, encoded now; `created`: and it made the prim, and has not been told so."""
        whose = relation(prim, viewer)
        flags = update_flags(prim, whose) | CREATE_SELECTED * created
        try:
            data = self._encode(prim, flags)
            if len(data) > MOST_RAW:
                raise ProtocolError(f"{len(data)} bytes")
            self._aside.forget("interest", prim)
        except Exception as error:
            words = f"Your object {prim.name!r} is shown as a plain box: what it is cannot be told to viewers."
            self._aside.put("interest", prim, error, prim.owner_id, words)
            data = self._plain(prim, flags)
        block = data, len(zero_encode(data))
        row = self._objects.row(prim)
        if not row["moving"] and not created:
            self._kept[prim.local_id, whose] = int(row["crc"]), block
        return block

    def _plain(self, prim: Prim, flags: int) -> bytes:
        """A box in its place that can be seen, selected and deleted."""
        row = self._objects.row(prim)
        place = np.nan_to_num(row["position"]).clip(-8192, 8192).tolist()
        size = np.nan_to_num(row["scale"]).clip(0.01, 64).tolist()
        block = wire.full_block(
            prim.local_id, prim.full_id, wire.Motion(position=(place[0], place[1], place[2])), state=state_of(prim),
            scale=(size[0], size[1], size[2]), parent_id=parent_of(prim), name_value=worn_as(prim), update_flags=flags,
            crc=int(row["crc"]), texture_entry=PLAIN,
        )  # fmt: skip
        return encode(Message("ObjectUpdate", RegionData={}, ObjectData=[block]))[HEADER:]

    def _encode(self, prim: Prim, flags: int) -> bytes:
        row = self._objects.row(prim)
        if not all(np.isfinite(row[name]).all() for name in NUMBERS):
            raise ProtocolError("its place, size or movement is no number")
        motion = wire.Motion(
            position=tuple(row["position"].tolist()),
            velocity=tuple(row["velocity"].tolist()),
            acceleration=tuple(row["acceleration"].tolist()),
            rotation=tuple(row["rotation"].tolist()),
            angular_velocity=tuple(row["angular_velocity"].tolist()),
        )
        x, y, z = row["scale"].tolist()
        block = wire.full_block(
            prim.local_id,
            prim.full_id,
            motion,
            scale=(x, y, z),
            pcode=prim.pcode,
            parent_id=parent_of(prim),
            update_flags=flags,
            crc=int(row["crc"]),
            state=state_of(prim),
            name_value=worn_as(prim),
            material=prim.material,
            click_action=prim.click_action,
            shape=prim.shape,
            texture_entry=prim.texture_entry,
            texture_anim=prim.texture_anim,
            data=bytes([prim.state]) if prim.pcode != wire.PRIM else b"",
            text=prim.text,
            text_color=prim.text_color,
            media_url=prim.media_url,
            particles=prim.particles,
            extra_params=wire.encode_extra_params(prim.extra_params),
            sound=prim.sound,
            sound_owner=prim.owner_id if prim.sound.int else prim.sound,
            gain=prim.sound_gain,
            sound_flags=prim.sound_flags,
            radius=prim.sound_radius,
        )
        return encode(Message("ObjectUpdate", RegionData={}, ObjectData=[block]))[HEADER:]

    def flags(self, rows: np.ndarray, viewer: Agent) -> np.ndarray:
        """UpdateFlags of these rows for this agent's viewer; those for everybody are kept with their checksum."""
        objects = self._objects
        if len(self._flags) < len(objects.rows):
            grown = np.zeros(len(objects.rows), CACHED_DTYPE)
            grown[: len(self._flags)] = self._flags
            self._flags = grown
        ids, crcs = objects.rows["local_id"][rows], objects.rows["crc"][rows]
        stale = (self._flags["id"][rows] != ids) | (self._flags["crc"][rows] != crcs)
        for row in rows[stale].tolist():
            prim = objects.of_row[row]
            self._flags[row] = prim.local_id, objects.rows["crc"][row], update_flags(prim, Relation.NOBODY)
        flags = self._flags["flags"][rows]
        for n, row in enumerate(rows.tolist()):
            prim = objects.of_row[row]
            if prim.owner_id == viewer.agent_id or viewer.edits_of:
                flags[n] = update_flags(prim, relation(prim, viewer))
        return flags


def parent_of(prim: Prim) -> int:
    """The local id of what its place is relative to: its root, or who wears it; 0 of what stands in the region."""
    if prim.root is not None:
        return prim.root.local_id
    return prim.worn.bearer.local_id if prim.worn is not None else 0


def state_of(prim: Prim) -> int:
    """The State byte: the point that its linkset is worn on, or the species of a plant."""
    root = prim.linkset_root
    return prim.state if root.worn is None else wire.attachment_state(root.attach_point)


def worn_as(prim: Prim) -> str:
    """The NameValue by which viewers find the item of what is worn; what belongs to none is named by itself."""
    if prim.worn is None:
        return ""
    return item_name_value(prim.worn.item_id if prim.worn.item_id != NULL else prim.full_id)


def update_flags(prim: Prim, whose: Relation) -> int:
    """What a viewer may do with the prim, and what the prim is."""
    root = prim.linkset_root
    flags = ANY_OWNER | (INVENTORY_EMPTY if not prim.contents else 0)
    if root.worn is None:
        flags |= PHYSICS * root.physical | PHANTOM * root.phantom | TEMPORARY * root.temporary
    flags |= SCRIPTED * prim.scripted | TOUCH * prim.touchable
    masks = prim.permissions
    granted = masks.everyone
    if whose is Relation.OWNER:
        flags |= YOU_OWNER | OWNER_MODIFY
        granted = masks.owner
    elif whose is Relation.FRIEND:
        granted |= masks.owner & LOCK
    for permission, bit in (
        (Permission.MODIFY, MODIFY),
        (Permission.COPY, COPY),
        (Permission.MOVE, MOVE),
        (Permission.TRANSFER, TRANSFER),
    ):
        if granted & permission:
            flags |= bit
    return flags
