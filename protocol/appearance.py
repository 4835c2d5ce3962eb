"""What an avatar looks like on the wire: visual parameters (its shape in one byte each) and its texture faces.

AgentSetAppearance and AvatarAppearance carry the parameters without their ids, in ascending order of id: 218 of them in
every viewer since 2007. Newer viewers append some for newer wearables (tattoos, physics, hover: 253 and more); a reader
takes what it knows, so 218 are enough to be a person.

A value travels as a byte: 0 is the parameter's minimum, 255 its maximum, cut off in between.

Which textures an avatar has is a texture entry (textures.py) with fixed faces. What others draw are the baked ones; the
rest is what the wearer's viewer bakes them from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from uuid import UUID

from protocol import textures
from protocol.wellknown import Texture


class AvatarFace(IntEnum):
    """Faces of an avatar's texture entry; the same numbers are the texture indexes in wearable assets."""

    HEAD_BODYPAINT = 0
    UPPER_SHIRT = 1
    LOWER_PANTS = 2
    EYES_IRIS = 3
    HAIR = 4
    UPPER_BODYPAINT = 5
    LOWER_BODYPAINT = 6
    LOWER_SHOES = 7
    HEAD_BAKED = 8
    UPPER_BAKED = 9
    LOWER_BAKED = 10
    EYES_BAKED = 11
    LOWER_SOCKS = 12
    UPPER_JACKET = 13
    LOWER_JACKET = 14
    UPPER_GLOVES = 15
    UPPER_UNDERSHIRT = 16
    LOWER_UNDERPANTS = 17
    SKIRT = 18
    SKIRT_BAKED = 19
    HAIR_BAKED = 20


BAKED = (
    AvatarFace.HEAD_BAKED,
    AvatarFace.UPPER_BAKED,
    AvatarFace.LOWER_BAKED,
    AvatarFace.EYES_BAKED,
    AvatarFace.SKIRT_BAKED,
    AvatarFace.HAIR_BAKED,
)


@dataclass(frozen=True, slots=True)
class VisualParam:
    """One slider: its id, the wearable type it is stored in, its range, and the value of a new person."""

    id: int
    name: str
    wearable: int
    low: float
    high: float
    person: float

    def quantize(self, value: float) -> int:
        """A value as its byte; beyond the range it is held at the end."""
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return math.floor(part * 255 + 1e-9)

    def value(self, byte: int) -> float:
        """The value that a byte 0..255 stands for."""
        return self.low + (self.high - self.low) * byte / 255


def _read(text: str) -> tuple[VisualParam, ...]:
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(
        VisualParam(int(row[0]), row[1], int(row[2]), float(row[3]), float(row[4]), float(row[5])) for row in rows
    )


VISUAL_PARAMS: tuple[VisualParam, ...] = _read(Path(__file__).with_name("visual_params.txt").read_text("ascii"))
BY_ID: dict[int, VisualParam] = {param.id: param for param in VISUAL_PARAMS}

# Params of AvatarAppearance for somebody whose client never said how it looks.
DEFAULT_VISUAL_PARAMS: bytes = bytes(param.quantize(param.person) for param in VISUAL_PARAMS)

# Its textures: a plain person, drawn by the asset library. Others' viewers draw the baked faces.
DEFAULT_TEXTURE_FACES: dict[AvatarFace, UUID] = {
    AvatarFace.HEAD_BAKED: Texture.SKIN_HEAD,
    AvatarFace.UPPER_BAKED: Texture.FABRIC_SHIRT,
    AvatarFace.LOWER_BAKED: Texture.FABRIC_PANTS,
    AvatarFace.EYES_BAKED: Texture.IRIS,
    AvatarFace.HAIR_BAKED: Texture.HAIR,
}


def default_texture_entry() -> bytes:
    """The texture entry of somebody whose client never sent one. Faces not named are the default avatar texture."""
    entry = textures.TextureEntry(textures.Face(texture=Texture.DEFAULT_AVATAR))
    entry.faces = {int(face): textures.Face(texture=texture) for face, texture in DEFAULT_TEXTURE_FACES.items()}
    return textures.encode_texture_entry(entry)
