"""The ground on the wire: LayerData.Data, a bit stream of 16 x 16 m patches, each a quantised cosine transform.

Values are written as their little-endian bytes, each byte's most significant bit first, without alignment: a value of
10 bits is its low 8 bits, then its high 2.

    group   16 bits stride 264, 8 bits patch size 16, 8 bits layer type: the bytes 08 01 10 4C for land
    patch    8 bits  low nibble wordbits - 2, high nibble prequant - 2 (prequant is 10)
            32 bits  F32 lowest height
            16 bits  range = int(highest - lowest + 1)
            10 bits  x << 5 | y, in patches from the south-west corner
            256 coefficients in zig-zag order:  0 zero | 10 zeros from here on | 110 +magnitude | 111 -magnitude
    end      8 bits  97

A patch is h[j][i], j from south to north, i from west to east. With D the orthonormal cosine matrix, the coefficients
are D b D^T of b = (h - lowest) * 1024 / range - 512, divided by 1 + 2 (u + i) and truncated. On smooth ground the
error is about a centimetre.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from protocol.errors import ProtocolError
from protocol.kernels import inline, kernel

LAND = 76  # LayerID.Type "L"; "W" 87 water, "7" 55 wind, "8" 56 cloud are coded the same way
PATCH = 16  # heights along a patch's side
PATCHES = 16  # patches along a region's side
ALL_PATCHES = [(x, y) for y in range(PATCHES) for x in range(PATCHES)]
MAX_PAYLOAD = 1000  # bytes of LayerData.Data: with headers the datagram stays under the 1200 that viewers take

_STRIDE = 264
_END = 97
_PREQUANT = 10
_PATCH_BYTES = 650  # 66 bits and 256 coefficients of at most 3 + 17 bits


def _cosines() -> NDArray[np.float32]:
    u, n = np.meshgrid(np.arange(PATCH), np.arange(PATCH), indexing="ij")
    matrix = np.cos((2 * n + 1) * u * np.pi / (2 * PATCH)) * np.sqrt(2 / PATCH)
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


def _zigzag() -> NDArray[np.int64]:
    """Where in a flattened patch the n-th coefficient stands: diagonals from (0, 0), the first step to the right."""
    cells = [(u, i) for u in range(PATCH) for i in range(PATCH)]
    cells.sort(key=lambda cell: (sum(cell), cell[0] if sum(cell) % 2 else -cell[0]))
    return np.array([u * PATCH + i for u, i in cells], np.int64)


_D = _cosines()
_DT = np.ascontiguousarray(_D.T)
_ZIGZAG = _zigzag()
_STEPS = (1 + 2 * (np.arange(PATCH)[:, None] + np.arange(PATCH)[None, :])).astype(np.float32)


@inline
def _put(out, at, value, bits):
    """Write `bits` bits of value at bit `at`; the new bit position. `out` holds zeros from `at` on."""
    while bits > 0:
        count = min(bits, 8)
        part = value & ((1 << count) - 1)
        value >>= count
        bits -= count
        byte, used = at >> 3, at & 7
        free = 8 - used
        if count <= free:
            out[byte] |= part << (free - count)
        else:
            out[byte] |= part >> (count - free)
            out[byte + 1] |= (part << (8 - (count - free))) & 255
        at += count
    return at


@kernel
def _quantise(heights, x, y, block, scratch, quantised):
    """The quantised coefficients of one patch in zig-zag order: (lowest, range)."""
    low = high = heights[y * PATCH, x * PATCH]
    for j in range(PATCH):
        for i in range(PATCH):
            height = heights[y * PATCH + j, x * PATCH + i]
            low = min(low, height)
            high = max(high, height)
    span = min(int(high - low + 1), 65535)
    scale = np.float32(1024.0 / span)
    for j in range(PATCH):
        for i in range(PATCH):
            block[j, i] = (heights[y * PATCH + j, x * PATCH + i] - low) * scale - np.float32(512)
    for j in range(PATCH):  # rows: scratch = block D^T
        for u in range(PATCH):
            total = np.float32(0)
            for n in range(PATCH):
                total += block[j, n] * _DT[n, u]
            scratch[j, u] = total
    for u in range(PATCH):  # columns: block = D scratch, built row by row so that the inner loop runs along memory
        for i in range(PATCH):
            block[u, i] = np.float32(0)
        for n in range(PATCH):
            weight = _D[u, n]
            for i in range(PATCH):
                block[u, i] += weight * scratch[n, i]
    flat = block.reshape(PATCH * PATCH)
    steps = _STEPS.reshape(PATCH * PATCH)
    for k in range(PATCH * PATCH):
        cell = _ZIGZAG[k]
        quantised[k] = int(flat[cell] / steps[cell])
    return low, span


@kernel
def _write_patch(out, at, quantised, low, span, x, y):
    largest = 0
    last = -1
    for k in range(PATCH * PATCH):
        if quantised[k] != 0:
            largest = max(largest, abs(quantised[k]))
            last = k
    bits = 2
    while (largest >> bits) and bits < 17:
        bits += 1
    at = _put(out, at, (bits - 2) | (_PREQUANT - 2) << 4, 8)
    at = _put(out, at, np.int64(np.float32(low).view(np.uint32)), 32)
    at = _put(out, at, span, 16)
    at = _put(out, at, x << 5 | y, 10)
    for k in range(last + 1):
        value = quantised[k]
        if value == 0:
            at += 1
            continue
        at = _put(out, at, 6 if value > 0 else 7, 3)
        at = _put(out, at, min(abs(value), (1 << bits) - 1), bits)
    if last < PATCH * PATCH - 1:
        at = _put(out, at, 2, 2)
    return at


@kernel
def _encode(heights, patches, layer, limit, out, ends):
    """Write all payloads one after the other into zeroed `out`, where each ends into `ends`: how many there are."""
    block = np.empty((PATCH, PATCH), np.float32)
    scratch = np.empty((PATCH, PATCH), np.float32)
    quantised = np.empty(PATCH * PATCH, np.int64)
    payloads = 0
    start = 0  # byte where the payload began
    at = 0  # bit position; 0 at the start of a payload means that its header is still to be written
    for p in range(patches.shape[0]):
        x, y = patches[p, 0], patches[p, 1]
        low, span = _quantise(heights, x, y, block, scratch, quantised)
        if at > 0:
            before = at
            at = _write_patch(out, at, quantised, low, span, x, y)
            if ((at + 15) >> 3) - start <= limit:
                continue
            # It does not fit: wipe it, end the payload, and let the patch begin the next one.
            out[(before >> 3) + 1 : ((at + 7) >> 3) + 1] = 0
            out[before >> 3] &= (0xFF00 >> (before & 7)) & 0xFF
            at = _put(out, before, _END, 8)
            start = (at + 7) >> 3
            ends[payloads] = start
            payloads += 1
        at = _put(out, start << 3, _STRIDE, 16)
        at = _put(out, at, PATCH, 8)
        at = _put(out, at, layer, 8)
        at = _write_patch(out, at, quantised, low, span, x, y)
    if at > 0:
        at = _put(out, at, _END, 8)
        ends[payloads] = (at + 7) >> 3
        payloads += 1
    return payloads


def encode_patches(
    heights: NDArray[np.float32], patches: Iterable[tuple[int, int]] = ALL_PATCHES, layer: int = LAND
) -> list[bytes]:
    """LayerData.Data payloads of at most MAX_PAYLOAD bytes that hold the named patches, in their order.

    `heights` is float32 of shape (256, 256), metres, [y, x] from the south-west corner; patches are (x, y), 0..15 each.
    Raises ProtocolError for another shape, heights that are not finite and patches outside the region.
    """
    grid = np.ascontiguousarray(heights, np.float32)
    side = PATCH * PATCHES
    if grid.shape != (side, side):
        raise ProtocolError(f"a region has {side} x {side} heights, not {grid.shape}")
    if not np.isfinite(grid).all():
        raise ProtocolError("a height is infinite or not a number")
    wanted = np.array(list(patches), np.int64).reshape(-1, 2)
    if len(wanted) and (wanted.min() < 0 or wanted.max() >= PATCHES):
        raise ProtocolError("a patch lies outside the region")
    # The worst patch fills most of a payload, so there may be a payload with its six bytes of frame for each.
    out = np.zeros(len(wanted) * (_PATCH_BYTES + 6) + _PATCH_BYTES, np.uint8)
    ends = np.empty(len(wanted) + 1, np.int64)
    count = _encode(grid, wanted, layer, MAX_PAYLOAD, out, ends)
    data = out.tobytes() if count else b""
    starts = [0, *ends[: count - 1].tolist()] if count else []
    return [data[start:end] for start, end in zip(starts, ends[:count].tolist(), strict=True)]


@inline
def _get(data, at, bits):
    """The value of `bits` bits at bit `at`; the caller has checked that they are there."""
    value = np.int64(0)
    shift = 0
    while bits > 0:
        count = min(bits, 8)
        byte, used = at >> 3, at & 7
        word = np.int64(data[byte]) << 8
        if used + count > 8:
            word |= np.int64(data[byte + 1])
        value |= ((word >> (16 - used - count)) & ((1 << count) - 1)) << shift
        shift += count
        bits -= count
        at += count
    return value


@kernel
def _decode(data, ids, out):
    """Read all patches of a payload: how many, or -1 cut off, -2 not a land patch, -3 too many, -4 not finite."""
    size = data.shape[0] * 8
    if size < 40:
        return -1
    if _get(data, 0, 16) != _STRIDE or _get(data, 16, 8) != PATCH:
        return -2
    at = 32
    block = np.empty((PATCH, PATCH), np.float32)
    scratch = np.empty((PATCH, PATCH), np.float32)
    flat = block.reshape(PATCH * PATCH)
    steps = _STEPS.reshape(PATCH * PATCH)
    count = 0
    while True:
        if at + 8 > size:
            return -1
        quant = _get(data, at, 8)
        at += 8
        if quant == _END:
            return count
        if at + 58 > size:
            return -1
        bits = (quant & 15) + 2
        prequant = (quant >> 4) + 2
        low = np.uint32(_get(data, at, 32)).view(np.float32)
        span = _get(data, at + 32, 16)
        place = _get(data, at + 48, 10)
        at += 58
        x, y = place >> 5, place & 31
        if x >= PATCHES or y >= PATCHES:
            return -2
        if count >= out.shape[0]:
            return -3
        flat[:] = 0
        for k in range(PATCH * PATCH):
            if at + 1 > size:
                return -1
            at += 1
            if _get(data, at - 1, 1) == 0:
                continue
            if at + 1 > size:
                return -1
            at += 1
            if _get(data, at - 1, 1) == 0:
                break
            if at + 1 + bits > size:
                return -1
            value = np.float32(_get(data, at + 1, bits))
            if _get(data, at, 1):
                value = -value
            at += 1 + bits
            cell = _ZIGZAG[k]
            flat[cell] = value * steps[cell]
        for n in range(PATCH):  # columns: scratch = D^T block
            for i in range(PATCH):
                scratch[n, i] = np.float32(0)
            for u in range(PATCH):
                weight = _DT[n, u]
                for i in range(PATCH):
                    scratch[n, i] += weight * block[u, i]
        scale = np.float32(span / (1 << prequant))
        offset = scale * np.float32(1 << (prequant - 1)) + low
        for j in range(PATCH):  # rows: heights = scratch D
            for i in range(PATCH):
                total = np.float32(0)
                for u in range(PATCH):
                    total += scratch[j, u] * _D[u, i]
                height = total * scale + offset
                if not np.isfinite(height):
                    return -4
                out[count, j, i] = height
        ids[count, 0], ids[count, 1] = x, y
        count += 1


_FAULTS = {
    -1: "terrain ends inside a patch",
    -2: "terrain of an unknown size or outside the region",
    -3: "terrain holds more patches than a region",
    -4: "terrain holds heights that are not finite",
}


def decode_patches(data: bytes) -> list[tuple[int, int, NDArray[np.float32]]]:
    """The patches of one LayerData.Data payload: (x, y, heights (16, 16) float32 [y, x] in metres), as sent.

    Raises ProtocolError for data that ends early, patch sizes other than 16, patches outside a 256 m region, more
    than 256 patches, and heights that are not finite.
    """
    source = np.frombuffer(bytes(data), np.uint8)
    # A patch takes at least 68 bits, so a short payload cannot ask for much memory.
    room = min(PATCHES * PATCHES, len(source) * 8 // 68 + 1)
    ids = np.empty((room, 2), np.int64)
    out = np.empty((room, PATCH, PATCH), np.float32)
    count = _decode(source, ids, out)
    if count < 0:
        raise ProtocolError(_FAULTS[count])
    return [(int(ids[n, 0]), int(ids[n, 1]), out[n]) for n in range(count)]


def warm() -> None:
    """Compile (or load from cache) the kernels now rather than at the first viewer."""
    decode_patches(encode_patches(np.zeros((PATCH * PATCHES, PATCH * PATCHES), np.float32), [(0, 0)])[0])
