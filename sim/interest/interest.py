"""Who hears what. Once a frame this reads what the world marked as changed and turns it into messages for viewers.

A *viewer* here is an agent, root or child, whose client answered the handshake and is being fed. What each knows is one
byte a (viewer, avatar row) in `known`: a terse update goes only where the full one went, and KillObject only to those
who would otherwise keep a ghost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from protocol import objects
from protocol.message import Message, encode
from sim.circuits.datagrams import Outgoing
from sim.handlers.avatar import playing_animations
from sim.interest.chat import deliver_chat
from sim.interest.land import send_dirty_patches, send_land, send_overlay
from sim.interest.packing import pack_terse
from sim.interest.statistics import Statistics
from sim.world.agent import Agent
from sim.world.avatars import AVATAR_DTYPE

if TYPE_CHECKING:
    from sim.circuits.circuit import Circuit
    from sim.simulator import Simulator

# Objects and land wait for the first AgentUpdate, since it says where the camera is; but some clients never send one.
FIRST_UPDATE_WAIT = 0.7
FULL_BLOCKS_BYTES = 1000  # of ObjectUpdate blocks a datagram
BLOCK_BYTES = 230  # of an avatar's block without its name and textures


class Interest:
    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.known = np.zeros((64, 128), np.uint8)
        self._records = np.zeros((64, objects.RECORD_SIZE), np.uint8)
        self._lengths = np.zeros(64, np.int64)
        self._viewers: dict[Agent, int] = {}  # being fed -> circuit slot
        self._waiting: dict[Agent, float] = {}  # handshake answered, not fed yet -> real time to start at the latest
        self._statistics = Statistics(sim)

    # --- viewers come and go

    def begin_viewer(self, agent: Agent) -> None:
        self._waiting[agent] = self.sim.clock.now() + FIRST_UPDATE_WAIT

    def forget_viewer(self, agent: Agent) -> None:
        self._waiting.pop(agent, None)
        slot = self._viewers.pop(agent, None)
        if slot is not None:
            self.known[slot] = 0

    def viewers(self) -> list[Agent]:
        return list(self._viewers)

    def sees(self, viewer: Agent, other: Agent) -> bool:
        """Whether the viewer was told of the other's avatar."""
        slot = self._viewers.get(viewer)
        return slot is not None and other.row >= 0 and bool(self.known[slot, other.row])

    def send_again(self, viewer: Agent, local_ids: set[int]) -> None:
        """Full updates of these avatars, as far as the viewer has been told of them."""
        if viewer.circuit is None:
            return
        asked = [other for other in self.sim.world.roots() if other.local_id in local_ids and self.sees(viewer, other)]
        self._send_blocks(viewer.circuit, [self._full_block(other) for other in asked])

    # --- the stage

    def update(self) -> None:
        world = self.sim.world
        marks = world.marks
        if marks.outside:
            rows, marks.outside = marks.outside, []
            self.sim.neighbours.over_the_border([world.agent_of_row[row] for row in rows if row in world.agent_of_row])
        if marks.removed:
            self._send_removed()
        # Terse updates first: they are packed ahead of this frame's other messages, and nobody may hear of a movement
        # before it was told of the avatar.
        if world.avatars.count:
            self._send_terse()
        if self._waiting:
            self._start_viewers()
        if marks.full:
            self._send_full()
        if marks.animations:
            self._send_animations()
        if marks.appearance:
            self._send_appearances()
        if marks.chat:
            said, marks.chat = marks.chat, []
            deliver_chat(self.sim, said)
        if marks.terrain:
            marks.terrain = False
            send_dirty_patches(self.sim, self._viewers)
        if marks.parcels:
            marks.parcels = False
            for agent in self._viewers:
                send_overlay(self.sim, agent)
        self._statistics.update(self._viewers)

    def _start_viewers(self) -> None:
        now = self.sim.clock.now()
        for agent, latest in list(self._waiting.items()):
            circuit = agent.circuit
            if circuit is None:
                del self._waiting[agent]
            elif agent.updates_seen or now >= latest:
                del self._waiting[agent]
                self._start(agent, circuit)

    def _start(self, agent: Agent, circuit: Circuit) -> None:
        """A new viewer: people first, beginning with itself, then the land."""
        world = self.sim.world
        slot = circuit.slot
        self._grow(slot)
        self.known[slot] = 0
        self._viewers[agent] = slot
        roots = sorted(world.roots(), key=lambda other: other is not agent)
        self._send_blocks(circuit, [self._full_block(other) for other in roots])
        for other in roots:
            self.known[slot, other.row] = 1
            circuit.send(self._animation_message(other))
            if other is not agent and (other.appearance.texture_entry or other.appearance.visual_params):
                circuit.send(self._appearance_message(other))
        send_overlay(self.sim, agent)
        send_land(self.sim, agent)
        self._statistics.greet(agent)

    def _grow(self, slot: int) -> None:
        slots, rows = self.known.shape
        need_rows = len(self.sim.world.avatars.rows)
        if slot >= slots or need_rows > rows:
            grown = np.zeros((max(2 * slots, slot + 1) if slot >= slots else slots, max(need_rows, rows)), np.uint8)
            grown[:slots, :rows] = self.known
            self.known = grown

    # --- people

    def _full_block(self, agent: Agent) -> dict[str, Any]:
        row = self.sim.world.row(agent)
        motion = objects.Motion(
            position=tuple(row["position"].tolist()),
            velocity=tuple(row["velocity"].tolist()),
            acceleration=tuple(row["acceleration"].tolist()),
            rotation=tuple(row["rotation"].tolist()),
            angular_velocity=tuple(row["angular_velocity"].tolist()),
        )
        return objects.avatar_block(
            agent.local_id,
            agent.agent_id,
            agent.first,
            agent.last,
            motion,
            title=agent.group_title,
            height=agent.appearance.size[2],
            texture_entry=agent.appearance.texture_entry,
        )

    def _send_blocks(self, circuit: Circuit, blocks: list[dict[str, Any]]) -> None:
        """ObjectUpdates of so many blocks, as many to a datagram as fit."""
        region = {
            "RegionHandle": self.sim.world.facts.handle,
            "TimeDilation": round(self.sim.world.dilation * 65535),
        }
        batch: list[dict[str, Any]] = []
        size = 0
        for block in blocks:
            length = BLOCK_BYTES + len(block["TextureEntry"]) + len(block["NameValue"])
            if batch and size + length > FULL_BLOCKS_BYTES:
                circuit.send(Message("ObjectUpdate", RegionData=region, ObjectData=batch))
                batch, size = [], 0
            batch.append(block)
            size += length
        if batch:
            circuit.send(Message("ObjectUpdate", RegionData=region, ObjectData=batch))
        self.sim.metrics.count("object_updates", len(blocks), "full")

    def _send_full(self) -> None:
        world = self.sim.world
        marked = [agent for agent_id in world.marks.full if (agent := world.agents.get(agent_id)) and agent.root]
        world.marks.full.clear()
        if not marked:
            return
        self._grow(0)
        blocks = [self._full_block(agent) for agent in marked]
        for viewer, slot in self._viewers.items():
            if viewer.circuit is None:
                continue
            self._send_blocks(viewer.circuit, blocks)
            for agent in marked:
                if not self.known[slot, agent.row]:
                    self.known[slot, agent.row] = 1
                    viewer.circuit.send(self._animation_message(agent))

    def _send_removed(self) -> None:
        """KillObject to every viewer. Rows are reused, so what was known of them is forgotten here."""
        world = self.sim.world
        removed, world.marks.removed = world.marks.removed, []
        for start in range(0, len(removed), 200):
            part = removed[start : start + 200]
            body = encode(Message("KillObject", ObjectData=[{"ID": local_id} for local_id, _ in part]))
            gone = {agent_id for _, agent_id in part}
            for viewer in self._viewers:
                if viewer.circuit is None:
                    continue
                if viewer.agent_id not in gone:
                    viewer.circuit.send_body(body)
                    continue
                # Someone who walked over the border goes on in the region beyond: it must not lose itself here.
                others = [{"ID": local_id} for local_id, agent_id in part if agent_id != viewer.agent_id]
                if others:
                    viewer.circuit.send(Message("KillObject", ObjectData=others))
        for row in range(self.known.shape[1]):
            if row not in world.agent_of_row:
                self.known[:, row] = 0

    def _send_terse(self) -> None:
        world = self.sim.world
        rows = world.avatars.rows[: world.avatars.count]
        movers = np.flatnonzero(rows["dirty"])
        if not len(movers):
            return
        if len(movers) > len(self._records):
            self._records = np.zeros((2 * len(movers), objects.RECORD_SIZE), np.uint8)
            self._lengths = np.zeros(2 * len(movers), np.int64)
        encode_rows(rows, movers, self._records, self._lengths)
        mark_sent(rows, movers)
        if not self._viewers:
            return
        circuits = self.sim.circuits
        written = pack_terse(
            circuits.socket.outgoing,
            self._records[: len(movers)],
            self._lengths[: len(movers)],
            movers,
            np.fromiter(self._viewers.values(), np.int64, len(self._viewers)),
            self.known,
            circuits.sequences,
            circuits.keys,
            world.facts.handle,
            world.dilation,
        )
        self.sim.metrics.count("object_updates", written, "terse")

    def _animation_message(self, agent: Agent) -> Message:
        playing = playing_animations(self.sim, agent)
        return Message(
            "AvatarAnimation",
            Sender={"ID": agent.agent_id},
            AnimationList=[{"AnimID": animation, "AnimSequenceID": number} for animation, number in playing],
            AnimationSourceList=[{"ObjectID": agent.agent_id} for _ in playing],
        )

    def _send_animations(self) -> None:
        world = self.sim.world
        marked, world.marks.animations = world.marks.animations, set()
        for agent_id in marked:
            agent = world.agents.get(agent_id)
            if agent is None or agent.child:
                continue
            body = encode(self._animation_message(agent))
            for viewer, slot in self._viewers.items():
                if viewer.circuit is not None and self.known[slot, agent.row]:
                    viewer.circuit.send_body(body)

    def _appearance_message(self, agent: Agent) -> Message:
        look = agent.appearance
        return Message(
            "AvatarAppearance",
            Sender={"ID": agent.agent_id, "IsTrial": False},
            ObjectData={"TextureEntry": look.texture_entry},
            VisualParam=[{"ParamValue": value} for value in look.visual_params[:255]],
            AppearanceData=[{"AppearanceVersion": 0, "CofVersion": look.serial & 0x7FFFFFFF, "Flags": 0}],
            AppearanceHover=[{"HoverHeight": (0.0, 0.0, look.hover)}],
        )

    def _send_appearances(self) -> None:
        world = self.sim.world
        marked, world.marks.appearance = world.marks.appearance, set()
        for agent_id in marked:
            agent = world.agents.get(agent_id)
            if agent is None or agent.child or not (agent.appearance.texture_entry or agent.appearance.visual_params):
                continue
            message = self._appearance_message(agent)
            body = encode(message)
            for viewer in self._viewers:
                if viewer.circuit is not None and (viewer is not agent or viewer.handshake_flags & 4):
                    viewer.circuit.send_body(body, zerocode=message.spec.zerocoded)


def mark_sent(rows: np.ndarray, movers: np.ndarray) -> None:
    """Remember what viewers extrapolate from now on."""
    for field in ("position", "velocity", "acceleration", "rotation"):
        rows[f"sent_{field}"][movers] = rows[field][movers]
    rows["sent_age"][movers] = 0.0
    rows["dirty"][movers] = 0


def encode_rows(rows: np.ndarray, movers: np.ndarray, records: np.ndarray, lengths: np.ndarray) -> None:
    """The terse records of some avatar rows."""
    objects.encode_terse_batch(
        movers, rows["local_id"], rows["active"], rows["position"], rows["velocity"], rows["acceleration"],
        rows["rotation"], rows["angular_velocity"], records, lengths,
    )  # fmt: skip


def warm() -> None:
    """Compile, or load from the cache, before the region opens."""
    rows = np.zeros(1, AVATAR_DTYPE)
    records, lengths = np.zeros((1, objects.RECORD_SIZE), np.uint8), np.zeros(1, np.int64)
    one = np.zeros(1, np.int64)
    encode_rows(rows, one, records, lengths)
    pack_terse(
        Outgoing(4), records, lengths, one, one, np.ones((1, 1), np.uint8), np.zeros(1, np.uint32),
        np.zeros(1, np.uint64), 0, 1.0,
    )  # fmt: skip
