"""Skin, eyes, hair and cloth.

The cuts of a body's textures are not drawn here: cloth covers all of it, so that it is right wherever it is looked at.
Faces, brows and lips come from the viewer, which paints them by the skin's and shape's parameters.
"""

from __future__ import annotations

import numpy as np

from assets.library.canvas import (
    Array,
    blur,
    cells,
    color,
    coordinates,
    mix,
    noise,
    ramp,
    relief,
    rng,
    step,
)


def _skin(seed: int, size: int = 512) -> Array:
    """Skin: warm, uneven in blotches, pores, a few freckles."""
    blotch, tone = noise(size, seed, roughness=1.7, coarse=2), noise(size, seed + 1, roughness=0.9, coarse=16)
    picture = ramp([(0.1, "c9916f"), (0.5, "d6a281"), (0.9, "e2b595")], 0.5 * blotch + 0.5 * tone)
    picture = mix(picture, color("cd8370"), 0.12 * step(0.45, 0.8, noise(size, seed + 2, roughness=1.9, coarse=2)))
    distance, border, number = cells(size, 90, seed + 3)
    freckle = (rng(seed + 4).random(8100)[number] < 0.012) * (1.0 - step(0.1, 0.4, distance))
    picture = mix(picture, color("a9714f"), 0.4 * freckle)
    return picture * relief(tone * 0.8 + np.clip(border, 0, 0.15) * 2.0, 0.16)[..., None]


def skin_head() -> Array:
    return _skin(81)


def skin_upper() -> Array:
    return _skin(86)


def skin_lower() -> Array:
    return _skin(91)


def iris() -> Array:
    """An eyeball looking out of the picture: white with fine veins, and a hazel iris in the middle."""
    size = 256
    x, y = coordinates(size)
    dx, dy = x - 0.5, y - 0.5
    r, angle = np.hypot(dx, dy) * 4.0, np.arctan2(dy, dx)  # r is 1 at the edge of the iris
    veins = step(0.46, 0.5, 0.5 - np.abs(noise(size, 101, roughness=1.5, coarse=5) - 0.5))
    white = mix(color("f1ece6"), color("d9a79c"), 0.35 * veins * step(1.1, 2.0, r))
    white = mix(white, color("cfc6be"), 0.5 * step(1.3, 2.0, r))
    # Fibres: noise read along the angle, so that they run to the pupil.
    fibre = rng(102).random((64, 720))
    fibre = blur(fibre, 1.5)
    turn = ((angle / (2 * np.pi) + 0.5) * 720).astype(int) % 720
    depth = np.clip(r * 63, 0, 63).astype(int)
    strand = (fibre[depth, turn] - fibre.mean()) / (fibre.std() * 4.0) + 0.5
    ring = 0.62 * r + 0.38 * strand
    colored = ramp([(0.2, "7a5426"), (0.42, "8f7135"), (0.6, "6d7a45"), (0.8, "47603f"), (1.0, "1d2a22")], ring)
    colored = colored * (1.0 - 0.75 * step(0.86, 1.0, r))[..., None]
    colored = mix(colored, color("060505"), 1.0 - step(0.34, 0.40, r))
    eye = mix(colored, white, step(0.97, 1.04, r))
    glint = 1.0 - step(0.5, 1.0, np.hypot(dx + 0.075, dy + 0.085) / 0.04)
    return mix(eye, color("ffffff"), 0.85 * glint)


def hair() -> Array:
    """Strands from top to bottom, light and dark locks. Tiles."""
    size = 512
    strands = noise(size, 111, roughness=0.35, coarse=20, stretch=120.0).T
    locks = noise(size, 112, roughness=1.2, coarse=4, stretch=16.0).T
    sway = (noise(size, 113, roughness=2.2, coarse=1) - 0.5) * 36.0
    shade = _across(0.5 * strands + 0.5 * locks, sway)
    picture = ramp([(0.2, "38241a"), (0.45, "5a3c29"), (0.6, "75513a"), (0.85, "a37a58")], shade)
    return picture * relief(shade * 3.0, 0.35)[..., None]


def _across(picture: Array, dx: Array) -> Array:
    """Shift pixels sideways by ``dx``, wrapping."""
    size = picture.shape[0]
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    return picture[y, (x + np.rint(dx).astype(int)) % size]


def _weave(size: int, threads: int, seed: int, twill: int) -> Array:
    """Height of a cloth: threads over and under each other; ``twill`` shifts the crossing row by row."""
    x, y = coordinates(size)
    col, row = np.floor(x * threads), np.floor(y * threads)
    over = ((col + row * (1 if twill else 0) + (0 if twill else row)) % (twill + 1 if twill else 2)) < 1
    across = np.abs((y * threads) % 1.0 - 0.5) * 2.0
    along = np.abs((x * threads) % 1.0 - 0.5) * 2.0
    thread = np.where(over, np.sqrt(np.clip(1 - along**2, 0, 1)), 0.75 * np.sqrt(np.clip(1 - across**2, 0, 1)))
    return thread + 0.35 * noise(size, seed, roughness=0.5, coarse=40)


def fabric_shirt() -> Array:
    """Knitted cotton in a soft blue."""
    size = 512
    height = _weave(size, 128, 121, 0)
    folds, wear = noise(size, 122, roughness=1.9, coarse=2), noise(size, 123, roughness=1.0, coarse=6)
    picture = ramp([(0.1, "45759a"), (0.5, "4f82a8"), (0.9, "5c8db2")], 0.5 * folds + 0.5 * wear)
    return picture * (relief(height, 0.28) * (0.88 + 0.24 * folds))[..., None]


def fabric_pants() -> Array:
    """Denim: blue over white in a diagonal, paler where it is worn."""
    size = 512
    height = _weave(size, 128, 131, 2)
    folds, slub = noise(size, 132, roughness=1.9, coarse=2), noise(size, 133, roughness=0.5, coarse=30, stretch=0.1)
    worn = step(0.35, 0.9, noise(size, 134, roughness=1.9, coarse=2))
    blue = mix(color("2c3a5c"), color("3d4f78"), slub)
    picture = mix(blue, color("7d8db0"), np.clip(0.3 * worn + 0.28 * (height < 0.75), 0, 1))
    return picture * (relief(height, 0.22) * (0.88 + 0.24 * folds))[..., None]
