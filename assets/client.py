"""How a sim, a tool or a test talks to the asset store: asyncio over aiohttp, one method a question."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)
MAX_ASSET = 64 << 20  # bytes; an answer larger than any store's cap is not an asset


class AssetError(Exception):
    """The store could not answer: ``status`` is the HTTP status, or 0 when it could not be reached at all."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(f"{status}: {title}" if status else title)
        self.status = status
        self.title = title

    def for_people(self) -> str:
        """A refused put, in words for the person whose upload it was."""
        if self.status == 429:
            return "You have uploaded as much as is allowed in a day. Please go on tomorrow."
        if self.status == 507:
            return "The grid's disk is full: nothing can be uploaded until its operator makes room."
        return "The asset store is not answering. Please try again."


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset's bytes and its asset type (``protocol.wellknown.AssetType``)."""

    data: bytes
    type: int


class AssetClient:
    """``base_url`` of the asset service, the grid's ``secret`` (for puts and private types; "" for public reads only),
    and an aiohttp session that the caller owns and closes.

    Every method raises AssetError: when the service can't be reached or takes too long (status 0), and for any answer
    that its own line below does not name.
    """

    def __init__(self, base_url: str, secret: str, session: aiohttp.ClientSession) -> None:
        self._base = base_url.rstrip("/")
        self._session = session
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    async def get(self, asset_id: UUID) -> bytes | None:
        """The asset's bytes; None if there is no such asset."""
        asset = await self.fetch(asset_id)
        return None if asset is None else asset.data

    async def fetch(self, asset_id: UUID) -> Asset | None:
        """The asset with its type; None if there is no such asset."""
        status, headers, body = await self._call("GET", asset_id)
        if status == 404:
            return None
        if status != 200:
            raise AssetError(status, _title(body))
        try:
            return Asset(body, int(headers["X-Asset-Type"]))
        except (KeyError, ValueError):
            raise AssetError(0, "the asset service left out the asset's type") from None

    async def exists(self, asset_id: UUID) -> bool:
        """Whether the store has this asset (its bytes are not read)."""
        status, _, _ = await self._call("HEAD", asset_id)
        if status not in (200, 404):
            raise AssetError(status, f"HEAD answered {status}")
        return status == 200

    async def put(self, asset_id: UUID, data: bytes, type: int, uploader: UUID | None = None) -> bool:
        """Store an asset. On return it is on disk. True if it is new, False if the very same was stored before.

        ``uploader``: the person on whose quota of the day it counts. AssetError: 409 the id has other bytes or another type
        (assets never change), 413 too large, 429 the person's quota is used up, 503 ask again, 507 the disk is full.
        """
        headers = {"X-Asset-Type": str(int(type))}
        if uploader is not None:
            headers["X-Uploader"] = str(uploader)
        status, _, body = await self._call("PUT", asset_id, data, headers)
        if status not in (200, 201):
            raise AssetError(status, _title(body))
        return status == 201

    async def _call(
        self, method: str, asset_id: UUID, data: bytes | None = None, extra: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        url = f"{self._base}/assets/{asset_id}"
        headers = {**self._headers, **(extra or {})}
        try:
            async with self._session.request(method, url, data=data, headers=headers, timeout=TIMEOUT) as answer:
                if (answer.content_length or 0) > MAX_ASSET:
                    raise AssetError(0, "the asset service sent more than an asset can hold")
                body = b"" if method == "HEAD" else await answer.read()
                return answer.status, dict(answer.headers), body
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise AssetError(0, f"asset service: {type(error).__name__}: {error}") from error


def _title(body: bytes) -> str:
    """The reason in an error answer, short enough for a log line."""
    return body[:300].decode("utf-8", "replace")
