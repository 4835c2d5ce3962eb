"""People and things as llDetected* tells of them. Source: llDetectedType and its siblings on the LSL wiki."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import NULL_KEY, Key, Rotation, Vector
from sim.scripts.library.world import Detected
from sim.world.seats import ON_OBJECT

if TYPE_CHECKING:
    from sim.scripts.rooms.home import Home
    from sim.world.agent import Agent
    from sim.world.objects import Prim

AGENT, ACTIVE, PASSIVE, SCRIPTED = 0x1, 0x2, 0x4, 0x8


def of_agent(home: Home, agent: Agent, link: int = 0) -> Detected:
    """A person who stands or flies is active, one who sits on something passive."""
    row = home.region.world.row(agent)
    key = Key(str(agent.agent_id))
    return Detected(
        key=key, name=agent.name, owner=key, kind=AGENT | (PASSIVE if row["sitting"] == ON_OBJECT else ACTIVE), link=link,
        position=Vector(*row["position"].tolist()), velocity=Vector(*row["velocity"].tolist()),
        rotation=Rotation(*row["rotation"].tolist()),
    )  # fmt: skip


def of_object(home: Home, root: Prim, link: int = 0) -> Detected:
    """A linkset, by its root: what is physical is active."""
    row = home.region.world.objects.row(root)
    kind = ACTIVE if root.physical else PASSIVE
    if any(script.is_running for prim in root.linkset() for script in home.of(prim)):
        kind |= SCRIPTED
    by = root.made_by
    return Detected(
        key=Key(str(root.full_id)), name=root.name, owner=Key(str(root.owner_id)), group=Key(str(root.group_id)), kind=kind,
        link=link, position=Vector(*row["position"].tolist()), velocity=Vector(*row["velocity"].tolist()),
        rotation=Rotation(*row["rotation"].tolist()), rezzer=Key(str(by.rezzer)) if by is not None else NULL_KEY,
    )  # fmt: skip
