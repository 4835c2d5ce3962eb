"""Who must be shown to whom: full updates and appearances, a little in every frame.

When a thousand people are in a region and another arrives, a thousand clients must hear of it, and it of a thousand
people; twenty arrivals at once are forty thousand introductions. So every (viewer, avatar) has marks of what is owed,
and a kernel pays from all viewers' marks in turn: so many datagrams a frame as leave it time for the rest, each viewer
within what its throttle allows, itself first and then who is near.

A person's block is encoded once and kept until its looks change; what it does at the moment is written into the copy:

    40  length of ObjectData (76)       41  foot plane (16)    57  position, velocity, acceleration (3 F32 each)
    93  rotation x y z (F32)           105  angular velocity (12)

One packet of several (reliable, zero coded): flags, sequence U32 BE, extra 0, then ObjectUpdate: 12, region handle U64,
dilation U16, count U8, blocks. It is a flight (`circuits/flights.py`): lost, it makes its people owed again.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from protocol import objects, packet
from protocol.errors import ProtocolError
from protocol.kernels import inline, kernel
from protocol.message import Message, encode
from protocol.packet import zero_encode_into
from sim.circuits.datagrams import MTU, Outgoing, put_header
from sim.circuits.flights import ROWS, WINDOW, Flights
from sim.clock import STEP
from sim.interest.animations import CHANGED
from sim.interest.packing import NEEDS, Rings
from sim.world.agent import Agent
from sim.world.avatars import AVATAR_DTYPE
from sim.world.seats import ON_OBJECT

if TYPE_CHECKING:
    from sim.circuits.circuits import Circuits
    from sim.region import Region

FULL, LOOKS = 1, 2  # what is owed: where it is and who it is; how it looks
LEAST_PACKETS, MOST_PACKETS = 150, 1500  # in one frame, all viewers together
PACKETS_A_VIEWER = 6  # in one frame; a viewer alone in its line gets this much at most
BLOCKS_BYTES = 1000
BURST_SECONDS = 0.25
BUSY = 0.7 * STEP  # a frame as long as this takes fewer introductions
LONGEST_BLOCK = 3400  # bytes: a texture entry at its limit, 255 visual params, the longest names
TITLE_LIMIT = 64  # characters
PACKET_ROOM = -(-(LONGEST_BLOCK + 32) // MTU)  # of the room that other datagrams take
_OBJECT_UPDATE = struct.Struct("<BQHB")  # its number, region handle, dilation, count
_HEAD = _OBJECT_UPDATE.size
_OBJECT_DATA = 40
_PLANE = 17  # with the length of ObjectData
_RELIABLE, _ZEROCODED = packet.RELIABLE, packet.ZEROCODED


class _Debts(NamedTuple):
    """By circuit slot and avatar row: what is owed (and eight marks as one word), who is near, who was shown to whom, what is
    owed of animations. By slot: bytes that may be sent now, and a second."""

    owed: np.ndarray
    words: np.ndarray
    needs: np.ndarray
    known: np.ndarray
    acting: np.ndarray
    tokens: np.ndarray
    rates: np.ndarray


class _Kept(NamedTuple):
    """By avatar row: its block of ObjectUpdate, its whole AvatarAppearance, and whether that is zero coded."""

    blocks: np.ndarray
    lengths: np.ndarray
    looks: np.ndarray
    look_lengths: np.ndarray
    look_coded: np.ndarray


class _Aloft(NamedTuple):
    """Flights by circuit slot, how many there are, and seconds until one is lost."""

    table: np.ndarray
    flying: np.ndarray
    patience: np.ndarray


class _Room(NamedTuple):
    """To work in: a packet, rows owed, rows in the packet, and what was done (see `_introduce`)."""

    plain: np.ndarray
    picked: np.ndarray
    chosen: np.ndarray
    tally: np.ndarray


@inline
def _put_vector(target, at, values, sign):  # pragma: no cover - compiled
    for k in range(3):
        word = np.float32(values[k] * sign).view(np.uint32)
        target[at + 4 * k] = word & np.uint32(255)
        target[at + 4 * k + 1] = (word >> np.uint32(8)) & np.uint32(255)
        target[at + 4 * k + 2] = (word >> np.uint32(16)) & np.uint32(255)
        target[at + 4 * k + 3] = word >> np.uint32(24)


@kernel
def _copy_block(plain, at, block, length, row):  # pragma: no cover - compiled
    """The kept block with what the avatar does now; one on a seat stays in its place there, which the block has."""
    for b in range(length):
        plain[at + b] = block[b]
    if row.sitting == ON_OBJECT:
        return
    moment = at + _OBJECT_DATA + _PLANE
    plus = np.float32(1.0)
    _put_vector(plain, moment, row.position, plus)
    _put_vector(plain, moment + 12, row.velocity, plus)
    _put_vector(plain, moment + 24, row.acceleration, plus)
    # w is not sent, and is taken as positive
    _put_vector(plain, moment + 36, row.rotation, -plus if row.rotation[3] < 0 else plus)
    _put_vector(plain, moment + 48, row.angular_velocity, plus)


@kernel
def _post(body, length, zerocode, sequence, buffer, used):  # pragma: no cover - compiled
    """Write a reliable datagram at `used`; its length."""
    start = used + 6
    coded = -2
    if zerocode:
        coded = zero_encode_into(body, 0, length, buffer[start : start + length])
    flags = _RELIABLE | _ZEROCODED
    if coded < 0:  # not asked for, or no shorter
        flags = _RELIABLE
        coded = length
        for b in range(length):
            buffer[start + b] = body[b]
    put_header(buffer, used, flags, sequence)
    return coded + 6


@kernel
def _pick(words, owed, need, own, picked, enough):  # pragma: no cover - compiled
    """Rows owed anything, nearest ring first, until there are enough; returns how many."""
    total = 0
    if own >= 0 and owed[own]:
        picked[0] = own
        total = 1
    for ring in range(len(NEEDS) + 1):
        for w in range(len(words)):
            if words[w] == 0:
                continue
            for r in range(8 * w, 8 * w + 8):
                if owed[r] == 0 or r == own:
                    continue
                wanted = need[r] == NEEDS[ring] if ring < len(NEEDS) else need[r] < NEEDS[0]  # or not reckoned yet
                if wanted:
                    picked[total] = r
                    total += 1
                    if total == enough:
                        return total
        if total >= enough:
            return total
    return total


@kernel
def _introduce(
    viewers, own, first, left, rows, debts, kept, flights, room, wire, dt, now, count, used
):  # pragma: no cover - compiled
    """Pay what is owed, to viewers[first:] and on round the list, until `left` packets are spent.

    `plain` begins with ObjectUpdate's head. tally += blocks, appearances, viewers that were owed something. Returns the
    outgoing count and used, and the viewer to begin with next time.
    """
    tokens, rates, known = debts.tokens, debts.rates, debts.known
    plain, picked, chosen, tally = room.plain, room.picked, room.chosen, room.tally
    lengths, look_lengths = kept.lengths, kept.look_lengths
    for n in range(len(viewers)):
        v = (first + n) % len(viewers)
        slot = viewers[v]
        marks = debts.owed[slot]
        total = _pick(debts.words[slot], marks, debts.needs[slot], own[v], picked, PACKETS_A_VIEWER * ROWS)
        if total == 0:
            tokens[slot] = rates[slot] * BURST_SECONDS
            continue
        tally[2] += 1
        if left <= 0:
            return count, used, v
        tokens[slot] = min(tokens[slot] + rates[slot] * dt, rates[slot] * BURST_SECONDS)
        most = min(left, PACKETS_A_VIEWER)
        sent = 0
        done = 0
        full = True  # first people, then how they look
        while sent < most and tokens[slot] > 0:
            sequence = (wire.sequences[slot] + np.uint32(1)) & np.uint32(0xFFFFFF)
            flight = flights.table[slot, sequence & np.uint32(WINDOW - 1)]
            if flight.count:  # it has not acknowledged what was sent a window ago
                break
            people = 0
            at = _HEAD
            while full and done < total and people < ROWS:
                r = picked[done]
                if not rows[r].active:
                    marks[r] = 0
                if marks[r] & LOOKS and not known[slot, r]:
                    marks[r] |= FULL
                if marks[r] & FULL and lengths[r]:
                    if people and at + lengths[r] > BLOCKS_BYTES:
                        break
                    _copy_block(plain, at, kept.blocks[r], lengths[r], rows[r])
                    at += lengths[r]
                    chosen[people] = r
                    people += 1
                done += 1
            if people:
                kind = FULL
                plain[_HEAD - 1] = people
                size = _post(plain, at, True, sequence, wire.buffer, used)
                tally[0] += people
            else:
                if full:
                    full = False
                    total = done
                    done = 0
                while done < total and (marks[picked[done]] != LOOKS or look_lengths[picked[done]] == 0):
                    if marks[picked[done]] == LOOKS:  # nothing is known of its looks
                        marks[picked[done]] = 0
                    done += 1
                if done == total:
                    break
                kind = LOOKS
                chosen[0] = picked[done]
                people = 1
                r = chosen[0]
                size = _post(kept.looks[r], look_lengths[r], kept.look_coded[r], sequence, wire.buffer, used)
                tally[1] += 1
            wire.sequences[slot] = sequence
            wire.offsets[count], wire.sizes[count], wire.receivers[count] = used, size, wire.keys[slot]
            count += 1
            used += size
            sent += 1
            tokens[slot] -= size
            flight.sequence, flight.due, flight.kind, flight.count = sequence, now + flights.patience[slot], kind, people
            flights.flying[slot] += 1
            for k in range(people):
                r = chosen[k]
                flight.rows[k] = r
                marks[r] &= ~np.uint8(kind)
                if not known[slot, r]:
                    known[slot, r] = 1
                    debts.acting[slot, r] = CHANGED
        left -= sent
    return count, used, first


class Introductions:
    """What viewers have still to be shown, by circuit slot and avatar row."""

    def __init__(self, region: Region, circuits: Circuits) -> None:
        self._region, self._world = region, region.world
        self._circuits = circuits
        self.owed = np.zeros((64, 128), np.uint8)
        self._tokens = np.zeros(64, np.float64)  # bytes a viewer may be sent now
        # By avatar row: blocks of ObjectUpdate, and whole AvatarAppearances. Length 0: to be encoded when it is owed.
        self._blocks, self._lengths = np.zeros((128, 512), np.uint8), np.zeros(128, np.int64)
        self._looks, self._look_lengths = np.zeros((128, 512), np.uint8), np.zeros(128, np.int64)
        self._look_coded = np.zeros(128, np.bool_)
        self._plain = np.zeros(LONGEST_BLOCK + _HEAD, np.uint8)
        self._chosen, self._picked = np.zeros(ROWS, np.int64), np.zeros(PACKETS_A_VIEWER * ROWS, np.int64)
        self._tally = np.zeros(3, np.int64)
        self._owing = False
        self._held: list[tuple[np.ndarray, int, np.ndarray]] = []  # slots, a row, what they are owed of it
        self._first = 0
        self._paid_at = 0.0

    def grow(self, slots: int, rows: int) -> None:
        """Room for that many of both."""
        old_slots, old_rows = self.owed.shape
        owed, tokens = np.zeros((slots, rows), np.uint8), np.zeros(slots, np.float64)
        owed[:old_slots, :old_rows], tokens[:old_slots] = self.owed, self._tokens
        self.owed, self._tokens = owed, tokens
        for name in ("_blocks", "_looks", "_lengths", "_look_lengths", "_look_coded"):
            old = getattr(self, name)
            grown = np.zeros((rows, *old.shape[1:]), old.dtype)
            grown[:old_rows] = old
            setattr(self, name, grown)

    # --- what is owed

    def begin(self, viewer: Agent, slot: int) -> None:
        """A new viewer: everybody who is here."""
        world = self._world
        self._tokens[slot] = self._circuits.rates[slot] * BURST_SECONDS
        here = np.flatnonzero(world.avatars.rows["active"])
        for row in here[self._lengths[here] == 0].tolist():
            self._prepare(world.agent_of_row[row])
        self.owed[slot] = 0
        self.owed[slot, here] = FULL | LOOKS
        self._spare_own_looks(viewer)
        self._owing = True

    def owe(self, viewers: Collection[Agent], others: Collection[Agent], what: int) -> None:
        """These viewers have to be shown these people, or how they look, once more."""
        slots = np.fromiter((v.circuit.slot for v in viewers if v.circuit is not None), np.int64)
        if not len(slots):
            return
        rows = np.fromiter((self._prepare(other) for other in others), np.int64)
        self.owed[slots[:, None], rows] |= what
        self._owing = True
        if what & LOOKS:
            for other in others:
                if other in viewers:
                    self._spare_own_looks(other)

    def _spare_own_looks(self, viewer: Agent) -> None:
        """They are the viewer's own doing, and not told to it unless it has asked for that."""
        if viewer.circuit is not None and viewer.row >= 0 and not viewer.handshake_flags & 4:
            self.owed[viewer.circuit.slot, viewer.row] &= ~np.uint8(LOOKS)

    def owed_to(self, agent: Agent) -> np.ndarray:
        """Circuit slots of those who have yet to be shown it."""
        return np.flatnonzero(self.owed[:, agent.row] & FULL)

    def hold(self, slots: np.ndarray, agent: Agent) -> None:
        """What these are owed of it waits until the next frame."""
        self._held.append((slots, agent.row, self.owed[slots, agent.row]))
        self.owed[slots, agent.row] = 0

    def forget(self, slot: int) -> None:
        """Nobody looks from there any more."""
        self.owed[slot] = 0

    def forget_rows(self, rows: np.ndarray) -> None:
        """Other avatars, or none, are in these rows now."""
        self.owed[:, rows] = 0
        self._lengths[rows] = self._look_lengths[rows] = 0

    def changed(self, agent: Agent, what: int) -> None:
        """What was kept of it is not true any more."""
        if what & FULL:
            self._lengths[agent.row] = 0
        if what & LOOKS:
            self._look_lengths[agent.row] = 0

    # --- what is sent

    def _prepare(self, agent: Agent) -> int:
        """Encode its block and its looks, where they are not kept; returns its row."""
        row, look = agent.row, agent.appearance
        seat = self._world.seats.of.get(agent)
        if not self._lengths[row]:
            motion = objects.Motion(position=seat.offset, rotation=seat.turn) if seat is not None else objects.Motion()
            parent = seat.prim.local_id if seat is not None else 0
            try:
                body = _person(agent, motion, parent, agent.group_title, look.size[2], look.texture_entry)
            except Exception as error:  # of it is shown what can be: that it is here
                self._put_aside(agent, error)
                body = _person(agent, objects.Motion(), 0, "", 1.9, b"")
            self._blocks = _kept(self._blocks, row, body)
            self._lengths[row] = len(body)
        if not self._look_lengths[row] and (look.texture_entry or look.visual_params):
            try:
                body = _looks(agent)
            except Exception as error:  # others keep seeing it as a viewer draws who has no looks
                self._put_aside(agent, error)
                return row
            self._looks = _kept(self._looks, row, body)
            self._look_lengths[row] = len(body)
            self._look_coded[row] = Message("AvatarAppearance").spec.zerocoded
        return row

    def _put_aside(self, agent: Agent, error: Exception) -> None:
        words = "Others cannot be told how you look: your viewer sent something that is no appearance."
        self._region.aside.put("interest", agent, error, agent.agent_id, words)

    def update(
        self, viewers: np.ndarray, own: np.ndarray, rings: Rings, known: np.ndarray, acting: np.ndarray, busy: float
    ) -> None:
        """Send what this frame may. viewers (V,): circuit slots, own (V,): their own rows or -1; `rings` knows who is near.

        known (slots, rows): who was shown to whom; acting: what is owed of animations. busy: seconds the last frames
        took.
        """
        world, circuits, now = self._world, self._circuits, self._region.clock.now()
        lost = circuits.flights.lost(self.owed, now)
        if lost:
            self._region.metrics.count("resends", lost)
            self._owing = True
        dt, self._paid_at = now - self._paid_at, now
        if not self._owing or not len(viewers):
            return
        left = round(MOST_PACKETS + (LEAST_PACKETS - MOST_PACKETS) * min(busy / BUSY, 1.0))
        outgoing: Outgoing = circuits.socket.outgoing
        outgoing.reserve(min(left, PACKETS_A_VIEWER * len(viewers)) * PACKET_ROOM)
        head = _OBJECT_UPDATE.pack(12, world.facts.handle, objects.dilation(world.dilation), 0)
        self._plain[:_HEAD] = np.frombuffer(head, np.uint8)
        self._tally[:] = 0
        outgoing.count, outgoing.used, self._first = _introduce(
            viewers, own, self._first % len(viewers), left, world.avatars.rows,
            _Debts(self.owed, self.owed.view(np.uint64), rings.needs, known, acting, self._tokens, circuits.rates),
            _Kept(self._blocks, self._lengths, self._looks, self._look_lengths, self._look_coded),
            _Aloft(circuits.flights.table, circuits.flights.flying, circuits.patience),
            _Room(self._plain, self._picked, self._chosen, self._tally),
            outgoing.wire(circuits.sequences, circuits.keys), dt, now, outgoing.count, outgoing.used,
        )  # fmt: skip
        shown, _, waiting = self._tally.tolist()
        self._region.metrics.count("object_updates", shown, "full")
        self._owing = waiting > 0 or bool(self._held)
        for slots, row, what in self._held:
            self.owed[slots, row] |= what
        self._held.clear()


def _person(agent: Agent, motion: objects.Motion, parent: int, title: str, height: float, texture_entry: bytes) -> bytes:
    """A block of ObjectUpdate."""
    fields = objects.avatar_block(
        agent.local_id, agent.agent_id, agent.first, agent.last, motion, parent_id=parent, title=title[:TITLE_LIMIT], height=height,
        texture_entry=texture_entry,
    )  # fmt: skip
    body = encode(Message("ObjectUpdate", ObjectData=[fields]))[_HEAD:]
    if len(body) > LONGEST_BLOCK:
        raise ProtocolError(f"{len(body)} bytes")
    return body


def _looks(agent: Agent) -> bytes:
    look = agent.appearance
    body = encode(
        Message(
            "AvatarAppearance",
            Sender={"ID": agent.agent_id, "IsTrial": False},
            ObjectData={"TextureEntry": look.texture_entry},
            VisualParam=[{"ParamValue": value} for value in look.visual_params[:255]],
            AppearanceData=[{"AppearanceVersion": 0, "CofVersion": look.serial & 0x7FFFFFFF, "Flags": 0}],
            AppearanceHover=[{"HoverHeight": (0.0, 0.0, look.hover)}],
        )
    )
    if len(body) > LONGEST_BLOCK:
        raise ProtocolError(f"{len(body)} bytes")
    return body


def _kept(table: np.ndarray, row: int, body: bytes) -> np.ndarray:
    """`table` (rows, width) with `body` in its row; a wider one where needed."""
    if len(body) > table.shape[1]:
        wider = np.zeros((len(table), LONGEST_BLOCK), np.uint8)
        wider[:, : table.shape[1]] = table
        table = wider
    table[row, : len(body)] = np.frombuffer(body, np.uint8)
    return table


def warm() -> None:
    """Compile, or load from the cache, before the region opens."""
    outgoing, flights, rings = Outgoing(2), Flights(), Rings()
    one, marks = np.zeros(1, np.int64), np.zeros((1, 8), np.uint8)
    many = np.zeros((1, 512), np.uint8)
    _introduce(
        one, one, 0, 1, np.zeros(1, AVATAR_DTYPE),
        _Debts(marks, marks.view(np.uint64), rings.needs, marks, marks, np.zeros(1), np.zeros(1)),
        _Kept(many, one, many, one, np.zeros(1, np.bool_)), _Aloft(flights.table, flights.flying, np.zeros(1)),
        _Room(np.zeros(64, np.uint8), one, one, np.zeros(3, np.int64)),
        outgoing.wire(np.zeros(1, np.uint32), np.zeros(1, np.uint64)), STEP, 0.0, 0, 0,
    )  # fmt: skip
