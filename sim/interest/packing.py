"""Terse updates for many viewers at once: each mover is encoded once, then copied into every packet that needs it.

One packet (ImprovedTerseObjectUpdate, unreliable, not zero coded):

    0   flags 0, sequence U32 BE, extra 0        6 bytes
    6   message number 15                        1
    7   region handle U64 LE, dilation U16 LE   10
    17  number of blocks                         1
    18  blocks: U8 length, data, U16 texture entry length 0
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sim.circuits.datagrams import MTU, Outgoing

_HEADER = 18


@njit(cache=True, nogil=True, inline="always")
def _open_packet(buffer, start, sequence, handle, dilation):  # pragma: no cover - compiled
    buffer[start] = 0
    buffer[start + 1] = (sequence >> np.uint32(24)) & np.uint32(255)
    buffer[start + 2] = (sequence >> np.uint32(16)) & np.uint32(255)
    buffer[start + 3] = (sequence >> np.uint32(8)) & np.uint32(255)
    buffer[start + 4] = sequence & np.uint32(255)
    buffer[start + 5] = 0
    buffer[start + 6] = 15
    for b in range(8):
        buffer[start + 7 + b] = (handle >> np.uint64(8 * b)) & np.uint64(255)
    buffer[start + 15] = dilation & 255
    buffer[start + 16] = (dilation >> 8) & 255


@njit(cache=True, nogil=True)
def _pack(
    records, lengths, movers, viewers, known, sequences, keys, handle, dilation, buffer, offsets, sizes, out_keys, count, used
):  # pragma: no cover - compiled
    """Append packets to the outgoing arrays; returns the new count, used, and how many blocks were written."""
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
                offsets[count] = start
                out_keys[count] = keys[slot]
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


# How often a viewer hears of a mover, by its distance: each (metres, frames between updates).
NEAR, MIDDLE, FAR = 24.0, 64.0, 128.0
NEAR_FRAMES, MIDDLE_FRAMES, FAR_FRAMES, FARTHEST_FRAMES = 1, 4, 9, 18
BURST_SECONDS = 0.25  # of a viewer's rate that may leave at once


@njit(cache=True, nogil=True)
def _pack_rings(
    rows, records, lengths, viewers, own, eyes, known, pending, tokens, rates, dt, turn, sequences, keys, handle, dilation,
    buffer, offsets, sizes, out_keys, count, used
):  # pragma: no cover - compiled
    written = 0
    total = len(rows)
    for v in range(len(viewers)):
        slot = viewers[v]
        tokens[slot] = min(tokens[slot] + rates[slot] * dt, rates[slot] * BURST_SECONDS)
        ex, ey, ez = eyes[v, 0], eyes[v, 1], eyes[v, 2]
        waiting = pending[slot]
        told = known[slot]
        start = -1
        at = 0
        blocks = 0
        first = (turn * 37 + slot * 11) % total  # another one first each frame: a full line starves nobody for long
        for n in range(total):
            r = first + n
            if r >= total:
                r -= total
            if rows[r].dirty and told[r] and waiting[r] == 0:
                waiting[r] = 1
            age = waiting[r]
            if age == 0:
                continue
            if r != own[v]:
                dx, dy, dz = rows[r].position[0] - ex, rows[r].position[1] - ey, rows[r].position[2] - ez
                square = dx * dx + dy * dy + dz * dz
                if square < NEAR * NEAR:
                    frames = NEAR_FRAMES
                elif square < MIDDLE * MIDDLE:
                    frames = MIDDLE_FRAMES
                elif square < FAR * FAR:
                    frames = FAR_FRAMES
                else:
                    frames = FARTHEST_FRAMES
                if age < frames or tokens[slot] <= 0:
                    if age < 255:
                        waiting[r] = age + 1
                    continue
            waiting[r] = 0
            length = lengths[r]
            if start < 0 or at + length > MTU or blocks == 255:
                if start >= 0:
                    buffer[start + 17] = blocks
                    sizes[count] = at
                    count += 1
                    used = start + at
                start = used
                offsets[count] = start
                out_keys[count] = keys[slot]
                sequences[slot] = (sequences[slot] + np.uint32(1)) & np.uint32(0xFFFFFF)
                _open_packet(buffer, start, sequences[slot], handle, dilation)
                at = _HEADER
                blocks = 0
                tokens[slot] -= _HEADER + 28  # and the headers of UDP and IP
            for b in range(length):
                buffer[start + at + b] = records[r, b]
            at += length
            blocks += 1
            written += 1
            tokens[slot] -= length
        if start >= 0:
            buffer[start + 17] = blocks
            sizes[count] = at
            count += 1
            used = start + at
    return count, used, written


def pack_rings(
    outgoing: Outgoing,
    rows: np.ndarray,
    records: np.ndarray,
    lengths: np.ndarray,
    viewers: np.ndarray,
    own: np.ndarray,
    eyes: np.ndarray,
    known: np.ndarray,
    pending: np.ndarray,
    tokens: np.ndarray,
    rates: np.ndarray,
    dt: float,
    turn: int,
    sequences: np.ndarray,
    keys: np.ndarray,
    handle: int,
    dilation: float,
) -> int:
    """Queue terse updates of avatars to viewers, nearer ones oftener, within each viewer's rate.

    rows: avatar rows, whose `dirty` marks what changed; records (R, RECORD_SIZE), lengths (R,): their blocks as they are
    now. viewers (V,): circuit slots, own (V,): the viewer's own row or -1, eyes (V, 3). By slot: known and pending
    (slots, rows) uint8, tokens and rates (bytes, bytes a second). turn: frame number. A viewer's own avatar always
    goes. Returns the number of blocks queued.
    """
    per_packet = (MTU - _HEADER) // 63
    outgoing.reserve(len(viewers) * (len(rows) // per_packet + 1))
    outgoing.count, outgoing.used, written = _pack_rings(
        rows, records, lengths, viewers, own, eyes, known, pending, tokens, rates, dt, turn, sequences, keys,
        np.uint64(handle), round(dilation * 65535), outgoing.buffer, outgoing.offsets, outgoing.lengths, outgoing.keys,
        outgoing.count, outgoing.used,
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
        records, lengths, movers, viewers, known, sequences, keys, np.uint64(handle), round(dilation * 65535),
        outgoing.buffer, outgoing.offsets, outgoing.lengths, outgoing.keys, outgoing.count, outgoing.used,
    )  # fmt: skip
    return int(written)
