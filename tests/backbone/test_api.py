"""The HTTP face: who may ask, caches, caps, hostile bodies, and the API's own description."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import xmlrpc.client
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from backbone.http.kit import MAX_BODY
from tests.backbone.kit import SECRET, Server, login_struct

NOBODY = "00000000-0000-4000-8000-000000000000"
BEARER = {"Authorization": f"Bearer {SECRET}"}
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def document(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.ask("GET", "/openapi.json")[2])
    return found


def test_openapi_is_valid_and_says_who_may_ask(server: Server) -> None:
    api = document(server)
    assert api["openapi"] == "3.1.0"
    validate(api)
    tried = 0
    for path, methods in api["paths"].items():
        for method, told in methods.items():
            if method == "parameters":
                continue
            filled = re.sub(r"{\w+}", NOBODY, path)
            status = server.ask(method.upper(), filled, b"{}" if "requestBody" in told else None)[0]
            assert (status == 401) == bool(told["security"]), (method, path, status)
            wrong = server.ask(method.upper(), filled, None, {"Authorization": "Bearer " + SECRET[:-1]})[0]
            assert (wrong == 401) == bool(told["security"])
            tried += 1
    assert tried > 40


def test_every_get_has_an_etag_and_an_honest_cache_control(server: Server) -> None:
    user = server.ask_as_sim("POST", "/users", {"first": "Etag", "last": "Tester", "password": "x"})[1]
    changing = {"/metrics", "/health", "/health/live", "/health/ready"}
    for path, methods in document(server)["paths"].items():
        if "get" not in methods:
            continue
        filled = path.replace("{agent_id}", user["agent_id"])
        if "{" in filled:
            continue
        status, headers, body = server.ask("GET", filled, None, BEARER)
        if status == 404 and path.endswith("/home"):
            continue
        assert status == 200, path
        assert re.fullmatch(r'"[0-9a-f]+"', headers["etag"])
        public = not methods["get"]["security"]
        shared = public and path not in changing
        if shared and headers.get("vary") == "Authorization":
            # Whoever has the grid secret is told more than a shared cache may give to the next.
            assert headers["cache-control"] == "private, no-cache"
            headers_of_strangers = server.ask("GET", filled)[1]
            assert headers_of_strangers["vary"] == "Authorization"
            assert headers_of_strangers["cache-control"].startswith("public")
        else:
            assert headers["cache-control"].startswith("public" if shared else ("private", "no-c"))
        if path not in changing:
            for asked in (headers["etag"], "W/" + headers["etag"], '"x", ' + headers["etag"], "*"):
                again, told, empty = server.ask("GET", filled, None, {**BEARER, "If-None-Match": asked})
                assert (again, empty) == (304, b""), path
                assert told["etag"] == headers["etag"]
            assert server.ask("GET", filled, None, {**BEARER, "If-None-Match": '"other"'})[0] == 200
        head_status, head, nothing = server.ask("HEAD", filled, None, BEARER)
        assert (head_status, nothing) == (200, b"")
        assert body or head


def test_errors_are_json(server: Server) -> None:
    for method, path, status in (
        ("GET", "/no/such/thing", 404),
        ("DELETE", "/regions", 405),
        ("GET", "/agents/x/presence", 400),
        ("GET", "/users", 401),
        ("BREW", "/regions", 400),
        ("PATCH", "/", 405),
    ):
        got, headers, body = server.ask(method, path)
        assert got == status, (method, path)
        assert headers["content-type"].startswith("application/json")
        assert json.loads(body)["title"]


def test_bodies_have_a_largest_size(server: Server) -> None:
    for path, size, headers in (
        ("/messages", MAX_BODY + 1, BEARER),
        ("/messages", 4 * 1024 * 1024, BEARER),
        ("/", 128 * 1024 + 1, {}),
        ("/login", 3 * 1024 * 1024, {}),
    ):
        status, told, _ = server.ask("POST", path, b"x" * size, headers)
        assert status == 413
        assert told.get("connection") == "close"
    with contextlib.suppress(ConnectionError):  # one that goes on and on is not listened to
        assert server.ask("POST", "/", b"x" * (32 * 1024 * 1024))[0] == 413
    assert server.ask("POST", "/users", b"x" * 1000, {})[0] == 401  # nobody reads a stranger's body


def raw(server: Server, data: bytes) -> bytes:
    """Bytes straight to the socket; what comes back until the server closes or is silent for a moment."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        got = b""
        with contextlib.suppress(OSError):  # the server may hang up before it has heard all
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(65536):
                got += piece
        return got


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"",
        b"\r\n\r\n",
        b"GET",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\nxx",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-Many: a\r\n" * 20_000 + b"\r\n",
        b'GET /get_grid_info HTTP/1.1\r\nHost: <script>&"\r\n\r\n',
        b"GET /users?name=%00%ff%ed%a0%80 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        + SECRET.encode()
        + b"\r\n\r\n",
        b"GET /users?search=%00 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + SECRET.encode() + b"\r\n\r\n",
        b"GET /users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
    ],
)
def test_odd_requests_do_no_harm(server: Server, request_bytes: bytes) -> None:
    answer = raw(server, request_bytes)
    assert b"Traceback" not in answer
    assert b"<script>" not in answer
    assert b" 500 " not in answer.split(b"\r\n", 1)[0]
    assert server.ask("GET", "/health")[0] == 200


@FUZZ
@given(st.binary(max_size=400))
def test_login_survives_any_bytes(server: Server, body: bytes) -> None:
    status, headers, answer = server.ask("POST", "/", body)
    assert status == 400
    with pytest.raises(xmlrpc.client.Fault):
        xmlrpc.client.loads(answer)
    assert headers["content-type"] == "text/xml"


SCALARS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20),
    st.integers(-(2**31), 2**31 - 1),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
    st.binary(max_size=10),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner), max_leaves=8
)
MEMBERS = st.sampled_from(
    ["first", "last", "passwd", "start", "channel", "version", "options", "extended_errors", "odd"]
)


@FUZZ
@given(st.dictionaries(MEMBERS, VALUES))
def test_login_survives_any_struct(server: Server, struct: dict[str, Any]) -> None:
    body = xmlrpc.client.dumps((struct,), "login_to_simulator", allow_none=True).encode()
    status, _, answer = server.ask("POST", "/", body)
    assert status == 200
    (reply,), _ = xmlrpc.client.loads(answer)
    assert reply["login"] == "false"  # type: ignore[index, call-overload]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
WRITES = st.sampled_from(
    [
        ("POST", "/users"),
        ("POST", "/messages"),
        ("PUT", f"/regions/{NOBODY}"),
        ("PUT", f"/regions/{NOBODY}/presence"),
        ("PUT", f"/agents/{NOBODY}/presence"),
        ("DELETE", f"/agents/{NOBODY}/presence?session_id={NOBODY}"),
        ("PUT", f"/agents/{NOBODY}/home"),
        ("PUT", f"/users/{NOBODY}/profile"),
        ("PATCH", f"/agents/{NOBODY}/friends/{NOBODY}"),
        ("DELETE", f"/agents/{NOBODY}/messages"),
        ("POST", f"/agents/{NOBODY}/inventory/folders"),
        ("POST", f"/agents/{NOBODY}/inventory/items"),
        ("POST", f"/agents/{NOBODY}/inventory/fetch-folders"),
        ("PATCH", f"/agents/{NOBODY}/inventory/items/{NOBODY}"),
    ]
)


@FUZZ
@given(WRITES, JSON)
def test_writes_survive_any_json(server: Server, write: tuple[str, str], body: Any) -> None:
    status, headers, answer = server.ask(*write, json.dumps(body).encode(), BEARER)
    assert status in (400, 404), (write, body, answer)
    assert json.loads(answer)["description"]
    assert headers["content-type"].startswith("application/json")


@FUZZ
@given(WRITES, st.binary(max_size=200))
def test_writes_survive_any_bytes(server: Server, write: tuple[str, str], body: bytes) -> None:
    assert server.ask(*write, body, BEARER)[0] in (400, 404)


def test_deep_json_and_odd_numbers_are_refused(server: Server) -> None:
    for body in (b"[" * 30_000, b'{"a":' * 12_000, b"[NaN]", b'{"epoch":1e400,"agents":[]}', b'"\\ud800"', b"\xff"):
        assert server.ask("PUT", f"/regions/{NOBODY}/presence", body, BEARER)[0] == 400


BOMB = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><methodCall><methodName>&c;</methodName></methodCall>"""
FILE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><methodCall>
<methodName>&f;</methodName></methodCall>"""


@pytest.mark.parametrize("body", [BOMB, FILE, b"<a>" * 20_000, b"<methodCall/>" * 2,
                                  b'<?xml version="1.0" encoding="klingon"?><methodCall/>'])  # fmt: skip
def test_hostile_xml_is_refused(server: Server, body: bytes) -> None:
    before = server.metric('backbone_bad_requests_total{why="xml-rpc"}')
    status, _, answer = server.ask("POST", "/", body, {"Content-Type": "text/xml"})
    assert status == 400
    assert b"root:" not in answer
    assert server.metric('backbone_bad_requests_total{why="xml-rpc"}') == before + 1


def test_other_calls_are_faults(server: Server) -> None:
    with xmlrpc.client.ServerProxy(server.url + "/") as proxy:
        for call in (
            lambda: proxy.system.listMethods(),
            lambda: proxy.login_to_simulator(),
            lambda: proxy.login_to_simulator("one", "two"),
            lambda: proxy.login_to_simulator(["not", "a", "struct"]),
        ):
            with pytest.raises(xmlrpc.client.Fault):
                call()


def nested(depth: int) -> bytes:
    inner = b"<value>x</value>"
    for _ in range(depth):
        inner = b"<value><array><data>" + inner + b"</data></array></value>"
    return (
        b"<methodCall><methodName>login_to_simulator</methodName><params><param>"
        + inner
        + b"</param></params></methodCall>"
    )


def test_values_nest_only_so_far(server: Server) -> None:
    for body in (nested(1000), nested(17), b"".join([nested(1)[:100], b"<"])):
        status, _, answer = server.ask("POST", "/", body)
        assert status in (200, 400)
        with pytest.raises(xmlrpc.client.Fault):
            xmlrpc.client.loads(answer)


def test_the_page_and_grid_info(server: Server) -> None:
    status, headers, page = server.ask("GET", "/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert f"http://127.0.0.1:{server.port}/" in page.decode()
    _, headers, info = server.ask("GET", "/get_grid_info")
    assert headers["content-type"].startswith("text/xml")
    assert f"<login>http://127.0.0.1:{server.port}/</login>" in info.decode()
    assert "<gridname>Testgrid</gridname>" in info.decode()


def test_public_pages_tell_no_secrets(server: Server) -> None:
    server.ask_as_sim("POST", "/users", {"first": "Secret", "last": "Keeper", "password": "hush hush"})
    reply = xmlrpc.client.dumps((login_struct("Secret", "Keeper", "hush hush"),), "login_to_simulator").encode()
    assert server.ask("POST", "/", reply)[0] == 200
    for path, methods in document(server)["paths"].items():
        told = methods.get("get")
        if told and not told["security"] and "{" not in path:
            body = server.ask("GET", path)[2].decode()
            assert "hush" not in body
            assert SECRET not in body
            assert not re.search(r"[\"']?verifier[\"']?:|Keeper", body)


def test_metrics_count_what_happened(server: Server) -> None:
    line = 'backbone_requests_total{method="get",route="/regions",status="200"}'
    before = server.metric(line)
    server.ask("GET", "/regions")
    assert server.metric(line) == before + 1
    before = server.metric('backbone_requests_total{method="other",route="unknown"')
    server.ask("ODD", "/nowhere")
    assert server.metric('backbone_requests_total{method="get",route="unknown",status="404"}') >= 0


def test_client_generators_find_all_they_need(server: Server) -> None:
    """Every body and every answer that has one names its schema; ids in a path may always be wrong."""
    for path, methods in document(server)["paths"].items():
        for method, told in methods.items():
            if method == "parameters":
                continue
            assert "{" not in path or "400" in told["responses"], (path, method)
            contents = [told.get("requestBody", {}).get("content", {})]
            contents += [answer.get("content", {}) for answer in told["responses"].values()]
            for content in contents:
                assert all("schema" in media for media in content.values()), (path, method)
