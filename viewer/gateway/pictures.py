"""Textures for browsers: the asset store's JPEG 2000 as WebP, made once and kept while there is room; and forms (see
``forms``) in the same way.

A hostile picture costs one bounded decode in a worker thread; what cannot be shown is remembered as such for a while.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import aiohttp
from PIL import Image, Jpeg2KImagePlugin

from . import forms

log = logging.getLogger("gateway")
SIZES = (64, 256, 1024)  # longest sides offered, in pixels
Kind = int | str  # a size, or one of FORMS
FORMS: dict[str, Callable[[bytes], bytes | None]] = {
    **{kind: partial(forms.mesh, level=level) for kind, level in forms.MESHES.items()},
    "sculpt": forms.sculpt,
}
_MOST_BYTES = 8 * 1024 * 1024  # of a texture as stored
_MOST_PIXELS = 4096 * 4096
_KEPT = 96 * 1024 * 1024
_MOST_MISSING = 4096


class Pictures:
    """Textures by id and size. ``source``: the asset store's address for viewers, known after the first login."""

    def __init__(self, http: aiohttp.ClientSession, source: str | None) -> None:
        self.source = source
        self._http = http
        self._kept: OrderedDict[tuple[UUID, Kind], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._missing: OrderedDict[tuple[UUID, bool], None] = OrderedDict()  # True: as a mesh
        self._making: dict[tuple[UUID, Kind], asyncio.Task[bytes | None]] = {}
        self._workers = ThreadPoolExecutor(1, "pictures")

    async def get(self, texture: UUID, kind: Kind) -> bytes | None:
        """WebP bytes, longest side at most ``kind``, or a form; None when there is no such picture or mesh."""
        key = (texture, kind)
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return found
        if (texture, kind in forms.MESHES) in self._missing or self.source is None:
            return None
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(texture, kind))
            making.add_done_callback(lambda _: self._making.pop(key, None))
        return await asyncio.shield(making)

    async def _make(self, texture: UUID, kind: Kind) -> bytes | None:
        name, most = ("mesh_id", forms.MOST_BYTES) if kind in forms.MESHES else ("texture_id", _MOST_BYTES)
        try:
            async with self._http.get(self.source or "", params={name: str(texture)}) as reply:
                if reply.status == 404:
                    self._miss(texture, kind)
                if reply.status != 200 or (reply.content_length or 0) > most:
                    return None
                raw = await reply.content.read(most + 1)
                while not reply.content.at_eof() and len(raw) <= most:
                    raw += await reply.content.read(most)
        except (TimeoutError, aiohttp.ClientError) as error:
            log.info("texture %s: %s", texture, error)
            return None  # not remembered: the store may be back in a moment
        loop = asyncio.get_running_loop()
        if isinstance(kind, int):
            made = await loop.run_in_executor(self._workers, convert, raw, kind)
        else:
            made = await loop.run_in_executor(self._workers, FORMS[kind], raw)
        if made is None:
            self._miss(texture, kind)
            return None
        self._kept[texture, kind] = made
        self._kept_bytes += len(made)
        while self._kept_bytes > _KEPT:
            _, old = self._kept.popitem(last=False)
            self._kept_bytes -= len(old)
        return made

    def _miss(self, texture: UUID, kind: Kind) -> None:
        self._missing[texture, kind in forms.MESHES] = None
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
