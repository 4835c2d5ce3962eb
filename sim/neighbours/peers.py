"""Calls from one sim to another: a thin client of `services.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import aiohttp

from protocol.errors import ProtocolError
from sim.neighbours.records import RegionRecord
from sim.neighbours.state import HandOff, Reason

if TYPE_CHECKING:
    from sim.region import Region

class PeerError(Exception):
    """A neighbour refused (status) or gave no answer (status 0). `nobody`: it never heard us, nobody is there."""

    def __init__(self, status: int, text: str, nobody: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.nobody = nobody


class Peers:
    def __init__(self, region: Region, http: aiohttp.ClientSession) -> None:
        self._region, self._http = region, http

    async def announce(self, region: RegionRecord, state: HandOff) -> dict[str, Any]:
        """Ask a region to expect an agent: {seed_capability, position, look_at}."""
        limit = 2.5 if state.reason is Reason.CROSSING else 6.0  # who crosses stands still until then
        return await self._call("POST", region.services_url, "/services/agents", json=state.encode(), timeout=limit)

    async def close_agent(self, region: RegionRecord, agent_id: UUID, session_id: UUID, reason: str = "") -> None:
        """Tell a region that the agent need not look in there any more; with a reason, that its session is over."""
        params = {"session_id": str(session_id), "reason": reason}
        await self._call("DELETE", region.services_url, f"/services/agents/{agent_id}", params=params)

    async def departed(self, http_url: str, agent_id: UUID, session_id: UUID, transaction: UUID | None) -> None:
        """Tell the region an agent came from that it has arrived here, by that hand-over."""
        body = {"session_id": str(session_id), "transaction": str(transaction) if transaction is not None else None}
        await self._call("POST", http_url, f"/services/agents/{agent_id}/departed", json=body)

    async def hand_object(self, region: RegionRecord, bundle: dict[str, Any]) -> dict[str, Any]:
        """Hand an object and its riders over (`object_crossing.py`): {riders: [{agent_id, seed_capability, ...}]}."""
        return await self._call("POST", region.services_url, "/services/objects", json=bundle, timeout=4.0)

    async def void(self, region: RegionRecord, transaction: UUID, body: dict[str, Any]) -> list[RegionRecord]:
        """Tell a region that a hand-over has not happened (`handovers.py`). Where what came of it went on to from there."""
        answer = await self._call("POST", region.services_url, f"/services/handovers/{transaction}/void", json=body)
        try:
            return [RegionRecord.decode(one) for one in answer["onward"]]
        except (ProtocolError, KeyError, TypeError) as error:
            raise PeerError(0, f"{region.name} does not say where it went on to: {error}") from error

    async def chat(self, region: RegionRecord, said: dict[str, Any]) -> None:
        await self._call("POST", region.services_url, "/services/chat", json=said)

    async def _call(self, method: str, http_url: str, path: str, *, timeout: float = 5.0, **kwargs: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._region.settings.secret}"}
        limit = aiohttp.ClientTimeout(total=timeout)
        try:
            async with self._http.request(method, http_url + path, headers=headers, timeout=limit, **kwargs) as reply:
                if reply.status >= 400:
                    raise PeerError(reply.status, (await reply.text())[:300])
                return await reply.json() if reply.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._region.metrics.count("service_errors", label="neighbour")
            text = f"{http_url} does not answer: {error or type(error).__name__}"
            raise PeerError(0, text, isinstance(error, aiohttp.ClientConnectorError)) from error
