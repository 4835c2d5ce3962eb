"""Objects for viewers: what each is told first, within what its line takes.

`known` holds a byte a (viewer, object row): 0 never told, 1 told and true, 2 told and changed since. Rows that are not 1
wait. Every few frames a viewer with waiting rows gets the most important of them, as many as its task throttle takes:
nearer, larger and in front of the camera first; what was told goes out of the queue, so that nothing starves. A child
never goes ahead of its root. Movement is another matter: terse updates go to all who know the object, at once.

A viewer with a filled cache is first told ids and checksums (ObjectUpdateCached), a few packets a frame; it asks for what
it does not hold. What they are told of an object is in `object_blocks.py`.

They are sent as plain ObjectUpdates, zero coded: those of ObjectUpdateCompressed are a sixth shorter, but a client library in
wide use misreads their shapes, and linking must be told plainly in any case. `protocol/compressed.py` has that form.
Packets are filled by what the blocks take on the line, zero coded, which is a quarter or a third of what they are.

What somebody wears is told after its bearer's avatar, which it hangs on, and what is on a screen (HUD) to its bearer alone.
When it is moved it is told in full: a terse update would have to name the point.

No packet of these is repeated (docs/decisions/0012): what it said may be untrue by then, and an object that has gone, or
has gone over a border, would be seen again for good. A lost one makes its objects wait anew.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from protocol import objects as wire
from protocol.message import Message, encode
from sim.interest.dead_reckoning import mark_sent, scan
from sim.interest.object_blocks import CACHED_DTYPE, HEADER, MOST_RAW, Block, Blocks
from sim.interest.packing import pack_terse
from sim.world.agent import Agent
from sim.world.objects import SHOWN, Prim

if TYPE_CHECKING:
    from sim.circuits.circuit import Circuit
    from sim.circuits.circuits import Circuits
    from sim.pace import Pace
    from sim.region import Region

TOLD, CHANGED = 1, 2
PHASES = 3  # a viewer's waiting objects are looked at about every third frame
LEAST_BATCH, MOST_BATCH = 3000, 32_000  # bytes on the line a viewer is given at a time: a tenth of a second's worth,
BATCH_SECONDS = 0.1  # and only while less than that waits in its throttle
FRAME_BYTES = 64_000  # for all viewers together in a frame, in equal parts
ENCODES = 60  # blocks encoded anew in a frame, for all viewers together
PACKET_BYTES = 1150  # on the line
MOST_BLOCKS = 255
CACHED_PER_PACKET = 90
SILENCE = 4.0  # seconds without an acknowledgement after which a viewer gets one batch at a time
OFFERS = 900  # ids and checksums told in a frame, for all viewers together
NEWS = 32
ORDERED, ORDER_FRAMES = 2048, 15  # how many rows are put in order at once, and for how long that order is good
CACHE_IN_USE, CACHE_EMPTY = 1, 2  # RegionHandshakeReply.Flags


class ObjectInterest:
    def __init__(self, region: Region, pace: Pace, circuits: Circuits, avatars_known: Callable[[], np.ndarray]) -> None:
        """`avatars_known`: by circuit slot and avatar row, whether that viewer was shown that avatar."""
        self._avatars_known = avatars_known
        self._region, self.world = region, region.world
        self._pace, self._circuits = pace, circuits
        self.known = np.zeros((64, 256), np.uint8)
        self._changes = region.world.changes.prims.reader(SHOWN)
        self._viewers: dict[Agent, int] = {}
        self._busy: dict[Agent, None] = {}  # viewers with waiting rows, in the order of their turns
        self._selected: dict[Agent, set[int]] = {}
        self._at_creation: set[tuple[Agent, int]] = set()
        self._blocked: set[Agent] = set()  # viewers for whom things wait until they have been shown who wears them
        self._blocks = Blocks(region.world.objects, region.aside)
        self._orders: dict[Agent, tuple[int, deque[int]]] = {}  # rows that wait, as put in order at a frame
        self._offers: dict[Agent, np.ndarray] = {}  # rows whose checksums a viewer with a cache is still to be told
        self._records = np.zeros((256, wire.RECORD_SIZE), np.uint8)
        self._lengths = np.zeros(256, np.int64)
        self._not_avatars = np.zeros(256, np.uint8)

    # --- viewers

    def begin_viewer(self, agent: Agent, slot: int) -> None:
        self._grow(slot)
        self.known[slot] = 0
        self._viewers[agent] = slot
        self._orders.pop(agent, None)
        self._offers.pop(agent, None)
        if agent.handshake_flags & CACHE_IN_USE and not agent.handshake_flags & CACHE_EMPTY:
            rows = self.world.objects.rows[: self.world.objects.count]
            there = np.flatnonzero(rows["active"])
            self._offers[agent] = there[np.argsort(rows["root"][there] == 0, kind="stable")]  # roots first
        if len(self.world.objects):
            self._busy.setdefault(agent)

    def forget_viewer(self, agent: Agent) -> None:
        slot = self._viewers.pop(agent, None)
        if slot is not None:
            self.known[slot] = 0
        self._busy.pop(agent, None)
        self._blocked.discard(agent)
        self._orders.pop(agent, None)
        self._offers.pop(agent, None)
        self._selected.pop(agent, None)
        self._at_creation = {key for key in self._at_creation if key[0] is not agent}

    def selected_by(self, agent: Agent) -> set[int]:
        """Local ids the agent has selected; mutable."""
        return self._selected.setdefault(agent, set())

    def selectors(self, prim: Prim) -> list[Agent]:
        """Who has the prim selected."""
        return [agent for agent, selected in self._selected.items() if prim.local_id in selected]

    def select_at_creation(self, agent: Agent, prim: Prim) -> None:
        """The creator's first update of the prim says so: clients that build wait for it."""
        self._at_creation.add((agent, prim.local_id))
        self.selected_by(agent).add(prim.local_id)

    def show(self, agent: Agent, prims: Iterable[Prim]) -> None:
        """Full updates of these to one viewer, whatever it was told before."""
        slot = self._viewers.get(agent)
        if slot is None:
            return
        rows = [prim.row for prim in prims if not self.world.objects.hidden_from(prim, agent)]
        if rows:
            self.known[slot, rows] = CHANGED
            self._busy.setdefault(agent)
            self._first(agent, rows)

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
                self._send_packet(viewer, viewer.circuit, [self._block(viewer, one)[0]], [one.local_id], None)

    def owe(self, agent: Agent, local_ids: list[int], offered: bool, created: Iterable[tuple[Agent, int]] = ()) -> None:
        """What a viewer was told of these did not reach it. `offered`: their checksums; `created`: that it made them."""
        slot = self._viewers.get(agent)
        by_id = self.world.objects.by_local_id
        rows = [by_id[local_id].row for local_id in local_ids if local_id in by_id]
        if slot is None or not rows:
            return
        self._busy.setdefault(agent)
        if offered:
            told = [row for row in rows if self.known[slot, row] == TOLD]
            self.known[slot, told] = 0
            self._offers[agent] = np.concatenate([self._offers.get(agent, np.zeros(0, np.int64)), np.asarray(told, np.int64)])
        else:
            self._at_creation.update(created)
            self.known[slot, rows] = CHANGED
            self._first(agent, rows)

    def _first(self, agent: Agent, rows: list[int]) -> None:
        """News go before what a viewer is being given anyway; many at once wait until the order is drawn up anew."""
        if agent in self._orders and len(rows) <= NEWS:
            self._orders[agent][1].extendleft(reversed(rows))

    def crossed(self, prims: Iterable[Prim], riders: Iterable[Agent], late: float, latest: float) -> None:
        """These go over a border: viewers are told so `late`, their riders `latest` seconds from now, when the region
        beyond has shown them. A rider whose seat is killed before it is shown there falls off in its viewer."""
        self._grow()
        gone = [(prim.row, prim.local_id) for prim in prims]
        rows = [row for row, _ in gone]
        aboard = set(riders)
        for agent, slot in self._viewers.items():
            ids = [{"ID": local_id} for row, local_id in gone if self.known[slot, row]]
            self.known[slot, rows] = 0
            if ids:
                self._region.tasks.after(
                    latest if agent in aboard else late, partial(_kill_if_here, agent, agent.circuit, ids)
                )

    def _grow(self, slot: int = 0) -> None:
        slots, rows = self.known.shape
        need = len(self.world.objects.rows)
        if slot >= slots or need > rows:
            grown = np.zeros((max(slots, 2 * slot), max(rows, need)), np.uint8)
            grown[:slots, :rows] = self.known
            self.known = grown

    # --- the stage

    def update(self, dt: float) -> None:
        objects = self.world.objects
        if objects.removed:
            self._send_removed()
        if len(self._changes):
            self._note_changes()
        if objects.count:
            self._send_terse(dt)
        self._give()

    def _give(self) -> None:
        """Viewers with waiting rows have turns, each about every third frame, and all whose turn it is the same part of what
        a frame may encode, offer and send. What one leaves goes to those after it; who is first changes."""
        for agent in [agent for agent in self._busy if agent not in self._viewers or agent.circuit is None]:
            del self._busy[agent]
        many = len(self._busy) if len(self._viewers) < PHASES else math.ceil(len(self._busy) / PHASES)
        turn = list(islice(self._busy, many))
        if not turn:
            return
        for agent in turn:
            self._busy[agent] = self._busy.pop(agent)
        first = self._pace.number // PHASES % many
        encodes, offers, share = ENCODES, OFFERS, FRAME_BYTES / many
        describing = sum(agent not in self._offers for agent in turn)
        offering = many - describing
        for agent in turn[first:] + turn[:first]:
            assert agent.circuit is not None
            slot = self._viewers[agent]
            if agent in self._offers:
                offers -= self._feed(agent, agent.circuit, slot, share, offers // offering)
                offering -= 1
            else:
                encodes -= self._feed(agent, agent.circuit, slot, share, math.ceil(encodes / describing))
                describing -= 1

    def _note_changes(self) -> None:
        self._grow()
        objects = self.world.objects
        changed = [prim.row for prim in self._changes.take() if prim.row >= 0]
        rows = np.asarray(changed, np.int64)
        news = rows[: NEWS + 1].tolist()
        private = rows[objects.private[rows]]
        for agent, slot in self._viewers.items():
            if len(private):
                self._hide(agent, slot, private)
            told = self.known[slot, rows]
            self.known[slot, rows[told == TOLD]] = CHANGED
            self._busy.setdefault(agent)
            self._first(agent, news)

    def _hide(self, agent: Agent, slot: int, private: np.ndarray) -> None:
        """What came onto somebody's screen goes for all others, as far as they knew it."""
        objects = self.world.objects
        gone = private[(objects.bearer[private] != agent.row) & (self.known[slot, private] != 0)]
        if len(gone):
            self.known[slot, gone] = 0
            if agent.circuit is not None:
                _kill(agent.circuit, [{"ID": local_id} for local_id in objects.rows["local_id"][gone].tolist()])

    def _tellable(self, agent: Agent, slot: int, rows: np.ndarray) -> np.ndarray:
        """Which of these rows a viewer may be told of now, (n,) bool. What is worn waits until its bearer has been shown."""
        objects = self.world.objects
        bearer = objects.bearer[rows]
        allowed = ~objects.private[rows] | (bearer == agent.row)
        if objects.carried:
            worn = bearer >= 0
            avatars = self._avatars_known()[slot]
            shown = np.zeros(len(rows), bool)
            there = worn & (bearer < len(avatars))
            shown[there] = avatars[bearer[there]] != 0
            if (allowed & worn & ~shown).any():
                self._blocked.add(agent)
            allowed &= ~worn | shown
        return np.asarray(allowed)

    def _send_removed(self) -> None:
        objects = self.world.objects
        removed, objects.removed = objects.removed, []
        self._grow()
        for agent, slot in self._viewers.items():
            ids = [{"ID": local_id} for local_id, row in removed if self.known[slot, row]]
            if agent.circuit is not None:
                _kill(agent.circuit, ids)
            selected = self._selected.get(agent)
            if selected:
                selected.difference_update(local_id for local_id, _ in removed)
        gone = [row for _, row in removed]
        self.known[:, gone] = 0
        for local_id, _ in removed:
            self._blocks.forget(local_id)

    def _send_terse(self, dt: float) -> None:
        objects = self.world.objects
        rows = objects.rows[: objects.count]
        if not scan(rows, dt):
            return
        movers = np.flatnonzero(rows["dirty"])
        if objects.carried:
            movers = self._worn_told_in_full(rows, movers)
            if not len(movers):
                return
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
        circuits = self._circuits
        written = pack_terse(
            circuits.socket.outgoing, self._records[: len(movers)], self._lengths[: len(movers)], movers,
            np.fromiter(self._viewers.values(), np.int64, len(self._viewers)), self.known, circuits.sequences,
            circuits.keys, self.world.facts.handle, self.world.dilation,
        )  # fmt: skip
        self._region.metrics.count("object_updates", written, "terse")

    def _worn_told_in_full(self, rows: np.ndarray, movers: np.ndarray) -> np.ndarray:
        """The movers that stand in the region; who knows the others is to be told of them anew."""
        worn = self.world.objects.bearer[movers] >= 0
        moved = movers[worn]
        if len(moved):
            mark_sent(rows, moved)
            for agent, slot in self._viewers.items():
                told = moved[self.known[slot, moved] == TOLD]
                if len(told):
                    self.known[slot, told] = CHANGED
                    self._busy.setdefault(agent)
                    self._first(agent, told.tolist())
        return movers[~worn]

    # --- full updates

    def _feed(self, agent: Agent, circuit: Circuit, slot: int, share: float, most: int) -> int:
        """Give a viewer the most important of what waits for it, while its line has room: at most a share of bytes, and as
        many blocks encoded anew, or offered where it has a cache. How many of those it took."""
        objects = self.world.objects
        batch = min(max(float(self._circuits.rates[slot]) * BATCH_SECONDS, LEAST_BATCH), MOST_BATCH, share)
        queue = circuit.queues.get("task")
        if queue is not None and queue.waiting > batch:
            return 0
        if circuit.unacked and self._region.clock.now() - circuit.unheard_since > SILENCE:
            return 0
        if agent in self._offers:
            return self._offer_cached(agent, circuit, slot, most)
        order = self._order(agent, slot)
        if not order:
            if agent not in self._blocked:
                del self._busy[agent]
            return 0
        packet: list[bytes] = []
        ids: list[int] = []
        size = raw = given = encoded = 0
        while order and given < batch:
            prim = objects.of_row.get(order[0])
            if (
                prim is not None
                and objects.bearer[prim.row] >= 0
                and not self._tellable(agent, slot, np.array([prim.row]))[0]
            ):
                order.popleft()
                continue
            parts: tuple[Prim, ...] = () if prim is None else (prim,)
            if prim is not None and prim.root is not None and not self.known[slot, prim.root.row]:
                parts = prim.root, prim
            waiting = [(one, self._kept(agent, one)) for one in parts if self.known[slot, one.row] != TOLD]
            if encoded >= most and any(kept is None for _, kept in waiting):
                break
            order.popleft()
            for one, kept in waiting:
                encoded += kept is None
                block, length = kept or self._block(agent, one)
                full = size + length > PACKET_BYTES or raw + len(block) > MOST_RAW or len(packet) == MOST_BLOCKS
                if packet and full:
                    self._send_packet(agent, circuit, packet, ids)
                    packet, ids, size, raw = [], [], 0, 0
                packet.append(block)
                ids.append(one.local_id)
                size += length
                raw += len(block)
                given += length
                self.known[slot, one.row] = TOLD
        if packet:
            self._send_packet(agent, circuit, packet, ids)
        return encoded

    def _order(self, agent: Agent, slot: int) -> deque[int]:
        """The rows that wait for a viewer, most important first; drawn up anew when used up or some frames old."""
        number = self._pace.number
        drawn, order = self._orders.get(agent, (0, deque()))
        if (order or agent in self._blocked) and number - drawn < ORDER_FRAMES:
            return order
        rows = self.world.objects.rows[: self.world.objects.count]
        waiting = np.flatnonzero((self.known[slot, : len(rows)] != TOLD) & (rows["active"] == 1))
        self._blocked.discard(agent)
        waiting = waiting[self._tellable(agent, slot, waiting)]
        order = deque(waiting[self._priority(agent, rows, waiting)].tolist()) if len(waiting) else deque()
        self._orders[agent] = number, order
        return order

    def _priority(self, agent: Agent, rows: np.ndarray, waiting: np.ndarray) -> np.ndarray:
        """Order of the waiting rows, most important first; what lies beyond the draw distance comes last."""
        parents = rows["parent"][waiting]
        places = rows["world_position"][np.where(parents >= 0, parents, waiting)]
        bearer = self.world.objects.bearer[waiting]
        worn = bearer >= 0
        if worn.any():
            places[worn] = self.world.avatars.rows["position"][bearer[worn]]
        eye = np.asarray(agent.camera.center if any(agent.camera.center) else self.world.position(agent), np.float32)
        away = places - eye
        distance = np.sqrt(np.einsum("ij,ij->i", away, away)) + 1.0
        ahead = away @ np.asarray(agent.camera.at, np.float32) > 0
        weight = (rows["radius"][waiting] + 0.5) / distance * np.where(ahead, 1.0, 0.5)
        weight[distance > agent.camera.far + rows["radius"][waiting]] *= 0.01
        weight[parents >= 0] *= 0.999  # after the root
        if len(waiting) > ORDERED:
            best = np.argpartition(-weight, ORDERED)[:ORDERED]
            return best[np.argsort(-weight[best])]
        return np.argsort(-weight)

    def _send_packet(
        self, agent: Agent, circuit: Circuit, blocks: list[bytes], ids: list[int], category: str | None = "task"
    ) -> None:
        region = {"RegionHandle": self.world.facts.handle, "TimeDilation": round(self.world.dilation * 65535)}
        head = encode(Message("ObjectUpdate", RegionData=region, ObjectData=[]))
        body = head[: HEADER - 1] + bytes([len(blocks)]) + b"".join(blocks)
        created = [(agent, local_id) for local_id in ids if (agent, local_id) in self._at_creation]
        self._at_creation.difference_update(created)
        telling = _Told(self, agent, circuit, ids, created=created)
        circuit.send_body(body, category=category, zerocode=True, telling=telling)
        self._region.metrics.count("object_updates", len(blocks), "full")

    def _kept(self, agent: Agent, prim: Prim) -> Block | None:
        return None if (agent, prim.local_id) in self._at_creation else self._blocks.kept(prim, agent)

    def _block(self, agent: Agent, prim: Prim) -> Block:
        created = (agent, prim.local_id) in self._at_creation
        return self._kept(agent, prim) or self._blocks.encoded(prim, agent, created)

    def _offer_cached(self, agent: Agent, circuit: Circuit, slot: int, most: int) -> int:
        """Ids and checksums of what is there: the viewer takes it from its cache, or asks (RequestMultipleObjects). How
        many that took of the most it may take."""
        objects = self.world.objects
        waiting = self._offers[agent]
        now, later = waiting[:most], waiting[most:]
        taken = len(now)
        if len(later):
            self._offers[agent] = later
        else:
            del self._offers[agent]
        rows = objects.rows
        # What moves or is worn has no place that a cache could hold; what came since, or was asked for, is told in full.
        fixed = (rows["active"][now] == 1) & (rows["moving"][now] == 0) & (objects.bearer[now] < 0)
        now = now[fixed & (self.known[slot, now] == 0)]
        blocks = np.zeros(len(now), CACHED_DTYPE)
        blocks["id"], blocks["crc"], blocks["flags"] = rows["local_id"][now], rows["crc"][now], self._blocks.flags(now, agent)
        self.known[slot, now] = TOLD
        region = {"RegionHandle": self.world.facts.handle, "TimeDilation": 65535}
        head = encode(Message("ObjectUpdateCached", RegionData=region, ObjectData=[]))
        for start in range(0, len(now), CACHED_PER_PACKET):
            part = blocks[start : start + CACHED_PER_PACKET]
            body = head[: HEADER - 1] + bytes([len(part)]) + part.tobytes()
            telling = _Told(self, agent, circuit, part["id"].tolist(), offered=True)
            circuit.send_body(body, category="task", telling=telling)
        self._region.metrics.count("object_updates", len(now), "cached")
        return taken



@dataclass(slots=True)
class _Told:
    """A packet of objects, full or offered, on its way to a viewer."""

    interest: ObjectInterest
    agent: Agent
    circuit: Circuit
    ids: list[int]
    offered: bool = False
    created: list[tuple[Agent, int]] = field(default_factory=list)

    def stands(self) -> bool:
        """A packet that waited for the throttle may be about what has gone since, and KillObject is out already."""
        there = self.interest.world.objects.by_local_id
        return all(local_id in there for local_id in self.ids)

    def lost(self) -> None:
        if self.agent.circuit is self.circuit:
            self.interest.owe(self.agent, self.ids, self.offered, self.created)


def _kill(circuit: Circuit, ids: list[dict[str, int]]) -> None:
    for start in range(0, len(ids), 200):
        circuit.send(Message("KillObject", ObjectData=ids[start : start + 200]))


def _kill_if_here(agent: Agent, circuit: Circuit | None, ids: list[dict[str, int]]) -> None:
    if circuit is not None and agent.circuit is circuit:
        _kill(circuit, ids)
