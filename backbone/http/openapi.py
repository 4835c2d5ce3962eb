"""The OpenAPI 3.1 document, built from what the resources declare."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from backbone.http.kit import METHODS, Operation, Resource
from backbone.http.schemas import ERROR, ID, Schema

TEXT: Schema = {"type": "string"}


def document(resources: list[Resource], version: str) -> dict[str, Any]:
    components: dict[str, Schema] = {}
    paths: dict[str, Any] = {}
    for made in resources:
        entry = paths.setdefault(made.path, {})
        names = re.findall(r"{(\w+)}", made.path)
        if names:
            entry["parameters"] = [{"name": name, "in": "path", "required": True, "schema": ID} for name in names]
        for method in METHODS:
            responder = getattr(made, f"on_{method}", None)
            if responder is not None:
                entry[method] = _operation(made, method, responder.operation, components)
    _refer(ERROR, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mainland Backbone",
            "version": version,
            "description": "Presence, login, regions, people, messages and inventory of a grid.",
        },
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"grid": {"type": "http", "scheme": "bearer", "description": "the grid secret"}},
        },
    }


def _operation(made: Resource, method: str, op: Operation, components: dict[str, Schema]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "summary": op.summary,
        "tags": [made.tag],
        "operationId": f"{method}_{type(made).__name__}",
        "security": [] if op.public else [{"grid": []}],
        "responses": _responses(op, method, made.path, components),
    }
    if op.query:
        told["parameters"] = [
            {"name": name, "in": "query", "description": says, "schema": {"type": "string"}}
            for name, says in op.query.items()
        ]
    if op.body is not None:
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _refer(op.body, components)}},
        }
    elif op.raw:
        told["requestBody"] = {"required": True, "content": {kind: {"schema": TEXT} for kind in op.raw}}
    return told


def _responses(op: Operation, method: str, path: str, components: dict[str, Schema]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if op.answer is not None:
        good: dict[str, Any] = {"content": {"application/json": {"schema": _refer(op.answer, components)}}}
    elif op.answer_type != "application/json":
        good = {"content": {op.answer_type: {"schema": TEXT}}}
    else:
        good = {}
    status = op.status if good or op.status != 200 else 204
    responses[str(status)] = {"description": HTTPStatus(status).phrase, **good}
    for other, says in op.other_statuses.items():
        responses[str(other)] = {"description": says, **good}
    if method == "get":
        responses["304"] = {"description": "as If-None-Match has it"}
    wrong = dict(op.errors)
    if op.body is not None or op.raw:
        wrong.setdefault(413, f"body over {op.max_body} bytes")
    if op.body is not None or op.raw or "{" in path or op.query:
        wrong.setdefault(400, "not what the schema says")
    if not op.public:
        wrong.setdefault(401, "no or wrong bearer")
    for code, says in sorted(wrong.items()):
        error: dict[str, Any] = {"application/json": {"schema": _refer(ERROR, components)}}
        if op.raw and code == 400:  # what is not even a call is answered in the caller's own form
            error = {op.answer_type: {"schema": TEXT}}
        responses[str(code)] = {"description": says, "content": error}
    return responses


def _refer(schema: Any, components: dict[str, Schema]) -> Any:
    """The schema with every titled part moved to the components and replaced by a reference."""
    if isinstance(schema, list):
        return [_refer(one, components) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _refer(value, components) for key, value in schema.items()}
    title = schema.get("title")
    if not isinstance(title, str):
        return inner
    components[title] = inner
    return {"$ref": f"#/components/schemas/{title}"}
