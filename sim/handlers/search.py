"""The directory that viewers' legacy search asks: people and places for real, and "nothing found" for what there is not.

    DirFindQuery         > DirPeopleReply, DirGroupsReply, DirEventsReply     by QueryFlags
    DirPlacesQuery       > DirPlacesReply        regions of the grid, and parcels of this one
    DirLandQuery         > DirLandReply          by the event queue; no land is for sale
    DirClassifiedQuery   > DirClassifiedReply    there are none
    DirPopularQuery      > DirPopularReply       nobody counts visits
    PlacesQuery          > PlacesReply           by the event queue: the asker's own land here

A reply without results has one block with the null id: viewers show "searching" until something comes. They ask for 100
results a page, and take a 101st as a sign that there are more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import BackboneError
from protocol.events import event
from protocol.message import Message, clip, text
from protocol.wellknown import NULL, REGION_SIZE, region_handle
from sim.handlers import COSTLY, OPEN, handles
from sim.handlers.parcels import parcel_facts, place_id
from sim.handlers.people import SEARCH_LIMIT, search_people
from sim.handlers.replies import alert, ask, packets, send, start
from sim.world.world import Parcel

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

PEOPLE, ONLINE_ONLY, EVENTS, GROUPS, DATED_EVENTS = 0x1, 0x2, 0x8, 0x10, 0x20  # DirFindQuery.QueryFlags
OWN_LAND = 0x40  # PlacesQuery.QueryFlags
PAGE = 101
TOO_SHORT = 1  # StatusData.Status
LEAST = 2  # characters; one letter would list the grid
OWN_LIMIT = 50
MIDDLE = REGION_SIZE / 2
AWAY = "The grid cannot be searched now: its services are not answering."

Block = dict[str, Any]


# --- people, groups, events


@handles("DirFindQuery", state=OPEN, rate=COSTLY)
def dir_find_query(sim: Parts, agent: Agent, message: Message) -> None:
    asked = message["QueryData"]
    flags, query = asked["QueryFlags"], asked["QueryID"]
    if flags & PEOPLE:
        wanted = text(asked["QueryText"][:SEARCH_LIMIT]).strip()
        online_only = bool(flags & ONLINE_ONLY)
        start(sim, agent, "search", _find_people(sim, agent, query, wanted, online_only, asked["QueryStart"]))
    elif flags & GROUPS:
        _reply(agent, "DirGroupsReply", query, [{"GroupID": NULL}])
    elif flags & (EVENTS | DATED_EVENTS):
        _reply(agent, "DirEventsReply", query, [{"OwnerID": NULL}], StatusData=[{"Status": 0}])
    else:
        sim.metrics.count("messages_dropped", label="search for nothing")


async def _find_people(sim: Parts, agent: Agent, query: UUID, wanted: str, online_only: bool, first: int) -> None:
    users = await search_people(sim, wanted)
    if users is None:
        alert(agent, AWAY)
    online = await _online(sim, agent, users or [])
    blocks = [
        {
            "AgentID": UUID(user["agent_id"]),
            "FirstName": clip(user["first"], 64),
            "LastName": clip(user["last"], 64),
            "Online": user["agent_id"] in online,
        }
        for user in users or []
        if not online_only or user["agent_id"] in online
    ]
    for batch in _batches(blocks, first, {"AgentID": NULL}, lambda one: 25 + len(one["FirstName"]) + len(one["LastName"])):
        _reply(agent, "DirPeopleReply", query, batch)


async def _online(sim: Parts, agent: Agent, users: list[dict[str, Any]]) -> set[str]:
    """Who of these is online, as far as the asker may know."""
    if not users:
        return set()
    there = await ask(sim, sim.backbone.get_presences([user["agent_id"] for user in users], agent.agent_id))
    return set() if isinstance(there, BackboneError) else {one["agent_id"] for one in there if one["online"]}


# --- places


@handles("DirPlacesQuery", state=OPEN, rate=COSTLY)
def dir_places_query(sim: Parts, agent: Agent, message: Message) -> None:
    asked = message["QueryData"]
    wanted = text(asked["QueryText"][:SEARCH_LIMIT]).strip() or text(asked["SimName"][:SEARCH_LIMIT]).strip()
    start(sim, agent, "search", _find_places(sim, agent, asked["QueryID"], wanted, asked["QueryStart"]))


async def _find_places(sim: Parts, agent: Agent, query: UUID, wanted: str, first: int) -> None:
    short = len(wanted) < LEAST
    regions = [] if short else await ask(sim, sim.backbone.search_regions(wanted))
    if isinstance(regions, BackboneError):
        alert(agent, AWAY)
        regions = []
    places = {} if short else {parcel.parcel_id: parcel.name for parcel in _parcels_called(sim, wanted)}
    facts = sim.world.facts
    for region in regions:
        if UUID(region["region_id"]) != facts.region_id or not places:
            places[place_id(region_handle(region["grid_x"], region["grid_y"]), MIDDLE, MIDDLE)] = region["name"]
    blocks = [{"ParcelID": one, "Name": clip(name, 255)} for one, name in places.items()]
    for batch in _batches(blocks, first, {"ParcelID": NULL}, lambda one: 44 + len(one["Name"])):
        status = [{"Status": TOO_SHORT if short else 0}] * len(batch)
        data = {"AgentID": agent.agent_id}
        ids = [{"QueryID": query}] * len(batch)  # one beside each reply
        send(agent, Message("DirPlacesReply", AgentData=data, QueryData=ids, QueryReplies=batch, StatusData=status))


def _parcels_called(sim: Parts, wanted: str) -> list[Parcel]:
    sought = wanted.casefold()
    return [parcel for parcel in sim.world.parcels if sought in parcel.name.casefold()]


@handles("PlacesQuery", state=OPEN, rate=COSTLY)
def places_query(sim: Parts, agent: Agent, message: Message) -> None:
    """The asker's own land in this region: what it has elsewhere this region does not know."""
    if agent.events is None:
        return
    own = message["QueryData"]["QueryFlags"] & OWN_LAND
    parcels = [parcel for parcel in sim.world.parcels if own and parcel.owner_id == agent.agent_id]
    blocks = [parcel_facts(sim, parcel) for parcel in parcels[:OWN_LIMIT]]
    data = {"AgentID": agent.agent_id, "QueryID": message["AgentData"]["QueryID"]}
    transaction = {"TransactionID": message["TransactionData"]["TransactionID"]}
    nothing: list[Block] = [{"OwnerID": NULL}]
    agent.events.post(event(Message("PlacesReply", AgentData=data, TransactionData=transaction, QueryData=blocks or nothing)))


# --- what there is none of


@handles("DirLandQuery", state=OPEN, rate=COSTLY)
def dir_land_query(sim: Parts, agent: Agent, message: Message) -> None:
    """By the event queue: clients refuse it by UDP. No land is for sale."""
    if agent.events is None:
        return
    query = {"QueryID": message["QueryData"]["QueryID"]}
    nothing = [{"ParcelID": NULL}]
    answer = Message("DirLandReply", AgentData={"AgentID": agent.agent_id}, QueryData=query, QueryReplies=nothing)
    agent.events.post(event(answer))


@handles("DirClassifiedQuery", state=OPEN, rate=COSTLY)
def dir_classified_query(sim: Parts, agent: Agent, message: Message) -> None:
    query = message["QueryData"]["QueryID"]
    _reply(agent, "DirClassifiedReply", query, [{"ClassifiedID": NULL}], StatusData=[{"Status": 0}])


@handles("DirPopularQuery", state=OPEN, rate=COSTLY)
def dir_popular_query(sim: Parts, agent: Agent, message: Message) -> None:
    _reply(agent, "DirPopularReply", message["QueryData"]["QueryID"], [{"ParcelID": NULL}])


def _batches(blocks: list[Block], first: int, nothing: Block, size_of: Callable[[Block], int]) -> list[list[Block]]:
    """A page of results from number `first` on, as blocks of packets; one block that says "nothing" where there are none."""
    page = blocks[max(first, 0) :][:PAGE]
    return list(packets(page, size_of)) or [[nothing]]


def _reply(agent: Agent, name: str, query: UUID, blocks: list[Block], **more: Any) -> None:
    data = {"AgentID": agent.agent_id}
    send(agent, Message(name, AgentData=data, QueryData={"QueryID": query}, QueryReplies=blocks, **more))
