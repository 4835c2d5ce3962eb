"""What every handler of building messages shares: the objects a message names, and telling what was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from protocol.message import Message
from sim import handlers
from sim.actions import may
from sim.actions.may import Actor, actor_of
from sim.actions.outcome import Refused
from sim.handlers import Rate
from sim.handlers.friends import learn_rights
from sim.handlers.replies import alert, start
from sim.region import Region
from sim.world.agent import Agent
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.parts import Parts

# Objects named by building messages: dragging a selection of a hundred names them all some ten times a second.
BUILD = Rate("build", 1000.0, 6000.0)
SAID_FOR = 8.0  # seconds in which the same words are said to a person once
PATIENCE = 15.0  # seconds after which what was asked and not answered is asked again
KNOWN_FOR = 20.0  # seconds after which an agent without an avatar here, whom news of friends do not reach, asks again


def named(sim: Parts, agent: Agent, local_ids: Iterable[int]) -> list[Prim]:
    """The objects of these local ids that are here. Of one that has just gone over a border the agent is told so."""
    here, left = sim.world.objects.by_local_id, sim.world.objects.left
    found = []
    for local_id in local_ids:
        prim = here.get(local_id)
        if prim is not None:
            if not sim.world.objects.hidden_from(prim, agent):
                found.append(prim)
        elif sim.clock.now() < left.get(local_id, 0.0):
            tell(sim, agent, Refused(may.LEAVING, "object is crossing"))
    return found


def chosen(
    sim: Parts, agent: Agent, message: Message, field: str = "ObjectLocalID"
) -> list[tuple[Prim, dict[str, Any]]]:
    """The prims a message names, as far as they are here, with its block for each; none while it waits for friends' rights."""
    blocks = {block[field]: block for block in message["ObjectData"]}
    prims = named(sim, agent, blocks)
    if waits_for_rights(sim, agent, message, prims):
        return []
    here = {prim.local_id: prim for prim in prims}
    return [(here[block[field]], block) for block in message["ObjectData"] if block[field] in here]


def each(
    sim: Parts,
    agent: Agent,
    message: Message,
    action: Callable[[Region, Actor, Prim, dict[str, Any]], Refused | None],
    field: str = "ObjectLocalID",
) -> None:
    """Do to every prim that a message names what its block says, and show the true state of those that stay as they are."""
    actor = actor_of(agent)
    for prim, block in chosen(sim, agent, message, field):
        refused = action(sim.region, actor, prim, block)
        if refused is not None:
            tell(sim, agent, refused, prim)


def tell(sim: Parts, agent: Agent, refused: Refused, *prims: Prim) -> None:
    """Words of a refusal, not more often than they can be read, and how the things are that the agent's viewer has drawn
    changed already."""
    sim.metrics.count("edits_refused", label=refused.why)
    sim.interest.objects.show(agent, [prim for prim in prims if prim.row >= 0])
    now = sim.clock.now()
    if refused.words and now >= agent.told_until.get(refused.words, 0.0):
        agent.told_until = {words: until for words, until in agent.told_until.items() if until > now}
        agent.told_until[refused.words] = now + SAID_FOR
        alert(agent, refused.words)


def ask_for_rights(sim: Parts, agent: Agent, prims: Sequence[Prim]) -> bool:
    """Have friends' rights asked for where these objects make a difference. Whether they are not known yet."""
    if all(prim.owner_id == agent.agent_id for prim in prims):
        return False
    now = sim.clock.now()
    unknown = agent.edits_of is None
    told_of_changes = agent.root and agent.edits_of_sure
    if unknown and now - agent.edits_of_asked > PATIENCE or not (unknown or told_of_changes or now - agent.edits_of_asked < KNOWN_FOR):
        agent.edits_of_asked = now
        start(sim, agent, "friends' rights", _learn_and_go_on(sim, agent))
    return unknown


def waits_for_rights(sim: Parts, agent: Agent, message: Message, prims: Sequence[Prim]) -> bool:
    """Whether it depends on rights that friends may have granted what the agent may do, and these are not known here yet.
    The message is dealt with when they are."""
    if not ask_for_rights(sim, agent, prims):
        return False
    agent.waiting_edits.append(message)
    return True


async def _learn_and_go_on(sim: Parts, agent: Agent) -> None:
    await learn_rights(sim, agent)
    waiting, agent.waiting_edits = agent.waiting_edits, []
    for message in waiting:
        if agent.circuit is not None:
            handlers.TABLE[message.name].function(sim, agent, message)
