"""Who hears what. Once a frame this reads what was noted as changed and turns it into messages for viewers.

A *viewer* here is an agent, root or child, whose client answered the handshake and is being fed. What each knows is one
byte a (viewer, avatar row) in `known`: a terse update goes only where the full one went, and KillObject only to those
who would otherwise keep a ghost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from protocol import objects
from protocol.message import Message, encode
from sim.circuits.datagrams import Outgoing
from sim.circuits.flights import warm as warm_flights
from sim.clock import STEP
from sim.interest.animations import Animations
from sim.interest.animations import warm as warm_animations
from sim.interest.chat import deliver_chat
from sim.interest.dead_reckoning import warm as warm_dead_reckoning
from sim.interest.introductions import FULL, LOOKS, Introductions
from sim.interest.introductions import warm as warm_introductions
from sim.interest.land import LandInterest
from sim.interest.objects import ObjectInterest
from sim.interest.packing import TURNS, Rings, pack_terse
from sim.interest.statistics import Statistics
from sim.world.agent import Agent
from sim.world.avatars import AVATAR_DTYPE
from sim.world.changes import What

if TYPE_CHECKING:
    from sim.circuits.circuit import Circuit
    from sim.circuits.circuits import Circuits
    from sim.gauges import Gauges
    from sim.pace import Pace
    from sim.region import Region

# Objects and land wait for the first AgentUpdate, since it says where the camera is; but some clients never send one.
FIRST_UPDATE_WAIT = 0.7
ARRIVING = 0.2 * STEP  # seconds of a frame after which no more new viewers are greeted in it
BUSY, EASY = 0.6 * STEP, 0.5 * STEP  # seconds a frame, on average, above which viewers are told less, below which more
LEAST_SHARE = 0.2
SHOWN_AGAIN = What.MADE | What.NAME | What.SCALE | What.PLACE | What.SEAT  # what of an avatar asks for a full update


class Interest:
    def __init__(self, region: Region, pace: Pace, circuits: Circuits, gauges: Gauges) -> None:
        self._region, self._world = region, region.world
        self._pace, self._circuits = pace, circuits
        self.known = np.zeros((64, 128), np.uint8)
        self.rings = Rings()
        self.introductions = Introductions(region, circuits)
        self.animations = Animations(region, pace, circuits)
        self._owed = False  # somebody has not been told of a movement yet
        self._turns_left = 0  # frames until everybody has had a turn since the last movement
        self._busy = 0.0  # seconds a frame lately
        self._row_ids = np.zeros(128, np.uint32)  # local ids of the avatars that `known` is about
        self._records = np.zeros((64, objects.RECORD_SIZE), np.uint8)
        self._lengths = np.zeros(64, np.int64)
        self._viewers: dict[Agent, int] = {}  # being fed -> circuit slot
        self._waiting: dict[Agent, float] = {}  # handshake answered, not fed yet -> real time to start at the latest
        self.objects = ObjectInterest(region, pace, circuits, lambda: self.known)
        self.land = LandInterest(region)
        self._people = region.world.changes.agents.reader()
        self._gone: list[tuple[int, UUID]] = []  # local id, agent id of avatars that viewers have to be told of
        region.world.changes.agents.at_once(What.GONE, lambda agent, _: self._gone.append((agent.local_id, agent.agent_id)))
        self._speech = region.world.changes.speech.reader()
        self._statistics = Statistics(region, gauges)

    # --- viewers come and go

    def begin_viewer(self, agent: Agent) -> None:
        self._waiting[agent] = self._region.clock.now() + FIRST_UPDATE_WAIT

    def forget_viewer(self, agent: Agent) -> None:
        self._waiting.pop(agent, None)
        self.objects.forget_viewer(agent)
        slot = self._viewers.pop(agent, None)
        if slot is not None:
            self.known[slot] = 0
            self.rings.forget(slot)
            self.animations.pending[slot] = 0
            self.introductions.forget(slot)

    def viewers(self) -> list[Agent]:
        return list(self._viewers)

    def sees(self, viewer: Agent, other: Agent) -> bool:
        """Whether the viewer was told of the other's avatar."""
        slot = self._viewers.get(viewer)
        return slot is not None and other.row >= 0 and bool(self.known[slot, other.row])

    def send_again(self, viewer: Agent, local_ids: set[int]) -> None:
        """Full updates of these avatars, as far as the viewer has been told of them."""
        if viewer in self._viewers:
            asked = [o for o in self._world.roots() if o.local_id in local_ids and self.sees(viewer, o)]
            self.introductions.owe([viewer], asked, FULL)

    # --- the stage

    def update(self) -> None:
        world = self._world
        changed = {agent: what for agent, what in self._people.take().items() if agent.root}
        self._shed()
        self._follow_rows()
        if self._gone:
            self._send_removed()
        self._forget_places(_those(changed, What.SEAT))
        # Terse updates first: they are packed ahead of this frame's other messages, and nobody may hear of a movement
        # before it was told of the avatar.
        if world.avatars.count:
            self._send_terse()
        if self._waiting:
            self._start_viewers()
        self._show_again(_those(changed, SHOWN_AGAIN), FULL, FULL)
        self._show_again(_those(changed, What.MADE | What.SURFACE), LOOKS | FULL, LOOKS)
        slots, own = self._eyes()
        self._seat_first()
        self.introductions.update(slots, own, self.rings, self.known, self.animations.pending, self._busy)
        self._send_animations(_those(changed, What.MADE | What.MOTION), slots)
        self.objects.update(STEP)
        if len(self._speech):
            deliver_chat(self._region, self._speech.take())
        self.land.update(self._viewers)
        self._statistics.update(self._viewers)

    def _start_viewers(self) -> None:
        began = self._region.clock.now()
        for agent, latest in list(self._waiting.items()):
            circuit = agent.circuit
            if circuit is None:
                del self._waiting[agent]
            elif agent.updates_seen or began >= latest:
                del self._waiting[agent]
                self._start(agent, circuit)
                if self._region.clock.now() - began > ARRIVING:
                    break

    def _start(self, agent: Agent, circuit: Circuit) -> None:
        """A new viewer: people first, beginning with itself, then the land."""
        slot = circuit.slot
        self._grow(slot)
        self.known[slot] = 0
        self._viewers[agent] = slot
        self.introductions.begin(agent, slot)
        self.land.begin_viewer(agent)
        self.objects.begin_viewer(agent, slot)
        self._statistics.greet(agent)

    def _grow(self, slot: int) -> None:
        slots, rows = self.known.shape
        need_rows = len(self._world.avatars.rows)
        if slot < slots and need_rows <= rows:
            return
        shape = (max(2 * slots, slot + 1) if slot >= slots else slots, max(need_rows, rows))
        grown = np.zeros(shape, np.uint8)
        grown[:slots, :rows] = self.known
        self.known = grown
        self.rings.grow(*shape)
        self.animations.grow(*shape)
        self.introductions.grow(*shape)
        self._row_ids = np.concatenate([self._row_ids, np.zeros(shape[1] - len(self._row_ids), np.uint32)])

    def _follow_rows(self) -> None:
        """Rows are used again: what was noted of one that has another avatar now, or none, is forgotten."""
        if len(self._world.avatars.rows) > len(self._row_ids):
            self._grow(0)
        ids = self._world.avatars.rows["local_id"]
        others = np.flatnonzero(self._row_ids[: len(ids)] != ids)
        if len(others):
            self._row_ids[others] = ids[others]
            self.known[:, others] = 0
            self.rings.pending[:, others] = 0
            self.animations.forget_rows(others)
            self.introductions.forget_rows(others)

    # --- people

    def _seat_first(self) -> None:
        """A viewer is shown what somebody sits on before it is shown the person, who waits for the next frame if need be."""
        for agent, seat in self._world.seats.of.items():
            unseen = self.objects.unseen(self.introductions.owed_to(agent), seat.prim)
            if len(unseen):
                viewers = {slot: viewer for viewer, slot in self._viewers.items()}
                for slot in unseen.tolist():
                    self.objects.show_now(viewers[slot], seat.prim)
                self.introductions.hold(unseen, agent)

    def _forget_places(self, agents: list[Agent]) -> None:
        """Who sat down or stood up has another parent: nobody may hear of its movements before it was told so."""
        for agent in agents:
            self.known[:, agent.row] = self.rings.pending[:, agent.row] = 0

    def _show_again(self, agents: list[Agent], stale: int, owed: int) -> None:
        """These are shown to everybody once more: `owed` is FULL or LOOKS, `stale` what was kept of them and is not true now."""
        for agent in agents:
            self.introductions.changed(agent, stale)
        if agents:
            self.introductions.owe(self._viewers, agents, owed)

    def _send_removed(self) -> None:
        """KillObject to every viewer."""
        removed, self._gone = self._gone, []
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

    def _send_terse(self) -> None:
        world = self._world
        rows = world.avatars.rows[: world.avatars.count]
        movers = np.flatnonzero(rows["dirty"])
        if not len(movers) and not self._owed:
            return
        everyone = np.arange(len(rows))
        if len(rows) > len(self._records):
            self._records = np.zeros((2 * len(rows), objects.RECORD_SIZE), np.uint8)
            self._lengths = np.zeros(2 * len(rows), np.int64)
        encode_rows(rows, everyone, self._records, self._lengths)
        if self._viewers:
            circuits = self._circuits
            viewers, own = self._eyes()
            eyes = self._places(rows, own)
            written = self.rings.update(
                circuits.socket.outgoing, rows, self._records, self._lengths, viewers, own, eyes, self.known,
                circuits.rates, STEP, self._pace.number, circuits.sequences, circuits.keys, world.facts.handle,
                world.dilation,
            )  # fmt: skip
            self._region.metrics.count("object_updates", written, "terse")
            if len(movers):
                self._turns_left = TURNS
            self._turns_left = max(self._turns_left - 1, 0)
            self._owed = bool(written or self._turns_left or self.rings.pending[viewers].any())
        else:
            self._owed = False
        mark_sent(rows, movers)

    def _shed(self) -> None:
        """A region whose frames grow long tells everybody less often rather than be late for all."""
        rings, took = self.rings, self._pace.last_took
        if took is not None:
            self._busy += (took - self._busy) / 16
        if self._pace.number % 16:
            return
        if self._busy > BUSY:
            if rings.turns < TURNS:
                rings.turns += 1
            else:
                rings.share = max(rings.share * 0.85, LEAST_SHARE)
        elif rings.share < 1.0:
            rings.share = min(rings.share * 1.1, 1.0)
        elif rings.turns > 1 and self._busy * rings.turns / (rings.turns - 1) < EASY:
            rings.turns -= 1

    def _eyes(self) -> tuple[np.ndarray, np.ndarray]:
        """Viewers' slots (V,), and their own rows or -1 (V,)."""
        slots = np.fromiter(self._viewers.values(), np.int64, len(self._viewers))
        return slots, np.fromiter((viewer.row for viewer in self._viewers), np.int64, len(self._viewers))

    def _places(self, rows: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Where viewers are (V, 3)."""
        if not len(rows):
            return np.zeros((len(own), 3), np.float32)
        eyes: np.ndarray = rows["position"][np.maximum(own, 0)]
        outside = np.flatnonzero(own < 0).tolist()
        if outside:
            people = list(self._viewers)
            for index in outside:
                eyes[index] = people[index].camera.center
        return eyes

    def _send_animations(self, agents: list[Agent], viewers: np.ndarray) -> None:
        self.animations.changed(agents, viewers, self.known)
        self.animations.update(self._viewers, viewers, self.rings)


def _those(changed: dict[Agent, What], what: What) -> list[Agent]:
    """Whose change is one of these."""
    return [agent for agent, its in changed.items() if its & what]


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
    rows = np.zeros(2, AVATAR_DTYPE)
    records, lengths = np.zeros((1, objects.RECORD_SIZE), np.uint8), np.zeros(1, np.int64)
    one = np.zeros(1, np.int64)
    encode_rows(rows, one, records, lengths)
    warm_dead_reckoning()
    sequences, keys = np.zeros(1, np.uint32), np.zeros(1, np.uint64)
    known = np.ones((1, 1), np.uint8)
    rings = Rings()
    warm_flights()
    warm_introductions()
    rings.update(
        Outgoing(4), rows, records, lengths, one, one, rows["position"][one], known, np.ones(1), STEP, 1, sequences, keys, 0,
        1.0,
    )  # fmt: skip
    warm_animations()
    pack_terse(Outgoing(4), records, lengths, one, one, known, sequences, keys, 0, 1.0)
