"""The OpenAPI description of the asset service, served at /openapi.json; a test holds it against the routes."""

from __future__ import annotations

from typing import Any

from assets.types import VIEWER_NAMES

_ERROR = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "description": {"type": "string"}},
    "required": ["title", "description"],
}


def _json(description: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema or {"type": "object"}}}}


def _error(description: str) -> dict[str, Any]:
    return _json(description, _ERROR)


_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_ID = {"name": "asset_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_RANGE = {"name": "Range", "in": "header", "schema": {"type": "string"}, "description": "One range of bytes."}
_IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
_READ: dict[str, Any] = {
    "200": {"description": "The asset; its content type by its asset type, ETag its SHA-256.", "content": _BYTES},
    "206": {"description": "The range asked for.", "content": _BYTES},
    "304": {"description": "You have it already; assets never change."},
    "404": _error("No such asset."),
    "416": _error("The range begins beyond the end."),
    "500": _error("The asset is damaged; it is never served."),
}
_MAYBE: list[dict[str, Any]] = [{}, {"grid": []}]  # public types need no bearer
_PRIVATE = {"401": _error("A private type (notecard, script, object) without the bearer.")}


def _read(summary: str, parameters: list[dict[str, Any]], more: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "parameters": [*parameters, _RANGE, _IF_NONE_MATCH], "responses": {**_READ, **more}}


_VIEWER = [
    {"name": name, "in": "query", "schema": {"type": "string", "format": "uuid"}, "description": f"Type {kind:d}."}
    for name, kind in VIEWER_NAMES.items()
]
_VIEWER_ERRORS = {"400": _error("No or no proper id."), "403": _error("A type that is read through the region.")}

DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {
        "title": "Mainland assets",
        "version": "1",
        "description": "Immutable assets by UUID: textures, sounds, animations, wearables, meshes.",
    },
    "components": {"securitySchemes": {"grid": {"type": "http", "scheme": "bearer"}}},
    "paths": {
        "/assets/{asset_id}": {
            "get": {**_read("An asset", [_ID], _PRIVATE), "security": _MAYBE},
            "head": {**_read("Whether there is such an asset, and its size", [_ID], _PRIVATE), "security": _MAYBE},
            "put": {
                "summary": "Store an asset; answered when it is on disk",
                "security": [{"grid": []}],
                "parameters": [
                    _ID,
                    {
                        "name": "X-Asset-Type",
                        "in": "header",
                        "required": True,
                        "schema": {"type": "integer", "minimum": 0, "maximum": 127},
                    },
                ],
                "requestBody": {"required": True, "content": _BYTES},
                "responses": {
                    "200": _json("The very same was stored before."),
                    "201": _json("Stored."),
                    "400": _error("A bad type, the null id, or a body that ended early."),
                    "401": _error("No bearer."),
                    "409": _error("The id has other bytes or another type."),
                    "411": _error("No Content-Length."),
                    "413": _error("Larger than an asset may be."),
                    "503": _error("Too much is being received already; ask again."),
                    "507": _error("The disk refused."),
                },
            },
        },
        "/viewer": {
            "get": _read("The ViewerAsset, GetTexture and GetMesh capabilities", _VIEWER, _VIEWER_ERRORS),
            "head": _read("The same without the bytes", _VIEWER, _VIEWER_ERRORS),
        },
        "/health": {"get": {"summary": "Is the service up", "responses": {"200": _json("It is.")}}},
        "/metrics": {"get": {"summary": "Counters for Prometheus", "responses": {"200": {"description": "As text."}}}},
        "/openapi.json": {"get": {"summary": "This document", "responses": {"200": _json("OpenAPI 3.0.")}}},
    },
}
