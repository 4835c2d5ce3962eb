"""Changes of an inventory that come in bursts: gathered while earlier ones are under way, and carried out together.

A viewer that moves a folder's 151 items sends 151 messages. Each was acknowledged, so each happens; to Backbone they are one
request. What is gathered keeps its place among the agent's other changes: as soon as anything else is asked for, what comes
after that is gathered anew, behind it (`replies.start`, `replies.turn`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import UNREACHABLE, BackboneError
from sim.handlers.replies import alert, ask, start

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

ORDER = "inventory"
MOST = 1000  # items, and folders, that one request to Backbone may name
TRIES = 2  # the same changes again change nothing more


@dataclass(slots=True)
class Gathered:
    """What is still to be carried out, items and folders each in the order they were asked for."""

    items: list[dict[str, Any]] = field(default_factory=list)
    removed: list[UUID] = field(default_factory=list)
    folders: list[dict[str, Any]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.items) + len(self.removed) + len(self.folders)


def gather(
    sim: Parts,
    agent: Agent,
    items: list[dict[str, Any]],
    removed: list[UUID] | None = None,
    folders: list[dict[str, Any]] | None = None,
) -> None:
    """Have these changed ({item_id or folder_id, ...members}) and removed, with what waits already. `Later`."""
    changes = Gathered(items, removed or [], folders or [])
    waiting = agent.errands.gathered.get(ORDER)
    # A folder may be what an item moves into, and a removal ends what is changed later: those orders Backbone does not keep.
    disorder = waiting is not None and bool(
        (changes.folders and (waiting.items or waiting.removed)) or (changes.items and waiting.removed)
    )
    if waiting is None or disorder or waiting.count + changes.count > MOST:
        start(sim, agent, ORDER, _carry_out(sim, agent, changes), order=ORDER)
        agent.errands.gathered[ORDER] = changes
        return
    waiting.items += changes.items
    waiting.removed += changes.removed
    waiting.folders += changes.folders


async def _carry_out(sim: Parts, agent: Agent, changes: Gathered) -> None:
    if agent.errands.gathered.get(ORDER) is changes:  # its turn has come: nothing joins it any more
        del agent.errands.gathered[ORDER]
    done: Any = None
    for _ in range(TRIES):
        done = await ask(sim, sim.backbone.change_items(agent.agent_id, changes.items, changes.removed, changes.folders))
        if not isinstance(done, BackboneError) or done.status != UNREACHABLE:
            break
    if isinstance(done, BackboneError):
        alert(agent, f"Your inventory was not changed: {done.for_people()}")
    elif done["refused"]:
        refused = done["refused"]
        more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        alert(agent, f"Of {changes.count} changes of your inventory these were not made: {refused[0]['reason']}{more}.")
