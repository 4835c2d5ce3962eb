"""A region's capabilities: the seed, requests to the URLs it gave, and the event queue's poll."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiohttp

from protocol import llsd
from protocol.errors import ProtocolError

from .errors import ViewerError
from .habits import Habits

log = logging.getLogger("viewer")
_TYPE = "application/llsd+xml"

# Every capability the library uses, and those a full viewer asks for with its first seed request.
WANTED = (
    "AgentPreferences", "AgentProfile", "AgentState", "AttachmentResources", "AvatarPickerSearch",
    "ChatSessionRequest", "CreateInventoryCategory", "DispatchRegionInfo", "EnvironmentSettings", "EstateAccess",
    "EstateChangeInfo", "EventQueueGet", "ExtEnvironment", "FetchInventory2", "FetchInventoryDescendents2",
    "FetchLib2", "FetchLibDescendents2", "GetDisplayNames", "GetMesh", "GetMesh2", "GetObjectCost",
    "GetObjectPhysicsData", "GetTexture", "HomeLocation", "InterestList", "InventoryAPIv3", "LandResources",
    "LibraryAPIv3", "LSLSyntax", "MapLayer", "MapLayerGod", "NewFileAgentInventory", "ParcelPropertiesUpdate",
    "ReadOfflineMsgs", "RemoteParcelRequest", "RenderMaterials", "RequestTaskInventory", "ResourceCostSelected",
    "SimulatorFeatures", "UpdateAgentInformation", "UpdateAgentLanguage", "UpdateGestureAgentInventory",
    "UpdateNotecardAgentInventory", "UpdateNotecardTaskInventory", "UpdateScriptAgent", "UpdateScriptTask",
    "UpdateSettingsAgentInventory", "UploadBakedTexture", "ViewerAsset", "ViewerMetrics", "ViewerStats",
)  # fmt: skip


class CapError(ViewerError):
    """A capability is not offered, or answered with an error. ``status`` is HTTP's, 0 when there was no answer."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Caps:
    """Names to URLs of one region, and how to call them."""

    def __init__(self, http: aiohttp.ClientSession, seed: str, habits: Habits) -> None:
        self.seed = seed
        self.urls: dict[str, str] = {}
        self._http = http
        self._habits = habits

    async def fetch(self, names: tuple[str, ...] = WANTED) -> None:
        """Ask the seed which of ``names`` are offered, and where. ``CapError`` when all tries fail."""
        for attempt in range(1, self._habits.seed_tries + 1):
            try:
                answer = await self._call("POST", self.seed, list(names), 30.0)
            except CapError as error:
                if attempt == self._habits.seed_tries:
                    raise
                log.debug("seed, try %d: %s", attempt, error)
                await asyncio.sleep(self._habits.seed_retry * attempt)
                continue
            if not isinstance(answer, dict):
                raise CapError("the seed did not answer with a map")
            self.urls = {str(k): str(v) for k, v in answer.items() if isinstance(v, str)}
            return

    async def post(self, name: str, value: Any, timeout: float = 30.0) -> Any:
        """POST an LLSD value to the capability ``name``; the LLSD answer. Raises ``CapError``."""
        return await self._call("POST", self._url(name), value, timeout)

    async def get(self, name: str, query: str = "", timeout: float = 30.0) -> Any:
        """GET the capability ``name`` with ``query`` appended (such as ``?ids=...``); the LLSD answer."""
        return await self._call("GET", self._url(name) + query, None, timeout)

    async def get_bytes(self, name: str, query: str = "", headers: dict[str, str] | None = None) -> bytes:
        """GET raw bytes (textures, assets) from the capability ``name``."""
        status, _, body = await self._exchange("GET", self._url(name) + query, None, 30.0, headers or {})
        if status not in (200, 206):
            raise CapError(f"{name} answered {status}", status)
        return body

    def _url(self, name: str) -> str:
        url = self.urls.get(name)
        if url is None:
            raise CapError(f"the region does not offer {name}")
        return url

    async def _call(self, method: str, url: str, value: Any, timeout: float) -> Any:
        body = None if method == "GET" else llsd.format_xml(value)
        headers = {"Accept": _TYPE} if body is None else {"Accept": _TYPE, "Content-Type": _TYPE}
        status, content_type, answer = await self._exchange(method, url, body, timeout, headers)
        if status != 200:
            raise CapError(f"{url} answered {status}", status)
        try:
            return llsd.parse(answer, content_type or _TYPE)
        except ProtocolError as error:
            raise CapError(f"{url} answered no LLSD: {error}", status) from None

    async def _exchange(
        self, method: str, url: str, body: bytes | None, timeout: float, headers: dict[str, str]
    ) -> tuple[int, str, bytes]:
        """One request: status, content type, body of at most ``max_http_body`` bytes."""
        limit = self._habits.max_http_body
        try:
            async with self._http.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout),
                allow_redirects=False,
            ) as reply:
                answer = b""
                while len(answer) <= limit:
                    part = await reply.content.read(limit + 1 - len(answer))
                    if not part:
                        return reply.status, reply.content_type, answer
                    answer += part
                raise CapError(f"{url} answers more than {limit} bytes", reply.status)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise CapError(f"{url}: {error or type(error).__name__}") from None


class EventQueue:
    """The long poll of one region.

    ``{ack: id of the last reply, done}`` goes out; ``{id, events}`` comes back, or 502 when nothing happened for a
    while. A reply is handled once: if the same id comes again (our ack was lost with its connection) it is only acked.
    """

    def __init__(self, caps: Caps, habits: Habits, handle: Callable[[Any], None], clock: Callable[[], float]) -> None:
        self.caps = caps
        self.last_id: int | None = None
        self.polls = self.faults = self.repeats = self.malformed = 0
        self.ended = ""  # why polling stopped
        self._habits = habits
        self._handle = handle  # called with each event, whatever shape it has
        self._clock = clock

    async def run(self) -> None:
        """Poll until the region says 404, or ten faults in a row, or cancelled."""
        in_a_row = 0
        while True:
            started = self._clock()
            self.polls += 1
            try:
                answer = await self.caps.post(
                    "EventQueueGet", {"ack": self.last_id, "done": False}, self._habits.poll_timeout
                )
            except CapError as error:
                if error.status in (404, 410):
                    self.ended = f"answered {error.status}"
                    return
                # Nothing happened: 502 or 499 from the server (or a proxy), or our own patience ran out.
                if error.status != 200 and self._clock() - started >= self._habits.poll_fault_before:
                    in_a_row = 0
                    continue
                self.faults += 1
                in_a_row += 1
                log.debug("event queue: %s", error)
                if in_a_row >= self._habits.poll_faults:
                    self.ended = f"{in_a_row} faults in a row, the last: {error}"
                    return
                await asyncio.sleep(self._habits.poll_fault_wait * (1 + 0.3 * (in_a_row - 1)))
                continue
            in_a_row = 0
            if not self._take(answer):
                await asyncio.sleep(0.1)  # an answer without sense at once: do not spin on it

    def _take(self, answer: Any) -> bool:
        """Handle one reply's events; False if it has no usable shape."""
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), int):
            self.malformed += 1
            return False
        events = answer.get("events")
        if answer["id"] == self.last_id:
            self.repeats += 1
            return bool(events)
        self.last_id = answer["id"]
        if not isinstance(events, list):
            self.malformed += 1
            return False
        for event in events:
            self._handle(event)
        return bool(events)

    async def leave(self) -> None:
        """Tell the region that nobody will poll again. Best effort: a region that is gone needs no goodbye."""
        try:
            await self.caps.post("EventQueueGet", {"ack": self.last_id, "done": True}, 2.0)
        except CapError as error:
            log.debug("goodbye to the event queue: %s", error)
