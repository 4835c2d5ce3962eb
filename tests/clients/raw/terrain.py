"""Decodes land patches (LayerData) for the raw viewer, from the description of the format alone."""
from __future__ import annotations

import math
import struct

LAND = 76  # "L"
COS = [[math.cos((2 * n + 1) * u * math.pi / 32) for n in range(16)] for u in range(16)]
HALF = 1 / math.sqrt(2)


def _zigzag() -> list[tuple[int, int]]:
    """(row, column) of each coefficient in the order they travel: (0,0) (0,1) (1,0) (2,0) (1,1) (0,2) ..."""
    order: list[tuple[int, int]] = []
    for diagonal in range(31):
        cells = [(u, diagonal - u) for u in range(16) if 0 <= diagonal - u < 16]
        order.extend(cells if diagonal % 2 else reversed(cells))
    return order


ORDER = _zigzag()


class _Bits:
    """Reads a value's bytes low byte first, and each byte's bits high bit first."""

    def __init__(self, data: bytes) -> None:
        self.bits = "".join(f"{byte:08b}" for byte in data)
        self.at = 0

    def take(self, count: int) -> int:
        value = shift = 0
        while count > 0:
            part = min(8, count)
            chunk = self.bits[self.at : self.at + part]
            assert len(chunk) == part, "the patch data ends early"
            value |= int(chunk, 2) << shift
            self.at += part
            shift += part
            count -= part
        return value


def decode(data: bytes) -> dict[tuple[int, int], list[list[float]]]:
    """{(patch x, patch y): heights[row south to north][column west to east]} of one LayerData.Data."""
    bits = _Bits(data)
    stride, size, kind = bits.take(16), bits.take(8), bits.take(8)
    assert (stride, size, kind) == (264, 16, LAND), f"not 256 m land: {(stride, size, kind)}"
    patches = {}
    while (head := bits.take(8)) != 97:
        prequant, wordbits = (head >> 4) + 2, (head & 15) + 2
        low = struct.unpack("<f", struct.pack("<I", bits.take(32)))[0]
        span = bits.take(16)
        place = bits.take(10)
        patches[place >> 5, place & 31] = _heights(_coefficients(bits, wordbits), prequant, low, span)
    return patches


def _coefficients(bits: _Bits, wordbits: int) -> list[list[float]]:
    values = [[0.0] * 16 for _ in range(16)]
    for u, i in ORDER:
        if not bits.take(1):
            continue
        if not bits.take(1):
            break
        negative = bits.take(1)
        value = bits.take(wordbits) * (1 + 2 * (u + i))
        values[u][i] = -value if negative else value
    return values


def _heights(values: list[list[float]], prequant: int, low: float, span: int) -> list[list[float]]:
    scale = span / (1 << prequant)
    base = scale * (1 << (prequant - 1)) + low
    columns = [
        [values[0][i] * HALF + sum(values[u][i] * COS[u][n] for u in range(1, 16)) for i in range(16)]
        for n in range(16)
    ]
    return [
        [
            (row[0] * HALF + sum(row[u] * COS[u][n] for u in range(1, 16))) * (2 / 16) * scale + base
            for n in range(16)
        ]
        for row in columns
    ]
