"""Accounts, passwords, profiles and homes."""

from __future__ import annotations

from typing import Any

from backbone.http.kit import Call, Resource, operation, resource
from backbone.http.schemas import (
    HOME,
    NEW_PASSWORD,
    NEW_USER,
    PLACE,
    PROFILE,
    PROFILE_CHANGE,
    USER,
    VISIBILITY,
    array,
    record,
)
from backbone.people import MAX_SEARCH
from backbone.resources.presence import place_in

MAX_IDS = 500
NO_ACCOUNT = {404: "no such account"}


@resource("/users", "people")
class Users(Resource):
    @operation(
        "Users by ids, by one full name, or by a part of their names (give one of the three)",
        answer=record("Users", {"users": array(USER)}),
        query={
            "ids": f"agent ids with commas between, at most {MAX_IDS}",
            "name": "First Last; case does not matter",
            "search": f"part of a name, empty for all but guests; case and accents do not matter; {MAX_SEARCH} at most",
        },
    )
    def on_get(self, call: Call) -> Any:
        people = self.services.people
        name, text = call.query("name"), call.query("search")
        if name is not None:
            found = people.called(name)
            return {"users": [found] if found else []}
        if text is not None:
            return {"users": people.search(text)}
        return {"users": people.by_ids(call.query_ids("ids", MAX_IDS))}

    @operation(
        "Make an account, with its inventory and default outfit",
        body=NEW_USER,
        answer=USER,
        status=201,
        grows=True,
        errors={409: "the name is taken", 429: "too many guests from that address within an hour"},
    )
    def on_post(self, call: Call) -> Any:
        new = call.body
        return self.services.people.create(
            new["first"], new.get("last", ""), new["password"], new.get("guest", False), new.get("address")
        )


@resource("/users/{agent_id}", "people")
class OneUser(Resource):
    @operation("One user", answer=USER, errors=NO_ACCOUNT)
    def on_get(self, call: Call) -> Any:
        return self.services.people.get(call.id("agent_id"))


@resource("/users/{agent_id}/password", "people")
class Password(Resource):
    @operation(
        "A new password, for whoever knows the old one or the grid secret. With both, the old one must be right",
        body=NEW_PASSWORD,
        public=True,
        errors={403: "the old password is not right", **NO_ACCOUNT, 429: "too many wrong passwords; wait"},
    )
    def on_put(self, call: Call) -> Any:
        old = call.body.get("old") if call.trusted else call.body.get("old", "")
        self.services.people.change_password(call.id("agent_id"), old, call.body["new"], call.address())


@resource("/users/{agent_id}/profile", "people")
class Profile(Resource):
    @operation("What a person tells of itself", answer=PROFILE, errors=NO_ACCOUNT)
    def on_get(self, call: Call) -> Any:
        return self.services.people.profile(call.id("agent_id"))

    @operation(
        "Change members of the profile; those not given stay",
        body=PROFILE_CHANGE,
        answer=PROFILE,
        grows=True,
        errors=NO_ACCOUNT,
        max_body=512 * 1024,
    )
    def on_put(self, call: Call) -> Any:
        return self.services.people.change_profile(call.id("agent_id"), call.body)


@resource("/users/{agent_id}/visibility", "people")
class Visibility(Resource):
    @operation("Whom a person lets know where it is", answer=VISIBILITY, errors=NO_ACCOUNT)
    def on_get(self, call: Call) -> Any:
        return {"visibility": self.services.people.visibility(call.id("agent_id"))}

    @operation("Whom a person lets know where it is, from now on", body=VISIBILITY, answer=VISIBILITY, errors=NO_ACCOUNT)
    def on_put(self, call: Call) -> Any:
        self.services.people.set_visibility(call.id("agent_id"), call.body["visibility"])
        return call.body


@resource("/agents/{agent_id}/home", "people")
class Home(Resource):
    @operation("Where the agent's home is", answer=HOME, errors={404: "no home was ever set"})
    def on_get(self, call: Call) -> Any:
        return self.services.people.home(call.id("agent_id"))

    @operation("Set the agent's home", body=PLACE, answer=HOME, errors=NO_ACCOUNT)
    def on_put(self, call: Call) -> Any:
        return self.services.people.set_home(call.id("agent_id"), place_in(call.body))


RESOURCES: list[type[Resource]] = [Users, OneUser, Password, Profile, Visibility, Home]
