"""Who is online and where: the public reads, and the conditional writes of sims."""

from __future__ import annotations

from typing import Any

from backbone.http.kit import Call, Resource, operation, resource
from backbone.http.schemas import ARRIVAL, PLACE, PRESENCE, array, record
from backbone.storage.interfaces import Place

BRIEFLY = "public, max-age=1"  # a cache may answer a crowd for a second; presence is no older than that
MAX_IDS = 500
FENCED = "not the agent's current session, or the header Region names an epoch that is not the current one"


def place_in(body: dict[str, Any]) -> Place:
    return Place(body["region_id"], body["position"], body["look_at"])


@resource("/agents/{agent_id}/presence", "presence")
class AgentPresence(Resource):
    @operation(
        "Whether an agent is online, and where. Without the grid secret: as far as the person lets everybody see",
        query={"asker": "with the grid secret: as far as that agent may see, who is its friend or a stranger"},
        answer=PRESENCE,
        public=True,
        varies=True,
        cache=BRIEFLY,
        errors={404: "no such account"},
    )
    def on_get(self, call: Call) -> Any:
        if call.trusted and call.query("asker") is not None:
            return self.services.whereabouts.as_seen_by(call.id("agent_id"), call.query_id("asker"))
        return self.services.whereabouts.of(call.id("agent_id"), call.trusted)

    @operation(
        "The session's agent is root in a region now; also its last place",
        body=ARRIVAL,
        answer=PRESENCE,
        errors={404: "no such region", 409: FENCED},
    )
    def on_put(self, call: Call) -> Any:
        session_id, place = call.body["session_id"], place_in(call.body)
        return self.services.whereabouts.arrive(call.id("agent_id"), session_id, place, call.fence())

    @operation(
        "Logout: the session ends, the last place is kept",
        body=PLACE,
        query={"session_id": "the session that ends"},
        errors={409: FENCED},
    )
    def on_delete(self, call: Call) -> Any:
        session_id, place = call.query_id("session_id"), place_in(call.body)
        self.services.whereabouts.leave(call.id("agent_id"), session_id, place, call.fence())


@resource("/presence", "presence")
class ManyPresences(Resource):
    @operation(
        "Presence of many agents; unknown ids are left out",
        answer=record("Presences", {"agents": array(PRESENCE)}),
        public=True,
        varies=True,
        cache=BRIEFLY,
        query={
            "ids": f"agent ids with commas between, at most {MAX_IDS}",
            "asker": "with the grid secret: as far as that agent may see",
        },
    )
    def on_get(self, call: Call) -> Any:
        if call.trusted and call.query("asker") is not None:
            ids, asker = call.query_ids("ids", MAX_IDS), call.query_id("asker")
            return {"agents": self.services.whereabouts.many_as_seen_by(ids, asker)}
        return {"agents": self.services.whereabouts.of_many(call.query_ids("ids", MAX_IDS), call.trusted)}


RESOURCES: list[type[Resource]] = [AgentPresence, ManyPresences]
