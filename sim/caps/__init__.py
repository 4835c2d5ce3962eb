"""HTTP capabilities. One is one function, declared where it is written:

    @capability("FetchInventory2")
    async def fetch_inventory(sim, agent, request):
        wanted = request.llsd(dict)
        ...
        return {"agent_id": agent.agent_id, "items": [...]}      # an LLSD value, sent as application/llsd+xml

The seed hands every agent an unguessable URL a capability; `sim/caps/server.py` finds agent and function by it. A
function may return any LLSD value or an aiohttp Response, and may raise `Refused(status, text)`. It runs on the
world's thread in the slack between frames, so it may read and change the world, and may await services.

A capability that is somebody else's address (textures come straight from the asset store, never through a sim) is
declared with `elsewhere`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from protocol import llsd
from protocol.errors import ProtocolError

if TYPE_CHECKING:
    from multidict import MultiMapping

    from sim.parts import Parts
    from sim.world.agent import Agent

T = TypeVar("T")

LLSD_LIMIT = 128 << 10  # bytes of LLSD a request may carry: parsing runs between frames, and 1 MB would take 50 ms


class Refused(Exception):
    """A request that is answered with an HTTP error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(slots=True)
class CapRequest:
    method: str
    query: MultiMapping[str]
    body: bytes
    content_type: str
    tail: str  # what follows the capability's own path, "" or "name/..."
    headers: Any = field(default_factory=dict)

    def llsd(self, kind: type[T]) -> T:
        """The body as LLSD of the given kind; a malformed or other body is refused with 400."""
        try:
            value = llsd.parse(self.body, self.content_type, LLSD_LIMIT)
        except ProtocolError as error:
            raise Refused(400, f"malformed LLSD: {error}") from error
        if not isinstance(value, kind):
            raise Refused(400, f"expected an LLSD {kind.__name__}, got {type(value).__name__}")
        return value


CapFunction = Callable[["Parts", "Agent", CapRequest], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Capability:
    name: str
    methods: tuple[str, ...]
    function: CapFunction
    per_second: float  # requests an agent may make in the long run
    burst: float
    body_limit: int  # bytes


TABLE: dict[str, Capability] = {}
ELSEWHERE: dict[str, Callable[[Parts], str]] = {}


def capability(
    name: str,
    *methods: str,
    per_second: float = 20.0,
    burst: float = 100.0,
    body_limit: int = 1 << 20,
) -> Callable[[CapFunction], CapFunction]:
    """Declare a capability; methods default to POST."""

    def declare(function: CapFunction) -> CapFunction:
        if name in TABLE or name in ELSEWHERE:
            raise LookupError(f"capability {name} is declared twice")
        TABLE[name] = Capability(name, methods or ("POST",), function, per_second, burst, body_limit)
        return function

    return declare


def elsewhere(name: str) -> Callable[[Callable[[Parts], str]], Callable[[Parts], str]]:
    """Declare a capability served by another address: the function returns its URL."""

    def declare(function: Callable[[Parts], str]) -> Callable[[Parts], str]:
        if name in TABLE or name in ELSEWHERE:
            raise LookupError(f"capability {name} is declared twice")
        ELSEWHERE[name] = function
        return function

    return declare


def load() -> dict[str, Capability]:
    """Import every family so that its capabilities stand in the table."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return TABLE


def as_uuid(value: Any) -> UUID:
    """A uuid given as LLSD uuid or text; refused with 400 when it is neither."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(str(value))
    except ValueError:
        raise Refused(400, f"not a uuid: {str(value)[:40]!r}") from None
