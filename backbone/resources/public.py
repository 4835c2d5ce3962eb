"""What anybody may read about the grid itself: its page, grid info, health, metrics and the API's document."""

from __future__ import annotations

import re
import time
from html import escape
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape as xml_escape

import prometheus_client

from backbone.http.kit import Call, Reply, Resource, operation, resource
from backbone.http.schemas import integer, record, text

if TYPE_CHECKING:
    from backbone.services import Services

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::\d{1,5})?|\[[0-9a-fA-F:.]{2,45}\](?::\d{1,5})?")
_NICK = re.compile(r"[^a-z0-9]+")
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}}
code{{background:#8882;padding:.1em .3em}}td,th{{text-align:left;padding:.1em 1.5em .1em 0}}</style>
<h1>{name}</h1>
<p>A Mainland grid: {online} people online in {live} of {known} regions.</p>
<p>Come in with any Second Life-compatible viewer. Its login address is <code>{login}</code></p>
<table><tr><th>Region<th>Square<th>People<th></tr>{rows}</table>
<p>For programs: <a href="/openapi.json">the API</a>, <a href="/regions">regions</a>, <a href="/health">health</a>,
<a href="/metrics">metrics</a>.</p>
"""


def base_url(call: Call, public_url: str | None = None) -> str:
    """Our own address: the one set, or as this caller sees it. A Host header that is no host is not repeated."""
    if public_url:
        return public_url.rstrip("/") + "/"
    host = call.request.get_header("Host") or ""
    if not _HOST.fullmatch(host):
        host = f"{call.request.env.get('SERVER_NAME', '127.0.0.1')}:{call.request.env.get('SERVER_PORT', '')}"
    return f"{call.request.scheme}://{host}/"


def page(services: Services, call: Call) -> str:
    directory, presence = services.directory, services.presence
    live = directory.live()
    rows = "".join(
        f"<tr><td>{escape(r.name)}<td>{r.grid_x}, {r.grid_y}<td>{presence.count(r.region_id)}</tr>" for r in live[:200]
    )
    return PAGE.format(
        name=escape(services.config.grid_name),
        online=presence.online(),
        live=len(live),
        known=len(directory),
        login=escape(base_url(call, services.config.public_url)),
        rows=rows,
    )


@resource("/get_grid_info", "login")
class GridInfo(Resource):
    @operation(
        "Grid info as viewers' grid managers read it", public=True, answer_type="text/xml", cache="public, max-age=300"
    )
    def on_get(self, call: Call) -> Any:
        config = self.services.config
        address, name = base_url(call, config.public_url), config.grid_name
        told = {
            # Viewers know two families of grids by this word, and choose what to offer by it.
            "platform": "OpenSim",
            "login": address,
            "welcome": address,
            "gridname": name,
            "gridnick": _NICK.sub("-", name.lower()).strip("-") or "mainland",
            "about": address,
        }
        lines = "".join(f"<{key}>{xml_escape(value)}</{key}>" for key, value in told.items())
        return Reply(f'<?xml version="1.0"?><gridinfo>{lines}</gridinfo>'.encode(), 200, "text/xml")


@resource("/health", "service")
class Health(Resource):
    @operation(
        "Whether the service works: it has just read its database",
        answer=record(
            "Health",
            {
                "status": text(20),
                "grid": text(200),
                "uptime_seconds": integer(0, 2**40),
                "regions": integer(0, 2**31),
                "online": integer(0, 2**31),
            },
        ),
        public=True,
        cache="no-cache",
    )
    def on_get(self, call: Call) -> Any:
        self.services.check_database()
        return {
            "status": "ok",
            "grid": self.services.config.grid_name,
            "uptime_seconds": int(time.time() - self.services.started),
            "regions": self.services.directory.count_live(),
            "online": self.services.presence.online(),
        }


@resource("/metrics", "service")
class MetricsPage(Resource):
    @operation("Counters and gauges for Prometheus", public=True, answer_type="text/plain", cache="no-cache")
    def on_get(self, call: Call) -> Any:
        body = prometheus_client.generate_latest(self.services.metrics.registry)
        return Reply(body, 200, prometheus_client.CONTENT_TYPE_LATEST)


@resource("/openapi.json", "service")
class OpenApi(Resource):
    @operation("This API, described", public=True, answer={"type": "object"}, cache="public, max-age=300")
    def on_get(self, call: Call) -> Any:
        return self.services.openapi


RESOURCES: list[type[Resource]] = [GridInfo, Health, MetricsPage, OpenApi]
