"""Textures for browsers: the asset store's JPEG 2000 as WebP, made once and kept while there is room.

A hostile picture costs one bounded decode in a worker thread; what cannot be shown is remembered as such for a while.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import aiohttp
from PIL import Image, Jpeg2KImagePlugin

log = logging.getLogger("gateway")
SIZES = (64, 256, 1024)  # longest sides offered, in pixels
_MOST_BYTES = 8 * 1024 * 1024  # of a texture as stored
_MOST_PIXELS = 4096 * 4096
_KEPT = 96 * 1024 * 1024
_MOST_MISSING = 4096


class Pictures:
    """Textures by id and size. ``source``: the asset store's address for viewers, known after the first login."""

    def __init__(self, http: aiohttp.ClientSession, source: str | None) -> None:
        self.source = source
        self._http = http
        self._kept: OrderedDict[tuple[UUID, int], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._missing: OrderedDict[UUID, None] = OrderedDict()
        self._making: dict[tuple[UUID, int], asyncio.Task[bytes | None]] = {}
        self._workers = ThreadPoolExecutor(1, "pictures")

    async def get(self, texture: UUID, size: int) -> bytes | None:
        """WebP bytes, longest side at most ``size``; None when there is no such picture."""
        key = (texture, size)
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return found
        if texture in self._missing or self.source is None:
            return None
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(texture, size))
            making.add_done_callback(lambda _: self._making.pop(key, None))
        return await asyncio.shield(making)

    async def _make(self, texture: UUID, size: int) -> bytes | None:
        try:
            async with self._http.get(self.source or "", params={"texture_id": str(texture)}) as reply:
                if reply.status == 404:
                    self._miss(texture)
                if reply.status != 200 or (reply.content_length or 0) > _MOST_BYTES:
                    return None
                raw = await reply.content.read(_MOST_BYTES + 1)
                while not reply.content.at_eof() and len(raw) <= _MOST_BYTES:
                    raw += await reply.content.read(_MOST_BYTES)
        except (TimeoutError, aiohttp.ClientError) as error:
            log.info("texture %s: %s", texture, error)
            return None  # not remembered: the store may be back in a moment
        made = await asyncio.get_running_loop().run_in_executor(self._workers, convert, raw, size)
        if made is None:
            self._miss(texture)
            return None
        self._kept[texture, size] = made
        self._kept_bytes += len(made)
        while self._kept_bytes > _KEPT:
            _, old = self._kept.popitem(last=False)
            self._kept_bytes -= len(old)
        return made

    def _miss(self, texture: UUID) -> None:
        self._missing[texture] = None
        if len(self._missing) > _MOST_MISSING:
            self._missing.popitem(last=False)

    def close(self) -> None:
        self._workers.shutdown(wait=False, cancel_futures=True)


def convert(raw: bytes, size: int) -> bytes | None:
    """Any picture Pillow reads as JPEG 2000 (or PNG) as WebP, at most ``size`` on its longer side; None if it is none."""
    if len(raw) > _MOST_BYTES:
        return None
    try:
        with Image.open(io.BytesIO(raw), formats=("JPEG2000", "PNG")) as picture:
            width, height = picture.size
            if width * height > _MOST_PIXELS:
                return None
            # Levels of resolution that would be thrown away are not decoded at all.
            if isinstance(picture, Jpeg2KImagePlugin.Jpeg2KImageFile):
                halvings = 0
                while max(width, height) >= 2 * size and halvings < 5:
                    halvings, width, height = halvings + 1, width // 2, height // 2
                setattr(picture, "reduce", halvings)  # noqa: B010 - Pillow's own name; its types know a method only
            shown = picture.convert("RGBA" if picture.mode in ("RGBA", "LA", "PA") else "RGB")
        shown.thumbnail((size, size))
        out = io.BytesIO()
        shown.save(out, "WEBP", quality=82, method=2)
        return out.getvalue()
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
        log.info("a picture that is none: %s", error)
        return None
