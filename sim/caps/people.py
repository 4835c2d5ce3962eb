"""People by capability: display names, the search for somebody, profiles."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aiohttp import web

from backbone.client import BackboneError
from protocol.message import clip, text
from protocol.wellknown import NULL
from sim.caps import CapRequest, Refused, as_uuid, capability
from sim.handlers.people import read_profile, search_people
from sim.handlers.profiles import TEXT_LIMIT, keep_notes
from sim.handlers.replies import ask, turn

if TYPE_CHECKING:
    from sim.names import Name
    from sim.parts import Parts
    from sim.world.agent import Agent

NAMES_LIMIT = 200  # ids or user names a request
FIND_LIMIT = 10  # user names, each a question to Backbone
PAGE_LIMIT = 100
SEARCH_LIMIT = 63
NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # display names are the account's own: nothing ever expires


def person_llsd(agent_id: UUID, name: Name) -> dict[str, Any]:
    """A person's names. Here the display name is always the default, made of the account's."""
    first, last = name
    return {
        "id": agent_id,
        "username": user_name(first, last),
        "display_name": first if last == "Resident" else f"{first} {last}",
        "display_name_next_update": NEVER,
        "display_name_expires": NEVER,
        "legacy_first_name": first,
        "legacy_last_name": last,
        "is_display_name_default": True,
    }


def user_name(first: str, last: str) -> str:
    """The login form: "first.last", or the first name alone for a Resident."""
    return first.lower() if last == "Resident" else f"{first}.{last}".lower()


@capability("GetDisplayNames", "GET")
async def get_display_names(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """`/?ids=uuid&ids=uuid&username=first.last`; what nobody is called comes back in bad_ids, bad_usernames."""
    asked, names = request.query.getall("ids", []), request.query.getall("username", [])
    if len(asked) + len(names) > NAMES_LIMIT:
        raise Refused(413, f"at most {NAMES_LIMIT} names a request")
    ids: dict[UUID, None] = {}
    bad: list[Any] = []
    for one in asked:
        try:
            ids[UUID(one)] = None
        except ValueError:
            bad.append(one[:64])
    known = await sim.names.look_up(ids)
    people = [person_llsd(agent_id, name) for agent_id, name in known.items() if name is not None]
    bad += [agent_id for agent_id, name in known.items() if name is None]
    found, bad_names = await _by_user_name(sim, names[:FIND_LIMIT])
    return {"agents": people + found, "bad_ids": bad, "bad_usernames": bad_names}


async def _by_user_name(sim: Parts, names: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    found, bad = [], []
    for name in names:
        first, _, last = name[:SEARCH_LIMIT].partition(".")
        user = await ask(sim, sim.backbone.find_user(f"{first} {last or 'Resident'}"))
        if isinstance(user, BackboneError):
            continue
        if user is None:
            bad.append(name)
        else:
            found.append(person_llsd(UUID(user["agent_id"]), (user["first"], user["last"])))
    return found, bad


@capability("AvatarPickerSearch", "GET", per_second=2, burst=20)
async def avatar_picker_search(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """`/?page_size=100&names=text`"""
    users = await search_people(sim, request.query.get("names", "")[:SEARCH_LIMIT].strip())
    if users is None:
        raise Refused(503, "people cannot be searched now")
    return {
        "agents": [person_llsd(UUID(user["agent_id"]), (user["first"], user["last"])) for user in users[:PAGE_LIMIT]]
    }


# --- profiles

# LLSD name -> Backbone's; what a viewer may change of its own profile.
EDITABLE = {
    "sl_about_text": ("about", str),
    "fl_about_text": ("first_life_about", str),
    "sl_image_id": ("image_id", UUID),
    "fl_image_id": ("first_life_image_id", UUID),
    "profile_url": ("profile_url", str),
    "allow_publish": ("allow_publish", bool),
    "mature_publish": ("mature_publish", bool),
}


@capability("AgentProfile", "GET", "PUT", per_second=5, burst=30)
async def agent_profile(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """GET /<agent id> reads anybody's profile, PUT /<own id> changes the members given, PUT /<other id> the own notes
    about somebody."""
    whose = as_uuid(request.tail.strip("/"))
    if request.method == "PUT":
        return await _change_profile(sim, agent, whose, request.llsd(dict))
    profile, online = await read_profile(sim, agent, whose)
    if profile is None:
        raise Refused(503, "profiles cannot be read now")
    if not profile:
        raise Refused(404, "there is no such person")
    picks, notes = await asyncio.gather(
        ask(sim, sim.backbone.get_picks(whose)), ask(sim, sim.backbone.get_notes(agent.agent_id, whose))
    )
    if isinstance(picks, BackboneError) or isinstance(notes, BackboneError):
        raise Refused(503, "profiles cannot be read now")
    return {
        "id": whose,
        "sl_about_text": profile["about"],
        "fl_about_text": profile["first_life_about"],
        "sl_image_id": _id(profile, "image_id"),
        "fl_image_id": _id(profile, "first_life_image_id"),
        "partner_id": _id(profile, "partner_id"),
        "profile_url": profile["profile_url"],
        "member_since": _born(profile.get("born_on", "")),
        "customer_type": "Resident",
        "allow_publish": profile["allow_publish"],
        "mature_publish": profile["mature_publish"],
        "online": online,
        "hide_age": False,
        "groups": [],
        "picks": [{"id": UUID(pick["pick_id"]), "name": pick["name"]} for pick in picks],
        "notes": notes,
    }


async def _change_profile(sim: Parts, agent: Agent, whose: UUID, body: dict[str, Any]) -> Any:
    if isinstance(body.get("notes"), str):
        notes = text(clip(body["notes"], TEXT_LIMIT))
        async with turn(agent, "notes"):
            if not await keep_notes(sim, agent, whose, notes):
                raise Refused(503, "the notes were not saved")
    if whose != agent.agent_id and "notes" in body:
        return _done()
    if whose != agent.agent_id:
        raise Refused(403, "only one's own profile may be changed")
    changes: dict[str, Any] = {}
    for key, (name, kind) in EDITABLE.items():
        if key in body:
            value = as_uuid(body[key]) if kind is UUID else body[key]
            if not isinstance(value, kind):
                raise Refused(400, f"{key} is of the wrong type")
            changes[name] = str(value) if kind is UUID else value
    if changes:
        saved = await ask(sim, sim.backbone.put_profile(agent.agent_id, changes))
        if isinstance(saved, BackboneError):
            raise Refused(saved.status if 400 <= saved.status < 500 else 503, "the profile was not saved")
    return _done()


def _done() -> web.Response:
    return web.Response(
        status=200, body=b'<?xml version="1.0" ?><llsd><map /></llsd>', content_type="application/llsd+xml"
    )


def _id(profile: dict[str, Any], name: str) -> UUID:
    return UUID(profile[name]) if profile.get(name) else NULL


def _born(iso: str) -> datetime:
    try:
        return datetime.fromisoformat(iso[:10]).replace(tzinfo=UTC)
    except ValueError:
        return NEVER
