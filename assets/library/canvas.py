"""Tools for drawing textures with numpy: noise and cells that tile, light on a relief, JPEG 2000.

A picture is a float array (height, width, 3 or 4), values 0..1. Everything here wraps around: a texture's right edge
continues on its left, its bottom on its top, so that ground and cloth repeat without a seam. Same seed, same picture.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def color(web: str) -> Array:
    """An (3,) colour from `rrggbb`."""
    return np.array([int(web[i : i + 2], 16) / 255 for i in (0, 2, 4)])


def coordinates(size: int) -> tuple[Array, Array]:
    """(x, y) of the pixels' middles, 0..1."""
    axis = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(axis, axis)
    return x, y


def noise(size: int, seed: int, *, roughness: float = 1.6, coarse: float = 2.0, stretch: float = 1.0) -> Array:
    """Fractal noise that tiles, 0..1 with mean 0.5: white noise, its spectrum shaped.

    ``roughness``: how fast fine detail fades, 0 is white noise, 1.6 is a cloud. ``coarse``: the largest features, in
    waves across the picture. ``stretch``: above 1 the features are longer in x by that factor.
    """
    spectrum = np.fft.rfft2(rng(seed).standard_normal((size, size)))
    fy = np.fft.fftfreq(size)[:, None] * size
    fx = np.fft.rfftfreq(size)[None, :] * size * stretch
    frequency = np.hypot(fx, fy)
    frequency[0, 0] = np.inf
    shaped = np.fft.irfft2(spectrum * np.maximum(frequency, coarse) ** -roughness, s=(size, size))
    return np.clip(0.5 + shaped / (shaped.std() * 5.0), 0.0, 1.0)


def cells(size: int, count: int, seed: int, jitter: float = 0.9) -> tuple[Array, Array, NDArray[np.intp]]:
    """Cells around ``count`` x ``count`` scattered points, tiling: distance to the nearest point and to the border
    between cells (both in cell widths), and the nearest point's number."""
    points = rng(seed).uniform(0.5 - jitter / 2, 0.5 + jitter / 2, (count, count, 2))
    axis = (np.arange(size) + 0.5) * count / size
    home = axis.astype(int)
    first = np.full((size, size), np.inf)
    second = np.full((size, size), np.inf)
    nearest = np.zeros((size, size), dtype=np.intp)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            row, col = home + dy, home + dx
            point = points[row % count][:, col % count]
            away = np.hypot(point[..., 0] + col[None, :] - axis[None, :], point[..., 1] + row[:, None] - axis[:, None])
            number = (row % count)[:, None] * count + (col % count)[None, :]
            closer = away < first
            second = np.where(closer, first, np.minimum(second, away))
            nearest = np.where(closer, number, nearest)
            first = np.where(closer, away, first)
    return first, (second - first) / 2, nearest


def relief(height: Array, strength: float) -> Array:
    """Light from the upper left on a height field: about 1 where flat, brighter towards the light."""
    dx = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * height.shape[1] / 512
    dy = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) * height.shape[0] / 512
    return np.clip(1.0 + strength * (dx + dy) * 0.7, 0.25, 1.75)


def blur(picture: NDArray[np.floating], pixels: float) -> Array:
    """Gaussian blur that wraps."""
    frequency_y = np.fft.fftfreq(picture.shape[0])[:, None]
    frequency_x = np.fft.rfftfreq(picture.shape[1])[None, :]
    gain = np.exp(-2.0 * (np.pi * pixels) ** 2 * (frequency_x**2 + frequency_y**2))
    return np.fft.irfft2(np.fft.rfft2(picture) * gain, s=picture.shape)


def step(low: float, high: float, value: Array) -> Array:
    """0 below ``low``, 1 above ``high``, smooth in between."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def mix(a: Array, b: Array, t: Array) -> Array:
    """From picture or colour ``a`` to ``b`` by ``t`` (height, width)."""
    return a + (b - a) * t[..., None]


def ramp(stops: list[tuple[float, str]], value: Array) -> Array:
    """Colours along ``stops`` (position, rrggbb)."""
    at = [position for position, _ in stops]
    table = np.array([color(web) for _, web in stops])
    return np.stack([np.interp(value, at, table[:, channel]) for channel in range(3)], axis=-1)


def with_alpha(picture: Array, alpha: Array) -> Array:
    return np.dstack([picture, alpha])


def to_image(picture: Array) -> Image.Image:
    levels = np.clip(np.rint(picture * 255.0), 0, 255).astype(np.uint8)
    return Image.fromarray(levels, "RGBA" if picture.shape[2] == 4 else "RGB")


def encode(picture: Array, *, ratio: float = 12.0) -> bytes:
    """A JPEG 2000 codestream as viewers want it: bare (no jp2 box), resolutions first, so that the first part of the
    file is already a smaller picture.

    ``ratio``: compression of the finest layer. A picture of 4 channels has alpha last.
    """
    out = io.BytesIO()
    levels = max(1, min(6, int(np.log2(min(picture.shape[:2]))) - 2))
    to_image(picture).save(
        out,
        format="JPEG2000",
        no_jp2=True,
        irreversible=True,
        progression="RLCP",
        num_resolutions=levels,
        quality_mode="rates",
        quality_layers=[ratio * 8, ratio * 3, ratio],
        mct=1,
    )
    return out.getvalue()
