"""Layouts of the binary frames and forms, declared once: Python packs by them, the page's readers are made of them.

Little endian, positions in metres of the region the thing is in. A frame is a byte for its kind, then:

    LAND     a ``LandHead``, then zlib( 65536 x u16: height in cm + 32768, each less the one before, row by row )
    MOTIONS  ``MotionRecord`` for each thing
    OBJECTS  ``ThingRecord`` for each thing

Forms (see ``forms``) begin with ``MeshHead``, then ``FaceHead`` and corners for each face, or with ``SculptHead``.
``python -m viewer.gateway.typescript`` makes ``viewer/web/src/net/records.ts``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from protocol.shapes import WIRE_NAMES

LAND, MOTIONS, OBJECTS = 1, 2, 3
CAN_TOUCH, CAN_CHANGE, CAN_MOVE, IS_PHYSICAL, IS_PHANTOM = 1, 2, 4, 8, 16
HAS_VELOCITY, HAS_ACCELERATION, HAS_SPIN = 1, 2, 4
LETTERS = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "f32": "f"}


@dataclass(frozen=True)
class Part:
    """A field: a number (``u8`` ...), ``count`` of them, or bytes after their length (``bytes8``, ``bytes16``).

    With ``flag`` it is there only if the record's field ``flags`` has that bit.
    """

    name: str
    kind: str
    count: int = 1
    flag: int = 0

    @property
    def fixed(self) -> bool:
        """Whether it always takes the same room."""
        return self.kind in LETTERS and not self.flag

    @property
    def format(self) -> str:
        """As ``struct`` wants it."""
        return f"{self.count if self.count > 1 else ''}{LETTERS[self.kind]}"


@dataclass(frozen=True)
class Layout:
    """A record: its fields in order."""

    name: str
    doc: str
    parts: tuple[Part, ...]

    def head(self) -> struct.Struct:
        """The fields at its beginning that always take the same room."""
        formats = []
        for part in self.parts:
            if not part.fixed:
                break
            formats.append(part.format)
        return struct.Struct("<" + "".join(formats))

    def tail(self, *values: bytes) -> bytes:
        """Fields of bytes at its end, each after its length. ``struct.error`` for one that is too long."""
        lengths = [part for part in self.parts if part.kind not in LETTERS]
        packed = zip(lengths, values, strict=True)
        return b"".join(struct.pack("<B" if part.kind == "bytes8" else "<H", len(value)) + value for part, value in packed)


# Path and profile in wire values, in protocol's order: two curves, cuts of the path, scales, shears, twists, ...
_SHAPE = ["u8", "u8", "u16", "u16", "u8", "u8", "u8", "u8", "i8", "i8", "i8", "i8", "i8", "u8", "i8", "u16", "u16", "u16"]
SHAPE = Layout(
    "ShapeRecord",
    "Path and profile in wire values, as protocol/shapes.py names them.",
    tuple(Part(name, kind) for name, kind in zip(WIRE_NAMES, _SHAPE, strict=True)),
)
LAND_HEAD = Layout("LandHead", "The corner of the region whose land follows.", (Part("west", "i32"), Part("south", "i32")))
MOTION = Layout(
    "MotionRecord",
    "Where a thing is, and how it moves on from there. Rotation in shares of 32767.",
    (
        Part("n", "u32"), Part("parent", "u32"), Part("flags", "u8"), Part("position", "f32", 3), Part("rotation", "i16", 4),
        Part("velocity", "f32", 3, HAS_VELOCITY), Part("acceleration", "f32", 3, HAS_ACCELERATION), Part("spin", "f32", 3, HAS_SPIN),
    ),
)  # fmt: skip
THING = Layout(
    "ThingRecord",
    "What a thing looks like. `can`: bits of what one may do with it, 1 touch, 2 change, 4 move, and of how it is, 8 physical, 16 "
    "phantom. `look`: texture entry as on the wire; `moving`: 16 bytes of texture animation or none; `form`: 17 bytes, id and kind of "
    "a sculpt map or mesh, or none; `bends`: 16 bytes as in ExtraParams, or none.",
    (
        Part("n", "u32"), Part("west", "i32"), Part("south", "i32"), Part("pcode", "u8"), Part("clickAction", "u8"),
        Part("can", "u8"), Part("scale", "f32", 3), Part("shape", "u8", 23), Part("species", "u8"), Part("textColor", "u8", 4),
        Part("text", "bytes16"), Part("look", "bytes16"), Part("moving", "bytes8"), Part("form", "bytes8"), Part("bends", "bytes8"),
    ),
)  # fmt: skip
MESH_HEAD = Layout("MeshHead", "A mesh: how many faces follow, and its level, 0 the finest.", (Part("faces", "u16"), Part("level", "u16")))
FACE_HEAD = Layout(
    "FaceHead",
    "A face: corners n (0: no geometry) and triangles m; then n x 3 f32 position, n x 3 f32 normal, n x 2 f32 uv, m x 3 u16, "
    "filled up to a multiple of 4 bytes.",
    (Part("corners", "u32"), Part("triangles", "u32")),
)
SCULPT_HEAD = Layout(
    "SculptHead",
    "A sculpt map: then width x height x 3 u8 from its top row, at most 64 x 64.",
    (Part("width", "u16"), Part("height", "u16")),
)
LAYOUTS = (LAND_HEAD, MOTION, THING, SHAPE, MESH_HEAD, FACE_HEAD, SCULPT_HEAD)


def constants() -> dict[str, Any]:
    """What the page must call the same."""
    return {
        "LAND": LAND, "MOTIONS": MOTIONS, "OBJECTS": OBJECTS, "CAN_TOUCH": CAN_TOUCH, "CAN_CHANGE": CAN_CHANGE, "CAN_MOVE": CAN_MOVE,
        "IS_PHYSICAL": IS_PHYSICAL, "IS_PHANTOM": IS_PHANTOM,
    }  # fmt: skip
