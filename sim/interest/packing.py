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
                s = sequences[slot]
                buffer[start] = 0
                buffer[start + 1] = (s >> np.uint32(24)) & np.uint32(255)
                buffer[start + 2] = (s >> np.uint32(16)) & np.uint32(255)
                buffer[start + 3] = (s >> np.uint32(8)) & np.uint32(255)
                buffer[start + 4] = s & np.uint32(255)
                buffer[start + 5] = 0
                buffer[start + 6] = 15
                for b in range(8):
                    buffer[start + 7 + b] = (handle >> np.uint64(8 * b)) & np.uint64(255)
                buffer[start + 15] = dilation & 255
                buffer[start + 16] = (dilation >> 8) & 255
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
