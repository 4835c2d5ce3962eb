"""What things are made of until somebody says otherwise: plywood, plain white, nothing, a missing picture, a stand-in."""

from __future__ import annotations

import numpy as np

from assets.library.canvas import Array, blur, color, coordinates, mix, noise, ramp, relief, step, with_alpha


def plywood() -> Array:
    """A sheet of veneer: growth rings cut at a slant, pores along the grain. Tiles."""
    size = 512
    _, y = coordinates(size)
    sway = noise(size, 51, roughness=1.9, coarse=1, stretch=3.0)
    fine = noise(size, 52, roughness=1.0, coarse=24, stretch=14.0)
    pores = noise(size, 53, roughness=0.35, coarse=60, stretch=22.0)
    # A whole number of rings from edge to edge, pushed about by noise that wraps: so the rings wrap, too.
    phase = y * 7.0 + (sway - 0.5) * 9.0 + (fine - 0.5) * 0.5
    ring = phase - np.floor(phase)
    band = np.where(ring < 0.82, ring / 0.82, (1.0 - ring) / 0.18) ** 1.6
    shade = 0.62 * band + 0.38 * fine
    wood = ramp([(0.0, "dcb884"), (0.35, "d0a66e"), (0.65, "bd8d55"), (1.0, "9c6c3b")], shade)
    wood = mix(wood, color("7d5530"), 0.45 * step(0.66, 0.85, pores))
    return wood * relief(fine * 1.5 - step(0.66, 0.85, pores), 0.25)[..., None]


def blank() -> Array:
    return np.ones((64, 64, 3))


def transparent() -> Array:
    return with_alpha(np.ones((64, 64, 3)), np.zeros((64, 64)))


def missing() -> Array:
    """Grey, framed, with a question mark: to be noticed, not to be hated."""
    size = 256
    x, y = coordinates(size)
    stripes = np.floor((x + y) * 16) % 2
    picture = mix(color("8b8f94"), color("969a9f"), stripes)
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    picture = mix(picture, color("5c6166"), 1.0 - step(0.025, 0.035, edge))

    ring = np.abs(np.hypot(x - 0.5, y - 0.36) - 0.15) - 0.032
    open_side = (x < 0.5) & (y > 0.36)  # the hook of the mark opens to the lower left
    hook = np.where(open_side, 1.0, ring)
    end = np.hypot(x - 0.35, y - 0.36) - 0.032
    stem = np.maximum(np.abs(x - 0.5) - 0.032, np.abs(y - 0.575) - 0.07)
    dot = np.hypot(x - 0.5, y - 0.75) - 0.042
    mark = np.minimum(np.minimum(hook, end), np.minimum(stem, dot))
    return mix(picture, color("f2f2ee"), 1.0 - step(-0.004, 0.006, mark))


def default_avatar() -> Array:
    """A neutral figure on a soft ground, shown where an avatar has no picture of its own."""
    size = 256
    x, y = coordinates(size)
    ground = mix(color("b9c4cc"), color("8e9ca8"), y)
    head = np.hypot((x - 0.5) / 0.13, (y - 0.34) / 0.16)
    neck = np.maximum(np.abs(x - 0.5) / 0.06, np.abs(y - 0.5) / 0.1)
    chest = np.hypot((x - 0.5) / 0.30, (y - 0.92) / 0.36)
    figure = np.clip(blur((np.minimum(np.minimum(head, neck), chest) < 1.0) * 1.0, 1.2), 0, 1)
    return mix(ground, color("5f6d79"), figure)
