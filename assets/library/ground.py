"""What the land is made of: dirt, grass, mountain, rock. All tile."""

from __future__ import annotations

import numpy as np

from assets.library.canvas import Array, blur, cells, color, mix, noise, ramp, relief, rng, step

SIZE = 512


def _stones(count: int, seed: int, fill: float) -> tuple[Array, Array, Array]:
    """Pebbles lying about: how much of one each pixel is, its height, and a shade for each stone."""
    distance, border, number = cells(SIZE, count, seed, 0.8)
    random = rng(seed + 1).uniform(0, 1, (2, count * count))
    radius = 0.12 + 0.3 * random[0][number] ** 2
    there = (random[1][number] < fill) * 1.0
    edge = np.minimum(radius - distance, border * 1.5 + 0.02)
    cover = there * step(-0.02, 0.05, edge)
    height = there * np.sqrt(np.clip(edge + 0.02, 0.0, None) / 0.4)
    shade = rng(seed + 2).uniform(0.75, 1.15, count * count)[number]
    return cover, height, shade


def dirt() -> Array:
    lumps, grain = noise(SIZE, 11, roughness=1.2, coarse=6), noise(SIZE, 12, roughness=0.5, coarse=24)
    ground = ramp([(0.2, "4a3626"), (0.45, "6d5138"), (0.6, "84664a"), (0.85, "a08463")], 0.65 * lumps + 0.35 * grain)
    cover, height, shade = _stones(22, 13, 0.35)
    stone = mix(color("7c6c5a"), color("a3957f"), noise(SIZE, 14, roughness=0.9, coarse=8)) * shade[..., None]
    picture = mix(ground, stone, cover * 0.85)
    shadow = 1.0 - 0.45 * np.clip(np.roll(blur(cover, 2.0), (2, 2), (0, 1)) - cover, 0.0, 1.0)
    light = relief(lumps * 6 + grain * 2.2 + height * 2.2, 0.55)
    return picture * (light * shadow)[..., None]


def grass() -> Array:
    """Some twenty thousand blades, one over the other, darker at the root."""
    soil = noise(SIZE, 21, roughness=1.4, coarse=3)
    picture = mix(color("2c3a1a"), color("46552a"), soil)
    random = rng(22)
    blades, points = 22000, 14
    root = random.uniform(0, SIZE, (blades, 2))
    lean = random.normal(0.0, 0.55, blades)
    length = random.uniform(8.0, 22.0, blades)
    bend = random.normal(0.0, 5.0, blades)
    along = np.linspace(0.0, 1.0, points)
    x = root[:, :1] + np.sin(lean)[:, None] * length[:, None] * along + bend[:, None] * along**2
    y = root[:, 1:] - np.cos(lean)[:, None] * length[:, None] * along
    patch = soil[root[:, 1].astype(int), root[:, 0].astype(int)]
    hue = np.clip(patch + random.normal(0.0, 0.13, blades), 0.0, 1.0)
    tint = ramp([(0.15, "3e5f22"), (0.4, "54792c"), (0.6, "6b8c38"), (0.8, "8c9a4c"), (1.0, "a8a565")], hue)
    shade = (0.55 + 0.55 * along)[None, :] * random.uniform(0.8, 1.12, (blades, 1))
    # Painted tip by tip from the back: whole blades in the order they were made.
    col, row = np.rint(x).astype(int) % SIZE, np.rint(y).astype(int) % SIZE
    paint = tint[:, None, :] * shade[..., None]
    for slim in (1, 0):
        keep = slice(0, points - 5) if slim else slice(0, points)
        picture[row[:, keep].ravel(), ((col + slim) % SIZE)[:, keep].ravel()] = paint[:, keep].reshape(-1, 3) * (
            0.85 if slim else 1.0
        )
    return picture


def mountain() -> Array:
    """Scree: broken stone with dust and a little growth between."""
    big_cover, big_height, big_shade = _stones(9, 31, 0.75)
    small_cover, small_height, small_shade = _stones(24, 32, 0.8)
    lumps, grain = noise(SIZE, 33, roughness=1.3, coarse=3), noise(SIZE, 34, roughness=0.55, coarse=20)
    dust = ramp([(0.2, "4f473a"), (0.5, "6e6552"), (0.8, "8d846e")], 0.6 * lumps + 0.4 * grain)
    dust = mix(dust, color("5c6b3c"), 0.55 * step(0.54, 0.7, noise(SIZE, 35, roughness=1.5, coarse=4)))
    stone = ramp([(0.2, "5b5750"), (0.5, "7d7870"), (0.8, "a39d93")], 0.5 * lumps + 0.5 * grain)
    picture = mix(dust, stone * small_shade[..., None], small_cover * 0.9)
    picture = mix(picture, stone * (1.05 * big_shade)[..., None], big_cover)
    height = np.maximum(big_height * 1.6, small_height) * 2.4 + grain * 2.4 + lumps * 5
    cover = np.maximum(big_cover, small_cover)
    shadow = 1.0 - 0.5 * np.clip(np.roll(blur(cover, 2.5), (3, 3), (0, 1)) - cover, 0.0, 1.0)
    return picture * (relief(height, 0.5) * shadow)[..., None]


def rock() -> Array:
    """Bare rock: layered, cracked, lichen here and there."""
    lumps = noise(SIZE, 41, roughness=1.5, coarse=2)
    grain = noise(SIZE, 42, roughness=0.7, coarse=12)
    layers = noise(SIZE, 43, roughness=1.2, coarse=5, stretch=5.0)
    ridges = 1.0 - np.abs(noise(SIZE, 44, roughness=1.35, coarse=4) - 0.5) * 4.0
    _, border, number = cells(SIZE, 5, 45, 1.0)
    ragged = border + (noise(SIZE, 46, roughness=1.1, coarse=10) - 0.5) * 0.16
    crack = 1.0 - step(0.0, 0.035, ragged)
    tilt = rng(47).uniform(-0.3, 0.3, 25)[number]
    shade = 0.42 * lumps + 0.28 * grain + 0.3 * layers + 0.10 * tilt
    picture = ramp([(0.2, "403e3c"), (0.42, "625e5a"), (0.6, "837e77"), (0.8, "a8a298")], shade)
    picture = mix(picture, color("7b7f5a"), 0.3 * step(0.6, 0.8, noise(SIZE, 48, roughness=1.0, coarse=10)))
    light = relief(lumps * 9 + grain * 3.0 + layers * 3.0 + np.clip(ridges, 0, 1) * 2.0 - crack * 2.5, 0.5)
    return picture * (light * (1.0 - 0.55 * crack))[..., None]
