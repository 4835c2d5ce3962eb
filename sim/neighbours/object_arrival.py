"""Objects that come over a border: the destination's half of `object_crossing.py`.

    POST /services/objects      take an object, its riders and scripts; all of it or nothing

Every transaction is done once, and answered when the store has it. Asked again, it gets the same answer, also while the first is still
at work. That it was void all along may turn out later (`handovers.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from protocol.errors import ProtocolError
from sim.actions.make import make_temporary
from sim.neighbours.directory import Directory
from sim.neighbours.handovers import HandOvers
from sim.neighbours.object_crossing import ObjectCrossing
from sim.neighbours.object_handover import ObjectHandOver, Rider
from sim.neighbours.state import longer
from sim.scripts.language.errors import CompileError
from sim.scripts.machine.failures import BadState
from sim.scripts.machine.script import Script
from sim.storage.keeping import Storage
from sim.storage.transit import CAME
from sim.world import form
from sim.world.linkset import Linkset
from sim.world.objects import MAX_HEIGHT, Prim
from sim.world.seats import Seat

if TYPE_CHECKING:
    from sim.caps.server import CapServer
    from sim.region import Region
    from sim.scripts.inworld import Scripts
    from sim.sessions import Sessions

log = logging.getLogger(__name__)

REMEMBERED = 4096  # transactions
VOID = "this hand-over has not happened"
CHANGED_REGION = 0x100
Answer = tuple[int, dict[str, Any]]  # HTTP status and body


class ObjectArrival:
    def __init__(
        self, region: Region, directory: Directory, crossing: ObjectCrossing, handovers: HandOvers, scripts: Scripts,
        sessions: Sessions, cap_server: CapServer, storage: Storage,
    ) -> None:  # fmt: skip
        self._region, self._directory = region, directory
        self._scripts, self._sessions, self._cap_server, self._storage = scripts, sessions, cap_server, storage
        self._crossing = crossing
        self._handovers = handovers
        self._answers: OrderedDict[UUID, asyncio.Task[Answer]] = OrderedDict()

    async def take(self, body: Any) -> Answer:
        """What to answer to a hand-over. ProtocolError when it cannot be read."""
        handed = ObjectHandOver.decode(body)
        transaction = handed.transaction
        old = self._directory.old_claim(handed.source, handed.destination)
        if old:
            return _no(409, old)
        if self._handovers.is_void((transaction,)):
            return _no(410, VOID)
        task = self._answers.get(transaction)
        before = self._storage.transits.get(transaction)
        if task is None and before is not None and before.kind == CAME:
            return 200, {"riders": []}  # before a restart; who sat on it has no session here any more
        if task is None:
            linkset = form.decode(handed.linkset)
            if any(rider.part >= len(linkset.parts) for rider in handed.riders):
                raise ProtocolError("a rider sits on a part of the object")
            task = self._region.tasks.spawn(self._arrive(transaction, linkset, handed.riders), "object arrival")
            self._answers[transaction] = task
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        status, answer = await asyncio.shield(task)
        if status != 200 and self._answers.get(transaction) is task:
            del self._answers[transaction]
        return status, answer

    # --- one arrival

    async def _arrive(self, transaction: UUID, linkset: Linkset, riders: list[Rider]) -> Answer:
        scripts = self._scripts
        try:
            sources = {each.source for part in linkset.parts for each in part.scripts}
            owner = linkset.parts[0].prim.owner_id
            programs = {source: await scripts.compiled(source, owner) for source in sources}
        except CompileError as error:
            return _no(422, f"a script does not compile here: {error}")
        # Until it is placed nothing is awaited: it is all there or not at all.
        root = linkset.parts[0].prim
        here = self._region.world.objects.by_id.get(root.full_id)
        journey = self._crossing.under_way.get(here) if here is not None else None
        void = self._handovers.is_void((transaction, *linkset.parts[0].prim.lineage))
        if journey is not None and journey.transaction in linkset.parts[0].prim.lineage and not void:
            self._crossing.conclude(journey)  # it went over there and is back before we read the answer
        refusal = self._refusal(transaction, linkset, riders)
        if refusal is not None:
            return refusal
        restored: list[tuple[Prim, Script]] = []
        try:
            for part in linkset.parts:
                for each in part.scripts:
                    program = programs[each.source]
                    restored.append((part.prim, scripts.restore(part.prim, program, each.source, str(each.item_id), each.state)))
        except BadState as error:
            for prim, _ in restored:
                scripts.remove(prim)
            return _no(422, f"a script's state cannot be read here: {error}")
        for part in linkset.parts:
            part.prim.lineage = longer(part.prim.lineage, transaction)
        self._place(linkset)
        self._crossing.arrived(root)
        for rider in riders:
            rider.agent.transaction = transaction
        answers = [self._seat(rider, linkset.parts[rider.part].prim) for rider in riders]
        scripts.changed(root, CHANGED_REGION)
        self._region.metrics.count("object_crossings", label="arrived")
        log.info("object %s came over the border with %d riders", root.full_id, len(riders))
        self._handovers.note(transaction, CAME)
        if not await self._storage.durable():
            log.error("object %s came over the border, and is not on the disk yet: %s", root.full_id, self._storage.trouble)
        return 200, {"riders": answers}

    def _refusal(self, transaction: UUID, linkset: Linkset, riders: list[Rider]) -> Answer | None:
        world = self._region.world
        lineages = [part.prim.lineage for part in linkset.parts] + [rider.agent.lineage for rider in riders]
        if self._handovers.is_void((transaction, *(one for lineage in lineages for one in lineage))):
            return _no(410, VOID)
        if self._storage.trouble:
            return _no(503, f"the disk of {world.facts.name} takes nothing now")
        if any(part.prim.full_id in world.objects.by_id for part in linkset.parts):
            return _no(409, "the object is in this region already")
        if world.objects.standing + len(linkset.parts) > world.facts.max_prims:
            return _no(503, f"{world.facts.name} holds no more objects")
        for rider in riders:
            known = world.agents.get(rider.agent.agent_id)
            other = known is not None and known.session_id != rider.agent.session_id
            if known is not None and other and (known.root or known.arrival is not None):
                return _no(409, f"{known.name} is here with another session")
            if known is not None and not self._handovers.is_ours(known, rider.agent):
                return _no(409, f"{known.name} is in this region")
        if riders and sum(1 for _ in world.roots()) + len(riders) > world.facts.max_agents:
            return _no(503, f"{world.facts.name} is full")
        return None

    def _place(self, linkset: Linkset) -> None:
        objects = self._region.world.objects
        root = linkset.parts[0]
        x, y, z = root.position
        x, y = min(max(x, 0.001), 255.999), min(max(y, 0.001), 255.999)
        root.position = x, y, min(max(z, self._region.world.terrain.height(x, y) - 64.0), MAX_HEIGHT)
        for part in linkset.parts:
            objects.add(part.prim, self._region.world.new_local_id(), part.position, part.rotation, part.scale)
        if len(linkset.parts) > 1:
            objects.join(root.prim, [part.prim for part in linkset.parts[1:]])
        row = objects.row(root.prim)
        row["velocity"], row["angular_velocity"] = linkset.velocity, linkset.angular_velocity
        if root.prim.temporary:
            make_temporary(self._region, root.prim, True, linkset.expires_in)
        for part in linkset.parts:
            self._scripts.flags(part.prim)

    def _seat(self, rider: Rider, prim: Prim) -> dict[str, Any]:
        """Take the rider over, on its seat at once if its viewer looks in already, else when it comes."""
        rider.agent.seat = Seat(prim, rider.offset, rider.turn, rider.target)
        agent = self._sessions.announce(rider.agent)
        self._sessions.take_over(agent)
        position = self._region.world.position(agent) if agent.root else agent.arrival_position
        return {
            "agent_id": str(agent.agent_id),
            "seed_capability": self._cap_server.seed_url(agent),
            "position": list(position),
            "look_at": list(agent.arrival_look_at),
        }


def _no(status: int, text: str) -> Answer:
    return status, {"title": "refused", "description": text}
