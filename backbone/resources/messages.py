"""Instant messages: routed to where the person is, or kept until its viewer asks."""

from __future__ import annotations

import time
from typing import Any

from backbone.http.kit import Call, Resource, bad_request, not_found, operation, resource
from backbone.http.schemas import ID, MESSAGE, MESSAGE_FATE, STORED_MESSAGE, array, record
from backbone.resources.people import NO_ACCOUNT, known_agent
from backbone.routing import FRIENDSHIP_OFFERED
from backbone.storage import people
from protocol.wellknown import NULL


@resource("/messages", "messages")
class Messages(Resource):
    @operation(
        "Route an instant message. The same message_id again gets the same answer and no second delivery",
        body=MESSAGE,
        answer=MESSAGE_FATE,
        errors={404: "no such agent"},
    )
    def on_post(self, call: Call) -> Any:
        body = call.body
        if self.services.names.get(body["to_agent_id"]) is None:
            raise not_found(f"no account {body['to_agent_id']}")
        if body["dialog"] == FRIENDSHIP_OFFERED:
            if body["from_agent_id"] == body["to_agent_id"]:
                raise bad_request("nobody offers friendship to itself")
            if self.services.names.get(body["from_agent_id"]) is None:
                raise bad_request(f"the offerer {body['from_agent_id']} is no account")
        whole = {
            "id": body["message_id"],
            "binary_bucket": "",
            "region_id": str(NULL),
            "position": [0.0, 0.0, 0.0],
            "timestamp": int(time.time()),
            "from_group": False,
            "parent_estate_id": 1,
            **body,
            "offline": 0,
        }
        return self.services.router.send(whole)


@resource("/agents/{agent_id}/messages", "messages")
class WaitingMessages(Resource):
    @operation(
        "What waits for the agent, oldest first",
        answer=record("StoredMessages", {"messages": array(STORED_MESSAGE)}),
        errors=NO_ACCOUNT,
    )
    def on_get(self, call: Call) -> Any:
        agent_id = known_agent(self.services, call.id("agent_id"))
        return {"messages": self.services.db.read(lambda conn: people.waiting_messages(conn, agent_id))}

    @operation(
        "The agent's viewer has these: they are never given again",
        body=record("MessageIds", {"message_ids": array(ID, 1000)}),
        errors=NO_ACCOUNT,
    )
    def on_delete(self, call: Call) -> Any:
        agent_id = known_agent(self.services, call.id("agent_id"))
        ids = call.body["message_ids"]
        self.services.db.write(lambda conn: people.forget_messages(conn, agent_id, ids))
        return None


RESOURCES: list[type[Resource]] = [Messages, WaitingMessages]
