"""Conversations of several people, for the regions that pass their words on."""

from __future__ import annotations

from typing import Any

from backbone.conferences import MOST_PEOPLE
from backbone.http.kit import Call, Resource, operation, resource
from backbone.http.schemas import ID, array, record

CONFERENCE = record("Conference", {"members": array(ID), "asked": array(ID)})
INVITATION = record("Invitation", {"agent_id": ID, "invited": array(ID, MOST_PEOPLE)})
HEARERS = record("Hearers", {"hear": array(ID), "invite": array(ID)})


@resource("/conferences/{session_id}", "messages")
class OneConference(Resource):
    @operation(
        "Begin a conference, or ask more people to one that the agent is in",
        body=INVITATION,
        answer=CONFERENCE,
        errors={403: "not in it", 429: "too many people, or conferences"},
    )
    def on_put(self, call: Call) -> Any:
        invited = self.services.people.known(call.body["invited"])
        return self.services.conferences.invite(call.id("session_id"), call.body["agent_id"], invited)


@resource("/conferences/{session_id}/members/{agent_id}", "messages")
class Member(Resource):
    @operation("Somebody who was asked comes in", answer=CONFERENCE, errors={404: "no such conference, or not asked to it"})
    def on_put(self, call: Call) -> Any:
        return self.services.conferences.join(call.id("session_id"), call.id("agent_id"))

    @operation(
        "A member speaks: who hears it, and who learns of the conference by it",
        answer=HEARERS,
        errors={404: "no such conference, or not in it"},
    )
    def on_post(self, call: Call) -> Any:
        return self.services.conferences.speak(call.id("session_id"), call.id("agent_id"))

    @operation("Somebody leaves, or does not come; who is in it still", answer=CONFERENCE)
    def on_delete(self, call: Call) -> Any:
        return self.services.conferences.leave(call.id("session_id"), call.id("agent_id"))


RESOURCES: list[type[Resource]] = [OneConference, Member]
