"""Sun, moon and clouds."""

from __future__ import annotations

import numpy as np

from assets.library.canvas import Array, color, coordinates, mix, noise, relief, step, with_alpha


def _disc(size: int) -> tuple[Array, Array, Array]:
    x, y = coordinates(size)
    return x - 0.5, y - 0.5, np.hypot(x - 0.5, y - 0.5) * 2.0


def sun() -> Array:
    """A white-hot disc in a halo that fades out before the edge."""
    _, _, r = _disc(256)
    core = 1.0 - step(0.40, 0.46, r)
    glow = np.clip(1.0 - r, 0.0, 1.0) ** 2.2
    picture = mix(color("ffb84d"), color("fff9e8"), np.clip(core + glow * 0.8, 0.0, 1.0))
    return with_alpha(picture, np.clip(core + 0.9 * glow, 0.0, 1.0) * (1.0 - step(0.9, 1.0, r)))


def moon() -> Array:
    """A full moon: maria, craters, darker towards the limb."""
    size = 256
    dx, dy, r = _disc(size)
    maria = step(0.5, 0.62, noise(size, 61, roughness=1.9, coarse=2))
    dust = noise(size, 62, roughness=0.9, coarse=10)
    picture = mix(color("d9d8d2"), color("8f9095"), 0.75 * maria) * (0.88 + 0.24 * dust)[..., None]
    height = np.zeros((size, size))
    random = np.random.default_rng(63)
    for _ in range(60):
        radius = 0.012 + 0.06 * random.random() ** 3
        angle, away = random.uniform(0, 2 * np.pi), 0.46 * np.sqrt(random.random())
        from_middle = np.hypot(dx - away * np.cos(angle), dy - away * np.sin(angle)) / radius
        bowl = np.where(from_middle < 1.0, from_middle**2 - 1.0, 0.0)
        rim = np.exp(-(((from_middle - 1.0) / 0.18) ** 2))
        height += (0.7 * bowl + 0.7 * rim) * radius * 60
    limb = np.sqrt(np.clip(1.0 - (r / 0.96) ** 2, 0.0, 1.0))
    picture = picture * (relief(height, 0.35) * (0.55 + 0.45 * limb))[..., None]
    return with_alpha(np.clip(picture, 0, 1), 1.0 - step(0.93, 0.97, r))


def cloud() -> Array:
    """The noise that viewers make clouds of: grey, tiling, with clear sky in between."""
    size = 256
    puffs = noise(size, 71, roughness=1.65, coarse=2)
    wisps = noise(size, 72, roughness=1.2, coarse=8)
    value = step(0.3, 0.8, 0.75 * puffs + 0.25 * wisps)
    return np.dstack([value, value, value])
