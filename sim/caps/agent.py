"""What a viewer tells about itself, and preferences it may read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol import permissions
from protocol.wellknown import Permission
from sim.caps import CapRequest, Refused, capability
from sim.handlers.region import set_home
from sim.world.changes import What

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

HOVER_LIMIT = 2.0  # metres up or down
TEXT_LIMIT = 32
RATINGS = ("PG", "M", "A")


# --- preferences


def preferences(agent: Agent) -> dict[str, Any]:
    """The agent's preferences as its viewers read them; they last as long as the session in this region."""
    if agent.preferences is not None:
        return agent.preferences
    agent.preferences = {
        "hover_height": agent.appearance.hover,
        "access_prefs": {"max": "A"},
        "default_object_perm_masks": {"Everyone": 0, "Group": 0, "NextOwner": Permission.MOVE | Permission.TRANSFER},
        "god_level": 0,
        "language": "en",
        "language_is_public": True,
    }
    return agent.preferences


@capability("AgentPreferences", "POST", "GET", per_second=5, burst=30)
async def agent_preferences(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """Any subset in, the whole out. Members nobody knows are ignored; the god level is not for asking."""
    known = preferences(agent)
    if request.method == "GET":
        return known
    body = request.llsd(dict)
    if "hover_height" in body:
        hover = body["hover_height"]
        if isinstance(hover, bool) or not isinstance(hover, int | float):
            raise Refused(400, "hover_height must be a number")
        known["hover_height"] = agent.appearance.hover = min(max(float(hover), -HOVER_LIMIT), HOVER_LIMIT)
        sim.world.changes.agents.note(agent, What.SURFACE)
    if isinstance(body.get("language"), str):
        known["language"] = body["language"][:TEXT_LIMIT]
    if isinstance(body.get("language_is_public"), bool):
        known["language_is_public"] = body["language_is_public"]
    masks = body.get("default_object_perm_masks")
    if isinstance(masks, dict):
        chosen = {name: masks[name] for name in ("Everyone", "Group", "NextOwner") if isinstance(masks.get(name), int)}
        whole = known["default_object_perm_masks"] = {**known["default_object_perm_masks"], **chosen}
        agent.new_masks = permissions.new(whole["Group"], whole["Everyone"], whole["NextOwner"])
    _take_rating(known, body)
    return known


def _take_rating(known: dict[str, Any], body: dict[str, Any]) -> None:
    wanted = body.get("access_prefs")
    if isinstance(wanted, dict) and wanted.get("max") in RATINGS:
        known["access_prefs"] = {"max": wanted["max"]}


@capability("UpdateAgentInformation", per_second=2, burst=20)
async def update_agent_information(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    known = preferences(agent)
    _take_rating(known, request.llsd(dict))
    return {"access_prefs": known["access_prefs"]}


@capability("UpdateAgentLanguage", per_second=2, burst=20)
async def update_agent_language(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    body = request.llsd(dict)
    known = preferences(agent)
    if isinstance(body.get("language"), str):
        known["language"] = body["language"][:TEXT_LIMIT]
    known["language_is_public"] = bool(body.get("language_is_public", False))
    return {}


@capability("InterestList", "POST", "GET", per_second=2, burst=20)
async def interest_list(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """Everybody in a region is told of everything here, so "360" changes nothing; the viewer is told its mode."""
    mode = "default"
    if request.method == "POST":
        mode = request.llsd(dict).get("mode", "default")
        if mode not in ("default", "360"):
            raise Refused(400, "mode must be default or 360")
        agent.interest_mode = mode
    return {"mode": agent.interest_mode or mode}


@capability("AgentState", "POST", "GET", per_second=2, burst=20)
async def agent_state(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """What the agent may do beyond its rights as a resident: nothing."""
    return {"can_modify_navmesh": False}


@capability("HomeLocation", per_second=1, burst=5)
async def home_location(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """Home is where the avatar stands; the place comes back in the shape it was asked in."""
    wanted = request.llsd(dict).get("HomeLocation")
    if not isinstance(wanted, dict):
        raise Refused(400, "HomeLocation must be a map")
    if agent.child:
        return {"success": False, "message": "You are not in this region."}
    if not await set_home(sim, agent):
        return {"success": False, "message": "The grid's services are not answering. Please try again."}
    x, y, z = sim.world.position(agent)
    look_x, look_y, _ = agent.camera.at
    return {
        "success": True,
        "HomeLocation": {
            "LocationId": 1,
            "LocationPos": {"X": x, "Y": y, "Z": z},
            "LocationLookAt": {"X": look_x, "Y": look_y, "Z": 0.0},
        },
    }


# --- reports a viewer makes of itself: nobody evaluates them, and a viewer wants them taken


async def _taken(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    return {}


for _name in ("ViewerStats", "ViewerMetrics"):
    capability(_name, per_second=1, burst=10, body_limit=1 << 18)(_taken)
