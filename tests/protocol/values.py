"""Hypothesis strategies for values of the template's types, and for whole messages."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from protocol.message import Message
from protocol.table import BY_NAME, MESSAGES, BlockSpec, FieldSpec

NAMES = [spec.name for spec in MESSAGES]
UDP_NAMES = [spec.name for spec in MESSAGES if spec.prefix]

finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
rotations = st.sampled_from(
    [(0.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.6, 0.0, 0.8), (0.5, 0.5, 0.5, 0.5), (-0.6, 0.0, 0.0, 0.8)]
)


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


_BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "U8": unsigned(8), "U16": unsigned(16), "U32": unsigned(32), "U64": unsigned(64), "IPPORT": unsigned(16),
    "S8": signed(8), "S16": signed(16), "S32": signed(32), "S64": signed(64), "BOOL": st.booleans(), "F32": finite32,
    "F64": st.floats(-1e300, 1e300), "LLUUID": st.uuids(allow_nil=True), "LLQuaternion": rotations,
    "LLVector3": st.tuples(finite32, finite32, finite32), "LLVector4": st.tuples(*[finite32] * 4),
    "LLVector3d": st.tuples(*[st.floats(-1e300, 1e300)] * 3), "IPADDR": st.ip_addresses(v=4).map(str),
}  # fmt: skip


def field_value(field: FieldSpec) -> st.SearchStrategy[Any]:
    if field.type == "Fixed":
        return st.binary(min_size=field.size, max_size=field.size)
    if field.type == "Variable":
        return st.binary(max_size=60)
    return _BY_TYPE[field.type]


def fields(block: BlockSpec) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({field.name: field_value(field) for field in block.fields})


def block_value(block: BlockSpec) -> st.SearchStrategy[Any]:
    if block.kind == "Single":
        return fields(block)
    if block.kind == "Multiple":
        return st.lists(fields(block), min_size=block.count, max_size=block.count)
    return st.lists(fields(block), max_size=3)


@st.composite
def messages(draw: st.DrawFn, udp_only: bool = False) -> Message:
    spec = BY_NAME[draw(st.sampled_from(UDP_NAMES if udp_only else NAMES))]
    return Message(spec.name, **{block.name: draw(block_value(block)) for block in spec.blocks})


def same(a: Any, b: Any) -> bool:
    """Equal, floats and their tuples within what a 32-bit rotation loses."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return a == b or abs(a - b) <= 1e-3
    return bool(a == b)
