"""Who people are: names, the search for them, profiles."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import BackboneError
from protocol.message import Message, clip, text
from protocol.wellknown import NULL
from sim.handlers import COSTLY, OPEN, QUERY, handles
from sim.handlers.replies import alert, ask, ids, packets, send, start

if TYPE_CHECKING:
    from sim.names import Name
    from sim.parts import Parts
    from sim.world.agent import Agent

NAMES_LIMIT = 100  # ids one request may ask for
UNKNOWN: Name = ("Unknown", "Resident")
SEARCH_LIMIT = 63  # bytes
SEARCH_LEAST = 2  # characters; one letter would list the grid

# AvatarPropertiesReply.Flags
ALLOW_PUBLISH, MATURE_PUBLISH, IDENTIFIED, ONLINE = 1, 4, 8, 32
ABOUT_LIMIT, FIRST_LIFE_LIMIT = 1024, 255  # bytes with the NUL; the packet has to hold both


# --- names


@handles("UUIDNameRequest", state=OPEN, rate=QUERY)
def uuid_name_request(sim: Parts, agent: Agent, message: Message) -> None:
    """What is known is answered at once, the rest when Backbone has told it."""
    asked = ids(message["UUIDNameBlock"], "ID", NAMES_LIMIT)
    known = {agent_id: name for agent_id in asked if (name := sim.names.known(agent_id)) is not None}
    _send_names(agent, known)
    missing = [agent_id for agent_id in asked if agent_id not in known]
    if missing:
        start(sim, agent, "names", _look_up(sim, agent, missing))


async def _look_up(sim: Parts, agent: Agent, missing: list[UUID]) -> None:
    found = await sim.names.look_up(missing)
    _send_names(agent, {agent_id: name or UNKNOWN for agent_id, name in found.items()})


def _send_names(agent: Agent, names: dict[UUID, Name]) -> None:
    blocks: list[dict[str, Any]] = [
        {"ID": agent_id, "FirstName": clip(first, 64), "LastName": clip(last, 64)}
        for agent_id, (first, last) in names.items()
    ]
    for batch in packets(blocks, _name_size):
        send(agent, Message("UUIDNameReply", UUIDNameBlock=batch))


def _name_size(block: dict[str, Any]) -> int:
    return 18 + len(block["FirstName"]) + len(block["LastName"])


@handles("UUIDGroupNameRequest", state=OPEN, rate=QUERY)
def uuid_group_name_request(sim: Parts, agent: Agent, message: Message) -> None:
    """There are no groups; a viewer that holds the id of one shows this instead of "loading"."""
    asked = ids(message["UUIDNameBlock"], "ID", 40)
    if asked:
        blocks = [{"ID": group_id, "GroupName": "(unknown)"} for group_id in asked]
        send(agent, Message("UUIDGroupNameReply", UUIDNameBlock=blocks))


@handles("AvatarPickerRequest", state=OPEN, rate=COSTLY)
def avatar_picker_request(sim: Parts, agent: Agent, message: Message) -> None:
    wanted = text(message["Data"]["Name"][:SEARCH_LIMIT]).strip()
    start(sim, agent, "avatar picker", _pick(sim, agent, message["AgentData"]["QueryID"], wanted))


async def _pick(sim: Parts, agent: Agent, query: UUID, wanted: str) -> None:
    users = await search_people(sim, wanted)
    if users is None:
        alert(agent, "People cannot be searched now: the grid's services are not answering.")
    blocks: list[dict[str, Any]] = [
        {"AvatarID": UUID(user["agent_id"]), "FirstName": clip(user["first"], 64), "LastName": clip(user["last"], 64)}
        for user in users or []
    ] or [{"AvatarID": NULL, "FirstName": "", "LastName": ""}]  # how viewers are told that there is nobody
    for batch in packets(blocks, _name_size):
        data = {"AgentID": agent.agent_id, "QueryID": query}
        send(agent, Message("AvatarPickerReply", AgentData=data, Data=batch))


async def search_people(sim: Parts, wanted: str) -> list[dict[str, Any]] | None:
    """Users whose name contains the text; none for a text too short, None when Backbone does not answer."""
    if len(wanted) < SEARCH_LEAST:
        return []
    users = await ask(sim, sim.backbone.search_users(wanted))
    if isinstance(users, BackboneError):
        return None
    for user in users:
        sim.names.learn(UUID(user["agent_id"]), user["first"], user["last"])
    return users


# --- profiles


@handles("AvatarPropertiesRequest", state=OPEN, rate=QUERY)
def avatar_properties_request(sim: Parts, agent: Agent, message: Message) -> None:
    start(sim, agent, "profile", _answer_profile(sim, agent, message["AgentData"]["AvatarID"]))


async def _answer_profile(sim: Parts, agent: Agent, whose: UUID) -> None:
    """AvatarPropertiesReply, and the two replies that a viewer expects beside it.

    When Backbone does not answer, the user's own profile is not answered with an empty one: a viewer would show it,
    and save it over the true one.
    """
    profile, online = await read_profile(sim, agent, whose)
    if profile is None:
        alert(agent, "The profile cannot be read now: the grid's services are not answering.")
        if whose == agent.agent_id:
            return
        profile = {}
    about = {"AgentID": agent.agent_id, "AvatarID": whose}
    interests = profile.get("interests", {})
    flags = ALLOW_PUBLISH * bool(profile.get("allow_publish")) | MATURE_PUBLISH * bool(profile.get("mature_publish"))
    flags |= ONLINE * online
    properties = {
        "ImageID": _id(profile, "image_id"),
        "FLImageID": _id(profile, "first_life_image_id"),
        "PartnerID": _id(profile, "partner_id"),
        "AboutText": clip(profile.get("about", ""), ABOUT_LIMIT),
        "FLAboutText": clip(profile.get("first_life_about", ""), FIRST_LIFE_LIMIT),
        "BornOn": american_date(profile.get("born_on", "")),
        "ProfileURL": clip(profile.get("profile_url", ""), 255),
        "CharterMember": b"\0",  # one byte: the kind of account, 0 a resident
        "Flags": flags,
    }
    wishes = {
        "WantToMask": interests.get("want_mask", 0),
        "WantToText": clip(interests.get("want_text", ""), 255),
        "SkillsMask": interests.get("skills_mask", 0),
        "SkillsText": clip(interests.get("skills_text", ""), 255),
        "LanguagesText": clip(interests.get("languages", ""), 255),
    }
    send(agent, Message("AvatarPropertiesReply", AgentData=about, PropertiesData=properties))
    send(agent, Message("AvatarInterestsReply", AgentData=about, PropertiesData=wishes))
    groups = Message("AvatarGroupsReply", AgentData=about, GroupData=[], NewGroupData={"ListInProfile": False})
    send(agent, groups)


async def read_profile(sim: Parts, asker: Agent, whose: UUID) -> tuple[dict[str, Any] | None, bool]:
    """Profile and whether its owner is online, as far as the asker may know; {} for nobody's, None when Backbone does
    not answer."""
    profile, presence = await asyncio.gather(
        ask(sim, sim.backbone.get_profile(whose)), ask(sim, sim.backbone.get_presence(whose, asker.agent_id))
    )
    online = not isinstance(presence, BackboneError) and bool(presence["online"])
    if isinstance(profile, BackboneError):
        return ({} if profile.status == 404 else None), online
    return profile, online


def _id(profile: dict[str, Any], name: str) -> UUID:
    return UUID(profile[name]) if profile.get(name) else NULL


def american_date(iso: str) -> str:
    """2026-02-01 as 2/1/2026, the form viewers parse; "" for no date."""
    try:
        day = date.fromisoformat(iso[:10])
    except ValueError:
        return ""
    return f"{day.month}/{day.day}/{day.year}"


@handles("AvatarPropertiesUpdate", state=OPEN, rate=COSTLY)
def avatar_properties_update(sim: Parts, agent: Agent, message: Message) -> None:
    data = message["PropertiesData"]
    changes = {
        "image_id": str(data["ImageID"]),
        "first_life_image_id": str(data["FLImageID"]),
        "about": text(data["AboutText"]),
        "first_life_about": text(data["FLAboutText"]),
        "allow_publish": data["AllowPublish"],
        "mature_publish": data["MaturePublish"],
        "profile_url": text(data["ProfileURL"]),
    }
    start(sim, agent, "profile", _save_profile(sim, agent, changes), order="profile")


@handles("AvatarInterestsUpdate", state=OPEN, rate=COSTLY)
def avatar_interests_update(sim: Parts, agent: Agent, message: Message) -> None:
    data = message["PropertiesData"]
    interests = {
        "want_mask": data["WantToMask"],
        "want_text": text(data["WantToText"]),
        "skills_mask": data["SkillsMask"],
        "skills_text": text(data["SkillsText"]),
        "languages": text(data["LanguagesText"]),
    }
    start(sim, agent, "profile", _save_profile(sim, agent, {"interests": interests}), order="profile")


async def _save_profile(sim: Parts, agent: Agent, changes: dict[str, Any]) -> None:
    saved = await ask(sim, sim.backbone.put_profile(agent.agent_id, changes))
    if isinstance(saved, BackboneError):
        alert(agent, "Your profile was not saved: the grid's services are not answering. Please try again.")


# --- whom one lets know that one is here: "Only friends and groups know I'm online" of viewers' preferences

VISIBLE, HIDDEN = "default", "hidden"


@handles("UserInfoRequest", state=OPEN, rate=QUERY)
def user_info_request(sim: Parts, agent: Agent, message: Message) -> None:
    start(sim, agent, "preferences", _answer_user_info(sim, agent))


async def _answer_user_info(sim: Parts, agent: Agent) -> None:
    visibility = await ask(sim, sim.backbone.get_visibility(agent.agent_id))
    if isinstance(visibility, BackboneError):
        return  # a viewer would save what it is told over what is true
    word = HIDDEN if visibility == "friends" else VISIBLE
    data = {"IMViaEMail": False, "DirectoryVisibility": clip(word, 255), "EMail": clip("", 255)}
    send(agent, Message("UserInfoReply", AgentData={"AgentID": agent.agent_id}, UserData=data))


@handles("UpdateUserInfo", state=OPEN, rate=QUERY)
def update_user_info(sim: Parts, agent: Agent, message: Message) -> None:
    word = text(message["UserData"]["DirectoryVisibility"])
    if word not in (VISIBLE, HIDDEN):
        sim.metrics.count("messages_dropped", label="malformed")
        return
    start(sim, agent, "preferences", _set_visibility(sim, agent, word), order="preferences")


async def _set_visibility(sim: Parts, agent: Agent, word: str) -> None:
    """A viewer knows two states. Whoever is told of as online without a place stays so as long as it is not hidden."""
    now = await ask(sim, sim.backbone.get_visibility(agent.agent_id))
    if not isinstance(now, BackboneError) and (now == "friends") == (word == HIDDEN):
        return
    done = await ask(sim, sim.backbone.set_visibility(agent.agent_id, "friends" if word == HIDDEN else "everybody"))
    if isinstance(done, BackboneError):
        alert(agent, "Whom you let know that you are online was not changed: the grid's services are not answering.")
