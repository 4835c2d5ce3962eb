"""Instant messages that waited while the user was away, by capability.

Unlike the UDP way (`RetrieveInstantMessages`) nothing says that a viewer got the reply: it asks again when it did not.
So Backbone is told to forget the messages only when the viewer is still heard of some seconds after the reply.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import BackboneError
from protocol.wellknown import NULL
from sim.caps import CapRequest, Refused, capability
from sim.giving import bucket_shown
from sim.handlers.messages import OFFLINE_LIMIT, acknowledged, here_for_all
from sim.handlers.replies import ask

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

TAKEN_AFTER = 10.0  # seconds


@capability("ReadOfflineMsgs", "GET", per_second=0.5, burst=5)
async def read_offline_messages(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    await here_for_all(agent)
    waiting = await ask(sim, sim.backbone.get_messages(agent.agent_id))
    if isinstance(waiting, BackboneError):
        raise Refused(503, "messages cannot be read now; they are kept")
    given = waiting[:OFFLINE_LIMIT]
    answered_at = sim.clock.now()

    def taken() -> None:
        circuit = agent.circuit
        if circuit is not None and circuit.heard_at > answered_at:
            for fields in given:
                acknowledged(sim, agent, fields["message_id"])

    sim.after(TAKEN_AFTER, taken)
    return [message_llsd(fields) for fields in given]


def message_llsd(fields: dict[str, Any]) -> dict[str, Any]:
    """A stored message in the shape viewers read."""
    x, y, z = fields.get("position") or (0.0, 0.0, 0.0)
    return {
        "from_agent_id": UUID(fields["from_agent_id"]),
        "from_agent_name": fields["from_name"],
        "to_agent_id": UUID(fields["to_agent_id"]),
        "from_group": "Y" if fields.get("from_group") else "N",
        "dialog": fields["dialog"],
        "message": fields["message"],
        "transaction-id": UUID(fields.get("id") or str(NULL)),
        "timestamp": fields.get("timestamp", 0),
        "offline": 1,
        "region_id": UUID(fields.get("region_id") or str(NULL)),
        "parent_estate_id": fields.get("parent_estate_id", 1),
        "local_x": float(x),
        "local_y": float(y),
        "local_z": float(z),
        "binary_bucket": bucket_shown(fields["dialog"], base64.b64decode(fields.get("binary_bucket") or "")),
    }
