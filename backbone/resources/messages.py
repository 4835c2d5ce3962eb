"""Instant messages: routed to where the person is, or kept until its viewer asks."""

from __future__ import annotations

from typing import Any

from backbone.http.kit import Call, Resource, operation, resource
from backbone.http.schemas import ID, MESSAGE, MESSAGE_FATE, STORED_MESSAGE, array, record
from backbone.resources.people import NO_ACCOUNT


@resource("/messages", "messages")
class Messages(Resource):
    @operation(
        "Route an instant message. The same message_id again gets the same answer and no second delivery: "
        "whoever got no answer may send it again",
        body=MESSAGE,
        answer=MESSAGE_FATE,
        errors={404: "no such agent", 409: "the header Region names an epoch that is not the current one"},
    )
    def on_post(self, call: Call) -> Any:
        return self.services.messages.send(call.body, call.fence())


@resource("/agents/{agent_id}/messages", "messages")
class WaitingMessages(Resource):
    @operation(
        "What waits for the agent, oldest first",
        answer=record("StoredMessages", {"messages": array(STORED_MESSAGE)}),
        errors=NO_ACCOUNT,
    )
    def on_get(self, call: Call) -> Any:
        return {"messages": self.services.messages.waiting(call.id("agent_id"))}

    @operation(
        "The agent's viewer has these: they are never given again",
        body=record("MessageIds", {"message_ids": array(ID, 1000)}),
        errors=NO_ACCOUNT,
    )
    def on_delete(self, call: Call) -> Any:
        self.services.messages.forget(call.id("agent_id"), call.body["message_ids"], call.fence())


RESOURCES: list[type[Resource]] = [Messages, WaitingMessages]
