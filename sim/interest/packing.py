"""Terse updates for many viewers at once: each mover is encoded once, then copied into every packet that needs it.

One packet (ImprovedTerseObjectUpdate, unreliable, not zero coded):

    0   flags 0, sequence U32 BE, extra 0        6 bytes
    6   message number 15                        1
    7   region handle U64 LE, dilation U16 LE   10
    17  number of blocks                         1
    18  blocks: U8 length, data, U16 texture entry length 0
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from protocol.kernels import inline, kernel
from sim.circuits.datagrams import MTU, Outgoing, put_header

_HEADER = 18


@inline
def _open_packet(buffer, start, sequence, handle, dilation):  # pragma: no cover - compiled
    put_header(buffer, start, 0, sequence)
    buffer[start + 6] = 15
    for b in range(8):
        buffer[start + 7 + b] = (handle >> np.uint64(8 * b)) & np.uint64(255)
    buffer[start + 15] = dilation & 255
    buffer[start + 16] = (dilation >> 8) & 255


@kernel
def _pack(records, lengths, movers, viewers, known, wire, handle, dilation, count, used):  # pragma: no cover - compiled
    """Append packets to the outgoing arrays; returns the new count, used, and how many blocks were written."""
    buffer, sizes, sequences = wire.buffer, wire.sizes, wire.sequences
    written = 0
    for v in range(len(viewers)):
        slot = viewers[v]
        start = -1
        at = 0
        blocks = 0
        for m in range(len(movers)):
            if not known[slot, movers[m]]:
                continue
            length = lengths[m]
            if start < 0 or at + length > MTU or blocks == 255:
                if start >= 0:
                    buffer[start + 17] = blocks
                    sizes[count] = at
                    count += 1
                    used = start + at
                start = used
                wire.offsets[count] = start
                wire.receivers[count] = wire.keys[slot]
                sequences[slot] = (sequences[slot] + np.uint32(1)) & np.uint32(0xFFFFFF)
                _open_packet(buffer, start, sequences[slot], handle, dilation)
                at = _HEADER
                blocks = 0
            for b in range(length):
                buffer[start + at + b] = records[m, b]
            at += length
            blocks += 1
            written += 1
        if start >= 0:
            buffer[start + 17] = blocks
            sizes[count] = at
            count += 1
            used = start + at
    return count, used, written


# What a movement must wait for a viewer, by distance. A pending update gains `STEPS[level]` a frame and goes once it has
# what its ring asks: at level 0 at once, at level 2 after 1, 4, 10 or 20 frames. The level rises when a viewer's line is
# full.
#
# A packet costs the same whatever is in it. So when frames become long, viewers are told in turns, every second frame or
# every third, and packets are fuller; if that is not enough, all lines are given less. For each row is kept in which
# frame it last moved on, and last did something new, and for each viewer in which frame it was told last.
NEAR, MIDDLE, FAR = 24.0, 64.0, 128.0  # metres
NEEDS = (4, 32, 80, 160)
STEPS = np.array([255, 16, 8, 4, 2], np.uint8)
LEVELS = len(STEPS)
FULL_PACKET = (MTU - _HEADER) // 63  # avatars
RING_FRAMES = 16  # a viewer's rings are drawn anew so often
LEVEL_FRAMES = 8
BURST_SECONDS = 0.25  # of a viewer's rate that may leave at once
NEWS_VELOCITY, NEWS_ROTATION = (
    0.15,
    0.9998,
)  # metres a second, cosine of half an angle: a change of path, not its course
LINE_DTYPE = np.dtype([("tokens", np.float64), ("level", np.int64), ("told", np.int64)])  # of a viewer, by circuit slot
TURNS = 3  # at most


@kernel
def _news(rows, turn, moved_at, news_at):  # pragma: no cover - compiled
    """Note who moves, as viewers think or nearly so, and who does something else now."""
    for r in range(len(rows)):
        row = rows[r]
        if not row.dirty:
            continue
        moved_at[r] = turn
        change = 0.0
        turned = 0.0
        for k in range(3):
            change += (row.velocity[k] - row.sent_velocity[k]) ** 2
        for k in range(4):
            turned += row.rotation[k] * row.sent_rotation[k]
        if change > NEWS_VELOCITY**2 or abs(turned) < NEWS_ROTATION:
            news_at[r] = turn


@kernel
def _rings(rows, ex, ey, ez, own, need):  # pragma: no cover - compiled
    for r in range(len(rows)):
        dx, dy, dz = rows[r].position[0] - ex, rows[r].position[1] - ey, rows[r].position[2] - ez
        square = dx * dx + dy * dy + dz * dz
        ring = 0
        if square >= NEAR * NEAR:
            ring = 1
        if square >= MIDDLE * MIDDLE:
            ring = 2
        if square >= FAR * FAR:
            ring = 3
        need[r] = NEEDS[ring]
    if own >= 0:
        need[own] = 1  # nothing comes before oneself


@kernel
def _mark(rows, viewers, own, eyes, known, rings, turn, turns):  # pragma: no cover - compiled
    """Note for every one of these viewers what moved since it was told last, and draw the rings of some of them anew."""
    pending, needs, lines = rings.pending, rings.needs, rings.lines
    moved_at, news_at, moved = rings.moved_at, rings.news_at, rings.picked
    oldest = turn
    for v in range(len(viewers)):
        oldest = min(oldest, lines[viewers[v]].told)
    count = 0
    for r in range(len(rows)):
        if moved_at[r] > oldest:
            moved[count] = r
            count += 1
    for v in range(len(viewers)):
        slot = viewers[v]
        last = lines[slot].told
        need = needs[slot, : len(rows)]
        if (turn // turns + v) % RING_FRAMES == 0 or need[0] == 0:
            _rings(rows, eyes[v, 0], eyes[v, 1], eyes[v, 2], own[v], need)
        told, waiting = known[slot], pending[slot]
        for n in range(count):
            r = moved[n]
            if told[r] and moved_at[r] > last:
                if need[r] == 0:  # its avatar has just come
                    need[r] = NEEDS[0]
                gain = need[r] - (need[r] >> 2) if news_at[r] > last else 1
                waiting[r] = max(waiting[r], gain)


@kernel
def _collect(words, ready, need, picked):  # pragma: no cover - compiled
    """Rows marked in `ready` (bytes, and the same as u64 words): near ones first; returns how many near, and in all."""
    near = 0
    later = len(picked)
    for w in range(len(words)):
        if words[w] == 0:
            continue
        for r in range(8 * w, 8 * w + 8):
            if not ready[r]:
                continue
            if need[r] <= NEEDS[0]:
                picked[near] = r
                near += 1
            else:
                later -= 1
                picked[later] = r
    total = near
    for k in range(later, len(picked)):  # close the gap between the two
        picked[total] = picked[k]
        total += 1
    return near, total


@kernel
def _pack_rings(
    records, lengths, viewers, own, rings, rates, beat, wire, handle, dilation, count, used
):  # pragma: no cover - compiled
    needs, ready, words, picked = rings.needs, rings.ready, rings.words, rings.picked
    buffer, sizes, sequences = wire.buffer, wire.sizes, wire.sequences
    turn, turns = beat.turn, beat.turns
    written = 0
    for v in range(len(viewers)):
        slot = viewers[v]
        line = rings.lines[slot]
        rate = rates[slot] * beat.share
        burst = rate * BURST_SECONDS
        if line.told == 0:  # a new viewer's line is empty
            line.tokens = burst
        line.tokens = min(line.tokens + rate * beat.dt * min(turn - line.told, TURNS), burst)
        line.told = turn
        near, total = _collect(words[slot], ready[slot], needs[slot], picked)
        waiting = rings.pending[slot]
        if line.level > 0 and total > near:  # a full line carries full packets; what is over waits for the next frame
            total = max(total - total % FULL_PACKET, near)
        start = -1
        at = 0
        blocks = 0
        # Another one first each frame, so that a full line starves nobody for long.
        first = (turn * 37 + slot * 11) % (total - near) if total > near else 0
        first_near = (turn * 37 + slot * 11) % near if near else 0
        for n in range(total):
            if n < near:
                r = picked[n + first_near if n + first_near < near else n + first_near - near]
                if line.tokens <= -burst and r != own[v]:
                    continue
            else:
                if line.tokens <= 0:
                    break
                k = n - near + first
                r = picked[near + (k if k < total - near else k - (total - near))]
            waiting[r] = 0
            length = lengths[r]
            if start < 0 or at + length > MTU or blocks == 255:
                if start >= 0:
                    buffer[start + 17] = blocks
                    sizes[count] = at
                    count += 1
                    used = start + at
                start = used
                wire.offsets[count] = start
                wire.receivers[count] = wire.keys[slot]
                sequences[slot] = (sequences[slot] + np.uint32(1)) & np.uint32(0xFFFFFF)
                _open_packet(buffer, start, sequences[slot], handle, dilation)
                at = _HEADER
                blocks = 0
                line.tokens -= _HEADER + 28  # and the headers of UDP and IP
            target = buffer[start + at : start + at + length]
            source = records[r]
            for b in range(length):
                target[b] = source[b]
            at += length
            blocks += 1
            written += 1
            line.tokens -= length
        if start >= 0:
            buffer[start + 17] = blocks
            sizes[count] = at
            count += 1
            used = start + at
        if (turn // turns + v) % LEVEL_FRAMES == 0:
            if line.tokens < 0.25 * burst:
                line.level = min(line.level + 1, LEVELS - 1)
            elif line.tokens > 0.75 * burst:
                line.level = max(line.level - 1, 0)
    return count, used, written


class _Columns(NamedTuple):
    """All of `Rings`, for kernels: by circuit slot and avatar row, by slot, by row."""

    pending: np.ndarray
    needs: np.ndarray
    lines: np.ndarray
    ready: np.ndarray
    words: np.ndarray
    moved_at: np.ndarray
    news_at: np.ndarray
    picked: np.ndarray


class _Beat(NamedTuple):
    """Of this frame: the share of their lines that viewers are given, its seconds, its number, and in how many viewers are
    told once."""

    share: float
    dt: float
    turn: int
    turns: int


class Rings:
    """What viewers of avatars have still to be told, by circuit slot and avatar row; see `update`."""

    def __init__(self) -> None:
        self.pending = np.zeros((64, 128), np.uint8)  # what an update has gained while it waits; 0: nothing to tell
        self.needs = np.zeros((64, 128), np.uint8)  # what it needs to go; 0: not reckoned yet
        self.lines = np.zeros(64, LINE_DTYPE)
        self.turns = 1  # viewers are told every so many frames
        self.share = 1.0  # of their lines, that viewers are given: less when the region cannot keep up
        self._moved_at, self._news_at = np.zeros(128, np.int64), np.zeros(128, np.int64)  # frame numbers, by row
        self._allot(64, 128)

    def grow(self, slots: int, rows: int) -> None:
        """Room for that many of both."""
        old_slots, old_rows = self.pending.shape
        slots, rows = max(slots, old_slots), max(rows, old_rows)
        if (slots, rows) == (old_slots, old_rows):
            return
        for name in ("_moved_at", "_news_at"):
            longer = np.zeros(rows, np.int64)
            longer[:old_rows] = getattr(self, name)
            setattr(self, name, longer)
        for name in ("pending", "needs"):
            grown = np.zeros((slots, rows), np.uint8)
            grown[:old_slots, :old_rows] = getattr(self, name)
            setattr(self, name, grown)
        lines = np.zeros(slots, LINE_DTYPE)
        lines[:old_slots] = self.lines
        self.lines = lines
        self._allot(slots, rows)

    def _allot(self, slots: int, rows: int) -> None:
        """Scratch space. Rows are a multiple of eight, so that eight marks can be read at once."""
        self._picked = np.zeros(rows, np.int64)
        self._ready, self._gain = np.zeros((slots, rows), np.bool_), np.zeros((slots, rows), np.uint8)
        self._words = self._ready.view(np.uint64)

    def forget(self, slot: int) -> None:
        """Another viewer may have this slot next."""
        self.pending[slot] = self.needs[slot] = 0
        self.lines[slot] = np.zeros((), LINE_DTYPE)

    def update(
        self,
        outgoing: Outgoing,
        rows: np.ndarray,
        records: np.ndarray,
        lengths: np.ndarray,
        viewers: np.ndarray,
        own: np.ndarray,
        eyes: np.ndarray,
        known: np.ndarray,
        rates: np.ndarray,
        dt: float,
        turn: int,
        sequences: np.ndarray,
        keys: np.ndarray,
        handle: int,
        dilation: float,
    ) -> int:
        """Queue terse updates of avatars to viewers, nearer ones oftener, within each viewer's rate.

        rows: avatar rows, whose `dirty` marks what changed; records (R, RECORD_SIZE), lengths (R,): their blocks as they
        are now. viewers (V,): circuit slots, own (V,): the viewer's own row or -1, eyes (V, 3). known (slots, rows)
        uint8; rates (slots,) bytes a second. turn: frame number, from 1. Returns the number of blocks queued.
        """
        _news(rows, turn, self._moved_at, self._news_at)
        mine = np.flatnonzero(viewers % self.turns == turn % self.turns)
        viewers, own, eyes = viewers[mine], own[mine], eyes[mine]
        outgoing.reserve(len(viewers) * (len(rows) // FULL_PACKET + 1))
        rings = _Columns(
            self.pending, self.needs, self.lines, self._ready, self._words, self._moved_at, self._news_at, self._picked
        )
        _mark(rows, viewers, own, eyes, known, rings, turn, self.turns)
        # One round of waiting for all whose turn it is: bytes, which numpy adds 32 at a time.
        whose = slice(turn % self.turns, None, self.turns)
        pending, ready, gain = self.pending[whose], self._ready[whose], self._gain[whose]
        step = STEPS[self.lines["level"][whose]][:, None]
        if self.turns > 1:
            step = np.minimum(step.astype(np.uint16) * self.turns, 255).astype(np.uint8)
        np.minimum(pending, 255 - step, out=gain)
        gain += step
        np.greater(pending, 0, out=ready)
        np.multiply(gain, ready, out=pending)
        np.greater_equal(pending, np.maximum(self.needs[whose], 1, out=gain), out=ready)
        outgoing.count, outgoing.used, written = _pack_rings(
            records, lengths, viewers, own, rings, rates, _Beat(self.share, dt, turn, self.turns),
            outgoing.wire(sequences, keys), np.uint64(handle), round(dilation * 65535), outgoing.count, outgoing.used,
        )  # fmt: skip
        return int(written)


def pack_terse(
    outgoing: Outgoing,
    records: np.ndarray,
    lengths: np.ndarray,
    movers: np.ndarray,
    viewers: np.ndarray,
    known: np.ndarray,
    sequences: np.ndarray,
    keys: np.ndarray,
    handle: int,
    dilation: float,
) -> int:
    """Queue a terse update of every mover to every viewer that knows it.

    records (M, >= 64) uint8 and lengths (M,): encoded blocks, as on the wire. movers (M,): their rows. viewers (V,):
    circuit slots. known (slots, rows) uint8. Returns the number of blocks queued.
    """
    per_packet = max((MTU - _HEADER) // max(int(lengths.max()), 1), 1)
    outgoing.reserve(len(viewers) * (len(movers) // per_packet + 1))
    outgoing.count, outgoing.used, written = _pack(
        records, lengths, movers, viewers, known, outgoing.wire(sequences, keys), np.uint64(handle), round(dilation * 65535),
        outgoing.count, outgoing.used,
    )  # fmt: skip
    return int(written)
