"""The region as a program: what it is called, what it holds, how it keeps up.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import Key
from sim.scripts.library.declare import ll
from sim.scripts.library.things import avatar, region_of

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

FRAMES = 45  # a second
PHYSICS_FPS, FRAME_MS, AGENT_COUNT, CHILD_COUNT, SCRIPT_COUNT = 1, 3, 10, 11, 12  # SIM_STAT_*


def _host(script: Script) -> str:
    settings = region_of(script).settings
    return settings.advertise or settings.bind


@ll
def llGetEnv(script: Script, name: str) -> str:
    """A fact of the region by name: "agent_limit", "region_max_prims", "sim_channel", "frame_number", "estate_id" and so on; empty for
    what it does not know."""
    facts, time = region_of(script).facts, region_of(script).world.time
    found: dict[str, object] = {
        "agent_limit": facts.max_agents, "agent_limit_max": facts.max_agents, "agent_reserved": 0, "agent_unreserved": facts.max_agents,
        "dynamic_pathfinding": "disabled", "estate_id": 1, "estate_name": "Mainland", "frame_number": int(time * FRAMES),
        "region_cpu_ratio": 1, "region_idle": 0, "region_product_name": "Mainland / Full Region", "region_product_sku": "Mainland",
        "region_start_time": int(script.world.unix_time() - time), "region_max_prims": facts.max_prims, "region_object_bonus": "1.000000",
        "region_rating": {13: "GENERAL", 21: "MODERATE", 42: "ADULT"}.get(facts.access, "UNKNOWN"), "sim_channel": "Mainland",
        "sim_version": "0.1", "simulator_hostname": _host(script), "grid": "Mainland",
    }  # fmt: skip
    return str(found.get(name, ""))


@ll
def llGetSimulatorHostname(script: Script) -> str:
    """The address at which the region is reached. Sleeps 10 s."""
    return _host(script)


@ll(lacks="knows SIM_STAT_PHYSICS_FPS, FRAME_MS, AGENT_COUNT and CHILD_AGENT_COUNT; the others are 0")
def llGetSimStats(script: Script, stat_type: int) -> float:
    """A statistic of the region, SIM_STAT_*."""
    world = region_of(script).world
    dilation = script.world.time_dilation(script)
    if stat_type == PHYSICS_FPS:
        return FRAMES * dilation
    if stat_type == FRAME_MS:
        return 1000.0 / FRAMES
    if stat_type in (AGENT_COUNT, CHILD_COUNT):
        return float(sum(1 for agent in world.agents.values() if agent.root == (stat_type == AGENT_COUNT)))
    return 0.0


@ll
def llGetAgentLanguage(script: Script, avatar_id: Key) -> str:
    """The language of the viewer of somebody in the region, such as "en-us", if they tell it; else empty."""
    agent = avatar(script, avatar_id)
    known = (agent.preferences or {}) if agent is not None else {}
    return str(known.get("language", "")) if known.get("language_is_public") else ""
