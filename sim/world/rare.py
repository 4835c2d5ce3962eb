"""What few prims have, most of it set by scripts: cameras of seats, media on faces, materials, prices to pay, a pin.

All of it is one immutable record on the prim, so that a prim that has none of it costs nothing; outside of a region it is a JSON
object of what differs from a new prim's (`pack`, `read`).
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError
from protocol.wellknown import NULL

Vector = tuple[float, float, float]
Pair = tuple[float, float]

MOST_BYTES = 1 << 16
FACES = 45  # a mesh has at most 8, a prim 9; texture entries name up to 45
MOST_ANIMATIONS = 32
MOST_ADDRESS = 1024  # characters of an address, and of a white list together
FARTHEST = 64.0  # metres from a prim to a camera of its seat
SIT_ALLOW_UNSIT, SIT_SCRIPTED_ONLY = 0x2, 0x4  # SIT_FLAG_*


@dataclass(frozen=True, slots=True)
class Media:
    """What plays on a face. Permissions: 1 owner, 2 group, 4 anyone, added together."""

    alt_image_enable: bool = False
    controls: int = 0
    current_url: str = ""
    home_url: str = ""
    auto_loop: bool = False
    auto_play: bool = False
    auto_scale: bool = False
    auto_zoom: bool = False
    first_click_interact: bool = False
    width_pixels: int = 0
    height_pixels: int = 0
    whitelist_enable: bool = False
    whitelist: tuple[str, ...] = ()
    perms_interact: int = 7
    perms_control: int = 7


@dataclass(frozen=True, slots=True)
class Material:
    """The normal and specular maps of a face, and how its alpha counts (viewers' legacy materials). Radians; 0 to 255."""

    normal: UUID = NULL
    normal_repeats: Pair = (1.0, 1.0)
    normal_offset: Pair = (0.0, 0.0)
    normal_turn: float = 0.0
    specular: UUID = NULL
    specular_repeats: Pair = (1.0, 1.0)
    specular_offset: Pair = (0.0, 0.0)
    specular_turn: float = 0.0
    specular_color: tuple[int, int, int] = (255, 255, 255)
    glossiness: int = 51
    environment: int = 0
    alpha_mode: int = 1  # 0 none, 1 blend, 2 mask, 3 emissive
    cutoff: int = 0


@dataclass(frozen=True, slots=True)
class Rare:
    camera_eye: Vector = (0.0, 0.0, 0.0)  # metres, in the prim's axes, for who sits on it
    camera_at: Vector = (0.0, 0.0, 0.0)
    mouselook: bool = False  # who sits on it looks with the mouse
    pin: int = 0  # by which scripts of the same owner's objects may put scripts into it; 0: none may
    drop: bool = False  # everybody may put things into it
    pay: tuple[int, ...] = ()  # prices that viewers offer: the one to type, and four buttons; -1 hidden, -2 the viewer's own
    sit_flags: int = SIT_ALLOW_UNSIT
    animations: tuple[UUID, ...] = ()  # that play on an animated mesh
    media: tuple[Media | None, ...] = ()  # by face
    media_version: int = 0  # goes up with every change of media
    materials: tuple[Material | None, ...] = ()  # by face
    overrides: tuple[str, ...] = ()  # by face: a glTF material's differences from its asset, as JSON


NONE = Rare()


def pack(rare: Rare) -> bytes:
    """What differs from a new prim's, as JSON; empty for nothing."""
    told = {f.name: _plain(getattr(rare, f.name)) for f in dataclasses.fields(Rare) if getattr(rare, f.name) != getattr(NONE, f.name)}
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode() if told else b""


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, UUID) else value


def read(data: bytes) -> Rare:
    """ProtocolError when it is no such record. What this version does not know is left out."""
    if len(data) > MOST_BYTES:
        raise ProtocolError(f"{len(data)} bytes of rare settings")
    try:
        told = json.loads(data)
        return Rare(**{name: _READ[name](value) for name, value in told.items() if name in _READ})
    except ProtocolError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ProtocolError(f"rare settings cannot be read: {type(error).__name__}") from error


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read_whole(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError("a number beyond its limits")
        return value

    return read_whole


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def _real(most: float) -> Callable[[Any], float]:
    def read_real(value: Any) -> float:
        number = float(value)
        if not math.isfinite(number) or abs(number) > most:
            raise ValueError("a number beyond its limits")
        return number

    return read_real


def _several(of: Callable[[Any], Any], most: int, least: int = 0) -> Callable[[Any], Any]:
    def read_several(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise ValueError("a list of a wrong length")
        return tuple([of(one) for one in value])

    return read_several


def _words(most: int) -> Callable[[Any], str]:
    def read_words(value: Any) -> str:
        if not isinstance(value, str) or len(value) > most:
            raise ValueError("a text that is too long")
        return value

    return read_words


def _record(kind: type, parts: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def read_record(value: Any) -> Any:
        return kind(**{name: parts[name](one) for name, one in value.items() if name in parts}) if value is not None else None

    return read_record


_vector = _several(_real(FARTHEST), 3, 3)
_pair = _several(_real(1e6), 2, 2)
_octet = _whole(0, 255)
_address = _words(MOST_ADDRESS)
_media = _record(Media, {
    "alt_image_enable": _flag, "controls": _whole(0, 1), "current_url": _address, "home_url": _address, "auto_loop": _flag,
    "auto_play": _flag, "auto_scale": _flag, "auto_zoom": _flag, "first_click_interact": _flag, "width_pixels": _whole(0, 2048),
    "height_pixels": _whole(0, 2048), "whitelist_enable": _flag, "whitelist": _several(_address, 64), "perms_interact": _whole(0, 7),
    "perms_control": _whole(0, 7),
})  # fmt: skip
_material = _record(Material, {
    "normal": UUID, "normal_repeats": _pair, "normal_offset": _pair, "normal_turn": _real(1e6), "specular": UUID,
    "specular_repeats": _pair, "specular_offset": _pair, "specular_turn": _real(1e6), "specular_color": _several(_octet, 3, 3),
    "glossiness": _octet, "environment": _octet, "alpha_mode": _whole(0, 3), "cutoff": _octet,
})  # fmt: skip
_READ: dict[str, Callable[[Any], Any]] = {
    "camera_eye": _vector, "camera_at": _vector, "mouselook": _flag, "pin": _whole(-(1 << 31), (1 << 31) - 1), "drop": _flag,
    "pay": _several(_whole(-2, (1 << 31) - 1), 5, 5), "sit_flags": _octet, "animations": _several(UUID, MOST_ANIMATIONS),
    "media": _several(_media, FACES), "media_version": _whole(0, 10**9), "materials": _several(_material, FACES),
    "overrides": _several(_words(4096), FACES),
}  # fmt: skip
