"""Parcels, the region's own settings and its ground as rows, and back."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import numpy as np

from protocol.errors import ProtocolError
from sim.world.terrain import EDGE, PATCH, Heights
from sim.world.world import Parcel, RegionFacts

# Of the region's facts these are made in the region; the others come from the grid's plan.
SETTINGS = ("owner_id", "access", "flags", "water_height", "max_agents", "map_image_id")
CELLS = 64


def parcel_row(parcel: Parcel) -> tuple[str, bytes]:
    """What is said of it as JSON, and its squares as bits."""
    return _as_json({f.name: getattr(parcel, f.name) for f in dataclasses.fields(parcel) if f.name != "cells"}), np.packbits(
        parcel.cells
    ).tobytes()


def read_parcel(facts: str, cells: bytes) -> Parcel:
    """ProtocolError when it is not such a row. What an older row does not say is as in a new parcel."""
    kinds = {f.name: str(f.type) for f in dataclasses.fields(Parcel) if f.name != "cells"}
    values = _from_json(facts, kinds)
    if len(cells) != CELLS * CELLS // 8:
        raise ProtocolError("a parcel has a bit for each square")
    squares = np.unpackbits(np.frombuffer(cells, np.uint8)).reshape(CELLS, CELLS).astype(bool)
    try:
        return Parcel(**values, cells=squares)
    except TypeError as error:
        raise ProtocolError(f"a parcel cannot be read: {error}") from error


def settings_row(facts: RegionFacts) -> str:
    return _as_json({name: getattr(facts, name) for name in SETTINGS})


def read_settings(row: str) -> dict[str, Any]:
    """The values of SETTINGS that were kept. ProtocolError when it is not such a row."""
    return _from_json(row, {f.name: str(f.type) for f in dataclasses.fields(RegionFacts) if f.name in SETTINGS})


def _as_json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, default=str, sort_keys=True)


def _from_json(text: str, kinds: Mapping[str, str]) -> dict[str, Any]:
    read: dict[str, Callable[[Any], Any]] = {
        "UUID": UUID, "Vector": lambda value: tuple(map(_finite, value)), "int": int, "float": _finite, "str": str, "bool": bool,
    }  # fmt: skip
    try:
        found = json.loads(text)
        return {name: read[kinds[name]](value) for name, value in found.items() if name in kinds}
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"a row cannot be read: {type(error).__name__}: {error}") from error


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number that is none")
    return number


# --- the ground


def _patch(x: int, y: int) -> tuple[slice, slice]:
    return slice(y * PATCH, min((y + 1) * PATCH, EDGE)), slice(x * PATCH, min((x + 1) * PATCH, EDGE))


def terrain_rows(heights: Heights, before: Heights | None = None) -> dict[tuple[int, int], bytes]:
    """Patches of 16 x 16 m by (x, y), the far edges as patches of one row or column; only those that differ from `before`."""
    count = -(-EDGE // PATCH)
    return {
        (x, y): heights[_patch(x, y)].astype("<f4").tobytes()
        for y in range(count)
        for x in range(count)
        if before is None or not np.array_equal(heights[_patch(x, y)], before[_patch(x, y)])
    }


def read_terrain(rows: Mapping[tuple[int, int], bytes], natural: Heights) -> tuple[Heights, int]:
    """The ground, and how many patches were missing or damaged: those are as nature made them."""
    heights, bad = natural.copy(), 0
    count = -(-EDGE // PATCH)
    for y in range(count):
        for x in range(count):
            place = heights[_patch(x, y)]
            values = np.frombuffer(rows.get((x, y), b"").ljust(1, b"\0")[: place.size * 4 + 1], np.uint8)
            if len(values) == place.size * 4 and np.isfinite(found := values.view("<f4").reshape(place.shape)).all():
                place[:] = found
            else:
                bad += 1
    return heights, bad
