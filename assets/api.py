"""The HTTP face of the asset store: assets out with ranges and eternal caching, assets in with the grid's secret.

    GET|HEAD /assets/{uuid}               an asset; private types need the bearer
    PUT      /assets/{uuid}               bearer, X-Asset-Type; 201 once it is on disk
    GET|HEAD /viewer?texture_id={uuid}    the ViewerAsset, GetTexture and GetMesh capabilities, public types only
    GET      /health /health/live /health/ready /metrics /openapi.json

An asset never changes, so every answer says `immutable` and carries the content hash as strong ETag: a cache in front,
or a CDN, takes nearly all reads.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

import falcon

from assets.about import RETRY, Health, Live, MetricsPage, OpenApi
from assets.blobs import Blobs
from assets.layout import Conflict, CorruptAsset, PartitionLost, Record
from assets.metrics import Metrics
from assets.quotas import DAY, Quotas
from assets.ranges import Unsatisfiable, parse_range, tag_matches
from assets.reading import Reader
from assets.types import HIGHEST_TYPE, PRIVATE, VIEWER_NAMES, content_type
from ground import green, server
from ground.disks import ASSETS_RESERVE

log = logging.getLogger(__name__)

MAX_ASSET = 16 << 20  # bytes; a mesh upload of a viewer ends well below
CACHE = 64 << 20  # bytes of hot assets in memory
UPLOADS = 256 << 20  # bytes of bodies being received at once; beyond that: ask again
PIECE = 128 << 10  # bytes handed to a socket at once; the hub turns to others between pieces
DRAIN = 4 << 20  # bytes of a refused body read away, so that its sender sees the answer
YEAR = 31536000
ABSENT = 2  # seconds that caches may know of an asset that there is none
QUOTA = 512 << 20  # bytes a person may bring a day: a hundred full changes of baked textures, or thousands of photographs
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Service:
    """The store behind HTTP. ``secret``: the grid's; ``max_asset``: bytes a put may have; ``cache``: bytes of hot assets
    to hold; ``quota``: bytes a person may bring a day, 0 for any; ``reserve``: bytes of the disk that are not filled, so
    that what shares it (logins, regions' states) goes on; ``partitions``: their names, for the metrics."""

    def __init__(
        self, store: Blobs, secret: str, *, max_asset: int = MAX_ASSET, cache: int = CACHE, quota: int = QUOTA,
        reserve: int = ASSETS_RESERVE, partitions: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.store = store
        self.partitions = partitions
        self.quotas = Quotas(quota)
        self.reserve = reserve
        self.metrics = Metrics()
        self.reader = Reader(store, self.metrics, cache)
        self.max_asset = max_asset
        self.receiving = 0
        self._bearer = f"Bearer {secret}".encode()
        for name in partitions:
            self.metrics.partition_up.labels(name).set_function(partial(self._is_up, name))

    def authorized(self, req: falcon.Request) -> bool:
        return hmac.compare_digest((req.get_header("Authorization") or "").encode("utf-8", "replace"), self._bearer)

    def refuse(self, reason: str, error: falcon.HTTPError) -> falcon.HTTPError:
        """Count a refusal; to be raised by the caller."""
        self.metrics.refused.labels(reason).inc()
        return error

    def app(self) -> falcon.App:
        app = falcon.App(middleware=[_Count(self.metrics)])
        app.req_options.strip_url_path_trailing_slash = True  # viewers put a slash before the question mark, or don't
        app.set_error_serializer(_serialize)
        app.add_error_handler(CorruptAsset, _on_corrupt)
        app.add_error_handler(PartitionLost, _on_lost)
        app.add_error_handler(Exception, _on_surprise)
        app.add_route("/assets/{asset_id}", _Asset(self))
        app.add_route("/viewer", _Viewer(self))
        app.add_route("/health", Health(self))
        app.add_route("/health/live", Live())
        app.add_route("/health/ready", Health(self, ready=True))
        app.add_route("/metrics", MetricsPage(self.metrics))
        app.add_route("/openapi.json", OpenApi())
        return app

    def _is_up(self, partition: str) -> float:
        return float(partition not in self.store.lost())

    def read_id(self, text: str, otherwise: Callable[..., falcon.HTTPError] = falcon.HTTPNotFound) -> UUID:
        """An id in the one spelling there is, so that caches keep an asset once; the error for every other."""
        if not _ID.fullmatch(text):
            description = "an id is 32 hex digits in lower case with dashes: 8-4-4-4-12"
            raise self.refuse("bad id", otherwise(title="no such id", description=description))
        return UUID(text)

    def look_up(self, req: falcon.Request, asset_id: UUID) -> tuple[Record, bytes | None]:
        """An asset's record; with its bytes if this request is likely to want them, in one trip to the disk. 404."""
        found: tuple[Record, bytes | None] | None
        if req.method == "GET" and not req.get_header("If-None-Match"):
            found = self.reader.get(asset_id)
        else:
            record = self.reader.find(asset_id)
            found = None if record is None else (record, None)
        if found is None:
            # Not for caches to keep for long: the asset may be on its way. But a crowd that asks for it comes here once.
            headers = {"Cache-Control": f"public, max-age={ABSENT}"}
            raise falcon.HTTPNotFound(title="no such asset", description=str(asset_id), headers=headers)
        return found

    def send(self, req: falcon.Request, resp: falcon.Response, record: Record, data: bytes | None) -> None:
        """Answer a GET or HEAD for an existing asset that the asker may read; ``data`` as from ``look_up``."""
        tag = f'"{record.sha256}"'
        visibility = "private" if record.type in PRIVATE else "public"
        lasting = {"ETag": tag, "Cache-Control": f"{visibility}, max-age={YEAR}, immutable"}
        if tag_matches(req.get_header("If-None-Match"), record.sha256):
            resp.status = falcon.HTTP_304
            resp.set_headers(lasting)
            return
        wanted = None
        # If-Range with another tag: what the asker has is a part of something else, so it gets all of this.
        if req.get_header("If-Range") in (None, tag):
            try:
                wanted = parse_range(req.get_header("Range"), record.size)
            except Unsatisfiable:
                resp.status = falcon.HTTP_416
                resp.set_headers({"Content-Range": f"bytes */{record.size}", "Cache-Control": "no-store"})
                _describe(resp, "range not satisfiable", f"the asset has {record.size} bytes")
                return
        # Read before any header is set: a damaged asset must not look like a part of a good one.
        if data is None and req.method == "GET":
            data = self.look_up_bytes(record)
        start, stop = wanted or (0, record.size)
        resp.set_headers(lasting)
        resp.content_type = content_type(record.type)
        resp.content_length = stop - start
        resp.set_headers({"Accept-Ranges": "bytes", "X-Asset-Type": str(record.type)})
        if visibility == "public":
            resp.set_header("Access-Control-Allow-Origin", "*")  # a viewer in a browser may read them from anywhere
        if wanted:
            resp.status = falcon.HTTP_206
            resp.set_header("Content-Range", f"bytes {start}-{stop - 1}/{record.size}")
        if data is None:  # HEAD
            return
        self.metrics.sent_bytes.inc(stop - start)
        if stop - start <= PIECE:
            resp.data = data[start:stop]
        else:
            resp.stream = _pieces(data, start, stop)

    def look_up_bytes(self, record: Record) -> bytes:
        """The bytes of an asset known to exist. CorruptAsset if they are damaged or gone."""
        found = self.reader.get(record.id)
        if found is None:
            raise CorruptAsset(f"{record.id} was there a moment ago")
        return found[1]


class _Asset:
    def __init__(self, service: Service) -> None:
        self._service = service

    def on_get(self, req: falcon.Request, resp: falcon.Response, asset_id: str) -> None:
        record, data = self._service.look_up(req, self._service.read_id(asset_id))
        if record.type in PRIVATE and not self._service.authorized(req):
            raise self._service.refuse("no bearer", _unauthorized("assets of this type are read through the region"))
        self._service.send(req, resp, record, data)

    on_head = on_get

    def on_put(self, req: falcon.Request, resp: falcon.Response, asset_id: str) -> None:
        service = self._service
        if not service.authorized(req):
            server.close_after(req.env)
            raise service.refuse("no bearer", _unauthorized("storing needs the grid's secret as bearer"))
        wanted = service.read_id(asset_id)
        asset_type = self._asset_type(req)
        if wanted.int == 0:
            server.close_after(req.env)
            raise service.refuse("null id", falcon.HTTPBadRequest(title="bad request", description="the null id"))
        uploader = self._uploader(req)
        data = self._body(req)
        if uploader is not None:
            self._quota(uploader, len(data))
        started = time.perf_counter()
        new = False
        try:
            new = green.in_thread(service.store.put, wanted, data, asset_type)
        except Conflict as error:
            service.metrics.stored.labels("conflict").inc()
            raise falcon.HTTPConflict(title="assets never change", description=str(error)) from error
        except OSError as error:
            log.error("put %s: %s", asset_id, error)
            service.metrics.stored.labels("disk").inc()
            reason = os.strerror(error.errno or 0)
            raise falcon.HTTPError(falcon.HTTP_507, title="not stored", description=reason) from error
        finally:
            if uploader is not None and not new:
                service.quotas.give_back(uploader, len(data), time.time())
        service.metrics.put_seconds.observe(time.perf_counter() - started)
        service.metrics.stored.labels("new" if new else "same").inc()
        service.metrics.stored_bytes.inc(len(data) if new else 0)
        resp.status = falcon.HTTP_201 if new else falcon.HTTP_200
        resp.set_header("Cache-Control", "no-store")
        resp.media = {"asset_id": str(wanted), "type": asset_type, "size": len(data), "new": new}

    def _uploader(self, req: falcon.Request) -> UUID | None:
        text = req.get_header("X-Uploader")
        try:
            return UUID(text) if text is not None else None
        except ValueError:
            server.close_after(req.env)
            description = "X-Uploader must be the uuid of a person"
            raise self._service.refuse(
                "bad uploader", falcon.HTTPBadRequest(title="bad request", description=description)
            ) from None

    def _room(self, req: falcon.Request) -> None:
        """507 when the disk would be filled into the reserve."""
        service = self._service
        if service.store.free_bytes() - (req.content_length or 0) < service.reserve:
            server.close_after(req.env)
            description = f"the disk is nearly full: its last {service.reserve >> 20} MB are kept for the rest of the grid"
            raise service.refuse("disk", falcon.HTTPError(falcon.HTTP_507, title="not stored", description=description))

    def _quota(self, uploader: UUID, size: int) -> None:
        """429 when the person has brought as much as a day allows."""
        service, now = self._service, time.time()
        if not service.quotas.take(uploader, size, now):
            description = f"{service.quotas.bytes_a_day >> 20} MB a person and day, and this would be more"
            error = falcon.HTTPTooManyRequests(
                title="quota used up", description=description, retry_after=int(DAY - now % DAY) + 1
            )
            raise service.refuse("quota", error)

    def _asset_type(self, req: falcon.Request) -> int:
        text = req.get_header("X-Asset-Type") or ""
        if text.isascii() and text.isdecimal() and len(text) <= 3 and int(text) <= HIGHEST_TYPE:
            return int(text)
        server.close_after(req.env)
        description = f"X-Asset-Type must be an asset type, 0 to {HIGHEST_TYPE}"
        raise self._service.refuse("bad type", falcon.HTTPBadRequest(title="bad request", description=description))

    def _body(self, req: falcon.Request) -> bytes:
        """The whole body: 411 without a length, 413 beyond the cap, 503 when too much is being received already."""
        service, length, stream = self._service, req.content_length, req.env["wsgi.input"]
        if length is None or "chunked" in (req.get_header("Transfer-Encoding") or "").lower():
            server.close_after(req.env)
            raise service.refuse("no length", falcon.HTTPLengthRequired(title="length required"))
        if length > service.max_asset:
            server.close_after(req.env)
            _read_away(stream, min(length, DRAIN))
            description = f"an asset may have {service.max_asset} bytes"
            raise service.refuse("too large", falcon.HTTPContentTooLarge(title="too large", description=description))
        self._room(req)
        if service.receiving + length > UPLOADS:
            server.close_after(req.env)
            raise service.refuse("busy", falcon.HTTPServiceUnavailable(title="too many uploads at once", retry_after=1))
        service.receiving += length
        try:
            data = stream.read(length) if length else b""
        finally:
            service.receiving -= length
        if len(data) < length:
            server.close_after(req.env)
            description = "the body ended early"
            raise service.refuse("short body", falcon.HTTPBadRequest(title="bad request", description=description))
        return data


class _Viewer:
    def __init__(self, service: Service) -> None:
        self._service = service

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        name = next((name for name in VIEWER_NAMES if name in req.params), None)
        if name is None:
            description = "ask with ?texture_id=uuid, mesh_id, sound_id, ..."
            raise self._service.refuse(
                "bad question", falcon.HTTPBadRequest(title="bad request", description=description)
            )
        asset_id = self._service.read_id(str(req.get_param(name, default="")), falcon.HTTPBadRequest)
        if VIEWER_NAMES[name or ""] in PRIVATE:
            description = "assets of this type are read through the region"
            raise self._service.refuse("private", falcon.HTTPForbidden(title="private", description=description))
        record, data = self._service.look_up(req, asset_id)
        if record.type != VIEWER_NAMES[name or ""]:
            raise falcon.HTTPNotFound(title="no such asset", description=f"{asset_id} is of another type")
        self._service.send(req, resp, record, data)

    on_head = on_get


class _Count:
    """Counts every answer, whatever made it."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests = metrics.requests

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        method = req.method if req.method in ("GET", "HEAD", "PUT") else "other"
        self._requests.labels(method, str(resp.status_code)).inc()


def _pieces(data: bytes, start: int, stop: int) -> Iterator[bytes]:
    view = memoryview(data)
    for at in range(start, stop, PIECE):
        yield bytes(view[at : min(at + PIECE, stop)])


def _read_away(stream: Any, length: int) -> None:
    while length > 0 and (piece := stream.read(min(length, PIECE))):
        length -= len(piece)


def _unauthorized(description: str) -> falcon.HTTPError:
    return falcon.HTTPUnauthorized(title="unauthorized", description=description, challenges=["Bearer"])


def _describe(resp: falcon.Response, title: str, description: str) -> None:
    resp.content_type = "application/json"
    resp.data = json.dumps({"title": title, "description": description}).encode()


def _serialize(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    _describe(resp, error.title or str(error.status), error.description or "")


def _on_corrupt(req: falcon.Request, resp: falcon.Response, error: CorruptAsset, params: Any) -> None:
    log.error("%s", error)
    raise falcon.HTTPInternalServerError(
        title="asset damaged", description=str(error), headers={"Cache-Control": "no-store"}
    )


def _on_lost(req: falcon.Request, resp: falcon.Response, error: PartitionLost, params: Any) -> None:
    log.error("%s", error)
    raise falcon.HTTPServiceUnavailable(
        title="partition away", description="the part of the store that holds this asset is away", retry_after=RETRY,
        headers={"Cache-Control": "no-store"},
    )  # fmt: skip


def _on_surprise(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    if isinstance(error, (falcon.HTTPError, falcon.HTTPStatus)):
        raise error
    log.exception("%s %s failed", req.method, req.path)
    raise falcon.HTTPInternalServerError(title="internal error", description="see the service's log")
