"""Small pieces of wasm text, and what the emitter holds in hand while it works: values and temporaries.

A `Held` value is pure text: instructions that push it and change nothing, so it may be pushed later, or again. Whatever
has an effect (a call, an allocation, a check) is emitted as code first and leaves its result in a temporary.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def i32(value: int) -> str:
    return f"i32.const {value}"


def f32(value: float) -> str:
    return f"f32.const {_number(value)}"


def f64(value: float) -> str:
    return f"f64.const {_number(value)}"


def _number(value: float) -> str:
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return value.hex()


def load(kind: str, address: int) -> str:
    return f"i32.const 0 {kind}.load offset={address}"


def store(kind: str, address: int, text: str) -> str:
    return f"i32.const 0 {text} {kind}.store offset={address}"


@dataclass(slots=True, eq=False)
class Temporary:
    """A wasm local of ours. It goes into the frame when a pause can fall between its birth and its last use."""

    name: str
    kind: str
    born: int
    last: int


@dataclass(slots=True)
class Held:
    """A value in hand: `parts` push it (a float as f64; a vector as three f32 parts, never all in one text).

    single: a float's value as f32 text, when it is exactly one; rounded: f32 text of the value rounded; owned: we hold
    a reference that must be passed on or released; constant: the value when known.
    """

    type: str
    parts: tuple[str, ...]
    single: str | None = None
    owned: bool = False
    uses: tuple[Temporary, ...] = ()
    constant: Any = field(default=None)
    rounded: str | None = None

    @property
    def text(self) -> str:
        return self.parts[0]

    @property
    def is_simple(self) -> bool:
        """Cheap enough to be pushed twice."""
        return all(part.count(" ") <= 4 for part in self.parts)


def as_single(value: Held) -> str:
    """A number as f32 text, as arguments, stores, list items and parts take it."""
    if value.type == "integer":
        if value.constant is not None:
            return f32(float(value.constant))
        return f"{value.text} f32.convert_i32_s"
    return value.single or value.rounded or f"{value.text} f32.demote_f64"


def as_double(value: Held) -> str:
    """A number as f64 text, as float operators take it."""
    if value.type == "integer":
        if value.constant is not None:
            return f64(float(value.constant))
        return f"{value.text} f64.convert_i32_s"
    return value.text


def from_single(text: str, uses: tuple[Temporary, ...] = ()) -> Held:
    return Held("float", (f"{text} f64.promote_f32",), single=text, uses=uses)


ZERO = {"i32": "i32.const 0", "f32": "f32.const 0", "f64": "f64.const 0"}
SIZE = {"i32": 4, "f32": 4, "f64": 8}
