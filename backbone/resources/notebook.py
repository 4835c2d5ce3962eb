"""What people keep for themselves, and the picks that their profiles show."""

from __future__ import annotations

from typing import Any

from backbone.http.kit import Call, Resource, operation, resource
from backbone.http.schemas import ID, MUTE, NOTES, PICK, WRITTEN_PICK, array, record, text
from backbone.resources.people import NO_ACCOUNT
from backbone.storage.interfaces import NotebookStore

OLD_EPOCH = {409: "the header Region names an epoch that is not the current one"}


class NotebookResource(Resource):
    def store(self, call: Call) -> NotebookStore:
        """The notebooks, as the caller may write them: a region by its claim."""
        return self.services.stores.under(call.fence()).notebook


@resource("/agents/{agent_id}/mutes", "people")
class Mutes(NotebookResource):
    @operation("Whom and what the agent does not want to hear", answer=record("Mutes", {"mutes": array(MUTE)}))
    def on_get(self, call: Call) -> Any:
        return {"mutes": self.store(call).mutes_of(call.id("agent_id"))}

    @operation("Mute, or change what is muted", body=MUTE, grows=True, errors={**NO_ACCOUNT, **OLD_EPOCH, 429: "too many are muted"})
    def on_put(self, call: Call) -> Any:
        self.store(call).mute(self.services.people.must_exist(call.id("agent_id")), call.body)

    @operation(
        "Hear again; what was not muted stays so",
        body=record("Unmute", {"muted_id": ID, "name": text(255)}),
        errors=OLD_EPOCH,
    )
    def on_delete(self, call: Call) -> Any:
        self.store(call).unmute(call.id("agent_id"), call.body["muted_id"], call.body["name"])


@resource("/agents/{agent_id}/notes/{about_id}", "people")
class Notes(NotebookResource):
    @operation("What the agent has noted about somebody", answer=NOTES)
    def on_get(self, call: Call) -> Any:
        return {"notes": self.store(call).notes_about(call.id("agent_id"), call.id("about_id"))}

    @operation("Note something about somebody", body=NOTES, grows=True, errors={**NO_ACCOUNT, **OLD_EPOCH, 429: "too many notes"})
    def on_put(self, call: Call) -> Any:
        self.store(call).note(self.services.people.must_exist(call.id("agent_id")), call.id("about_id"), call.body["notes"])


@resource("/users/{agent_id}/picks", "people")
class Picks(NotebookResource):
    @operation("Places that a person's profile shows", answer=record("Picks", {"picks": array(PICK)}))
    def on_get(self, call: Call) -> Any:
        return {"picks": self.store(call).picks_of(call.id("agent_id"))}


@resource("/users/{agent_id}/picks/{pick_id}", "people")
class OnePick(NotebookResource):
    @operation("One pick", answer=PICK, errors={404: "no such pick of that person"})
    def on_get(self, call: Call) -> Any:
        return self.store(call).pick(call.id("agent_id"), call.id("pick_id"))

    @operation(
        "Make or change a pick",
        body=WRITTEN_PICK,
        grows=True,
        answer=PICK,
        errors={**NO_ACCOUNT, 409: f"another person's pick, or {OLD_EPOCH[409]}", 429: "too many picks"},
    )
    def on_put(self, call: Call) -> Any:
        owner = self.services.people.must_exist(call.id("agent_id"))
        return self.store(call).put_pick(owner, call.id("pick_id"), call.body)

    @operation("Delete a pick; one that is not there stays so", errors=OLD_EPOCH)
    def on_delete(self, call: Call) -> Any:
        self.store(call).delete_pick(call.id("agent_id"), call.id("pick_id"))


RESOURCES: list[type[Resource]] = [Mutes, Notes, Picks, OnePick]
