"""What of a prim could not be told to viewers is made such that it can, by whatever way the prim comes into the region.

Edits are refused before they get here (`actions/edit.py`); a scene, a neighbour or a store may bring anything.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from protocol import extra_params
from protocol.errors import ProtocolError
from protocol.textures import PLAIN, canonical_texture_entry, decode_texture_animation
from sim.world.agent import TEXTURE_ENTRY_LIMIT

if TYPE_CHECKING:
    from sim.world.objects import Prim

NAME_BYTES, DESCRIPTION_BYTES, TEXT_BYTES, URL_BYTES = 63, 127, 254, 254
MENU_BYTES = 31
TEXTS = (
    ("name", NAME_BYTES), ("description", DESCRIPTION_BYTES), ("text", TEXT_BYTES), ("media_url", URL_BYTES),
    ("touch_name", MENU_BYTES), ("sit_name", MENU_BYTES),
)  # fmt: skip
PARTICLE_BYTES = 255


def cut(text: str, limit: int) -> str:
    """As much of a text as so many bytes of UTF-8 hold, whole characters only."""
    if text.isascii() and len(text) <= limit:
        return text
    return text.encode("utf-8", "ignore")[:limit].decode("utf-8", "ignore")


@lru_cache(1024)
def _look(data: bytes) -> bytes:
    """A look that can be read: the plain one in place of one that cannot."""
    try:
        entry = canonical_texture_entry(data)
    except ProtocolError:
        return PLAIN
    return entry if len(entry) <= TEXTURE_ENTRY_LIMIT else PLAIN


def make_encodable(prim: Prim) -> None:
    """Cut texts and leave out what no viewer could read."""
    if prim.texture_entry is not PLAIN:
        prim.texture_entry = _look(prim.texture_entry)
    for field, limit in TEXTS:
        text = getattr(prim, field)
        if not text.isascii() or len(text) > limit:
            setattr(prim, field, cut(text, limit))
    if prim.extra_params:
        prim.extra_params = _params(prim.extra_params)
    if len(prim.text_color) != 4:
        prim.text_color = bytes(4)
    if prim.texture_anim:
        prim.texture_anim = _animation(prim.texture_anim)
    if len(prim.particles) > PARTICLE_BYTES:
        prim.particles = b""


def _params(params: dict[int, bytes]) -> dict[int, bytes]:
    good: dict[int, bytes] = {}
    for kind, data in params.items():
        try:
            good = extra_params.checked_all({**good, kind: data})
        except ProtocolError:
            continue
    return good


def _animation(data: bytes) -> bytes:
    try:
        decode_texture_animation(data)
    except ProtocolError:
        return b""
    return data
