"""An object as viewers are told of it: its block of an ObjectUpdate, and its flags.

Both differ for its owner and for everybody else. A block is encoded once for each, and kept until the object changes:
its checksum says when.
"""

from __future__ import annotations

from uuid import UUID

import numpy as np

from protocol import objects as wire
from protocol.message import Message, encode
from protocol.packet import zero_encode
from protocol.wellknown import Permission
from sim.world.objects import Objects, Prim

HEADER = 12  # message number, region handle, dilation, count: what precedes the blocks of an ObjectUpdate
CACHED_DTYPE = np.dtype([("id", "<u4"), ("crc", "<u4"), ("flags", "<u4")])  # a block of ObjectUpdateCached
Block = tuple[bytes, int]  # and the bytes it takes on the line, zero coded

# UpdateFlags
PHYSICS, CREATE_SELECTED, MODIFY, COPY, ANY_OWNER, YOU_OWNER = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
SCRIPTED, TOUCH, MOVE, PHANTOM, INVENTORY_EMPTY = 0x40, 0x80, 0x100, 0x400, 0x800
TRANSFER, OWNER_MODIFY, TEMPORARY = 0x20000, 0x10000000, 0x20000000


class Blocks:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._kept: dict[tuple[int, bool], tuple[int, Block]] = {}  # (local id, owner's?) -> (crc, block)
        self._flags = np.zeros(256, CACHED_DTYPE)  # by row: as told to everybody but its owner, and when that was true

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def forget(self, local_id: int) -> None:
        self._kept.pop((local_id, True), None)
        self._kept.pop((local_id, False), None)

    def kept(self, prim: Prim, viewer: UUID) -> Block | None:
        """The block for this agent's viewer where it is encoded already and true."""
        crc, block = self._kept.get((prim.local_id, prim.owner_id == viewer), (0, None))
        row = self._objects.row(prim)
        return block if crc == row["crc"] and not row["moving"] else None

    def encoded(self, prim: Prim, viewer: UUID, created: bool) -> Block:
        """The block for this agent's viewer, encoded now; `created`: and it made the prim, and has not been told so."""
        owner = prim.owner_id == viewer
        data = self._encode(prim, update_flags(prim, owner) | CREATE_SELECTED * created)
        block = data, len(zero_encode(data))
        row = self._objects.row(prim)
        if not row["moving"] and not created:
            self._kept[prim.local_id, owner] = int(row["crc"]), block
        return block

    def _encode(self, prim: Prim, flags: int) -> bytes:
        row = self._objects.row(prim)
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
            parent_id=prim.root.local_id if prim.root is not None else 0,
            update_flags=flags,
            crc=int(row["crc"]),
            state=prim.state,
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

    def flags(self, rows: np.ndarray, viewer: UUID) -> np.ndarray:
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
            self._flags[row] = prim.local_id, objects.rows["crc"][row], update_flags(prim, False)
        flags = self._flags["flags"][rows]
        for n, row in enumerate(rows.tolist()):
            prim = objects.of_row[row]
            if prim.owner_id == viewer:
                flags[n] = update_flags(prim, True)
        return flags


def update_flags(prim: Prim, owner: bool) -> int:
    """What a viewer may do with the prim, and what the prim is."""
    root = prim.linkset_root
    flags = ANY_OWNER | (INVENTORY_EMPTY if prim.inventory_serial == 0 else 0)
    flags |= PHYSICS * root.physical | PHANTOM * root.phantom | TEMPORARY * root.temporary
    flags |= SCRIPTED * prim.scripted | TOUCH * prim.touchable
    masks = prim.permissions
    if owner:
        flags |= YOU_OWNER | OWNER_MODIFY
    granted = masks.owner if owner else masks.everyone
    for permission, bit in (
        (Permission.MODIFY, MODIFY),
        (Permission.COPY, COPY),
        (Permission.MOVE, MOVE),
        (Permission.TRANSFER, TRANSFER),
    ):
        if granted & permission:
            flags |= bit
    return flags
