"""The path and profile fields of a prim as they travel, and what the region makes sure of about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# Names of the fields, as in ObjectAdd, ObjectShape and ObjectUpdate.
SHAPE_FIELDS = (
    "PathCurve", "ProfileCurve", "PathBegin", "PathEnd", "PathScaleX", "PathScaleY", "PathShearX", "PathShearY",
    "PathTwist", "PathTwistBegin", "PathRadiusOffset", "PathTaperX", "PathTaperY", "PathRevolutions", "PathSkew",
    "ProfileBegin", "ProfileEnd", "ProfileHollow",
)  # fmt: skip

PATHS = (0x10, 0x20, 0x30, 0x40, 0x80)
FULL = 50000  # the quantised 1.0 of begin, end and hollow
MOST_HOLLOW = 49500  # 99 %: a shell must be left
LEAST_CUT = 500  # 1 %: so must a slice


def clean_shape(block: Mapping[str, Any]) -> dict[str, int]:
    """The shape fields of a message, every one within what a prim can have; echoed to viewers from then on."""
    shape = {name: int(block.get(name, 0)) for name in SHAPE_FIELDS}
    if shape["PathCurve"] not in PATHS:
        shape["PathCurve"] = 0x10
    if shape["ProfileCurve"] & 0x0F > 5 or shape["ProfileCurve"] >> 4 > 3:
        shape["ProfileCurve"] = 1
    for begin, end in (("PathBegin", "PathEnd"), ("ProfileBegin", "ProfileEnd")):
        shape[begin] = min(shape[begin], FULL - LEAST_CUT)
        shape[end] = min(shape[end], FULL - LEAST_CUT - shape[begin])
    shape["ProfileHollow"] = min(shape["ProfileHollow"], MOST_HOLLOW)
    for name in ("PathTwist", "PathTwistBegin", "PathRadiusOffset", "PathTaperX", "PathTaperY", "PathSkew"):
        shape[name] = min(max(shape[name], -100), 100)
    shape["PathRevolutions"] = min(shape["PathRevolutions"], 200)
    for name in ("PathScaleX", "PathScaleY"):
        shape[name] = min(shape[name], 200)
    return shape


def is_clean(shapes: np.ndarray) -> np.ndarray:
    """Of which shapes, a column a field, `clean_shape` would leave everything as it is."""
    good = np.isin(shapes["PathCurve"], PATHS)
    good &= (shapes["ProfileCurve"] & 0x0F <= 5) & (shapes["ProfileCurve"] >> 4 <= 3)
    for begin, end in (("PathBegin", "PathEnd"), ("ProfileBegin", "ProfileEnd")):
        first, last = shapes[begin].astype(np.int32), shapes[end].astype(np.int32)
        good &= (first <= FULL - LEAST_CUT) & (last <= FULL - LEAST_CUT - first)
    good &= shapes["ProfileHollow"] <= MOST_HOLLOW
    for name in ("PathTwist", "PathTwistBegin", "PathRadiusOffset", "PathTaperX", "PathTaperY", "PathSkew"):
        good &= np.abs(shapes[name].astype(np.int32)) <= 100
    for name, most in (("PathRevolutions", 200), ("PathScaleX", 200), ("PathScaleY", 200)):
        good &= shapes[name] <= most
    return good
