"""Login over XML-RPC, at ``/`` (what users type) and ``/login``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backbone.http.kit import Call, Reply, Resource, operation, resource
from backbone.login import request, xmlrpc
from backbone.resources import public

if TYPE_CHECKING:
    from backbone.services import Services

MAX_LOGIN = 128 * 1024  # the largest viewers send some 5 KB
XML = ("text/xml",)
WORDS = {
    "public": True,
    "raw": XML,
    "answer_type": "text/xml",
    "max_body": MAX_LOGIN,
    "errors": {400: "not XML-RPC; the body is a fault"},
}


def answer_login(services: Services, call: Call) -> Reply:
    """An XML-RPC call: login_to_simulator's struct, or a fault."""
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

    @operation("XML-RPC login_to_simulator", **WORDS)
    def on_post(self, call: Call) -> Any:
        return answer_login(self.services, call)


@resource("/login", "login")
class Login(Resource):
    @operation("XML-RPC login_to_simulator", **WORDS)
    def on_post(self, call: Call) -> Any:
        return answer_login(self.services, call)


RESOURCES: list[type[Resource]] = [Root, Login]
