"""The WSGI application: every resource mounted, every error as JSON."""

from __future__ import annotations

import json
import logging
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import falcon
from sqlalchemy import exc as database_errors

from backbone.errors import Problem
from backbone.http.kit import Kit
from backbone.http.openapi import document
from backbone.resources import ALL
from backbone.services import Services
from backbone.storage.database import DatabaseAway

log = logging.getLogger(__name__)
RETRY_SECONDS = 5  # what callers are told while the database is away


def build_app(services: Services) -> falcon.App:
    app = falcon.App(media_type=falcon.MEDIA_JSON)
    # Bodies are read by http/kit.py alone; a form must not be drained before it sees the size.
    app.req_options.auto_parse_form_urlencoded = False
    app.req_options.strip_url_path_trailing_slash = True
    app.resp_options.secure_cookies_by_default = True
    app.set_error_serializer(_as_json)

    def refused(req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
        route = req.uri_template or "unknown"
        services.metrics.requests.labels(_method(req), route, str(error.status_code)).inc()
        raise error

    def away(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
        route = req.uri_template or "unknown"
        services.metrics.errors.labels(route).inc()
        log.error("%s %s: the database does not answer: %s", req.method, route, error)
        services.metrics.requests.labels(_method(req), route, "503").inc()
        description = "the database does not answer; what was to be changed may or may not have been"
        raise falcon.HTTPServiceUnavailable(title="database away", description=description, retry_after=RETRY_SECONDS)

    def failed(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
        route = req.uri_template or "unknown"
        services.metrics.errors.labels(route).inc()
        log.error("%s %s failed", req.method, route, exc_info=error)
        services.metrics.requests.labels(_method(req), route, "500").inc()
        raise falcon.HTTPInternalServerError(title="internal error", description="it is logged and counted")

    def told(req: falcon.Request, resp: falcon.Response, problem: Problem, params: Any) -> None:
        route = req.uri_template or "unknown"
        services.metrics.requests.labels(_method(req), route, str(problem.status)).inc()
        raise falcon.HTTPError(problem.status, title=problem.title, description=str(problem))

    app.add_error_handler(Exception, failed)
    app.add_error_handler(Problem, told)
    for kind in (DatabaseAway, database_errors.OperationalError, database_errors.TimeoutError):
        app.add_error_handler(kind, away)
    app.add_error_handler(falcon.HTTPError, refused)
    kit = Kit(services.config.secret, services.metrics, services.disk.has_room)
    made = [cls(services) for cls in ALL]
    for one in made:
        kit.mount(app, one)
    services.openapi = document(made, _version())
    return app


def _method(req: falcon.Request) -> str:
    """A method name that is safe to count by: strangers must not make labels."""
    return req.method.lower() if req.method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE") else "other"


def _as_json(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    told = {"title": error.title or "error", "description": error.description or error.status}
    resp.data = json.dumps(told).encode()
    resp.content_type = falcon.MEDIA_JSON
    resp.set_header("Cache-Control", "no-store")


def _version() -> str:
    try:
        return version("mainland")
    except PackageNotFoundError:
        return "0"
