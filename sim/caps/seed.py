"""The seed capability: a list of names in, their URLs out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.caps import CapRequest, capability

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent


@capability("Seed")
async def seed(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """Names that no capability has are left out silently, as viewers expect."""
    urls = {}
    for name in request.llsd(list)[:1000]:
        if isinstance(name, str) and (url := sim.cap_server.url(agent, name)) is not None:
            urls[name] = url
    return urls
