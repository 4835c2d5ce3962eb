"""Accounts, profiles and homes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from backbone.http.kit import Call, Resource, bad_request, conflict, not_found, operation, resource
from backbone.http.schemas import HOME, NEW_USER, PLACE, PROFILE, PROFILE_CHANGE, USER, array, record
from backbone.storage import accounts
from protocol.wellknown import NULL

MAX_IDS = 500
NO_ACCOUNT = {404: "no such account"}


def known_agent(services: Any, agent_id: str) -> str:
    """The id, if it is an account's; 404 else."""
    if services.names.get(agent_id) is None:
        raise not_found(f"no account {agent_id}")
    return agent_id


@resource("/users", "people")
class Users(Resource):
    @operation(
        "Users by ids, by one full name, or by a part of their names (give one of the three)",
        answer=record("Users", {"users": array(USER)}),
        query={
            "ids": f"agent ids with commas between, at most {MAX_IDS}",
            "name": "First Last; case does not matter",
            "search": f"part of a name, empty for all; at most {accounts.MAX_SEARCH} come back",
        },
    )
    def on_get(self, call: Call) -> Any:
        db = self.services.db
        name, text = call.query("name"), call.query("search")
        if name is not None:
            found = db.read(lambda conn: accounts.by_name(conn, name[:100]))
            return {"users": [found] if found else []}
        if text is not None:
            return {"users": db.read_large(lambda conn: accounts.search(conn, text[:100]))}
        ids = call.query_ids("ids", MAX_IDS)
        return {"users": db.read(lambda conn: accounts.by_ids(conn, ids))}

    @operation(
        "Make an account, with its inventory and default outfit",
        body=NEW_USER,
        answer=USER,
        status=201,
        errors={409: "the name is taken"},
    )
    def on_post(self, call: Call) -> Any:
        try:
            first, last = accounts.check_name(call.body["first"], call.body.get("last", ""))
        except accounts.BadName as error:
            raise bad_request(str(error)) from None
        verifier = self.services.hasher.make_verifier(call.body["password"])
        try:
            return self.services.db.write(lambda conn: accounts.create(conn, first, last, verifier, int(time.time())))
        except accounts.NameTaken as error:
            raise conflict(str(error)) from None


@resource("/users/{agent_id}", "people")
class OneUser(Resource):
    @operation("One user", answer=USER, errors=NO_ACCOUNT)
    def on_get(self, call: Call) -> Any:
        found = self.services.db.read(lambda conn: accounts.by_id(conn, call.id("agent_id")))
        if found is None:
            raise not_found(f"no account {call.id('agent_id')}")
        return found


@resource("/users/{agent_id}/profile", "people")
class Profile(Resource):
    @operation("What a person tells of itself", answer=PROFILE, errors=NO_ACCOUNT)
    def on_get(self, call: Call) -> Any:
        agent_id = known_agent(self.services, call.id("agent_id"))
        return self.services.db.read(lambda conn: _profile(conn, agent_id))

    @operation(
        "Change members of the profile; those not given stay",
        body=PROFILE_CHANGE,
        answer=PROFILE,
        errors=NO_ACCOUNT,
        max_body=512 * 1024,
    )
    def on_put(self, call: Call) -> Any:
        agent_id = known_agent(self.services, call.id("agent_id"))
        changes = {key: value for key, value in call.body.items() if key not in ("agent_id", "born_on")}

        def work(conn: Any) -> dict[str, Any]:
            accounts.set_profile(conn, agent_id, changes)
            return _profile(conn, agent_id)

        return self.services.db.write(work)


def _profile(conn: Any, agent_id: str) -> dict[str, Any]:
    user = accounts.by_id(conn, agent_id)
    written = accounts.profile(conn, agent_id)
    born = datetime.fromtimestamp(user["created"] if user else 0, UTC).date().isoformat()
    interests = {"want_mask": 0, "want_text": "", "skills_mask": 0, "skills_text": "", "languages": ""}
    return {
        "agent_id": agent_id,
        "about": "",
        "first_life_about": "",
        "image_id": str(NULL),
        "first_life_image_id": str(NULL),
        "profile_url": "",
        "partner_id": str(NULL),
        "allow_publish": False,
        "mature_publish": False,
        **written,
        "born_on": born,
        "interests": {**interests, **written.get("interests", {})},
    }


@resource("/agents/{agent_id}/home", "people")
class Home(Resource):
    @operation("Where the agent's home is", answer=HOME, errors={404: "no home was ever set"})
    def on_get(self, call: Call) -> Any:
        place = self.services.db.read(lambda conn: accounts.place(conn, call.id("agent_id"), "home"))
        if place is None:
            raise not_found("no home was ever set")
        return self._told(place)

    @operation("Set the agent's home", body=PLACE, answer=HOME, errors=NO_ACCOUNT)
    def on_put(self, call: Call) -> Any:
        agent_id, body = known_agent(self.services, call.id("agent_id")), call.body
        self.services.db.write(
            lambda conn: accounts.set_place(
                conn, agent_id, "home", body["region_id"], body["position"], body["look_at"]
            )
        )
        return self._told(body)

    def _told(self, place: dict[str, Any]) -> dict[str, Any]:
        region = self.services.directory.regions.get(place["region_id"])
        return {**place, "region_name": region.name if region else None}


RESOURCES: list[type[Resource]] = [Users, OneUser, Profile, Home]
