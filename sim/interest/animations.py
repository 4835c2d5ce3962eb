"""What people's limbs do, for those who see them.

A change of animation is one AvatarAnimation a viewer, and a message names one avatar: a thousand people who start and
stop once a second would be a million datagrams. So every (viewer, avatar) has a mark, and only the latest set is ever
sent. While there is little to say it is said reliably and at once. In a crowd a kernel says it to a share of the viewers
each frame, nearest avatars first, unreliably, and to those near once more a little later.

One packet (unreliable, not zero coded): flags 0, sequence U32 BE, extra 0, then the message as encoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from protocol.kernels import kernel
from protocol.message import Message, encode
from sim.circuits.datagrams import MTU, Outgoing, put_header
from sim.interest.packing import NEEDS, Rings
from sim.world.agent import Agent
from sim.world.animations import playing as playing_of

if TYPE_CHECKING:
    from sim.circuits.circuits import Circuits
    from sim.pace import Pace
    from sim.region import Region

RELIABLE_A_FRAME = 64  # as many changes a frame are told reliably; beyond it is a crowd
PACKETS_A_FRAME = 400
VIEWERS_A_FRAME = 128
AGAIN_FRAMES = 32  # so often what was told once to those near is told again
BODY_SIZE = 1400  # 32 animations started and the default one are 1,215 bytes
TOLD_ONCE, CHANGED = 1, 2


@kernel
def _pack(
    total, bodies, lengths, viewers, pending, needs, lines, quota, least, turn, wire, count, used
):  # pragma: no cover - compiled
    buffer, sequences = wire.buffer, wire.sequences
    written = 0
    for v in range(len(viewers)):
        slot = viewers[v]
        waiting, need = pending[slot], needs[slot]
        left = quota
        for ring in range(2):
            first = (turn * 37) % total if ring else 0  # those further away have their turn one after the other
            for n in range(total):
                if left == 0:
                    break
                r = first + n
                if r >= total:
                    r -= total
                if waiting[r] < least:
                    continue
                near = need[r] <= NEEDS[0]
                if near != (ring == 0):
                    continue
                waiting[r] = TOLD_ONCE if near and waiting[r] == CHANGED else 0
                length = lengths[r]
                if length == 0:
                    continue
                sequences[slot] = (sequences[slot] + np.uint32(1)) & np.uint32(0xFFFFFF)
                sequence = sequences[slot]
                put_header(buffer, used, 0, sequence)
                for b in range(length):
                    buffer[used + 6 + b] = bodies[r, b]
                wire.offsets[count] = used
                wire.sizes[count] = length + 6
                wire.receivers[count] = wire.keys[slot]
                lines[slot].tokens -= length + 34
                used += length + 6
                count += 1
                written += 1
                left -= 1
    return count, used, written


class Animations:
    def __init__(self, region: Region, pace: Pace, circuits: Circuits) -> None:
        self._world = region.world
        self._pace, self._circuits = pace, circuits
        self.pending = np.zeros((64, 128), np.uint8)
        self._bodies = np.zeros((128, 160), np.uint8)
        self._lengths = np.zeros(128, np.int64)
        self._next = 0  # the viewer whose turn it is in a crowd

    def grow(self, slots: int, rows: int) -> None:
        old_slots, old_rows = self.pending.shape
        if slots <= old_slots and rows <= old_rows:
            return
        grown = np.zeros((max(slots, old_slots), max(rows, old_rows)), np.uint8)
        grown[:old_slots, :old_rows] = self.pending
        self.pending = grown
        bodies = np.zeros((grown.shape[1], self._bodies.shape[1]), np.uint8)
        bodies[:old_rows] = self._bodies
        lengths = np.zeros(grown.shape[1], np.int64)
        lengths[:old_rows] = self._lengths
        self._bodies, self._lengths = bodies, lengths

    def changed(self, agents: Iterable[Agent], slots: np.ndarray, known: np.ndarray) -> None:
        """These do something else now; circuit slots of viewers, and who knows whom."""
        for agent in agents:
            self._remember(agent)
            self.pending[slots[known[slots, agent.row] != 0], agent.row] = CHANGED

    def _remember(self, agent: Agent) -> None:
        body = encode(self.message(agent))
        if len(body) > self._bodies.shape[1]:
            grown = np.zeros((len(self._bodies), BODY_SIZE), np.uint8)
            grown[:, : self._bodies.shape[1]] = self._bodies
            self._bodies = grown
        self._bodies[agent.row, : len(body)] = np.frombuffer(body, np.uint8)
        self._lengths[agent.row] = len(body)

    def message(self, agent: Agent) -> Message:
        playing = playing_of(agent, int(self._world.row(agent)["motion"]))
        return Message(
            "AvatarAnimation",
            Sender={"ID": agent.agent_id},
            AnimationList=[{"AnimID": animation, "AnimSequenceID": number} for animation, number in playing],
            AnimationSourceList=[{"ObjectID": agent.animation_sources.get(animation, agent.agent_id)} for animation, _ in playing],
        )

    def forget_rows(self, rows: np.ndarray) -> None:
        """Other avatars, or none, are in these rows now."""
        self.pending[:, rows] = 0
        self._lengths[rows] = 0

    def update(self, viewers: dict[Agent, int], slots: np.ndarray, rings: Rings) -> None:
        """Tell what is to be told. viewers -> slots as in `slots` (V,); `rings` knows who is near whom."""
        changes = np.count_nonzero(self.pending >= CHANGED)
        if 0 < changes <= RELIABLE_A_FRAME:
            self._reliably(viewers)
        elif changes or self._pace.number % AGAIN_FRAMES == 0:
            self._by_kernel(slots, rings)

    def _reliably(self, viewers: dict[Agent, int]) -> None:
        agents = {slot: viewer for viewer, slot in viewers.items()}
        for slot, row in np.argwhere(self.pending >= CHANGED).tolist():
            self.pending[slot, row] = 0
            viewer = agents.get(slot)
            if viewer is not None and viewer.circuit is not None:
                viewer.circuit.send_body(self._bodies[row, : self._lengths[row]].tobytes())

    def _by_kernel(self, slots: np.ndarray, rings: Rings) -> None:
        if not len(slots) or not self._world.avatars.count:
            return
        share = min(len(slots), VIEWERS_A_FRAME)
        mine = (self._next + np.arange(share)) % len(slots)
        self._next = int(mine[-1] + 1) % len(slots)
        circuits, number = self._circuits, self._pace.number
        # Each viewer has its turn at what was told once already, every AGAIN_FRAMES or a little later.
        least = TOLD_ONCE if number % AGAIN_FRAMES < -(-len(slots) // share) else CHANGED
        total = self._world.avatars.count
        quota = max(PACKETS_A_FRAME // share, 1)
        outgoing: Outgoing = circuits.socket.outgoing
        outgoing.reserve(share * min(quota, total) * (1 + self._bodies.shape[1] // MTU))
        outgoing.count, outgoing.used, _ = _pack(
            total, self._bodies, self._lengths, slots[mine], self.pending, rings.needs, rings.lines, quota, least, number,
            outgoing.wire(circuits.sequences, circuits.keys), outgoing.count, outgoing.used,
        )  # fmt: skip


def warm() -> None:
    """Compile, or load from the cache, before the region opens."""
    outgoing, rings = Outgoing(2), Rings()
    one = np.zeros(1, np.int64)
    _pack(
        1, np.zeros((1, 160), np.uint8), one, one, np.zeros((1, 1), np.uint8), rings.needs, rings.lines, 1, 1, 1,
        outgoing.wire(np.zeros(1, np.uint32), np.zeros(1, np.uint64)), 0, 0,
    )  # fmt: skip
