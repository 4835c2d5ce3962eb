"""Objects for viewers: what each is told first, within what its line takes.

`known` holds a byte a (viewer, object row): 0 never told, 1 told and true, 2 told and changed since. Rows that are not 1
wait. Every few frames a viewer with waiting rows gets the most important of them, as many as its task throttle takes:
nearer, larger, in front of the camera, and longer waiting first, so that nothing starves. A child never goes ahead of
its root. Movement is another matter: terse updates go to all who know the object, at once.

A viewer with a filled cache is first told ids and checksums (ObjectUpdateCached); it asks for what it does not hold.
Blocks are encoded once for the owner and once for everybody else, and kept until the object changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from protocol import objects as wire
from protocol.message import Message, encode
from protocol.wellknown import Permission
from sim.interest.dead_reckoning import mark_sent, scan
from sim.interest.packing import pack_terse
from sim.world.agent import Agent
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.circuits.circuit import Circuit
    from sim.simulator import Simulator

TOLD, CHANGED = 1, 2
PHASES = 3  # a viewer's waiting objects are looked at every third frame
BATCH_BYTES = 6000  # of blocks a viewer is given at a time, while less than this waits in its throttle
PACKET_BYTES = 1100
CACHED_PER_PACKET = 90
HEADER = 12  # message number, region handle, dilation, count: what precedes the blocks of an ObjectUpdate
CACHE_IN_USE, CACHE_EMPTY = 1, 2  # RegionHandshakeReply.Flags

# UpdateFlags
PHYSICS, CREATE_SELECTED, MODIFY, COPY, ANY_OWNER, YOU_OWNER = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
SCRIPTED, TOUCH, MOVE, PHANTOM, INVENTORY_EMPTY = 0x40, 0x80, 0x100, 0x400, 0x800
TRANSFER, OWNER_MODIFY, TEMPORARY = 0x20000, 0x10000000, 0x20000000


class ObjectInterest:
    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.known = np.zeros((64, 256), np.uint8)
        self._viewers: dict[Agent, int] = {}
        self._busy: set[Agent] = set()  # viewers with waiting rows
        self._selected: dict[Agent, set[int]] = {}
        self._at_creation: set[tuple[Agent, int]] = set()
        self._blocks: dict[tuple[int, bool], tuple[int, bytes]] = {}  # (local id, owner's?) -> (crc, block)
        self._records = np.zeros((256, wire.RECORD_SIZE), np.uint8)
        self._lengths = np.zeros(256, np.int64)
        self._not_avatars = np.zeros(256, np.uint8)

    # --- viewers

    def begin_viewer(self, agent: Agent, slot: int) -> None:
        self._grow(slot)
        self.known[slot] = 0
        self._viewers[agent] = slot
        if agent.handshake_flags & CACHE_IN_USE and not agent.handshake_flags & CACHE_EMPTY:
            self._offer_cached(agent, slot)
        if len(self.sim.world.objects):
            self._busy.add(agent)

    def forget_viewer(self, agent: Agent) -> None:
        slot = self._viewers.pop(agent, None)
        if slot is not None:
            self.known[slot] = 0
        self._busy.discard(agent)
        self._selected.pop(agent, None)
        self._at_creation = {key for key in self._at_creation if key[0] is not agent}

    def selected_by(self, agent: Agent) -> set[int]:
        """Local ids the agent has selected; mutable."""
        return self._selected.setdefault(agent, set())

    def select_at_creation(self, agent: Agent, prim: Prim) -> None:
        """The creator's first update of the prim says so: clients that build wait for it."""
        self._at_creation.add((agent, prim.local_id))
        self.selected_by(agent).add(prim.local_id)

    def show(self, agent: Agent, prims: Iterable[Prim]) -> None:
        """Full updates of these to one viewer, whatever it was told before."""
        slot = self._viewers.get(agent)
        if slot is None:
            return
        for prim in prims:
            self.known[slot, prim.row] = CHANGED
            self._busy.add(agent)

    def unseen(self, slots: np.ndarray, prim: Prim) -> np.ndarray:
        """Those of these circuit slots whose viewers have not been told of a prim, or of its root."""
        self._grow(int(slots.max(initial=0)))
        return slots[(self.known[slots, prim.row] == 0) | (self.known[slots, prim.linkset_root.row] == 0)]

    def show_now(self, viewer: Agent, prim: Prim) -> None:
        """Full updates of a prim and its root to a viewer that knows them not, ahead of what waits in its line."""
        slot = self._viewers.get(viewer)
        if slot is None or viewer.circuit is None:
            return
        self._grow()
        for one in dict.fromkeys((prim.linkset_root, prim)):
            if not self.known[slot, one.row]:
                self.known[slot, one.row] = TOLD
                self._send_packet(viewer.circuit, [self._block(viewer, one)], None)

    def _grow(self, slot: int = 0) -> None:
        slots, rows = self.known.shape
        need = len(self.sim.world.objects.rows)
        if slot >= slots or need > rows:
            grown = np.zeros((max(slots, 2 * slot), max(rows, need)), np.uint8)
            grown[:slots, :rows] = self.known
            self.known = grown

    # --- the stage

    def update(self, dt: float) -> None:
        objects = self.sim.world.objects
        if objects.removed:
            self._send_removed()
        if objects.marked:
            self._note_changes()
        if objects.count:
            self._send_terse(dt)
        number = self.sim.frame.number
        for agent in list(self._busy):
            slot = self._viewers.get(agent)
            if slot is None or agent.circuit is None:
                self._busy.discard(agent)
            elif (number + slot) % PHASES == 0 or len(self._viewers) < PHASES:
                self._feed(agent, agent.circuit, slot)

    def _note_changes(self) -> None:
        objects = self.sim.world.objects
        self._grow()
        rows = np.fromiter((prim.row for prim in objects.marked), np.int64, len(objects.marked))
        objects.marked.clear()
        for agent, slot in self._viewers.items():
            told = self.known[slot, rows]
            self.known[slot, rows[told == TOLD]] = CHANGED
            self._busy.add(agent)

    def _send_removed(self) -> None:
        objects = self.sim.world.objects
        removed, objects.removed = objects.removed, []
        self._grow()
        for agent, slot in self._viewers.items():
            ids = [{"ID": local_id} for local_id, row in removed if self.known[slot, row]]
            for start in range(0, len(ids), 200):
                if agent.circuit is not None:
                    agent.circuit.send(Message("KillObject", ObjectData=ids[start : start + 200]))
            selected = self._selected.get(agent)
            if selected:
                selected.difference_update(local_id for local_id, _ in removed)
        gone = [row for _, row in removed]
        self.known[:, gone] = 0
        for local_id, _ in removed:
            self._blocks.pop((local_id, True), None)
            self._blocks.pop((local_id, False), None)

    def _send_terse(self, dt: float) -> None:
        objects = self.sim.world.objects
        rows = objects.rows[: objects.count]
        if not scan(rows, dt):
            return
        movers = np.flatnonzero(rows["dirty"])
        if len(rows) > len(self._not_avatars):
            self._not_avatars = np.zeros(len(objects.rows), np.uint8)
        if len(movers) > len(self._records):
            self._records = np.zeros((2 * len(movers), wire.RECORD_SIZE), np.uint8)
            self._lengths = np.zeros(2 * len(movers), np.int64)
        wire.encode_terse_batch(
            movers, rows["local_id"], self._not_avatars, rows["position"], rows["velocity"], rows["acceleration"], rows["rotation"],
            rows["angular_velocity"], self._records, self._lengths,
        )  # fmt: skip
        mark_sent(rows, movers)
        if not self._viewers:
            return
        circuits = self.sim.circuits
        written = pack_terse(
            circuits.socket.outgoing, self._records[: len(movers)], self._lengths[: len(movers)], movers,
            np.fromiter(self._viewers.values(), np.int64, len(self._viewers)), self.known, circuits.sequences,
            circuits.keys, self.sim.world.facts.handle, self.sim.world.dilation,
        )  # fmt: skip
        self.sim.metrics.count("object_updates", written, "terse")

    # --- full updates

    def _feed(self, agent: Agent, circuit: Circuit, slot: int) -> None:
        """Give a viewer the most important of what waits for it, while its line has room."""
        objects = self.sim.world.objects
        queue = circuit.queues.get("task")
        if queue is not None and queue.waiting > BATCH_BYTES:
            return
        rows = objects.rows[: objects.count]
        waiting = np.flatnonzero((self.known[slot, : objects.count] != TOLD) & (rows["active"] == 1))
        if not len(waiting):
            self._busy.discard(agent)
            return
        order = waiting[self._priority(agent, rows, waiting)]
        packet: list[bytes] = []
        size = 0
        given = 0
        for row in order.tolist():
            prim = objects.of_row[row]
            for one in (prim.root, prim) if prim.root is not None and not self.known[slot, prim.root.row] else (prim,):
                if one is None or self.known[slot, one.row] == TOLD:
                    continue
                block = self._block(agent, one)
                if packet and size + len(block) > PACKET_BYTES:
                    self._send_packet(circuit, packet)
                    packet, size = [], 0
                packet.append(block)
                size += len(block)
                given += len(block)
                self.known[slot, one.row] = TOLD
            if given > BATCH_BYTES:
                break
        if packet:
            self._send_packet(circuit, packet)

    def _priority(self, agent: Agent, rows: np.ndarray, waiting: np.ndarray) -> np.ndarray:
        """Order of the waiting rows, most important first; what lies beyond the draw distance comes last."""
        parents = rows["parent"][waiting]
        places = rows["world_position"][np.where(parents >= 0, parents, waiting)]
        eye = np.asarray(agent.camera.center if any(agent.camera.center) else self.sim.world.position(agent), np.float32)
        away = places - eye
        distance = np.sqrt(np.einsum("ij,ij->i", away, away)) + 1.0
        ahead = away @ np.asarray(agent.camera.at, np.float32) > 0
        weight = (rows["radius"][waiting] + 0.5) / distance * np.where(ahead, 1.0, 0.5)
        weight[distance > agent.camera.far + rows["radius"][waiting]] *= 0.01
        weight[parents >= 0] *= 0.999  # after the root
        if len(waiting) > 512:
            best = np.argpartition(-weight, 256)[:256]
            return best[np.argsort(-weight[best])]
        return np.argsort(-weight)

    def _send_packet(self, circuit: Circuit, blocks: list[bytes], category: str | None = "task") -> None:
        region = {"RegionHandle": self.sim.world.facts.handle, "TimeDilation": round(self.sim.world.dilation * 65535)}
        head = encode(Message("ObjectUpdate", RegionData=region, ObjectData=[]))
        circuit.send_body(head[: HEADER - 1] + bytes([len(blocks)]) + b"".join(blocks), category=category, zerocode=True)
        self.sim.metrics.count("object_updates", len(blocks), "full")

    def _block(self, agent: Agent, prim: Prim) -> bytes:
        """The encoded block of a prim as this viewer may see it."""
        owner = prim.owner_id == agent.agent_id
        if (agent, prim.local_id) in self._at_creation:
            self._at_creation.discard((agent, prim.local_id))
            return self._encode(prim, update_flags(prim, owner) | CREATE_SELECTED)
        crc = int(self.sim.world.objects.row(prim)["crc"])
        moving = self.sim.world.objects.row(prim)["moving"]
        kept = self._blocks.get((prim.local_id, owner))
        if kept is not None and kept[0] == crc and not moving:
            return kept[1]
        block = self._encode(prim, update_flags(prim, owner))
        if not moving:
            self._blocks[prim.local_id, owner] = (crc, block)
        return block

    def _encode(self, prim: Prim, flags: int) -> bytes:
        row = self.sim.world.objects.row(prim)
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

    def _offer_cached(self, agent: Agent, slot: int) -> None:
        """Ids and checksums of everything: the viewer takes them from its cache, or asks (RequestMultipleObjects)."""
        objects = self.sim.world.objects
        if agent.circuit is None:
            return
        region = {"RegionHandle": self.sim.world.facts.handle, "TimeDilation": 65535}
        entries = []
        for prim in sorted(objects.by_local_id.values(), key=lambda prim: prim.root is not None):
            row = objects.row(prim)
            if row["moving"]:
                continue  # a cached place would be wrong
            flags = update_flags(prim, prim.owner_id == agent.agent_id)
            entries.append({"ID": prim.local_id, "CRC": int(row["crc"]), "UpdateFlags": flags})
            self.known[slot, prim.row] = TOLD
        for start in range(0, len(entries), CACHED_PER_PACKET):
            part = entries[start : start + CACHED_PER_PACKET]
            agent.circuit.send(Message("ObjectUpdateCached", RegionData=region, ObjectData=part), category="task")


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
