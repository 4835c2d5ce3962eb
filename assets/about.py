"""What the asset service says of itself: health, metrics, the description of its API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import falcon

from assets.metrics import Metrics
from assets.openapi import DOCUMENT

if TYPE_CHECKING:
    from assets.api import Service

RETRY = 5  # seconds, told while a partition is away


class Health:
    """What the store has and misses. As `/health/ready` it is 503 while a partition is away or the reserve is touched."""

    def __init__(self, service: Service, ready: bool = False) -> None:
        self._service = service
        self._ready = ready

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        service = self._service
        lost, free = service.store.lost(), service.store.free_bytes()
        status = "partitions away" if lost else "disk nearly full" if free < service.reserve else "ok"
        resp.set_header("Cache-Control", "no-store")
        if self._ready and status != "ok":
            resp.status = falcon.HTTP_503
            resp.set_header("Retry-After", str(RETRY))
        resp.media = {
            "status": status,
            "partitions": list(service.partitions),
            "lost": list(lost),
            "free_bytes": free,
            "max_asset_bytes": service.max_asset,
        }


class Live:
    """The hub turns, and says so without asking the disk."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header("Cache-Control", "no-store")
        resp.media = {"status": "ok"}


class MetricsPage:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = "text/plain; version=0.0.4; charset=utf-8"
        resp.data = self._metrics.text()


class OpenApi:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header("Cache-Control", "public, max-age=300")
        resp.media = DOCUMENT
