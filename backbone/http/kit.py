"""Declared operations: what a resource says about a method is what is checked, answered and documented.

    @resource("/agents/{agent_id}/home", "people")
    class Home(Resource):
        @operation("Where the agent's home is", answer=HOME, errors={404: "no home was ever set"})
        def on_get(self, call: Call) -> Any: ...

A handler gets a Call (path ids checked, query and body checked) and returns the JSON object, None for
204, or a Reply for anything else. Around it: bearer, size caps, 400 with what is wrong, ETag and 304, metrics.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import falcon
import fastjsonschema

from backbone.http.schemas import UUID_PATTERN, Schema
from backbone.metrics import Metrics
from backbone.storage.regions import Fence
from ground import server

if TYPE_CHECKING:
    from backbone.services import Services

MAX_BODY = 64 * 1024
DRAIN = 4 * 1024 * 1024  # of a body too large that is read away, so that its sender sees our answer
PRIVATE = "private, no-cache"  # may be kept by the caller, must be asked about each time
METHODS = ("get", "put", "post", "patch", "delete")
_UUID = re.compile(UUID_PATTERN[:-1] + r"\Z")
F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R", bound="type[Resource]")


@dataclass(frozen=True, slots=True)
class Operation:
    summary: str
    answer: Schema | None = None
    body: Schema | None = None
    status: int = 200
    public: bool = False
    grows: bool = False  # the database grows by it: refused while the disk is nearly full
    query: dict[str, str] = field(default_factory=dict)  # name -> what it means
    errors: dict[int, str] = field(default_factory=dict)
    cache: str = PRIVATE
    varies: bool = False  # a public read that tells bearers of the grid secret more than strangers
    max_body: int = MAX_BODY
    raw: tuple[str, ...] = ()  # media types of a body that the handler reads itself
    answer_type: str = "application/json"
    other_statuses: dict[int, str] = field(default_factory=dict)


def operation(summary: str, **declared: Any) -> Callable[[F], F]:
    """Declare a responder; see Operation for the words."""

    if declared.get("grows"):
        declared["errors"] = {**declared.get("errors", {}), 507: "the disk is nearly full"}

    def declare(responder: F) -> F:
        responder.operation = Operation(summary, **declared)  # type: ignore[attr-defined]
        return responder

    return declare


def resource(path: str, tag: str) -> Callable[[R], R]:
    """Declare where a resource lives. Path parameters that end in _id are uuids."""

    def declare(cls: R) -> R:
        cls.path, cls.tag = path, tag
        return cls

    return declare


class Resource:
    """Base of all resources: what is asked over HTTP, said to one of the ``services``, whose Problems are the answer's
    errors (app.py)."""

    path = ""
    tag = ""

    def __init__(self, services: Services) -> None:
        self.services = services


@dataclass(slots=True)
class Call:
    """One request, checked."""

    request: falcon.Request
    ids: dict[str, str]
    body: Any
    trusted: bool = True  # the grid secret came with it

    def id(self, name: str) -> str:
        return self.ids[name]

    def query(self, name: str) -> str | None:
        """A query parameter's text, None when it was not given."""
        value = self.request.get_param(name)
        if value is not None and "\0" in value:
            raise bad_request(f"query parameter {name} holds a NUL character")
        return value

    def query_id(self, name: str) -> str:
        """A required uuid in the query."""
        value = (self.query(name) or "").lower()
        if not _UUID.match(value):
            raise bad_request(f"query parameter {name} must be a uuid")
        return value

    def query_ids(self, name: str, most: int) -> list[str]:
        """A comma-separated list of uuids in the query."""
        values = [one for one in (self.query(name) or "").lower().split(",") if one]
        if len(values) > most:
            raise bad_request(f"at most {most} {name}")
        for value in values:
            if not _UUID.match(value):
                raise bad_request(f"{value[:60]!r} in {name} is not a uuid")
        return values

    def query_int(self, name: str) -> int:
        value = self.query(name) or ""
        if not re.fullmatch(r"[0-9]{1,18}", value):
            raise bad_request(f"query parameter {name} must be a whole number")
        return int(value)

    def query_square(self, name: str) -> tuple[int, int] | None:
        """A grid square, as x,y; None when it was not given."""
        value = self.query(name)
        if value is None:
            return None
        found = re.fullmatch(r"([0-9]{1,8}),([0-9]{1,8})", value)
        if found is None:
            raise bad_request(f"query parameter {name} must be a grid square: x,y")
        return int(found[1]), int(found[2])

    def fence(self) -> Fence | None:
        """By which claim a region asks: its header ``Region: <region id>:<epoch>``; None when no region does."""
        value = self.request.get_header("Region")
        if value is None:
            return None
        region_id, _, epoch = value.strip().lower().partition(":")
        if not _UUID.match(region_id) or not re.fullmatch(r"[0-9]{1,18}", epoch):
            raise bad_request("the header Region must be <region id>:<epoch>")
        return Fence(region_id, int(epoch))

    def address(self) -> str:
        """Who asks, as an address. The grid's own gateway (which knows the secret) says for whom it asks."""
        said = self.request.get_header("Client-Address") if self.trusted else None
        if said is not None:
            try:
                return str(ipaddress.ip_address(said.strip()))
            except ValueError:
                raise bad_request("the header Client-Address must be an IP address") from None
        return self.request.remote_addr


@dataclass(slots=True)
class Reply:
    """An answer that is not a plain 200 (or the declared status) with JSON."""

    body: Any
    status: int = 200
    content_type: str | None = None


def bad_request(description: str) -> falcon.HTTPError:
    return falcon.HTTPBadRequest(title="bad request", description=description)


class Kit:
    """Turns declared resources into Falcon ones."""

    def __init__(self, secret: str, metrics: Metrics, has_room: Callable[[], bool] = lambda: True) -> None:
        """``has_room``: whether the disk takes what grows."""
        self._bearer = f"Bearer {secret}".encode()
        self._metrics, self._has_room = metrics, has_room

    def mount(self, app: falcon.App, made: Resource) -> None:
        shell = type(f"{type(made).__name__}Responders", (), {})()
        for method in METHODS:
            responder = getattr(made, f"on_{method}", None)
            if responder is not None:
                wrapped = self._wrap(method, made.path, responder, responder.operation)
                setattr(shell, f"on_{method}", wrapped)
                if method == "get":
                    shell.on_head = wrapped
        app.add_route(made.path, shell)

    def _wrap(self, method: str, route: str, responder: Any, op: Operation) -> Any:
        check = _compile(op.body)
        read = method == "get"
        seconds = self._metrics.request_seconds.labels(route)
        answered = self._metrics.requests.labels(method, route, str(op.status))
        bearer, refused = self._bearer, self._metrics.bad_requests

        def respond(req: falcon.Request, resp: falcon.Response, **path: str) -> None:
            begun = time.perf_counter()
            trusted = _authorized(req, bearer)
            if not op.public and not trusted:
                refused.labels("no bearer").inc()
                raise falcon.HTTPUnauthorized(
                    title="unauthorized", description="the grid secret is needed as bearer", challenges=["Bearer"]
                )
            if op.grows and not self._has_room():
                refused.labels("disk nearly full").inc()
                server.close_after(req.env)  # its body is not read
                raise falcon.HTTPError(
                    falcon.HTTP_507, title="disk nearly full", description="nothing is added until its operator makes room"
                )
            ids = {name: _path_id(name, value) for name, value in path.items()}
            body = None
            if op.body is not None or op.raw:
                raw = read_body(req, op.max_body)
                body = raw if op.raw else _checked(check, raw)
            outcome = responder(Call(req, ids, body, trusted))
            _answer(req, resp, op, outcome, read, PRIVATE if op.varies and trusted else op.cache)
            seconds.observe(time.perf_counter() - begun)
            if resp.status == 200 and op.status == 200:
                answered.inc()
            else:
                self._metrics.requests.labels(method, route, str(resp.status_code)).inc()

        return respond


def _authorized(req: falcon.Request, bearer: bytes) -> bool:
    said = req.get_header("Authorization")
    return said is not None and hmac.compare_digest(said.encode("utf-8", "replace"), bearer)


def _path_id(name: str, value: str) -> str:
    """Ids in paths may be in any case; they are kept in lower case."""
    lowered = value.lower()
    if not _UUID.match(lowered):
        raise bad_request(f"{name} must be a uuid")
    return lowered


def read_body(req: falcon.Request, most: int) -> bytes:
    """The whole body. 413 when it is larger than ``most``, 411 when its length is not said."""
    if "chunked" in (req.get_header("Transfer-Encoding") or "").lower():
        server.close_after(req.env)
        raise falcon.HTTPError(411, title="length required", description="send a Content-Length, not chunks")
    length = req.content_length or 0
    stream = req.env["wsgi.input"]
    if length > most:
        server.close_after(req.env)
        left = min(length, DRAIN)
        while left > 0 and (piece := stream.read(min(left, 65536))):
            left -= len(piece)
        raise falcon.HTTPContentTooLarge(title="body too large", description=f"at most {most} bytes")
    body = stream.read(length) if length else b""
    if len(body) < length:
        raise bad_request("the body is shorter than its Content-Length")
    return body


def _checked(check: Callable[[Any], Any], raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
        body = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:  # escapes can smuggle in what no text may hold: halves of characters, and NUL
            json.dumps(body, ensure_ascii=False).encode("utf-8")
        if "\\u0000" in text or "\x00" in text:
            raise ValueError("NUL characters are not accepted")
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not JSON: {error}") from error
    try:
        return check(body)
    except fastjsonschema.JsonSchemaValueException as error:
        raise bad_request(error.message.replace("data", "body", 1)) from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _compile(schema: Schema | None) -> Callable[[Any], Any]:
    if schema is None:
        return lambda body: body
    return fastjsonschema.compile(_strict(schema), use_default=False, formats={"uuid": UUID_PATTERN[:-1] + r"\Z"})


def _strict(schema: Any) -> Any:
    """The schema with every pattern anchored at the true end: Python's $ allows a newline after it."""
    if isinstance(schema, dict):
        strict = {key: _strict(value) for key, value in schema.items()}
        if isinstance(strict.get("pattern"), str):
            strict["pattern"] = re.sub(r"\$$", r"\\Z", strict["pattern"])
            if strict.get("format") == "uuid":
                del strict["pattern"]  # the format says the same, once is enough
        return strict
    return [_strict(one) for one in schema] if isinstance(schema, list) else schema


def _answer(
    req: falcon.Request, resp: falcon.Response, op: Operation, outcome: Any, read: bool, cache: str
) -> None:
    if isinstance(outcome, Reply):
        body, status, content_type = outcome.body, outcome.status, outcome.content_type
    else:
        body, status, content_type = outcome, op.status, None
    if body is None:
        resp.status = 204 if status == 200 else status
        resp.set_header("Cache-Control", "no-store")
        return
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    resp.status = status
    resp.content_type = content_type or op.answer_type
    if read:
        etag = f'"{hashlib.blake2b(data, digest_size=9).hexdigest()}"'
        resp.set_header("ETag", etag)
        resp.set_header("Cache-Control", cache)
        if op.varies:
            resp.set_header("Vary", "Authorization")
        asked = req.get_header("If-None-Match")
        if asked is not None and _matches(asked, etag):
            resp.status = 304
            return
    else:
        resp.set_header("Cache-Control", "no-store")
    resp.data = data


def _matches(asked: str, etag: str) -> bool:
    return asked.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in asked.split(","))
