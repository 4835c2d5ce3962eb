"""Login over XML-RPC or LLSD, at ``/`` (what users type) and ``/login``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backbone.errors import BadRequest
from backbone.http.kit import Call, Reply, Resource, operation, resource
from backbone.login import request, xmlrpc
from backbone.resources import public
from protocol import llsd
from protocol.errors import ProtocolError

if TYPE_CHECKING:
    from backbone.services import Services

MAX_LOGIN = 128 * 1024  # the largest viewers send some 5 KB
XML = ("text/xml", llsd.XML)
WORDS = {
    "public": True,
    "raw": XML,
    "answer_type": "text/xml",
    "max_body": MAX_LOGIN,
    "errors": {400: "neither XML-RPC (the body is a fault) nor LLSD"},
}


def answer_login(services: Services, call: Call) -> Reply:
    """An XML-RPC call with login_to_simulator's struct, or an LLSD map of the same members, which some clients try first."""
    kind = call.request.content_type or ""
    if "llsd" in kind.lower() or b"<llsd" in call.body[:200]:  # content types are said carelessly
        return _answer_llsd(services, call, kind)
    try:
        method, parameters = xmlrpc.parse_call(call.body)
        if method != "login_to_simulator":
            raise xmlrpc.Fault(xmlrpc.NO_SUCH_METHOD, f"no method {method[:60]!r}; there is login_to_simulator")
        if len(parameters) != 1 or not isinstance(parameters[0], dict):
            raise xmlrpc.Fault(xmlrpc.BAD_PARAMETERS, "login_to_simulator takes one struct")
    except xmlrpc.Fault as fault:
        services.metrics.bad_requests.labels("xml-rpc").inc()
        status = 400 if fault.code == xmlrpc.BAD_XML else 200
        return Reply(xmlrpc.format_fault(fault.code, str(fault)), status, "text/xml")
    wanted = request.read(parameters[0])
    return Reply(services.logins.login(wanted, call.address()))


def _answer_llsd(services: Services, call: Call, kind: str) -> Reply:
    try:
        struct = llsd.parse(call.body, kind, MAX_LOGIN)
    except ProtocolError as error:
        services.metrics.bad_requests.labels("llsd").inc()
        raise BadRequest(str(error)) from None
    if not isinstance(struct, dict):
        services.metrics.bad_requests.labels("llsd").inc()
        raise BadRequest("a login in LLSD is a map")
    wanted = request.read(struct, llsd=True)
    return Reply(services.logins.login(wanted, call.address()), 200, llsd.XML)


@resource("/", "login")
class Root(Resource):
    @operation(
        "A page for people: what this grid is and how to come in",
        public=True,
        answer_type="text/html",
        cache="public, max-age=5",
    )
    def on_get(self, call: Call) -> Any:
        return Reply(public.page(self.services, call).encode("utf-8"), 200, "text/html; charset=utf-8")

    @operation("XML-RPC login_to_simulator, or an LLSD map of the same members", **WORDS)
    def on_post(self, call: Call) -> Any:
        return answer_login(self.services, call)


@resource("/login", "login")
class Login(Resource):
    @operation("XML-RPC login_to_simulator, or an LLSD map of the same members", **WORDS)
    def on_post(self, call: Call) -> Any:
        return answer_login(self.services, call)


RESOURCES: list[type[Resource]] = [Root, Login]
