"""The services that a region asks, by HTTP alone: made once when it opens, and handed to each part that asks one."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import aiohttp

from assets.client import AssetClient
from backbone.client import BackboneClient, BackboneError
from sim.metrics import Metrics
from sim.region import Settings

T = TypeVar("T")

LONGEST, CONNECT = 10.0, 3.0  # seconds for an answer, and of these for a connection


@dataclass(frozen=True, slots=True)
class Clients:
    """`http` is what they all go through; to other regions too."""

    http: aiohttp.ClientSession
    backbone: BackboneClient
    assets: AssetClient

    @classmethod
    def of(cls, settings: Settings) -> Clients:
        """Those of a region's settings; inside the event loop that the region runs on."""
        http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LONGEST, connect=CONNECT))
        return cls(
            http,
            BackboneClient(settings.backbone_url, settings.secret, http),
            AssetClient(settings.assets_url, settings.secret, http),
        )

    async def close(self) -> None:
        await self.http.close()


async def ask(metrics: Metrics, call: Awaitable[T]) -> T | BackboneError:
    """Await a call to Backbone; its refusal or silence comes back as a value, counted if it is not the asker's fault."""
    try:
        return await call
    except BackboneError as error:
        if error.status == 0 or error.status >= 500:
            metrics.count("service_errors", label="backbone")
        return error
