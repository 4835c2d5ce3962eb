"""Who must be shown to whom: full updates and appearances, a little in every frame.

When a thousand people are in a region and another arrives, a thousand clients must hear of it, and it of a thousand
people; twenty arrivals at once are forty thousand introductions. Each viewer therefore has a line of people it was not
shown yet, and a frame takes only so many datagrams from all lines together: from each viewer's in turn, within what its
throttle allows, so that no frame is late because of it. An arriving viewer's line begins with itself and those near.

A person's block is encoded once and kept until its looks change; what it does at the moment is written into a copy:

    40  length of ObjectData (76)       41  foot plane (16)    57  position, velocity, acceleration (3 F32 each)
    93  rotation x y z (F32)           105  angular velocity (12)
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from protocol import objects
from protocol.message import Message, encode
from sim.world.agent import Agent

if TYPE_CHECKING:
    from sim.circuits.circuit import Circuit
    from sim.simulator import Simulator

FULL, LOOKS = 1, 2  # what is owed: where it is and who it is; how it looks
PACKETS_A_FRAME = 240
PACKETS_A_VIEWER = 6  # in one frame; a viewer alone in its line gets this much at most
BLOCKS_BYTES = 1000
BURST_SECONDS = 0.25
_HEAD = struct.Struct("<BQHB")  # ObjectUpdate: its number, region handle, dilation, count
_OBJECT_DATA = 40


class Introductions:
    def __init__(
        self, sim: Simulator, shown: Callable[[Agent, Agent], None], before: Callable[[Agent, Agent], None]
    ) -> None:
        """`before(viewer, other)` is called ahead of a full update of `other` to `viewer`, `shown` when it is on its way."""
        self.sim = sim
        self._shown = shown
        self._before = before
        self._lines: dict[Agent, deque[tuple[Agent, int]]] = {}
        self._budget: dict[Agent, tuple[float, float]] = {}  # bytes it may be sent, and when that was reckoned
        # By local id, which is never given twice.
        self._kept: dict[int, bytes] = {}  # blocks
        self._looks: dict[int, tuple[bytes, bool]] = {}  # AvatarAppearance, and whether it is zero coded

    def begin(self, viewer: Agent) -> None:
        """A new viewer: everybody who is here, itself first, then by distance."""
        world = self.sim.world
        x, y, z = world.position(viewer)

        def away(other: Agent) -> float:
            if other is viewer:
                return -1.0
            px, py, pz = world.avatars.rows[other.row]["position"].tolist()
            return float((px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2)

        line: deque[tuple[Agent, int]] = deque()
        for other in sorted(world.roots(), key=away):
            line.append((other, FULL if other is viewer else FULL | LOOKS))
        if line:
            self._lines[viewer] = line

    def owe(self, viewers: Iterable[Agent], others: Iterable[Agent], what: int, *, first: bool = False) -> None:
        """Put people in these viewers' lines."""
        others = list(others)
        for viewer in viewers:
            line = self._lines.setdefault(viewer, deque())
            for other in others:
                if first or other is viewer:
                    line.appendleft((other, what))
                else:
                    line.append((other, what))

    def forget(self, agent: Agent) -> None:
        """It is no viewer any more."""
        self._lines.pop(agent, None)
        self._budget.pop(agent, None)

    def changed(self, agent: Agent, what: int) -> None:
        """What was kept of it is not true any more."""
        if what & FULL:
            self._kept.pop(agent.local_id, None)
        if what & LOOKS:
            self._looks.pop(agent.local_id, None)

    # --- a frame's share

    def update(self) -> None:
        """Send what this frame may."""
        left = PACKETS_A_FRAME
        now = self.sim.clock.now()
        blocks: dict[Agent, bytes] = {}  # as of this frame
        bodies: dict[tuple[Agent, ...], bytes] = {}
        for viewer in list(self._lines):
            if left <= 0:
                break
            line = self._lines.pop(viewer)
            if viewer.circuit is None:
                continue
            left -= self._serve(viewer, viewer.circuit, line, min(left, PACKETS_A_VIEWER), now, blocks, bodies)
            if line:
                self._lines[viewer] = line  # at the end: the others have their turn first

    def _serve(
        self,
        viewer: Agent,
        circuit: Circuit,
        line: deque[tuple[Agent, int]],
        most: int,
        now: float,
        blocks: dict[Agent, bytes],
        bodies: dict[tuple[Agent, ...], bytes],
    ) -> int:
        """Datagrams sent to one viewer."""
        rate = float(self.sim.circuits.rates[circuit.slot])
        tokens, since = self._budget.get(viewer, (rate * BURST_SECONDS, now))
        tokens = min(tokens + (now - since) * rate, rate * BURST_SECONDS)
        sent = 0
        people: list[Agent] = []
        looks: list[Agent] = []
        size = 0
        while line and sent < most and tokens > 0:
            other, what = line[0]
            if other.child or other.row < 0 or self.sim.world.agents.get(other.agent_id) is not other:
                line.popleft()
                continue
            if what & FULL:
                block = blocks.get(other)
                if block is None:
                    block = blocks[other] = self._block(other)
                if people and (size + len(block) > BLOCKS_BYTES or len(people) == 255):
                    tokens -= self._send_full(viewer, circuit, people, blocks, bodies)
                    sent += 1
                    people, size = [], 0
                    continue
                self._before(viewer, other)
                people.append(other)
                size += len(block)
            line.popleft()
            if what & LOOKS and (other is not viewer or viewer.handshake_flags & 4):
                looks.append(other)
                sent += 1  # counted now, sent behind the full update it belongs to
                tokens -= 600
        if people:
            tokens -= self._send_full(viewer, circuit, people, blocks, bodies)
            sent += 1
        for other in looks:
            body, zerocoded = self._appearance(other)
            if body:
                circuit.send_body(body, zerocode=zerocoded)
        self._budget[viewer] = tokens, now
        return sent

    def _send_full(
        self,
        viewer: Agent,
        circuit: Circuit,
        people: list[Agent],
        blocks: dict[Agent, bytes],
        bodies: dict[tuple[Agent, ...], bytes],
    ) -> int:
        key = tuple(people)
        body = bodies.get(key)
        if body is None:
            world = self.sim.world
            head = _HEAD.pack(12, world.facts.handle, objects.dilation(world.dilation), len(people))
            body = bodies[key] = head + b"".join(blocks[other] for other in people)
        circuit.send_body(body, zerocode=True)
        for other in people:
            self._shown(viewer, other)
        self.sim.metrics.count("object_updates", len(people), "full")
        return len(body)

    # --- what is sent

    def _block(self, agent: Agent) -> bytes:
        """The agent's block of an ObjectUpdate, with what it does now."""
        row = self.sim.world.row(agent)
        seat = self.sim.world.seats.of.get(agent)
        block = self._kept.get(agent.local_id)
        if block is None:
            fields = objects.avatar_block(
                agent.local_id,
                agent.agent_id,
                agent.first,
                agent.last,
                title=agent.group_title,
                parent_id=seat.prim.local_id if seat is not None else 0,
                height=agent.appearance.size[2],
                texture_entry=agent.appearance.texture_entry,
            )
            block = self._kept[agent.local_id] = encode(Message("ObjectUpdate", ObjectData=[fields]))[_HEAD.size :]
        moment = objects.encode_object_data(
            objects.Motion(position=seat.offset, rotation=seat.turn)
            if seat is not None
            else objects.Motion(
                position=tuple(row["position"].tolist()),
                velocity=tuple(row["velocity"].tolist()),
                acceleration=tuple(row["acceleration"].tolist()),
                rotation=tuple(row["rotation"].tolist()),
                angular_velocity=tuple(row["angular_velocity"].tolist()),
            )
        )
        start = _OBJECT_DATA + 17
        return block[:start] + moment + block[start + len(moment) :]

    def _appearance(self, agent: Agent) -> tuple[bytes, bool]:
        """AvatarAppearance; empty when nothing is known of its looks."""
        kept = self._looks.get(agent.local_id)
        if kept is None:
            look = agent.appearance
            if not (look.texture_entry or look.visual_params):
                return b"", False
            message = Message(
                "AvatarAppearance",
                Sender={"ID": agent.agent_id, "IsTrial": False},
                ObjectData={"TextureEntry": look.texture_entry},
                VisualParam=[{"ParamValue": value} for value in look.visual_params[:255]],
                AppearanceData=[{"AppearanceVersion": 0, "CofVersion": look.serial & 0x7FFFFFFF, "Flags": 0}],
                AppearanceHover=[{"HoverHeight": (0.0, 0.0, look.hover)}],
            )
            kept = self._looks[agent.local_id] = encode(message), message.spec.zerocoded
        return kept

    def left(self, local_id: int) -> None:
        """That avatar is gone from here."""
        self._kept.pop(local_id, None)
        self._looks.pop(local_id, None)
