"""The list of the library: every asset's id, type, name and how to make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from assets.library import ground, people, sky, surfaces, wearables
from assets.library.canvas import Array, encode
from protocol.wellknown import DEFAULT_WEARABLES, AssetType, Texture, Wearable


@dataclass(frozen=True, slots=True)
class Entry:
    """``make`` draws or writes the asset's bytes anew; the same every time."""

    id: UUID
    type: AssetType
    name: str
    make: Callable[[], bytes]


# Ground and cloth are looked at closely and so compressed less than what is seen once or from far away.
_TEXTURES: tuple[tuple[UUID, str, Callable[[], Array], float], ...] = (
    (Texture.TERRAIN_DIRT, "Dirt", ground.dirt, 10.0),
    (Texture.TERRAIN_GRASS, "Grass", ground.grass, 10.0),
    (Texture.TERRAIN_MOUNTAIN, "Mountain", ground.mountain, 10.0),
    (Texture.TERRAIN_ROCK, "Rock", ground.rock, 10.0),
    (Texture.PLYWOOD, "Plywood", surfaces.plywood, 12.0),
    (Texture.BLANK, "Blank", surfaces.blank, 12.0),
    (Texture.TRANSPARENT, "Transparent", surfaces.transparent, 12.0),
    (Texture.MISSING, "Missing", surfaces.missing, 12.0),
    (Texture.DEFAULT_AVATAR, "Default Avatar", surfaces.default_avatar, 12.0),
    (Texture.SUN, "Sun", sky.sun, 12.0),
    (Texture.MOON, "Moon", sky.moon, 12.0),
    (Texture.CLOUD, "Clouds", sky.cloud, 8.0),
    (Texture.SKIN_HEAD, "Skin, head", people.skin_head, 16.0),
    (Texture.SKIN_UPPER, "Skin, upper body", people.skin_upper, 16.0),
    (Texture.SKIN_LOWER, "Skin, lower body", people.skin_lower, 16.0),
    (Texture.IRIS, "Eyes, hazel", people.iris, 10.0),
    (Texture.HAIR, "Hair, brown", people.hair, 16.0),
    (Texture.FABRIC_SHIRT, "Cotton, blue", people.fabric_shirt, 16.0),
    (Texture.FABRIC_PANTS, "Denim", people.fabric_pants, 16.0),
)


def _texture(draw: Callable[[], Array], ratio: float) -> bytes:
    return encode(draw(), ratio=ratio)


ENTRIES: tuple[Entry, ...] = (
    *(Entry(id, AssetType.TEXTURE, name, partial(_texture, draw, ratio)) for id, name, draw, ratio in _TEXTURES),
    *(
        Entry(DEFAULT_WEARABLES[kind], wearables.asset_type(kind), wearables.NAMES[kind],
              partial(wearables.default_wearable, kind))
        for kind in Wearable
    ),
)
