"""ChatSessionRequest: what viewers ask about conversations of several people (`sim/handlers/conferences.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sim.caps import CapRequest, Refused, as_uuid, capability
from sim.handlers.conferences import MOST_ASKED, join_conference, leave_conference, start_conference
from sim.handlers.replies import turn

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent


@capability("ChatSessionRequest", per_second=2, burst=20)
async def chat_session_request(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    body = request.llsd(dict)
    method, session_id = body.get("method"), as_uuid(body.get("session-id"))
    if method == "start conference":
        invited = body.get("params")
        if not isinstance(invited, list):
            raise Refused(400, "params must list whom to ask")
        async with turn(agent, "messages"):
            await start_conference(sim, agent, session_id, [as_uuid(one) for one in invited[:MOST_ASKED]])
        return {}
    if method == "accept invitation":
        members = await join_conference(sim, agent, session_id)
        if members is None:
            raise Refused(404, "that conversation has ended")
        return {"agent_info": _info(members), "agents": members}
    if method == "decline invitation":
        await leave_conference(sim, agent, session_id)
        return {}
    if method == "fetch history":
        return []
    raise Refused(400, "this is not to be had here")


def _info(members: list[UUID]) -> dict[str, Any]:
    return {str(one): {"is_moderator": False, "mutes": {"text": False, "voice": False}} for one in members}
