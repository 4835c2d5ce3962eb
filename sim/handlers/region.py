"""What a viewer asks about the region and the estate around it, mostly while it logs in."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING
from uuid import UUID

from backbone.client import BackboneError
from protocol.message import Message, clip, text
from protocol.wellknown import NULL
from sim.actions.terraform import LOWER_LIMIT, RAISE_LIMIT
from sim.handlers import COSTLY, OPEN, QUERY, ROOT, handles
from sim.handlers.replies import alert, ask, send, start

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

ESTATE_ID, PARENT_ESTATE_ID = 100, 1
ESTATE_NAME = "Mainland"
HOME = 1  # SetStartLocationRequest.LocationID


@handles("RequestRegionInfo", state=OPEN, rate=QUERY)
def request_region_info(sim: Parts, agent: Agent, message: Message) -> None:
    """node-metaverse does not finish its handshake without the answer, and reads RegionInfo2."""
    facts = sim.world.facts
    limits = {"MaxAgents32": facts.max_agents, "HardMaxAgents": facts.max_agents, "HardMaxObjects": facts.max_prims}
    send(
        agent,
        Message(
            "RegionInfo",
            AgentData={"AgentID": agent.agent_id, "SessionID": agent.session_id},
            RegionInfo={
                "SimName": clip(facts.name, 255),
                "EstateID": ESTATE_ID,
                "ParentEstateID": PARENT_ESTATE_ID,
                "RegionFlags": facts.flags,
                "SimAccess": facts.access,
                "MaxAgents": min(facts.max_agents, 255),
                "BillableFactor": 1.0,
                "ObjectBonusFactor": 1.0,
                "WaterHeight": facts.water_height,
                "TerrainRaiseLimit": RAISE_LIMIT,
                "TerrainLowerLimit": LOWER_LIMIT,
                "UseEstateSun": True,
            },
            RegionInfo2={"ProductSKU": "mainland", "ProductName": "Mainland", **limits},
            RegionInfo3=[{"RegionFlagsExtended": facts.flags}],
        ),
    )


@handles("EconomyDataRequest", state=OPEN, rate=QUERY)
def economy_data_request(sim: Parts, agent: Agent, message: Message) -> None:
    """Everything is free."""
    info = {
        "ObjectCapacity": sim.world.facts.max_prims,
        "PriceParcelClaimFactor": 1.0,
        "TeleportPriceExponent": 2.0,
        "EnergyEfficiency": 1.0,
        "PriceObjectScaleFactor": 10.0,
    }
    send(agent, Message("EconomyData", Info=info))


@handles("MoneyBalanceRequest", state=OPEN, rate=QUERY)
def money_balance_request(sim: Parts, agent: Agent, message: Message) -> None:
    data = {
        "AgentID": agent.agent_id,
        "TransactionID": message["MoneyData"]["TransactionID"],
        "TransactionSuccess": True,
        "Description": "",
    }
    send(agent, Message("MoneyBalanceReply", MoneyData=data, TransactionInfo={"ItemDescription": ""}))


@handles("EstateCovenantRequest", state=OPEN, rate=QUERY)
def estate_covenant_request(sim: Parts, agent: Agent, message: Message) -> None:
    data = {"CovenantID": NULL, "EstateName": ESTATE_NAME, "EstateOwnerID": sim.world.facts.owner_id}
    send(agent, Message("EstateCovenantReply", Data=data))


@handles("EstateOwnerMessage", state=ROOT, rate=COSTLY)
def estate_owner_message(sim: Parts, agent: Agent, message: Message) -> None:
    """Estate tools. What anybody may know is answered; to change anything one must own the region."""
    method = text(message["MethodData"]["Method"])
    if method == "getinfo":
        send(agent, _estate_info(sim, agent, message["MethodData"]["Invoice"]))
        return
    sim.metrics.count("messages_dropped", label="estate tool")
    alert(agent, "This region's owner sets it up outside of the world: estate tools change nothing here.")


def _estate_info(sim: Parts, agent: Agent, invoice: UUID) -> Message:
    facts = sim.world.facts
    answers = (
        ESTATE_NAME,
        str(facts.owner_id),
        str(ESTATE_ID),
        str(facts.flags),
        "0",  # sun position, when it is fixed
        str(PARENT_ESTATE_ID),
        str(NULL),  # covenant
        "0",  # when the covenant changed
        "1",  # the answer is for this agent alone
        "",  # where abuse is reported
    )
    return Message(
        "EstateOwnerMessage",
        AgentData={"AgentID": agent.agent_id, "SessionID": agent.session_id, "TransactionID": NULL},
        MethodData={"Method": "estateupdateinfo", "Invoice": invoice},
        ParamList=[{"Parameter": answer} for answer in answers],
    )


@handles("SetStartLocationRequest", state=ROOT, rate=COSTLY)
def set_start_location_request(sim: Parts, agent: Agent, message: Message) -> None:
    if message["StartLocationData"]["LocationID"] == HOME:
        start(sim, agent, "home", _set_home(agent, set_home(sim, agent)))


async def _set_home(agent: Agent, setting: Awaitable[bool]) -> None:
    if await setting:
        alert(agent, "Home position set.")
    else:
        alert(agent, "Your home could not be set: the grid's services are not answering. Please try again.")


def set_home(sim: Parts, agent: Agent) -> Awaitable[bool]:
    """Home is where the avatar stands as this is called, whatever place the viewer names. False if it was not kept."""
    position = sim.world.position(agent)
    at_x, at_y, _ = agent.camera.at
    call = sim.backbone.set_home(agent.agent_id, sim.world.facts.region_id, position, (at_x, at_y, 0.0))

    async def kept() -> bool:
        return not isinstance(await ask(sim, call), BackboneError)

    return kept()
