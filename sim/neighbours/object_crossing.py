"""Objects over borders: a linkset with its riders and scripts goes to the neighbour as one transaction with an id.

    source                                       destination
    the root is over the border: frozen
    (no body, scripts stopped, velocity 0 told)
    POST /services/objects {id, object, riders}  all of it or nothing: places the object, takes the riders over
                                     <---------  and seats them; its answer decides (docs/decisions/0003)
    CrossedRegion to each rider; the object
    leaves this world. KillObject later, when
    the neighbour's own updates are out
                                                 velocity, spin, rotation and scripts go on

A refusal puts the object back inside the edge, at rest. No answer is no refusal: the same id is sent again, and the
destination, which remembers ids, does it once. When it stays silent the object is taken back, and whatever may have come of
the hand-over goes wherever it is by then (`handovers.py`). Somebody who sits on it is never anywhere else than it is.

With a store it is a move like others (`storage/transit.py`): written down before it is offered, and not answered before it is on the other's
disk. A region that starts again asks once more with the same id (`recover`).

Nobody changes what is frozen: whoever tries is told so, and sees it as it is (`actions/may.py`, decision 0015). It may
be deleted; then it goes over there too.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from protocol.errors import ProtocolError
from sim.neighbours.crossing import Crossing
from sim.neighbours.handovers import lineage_of
from sim.neighbours.object_handover import ObjectHandOver, Rider
from sim.neighbours.peers import PeerError
from sim.neighbours.records import RegionRecord
from sim.storage.keeping import Storage
from sim.storage.transit import Transit
from sim.world import form
from sim.world.agent import Agent, Vector
from sim.world.changes import What
from sim.world.journey import Step
from sim.world.linkset import gather
from sim.world.objects import MAX_HEIGHT, Prim

if TYPE_CHECKING:
    from sim.interest.interest import Interest
    from sim.neighbours.neighbours import Neighbours
    from sim.physics.bodies import Bodies
    from sim.region import Region
    from sim.scripts.inworld import Scripts
    from sim.scripts.machine.script import Script

log = logging.getLogger(__name__)

DEEPEST = 64.0  # metres that an object may be under the ground
INSIDE = 0.05  # metres from the edge where what may not cross is put
ASK_AGAIN, ASK_PAUSE = 60.0, 1.0  # seconds in which, and between which, a region is asked what came of a hand-over before a restart
GIVE_UP_AFTER = 8.0  # seconds in which the region beyond may answer; it may have many scripts to compile
REFUSED_PAUSE = 1.0  # seconds before a refused object is tried again
ARRIVED_PAUSE = 0.25  # seconds in which one that has just come may lean back over the border
LEFT = 8.0  # seconds after which no viewer thinks any more that it is here
LATE_KILL, RIDERS_KILL = 1.0, 6.0  # seconds until bystanders and riders are told that the object is gone from here


@dataclass(eq=False, slots=True)
class Journey:
    """One linkset on its way out."""

    transaction: UUID
    root: Prim
    region: RegionRecord
    riders: list[Agent]
    stopped: list[Script] = field(default_factory=list)
    done: bool = False


class ObjectCrossing:
    """The source's half. `under_way` holds what is frozen; nothing else may give those a body or move them."""

    def __init__(
        self,
        region: Region,
        neighbours: Neighbours,
        crossing: Crossing,
        bodies: Bodies,
        scripts: Scripts,
        interest: Interest,
        storage: Storage,
    ) -> None:
        self._region, self._storage = region, storage
        self._bodies, self._scripts, self._interest = bodies, scripts, interest
        self._neighbours = neighbours
        self._crossing = crossing
        self.under_way: dict[Prim, Journey] = {}
        self._refused: dict[Prim, float] = {}  # until when, real time
        self._arrived: dict[Prim, float] = {}

    # --- out

    def arrived(self, root: Prim) -> None:
        """It has just come: a moment of grace at the border it came over."""
        now = self._region.clock.now()
        self._arrived = {prim: until for prim, until in self._arrived.items() if until > now}
        self._arrived[root] = now + ARRIVED_PAUSE

    def begin(self, root: Prim, place: Vector | None = None) -> bool:
        """The root is over a border, or is to be put there (`place`). False when it cannot go: it belongs inside then."""
        now = self._region.clock.now()
        if root in self.under_way or (place is None and now < self._arrived.get(root, 0.0)):
            return True
        if now < self._refused.get(root, 0.0):
            return False
        objects, facts = self._region.world.objects, self._region.world.facts
        x, y, z = place or objects.world_place(root)[0]
        z = self._sane_height(x, y, z)
        square = (facts.grid_x + int(x // 256), facts.grid_y + int(y // 256))
        region = self._neighbours.directory.at(*square)
        riders = self._region.world.seats.on_linkset(root)
        if region is None or square == (facts.grid_x, facts.grid_y) or self._awaits_riders(root):
            return False
        if any(rider.circuit is None or rider.journey.under_way for rider in riders):
            return False
        if self._storage.trouble:  # what cannot be written down does not begin
            return False
        row = objects.row(root)
        if place is not None:
            row["position"] = x, y, z
            row["velocity"] = row["angular_velocity"] = (0.0, 0.0, 0.0)
            objects.placed(root)
        lineages = [*map(lineage_of, root.linkset()), *map(lineage_of, riders)]
        journey = self.under_way[root] = Journey(self._neighbours.handovers.begin(region, lineages), root, region, riders)
        there = self._neighbours.directory.seen_from(region, (x, y, z))
        try:
            bundle = self._bundle(journey, there)
        except ProtocolError as error:
            log.error("object %s cannot be handed over: %s", root.full_id, error)
            self._region.metrics.count("object_crossings", label="too large")
            del self.under_way[root]
            self._refused[root] = now + REFUSED_PAUSE
            return False
        self._freeze(journey)
        self._region.tasks.spawn(self._hand_over(journey, bundle), "object crossing")
        return True

    def _awaits_riders(self, root: Prim) -> bool:
        """Whether somebody is on the way here to sit on it: it waits for them."""
        for agent in self._region.world.agents.values():
            seat = agent.arrival.seat if agent.arrival is not None else None
            if seat is not None and seat.prim.row >= 0 and seat.prim.linkset_root is root:
                return True
        return False

    def _bundle(self, journey: Journey, there: Vector) -> dict[str, Any]:
        (linkset,) = gather(self._region.world.objects, [journey.root], self._region.clock.now(), self._scripts.states)
        linkset.parts[0].position = there
        links = list(journey.root.linkset())
        riders = []
        for rider in journey.riders:
            state = self._crossing.state_of(
                rider, journey.region, journey.transaction, self._region.world.position(rider)
            )
            seat = self._region.world.seats.of[rider]
            riders.append(Rider(state, links.index(seat.prim), seat.offset, seat.turn, seat.target))
        owner = self._neighbours.lease.owner
        return ObjectHandOver(journey.transaction, form.encode(linkset), riders, owner, journey.region.owner).encode()

    def _freeze(self, journey: Journey) -> None:
        """It stays where it is, and is told to be at rest: viewers would extrapolate it into the ground or the sky."""
        root = journey.root
        root.leaving = True
        self._bodies.drop(root)
        row = self._region.world.objects.row(root)
        row["velocity"] = row["angular_velocity"] = row["acceleration"] = (0.0, 0.0, 0.0)
        row["moving"] = 0
        self._region.world.changes.prims.note(root, What.PLACE)
        for rider in journey.riders:
            rider.journey.step(Step.RIDE, journey.transaction, region=journey.region)
        for prim in root.linkset():
            for script in self._scripts.of(prim):
                if script.is_running:
                    script.set_running(False)
                    journey.stopped.append(script)

    # --- the hand-over

    async def _hand_over(self, journey: Journey, bundle: dict[str, Any]) -> None:
        handovers, region = self._neighbours.handovers, journey.region
        answer, unsure = None, False
        try:
            self._write_down(journey, bundle)
            if not await self._storage.durable():
                return
            unsure = True
            answer, unsure = await handovers.ask(
                region, lambda: self._neighbours.peers.hand_object(region, bundle), lambda: journey.done, GIVE_UP_AFTER
            )
        finally:
            if answer is None and not journey.done:  # also when this fails or is cancelled
                self._put_back(journey)
                if unsure:
                    handovers.take_back(journey.transaction, region, journey.riders, journey.root)
        if journey.done or answer is None:
            return
        if journey.root.row < 0:  # deleted here meanwhile
            self._put_back(journey)
            handovers.take_back(journey.transaction, region, journey.riders, journey.root)
            return
        places = {entry["agent_id"]: entry for entry in answer["riders"]}
        for rider in journey.riders:
            place = places.get(str(rider.agent_id))
            if self._region.world.agents.get(rider.agent_id) is not rider:
                self._region.tasks.spawn(
                    self._neighbours.children.end(rider, region, "You have logged out."), "children"
                )
            elif rider.journey.is_by(journey.transaction) and place is not None:
                self._crossing.handed_over(rider, region, place)
        self.conclude(journey)
        self._region.metrics.count("object_crossings", label="handed over")

    def _write_down(self, journey: Journey, bundle: dict[str, Any]) -> None:
        stopped = [script.item_id for script in journey.stopped]
        facts = {"root": str(journey.root.full_id), "region": journey.region.encode(), "stopped": stopped}
        data = base64.b64decode(bundle["object"])
        self._storage.note(journey.transaction, Transit("cross", self._region.clock.unix(), facts, data))

    def call_off(self, root: Prim) -> None:
        """Its owner sends it elsewhere meanwhile: that it went is void (decision 0015)."""
        journey = self.under_way.get(root)
        if journey is not None:
            self._put_back(journey)
            self._neighbours.handovers.take_back(journey.transaction, journey.region, journey.riders, root)

    # --- after a start

    def begin_again(self) -> None:
        """What was being handed over when the region ended stands frozen until it is known what came of it."""
        for transaction, transit in list(self._storage.transits.items()):
            if transit.kind != "cross":
                continue
            region = RegionRecord.decode(transit.facts["region"])
            root = self._region.world.objects.by_id.get(UUID(transit.facts["root"]))
            self._neighbours.handovers.resume(transaction, region, () if root is None else map(lineage_of, root.linkset()))
            if root is not None:
                journey = self.under_way[root] = Journey(transaction, root, region, [])
                self._freeze(journey)
                scripts = [script for prim in root.linkset() for script in self._scripts.of(prim)]
                journey.stopped = [script for script in scripts if script.item_id in transit.facts["stopped"]]

    def recover(self) -> None:
        """Ask what came of it. Once, when the region has its claim."""
        under_way = {journey.transaction: journey for journey in self.under_way.values()}
        for transaction, transit in list(self._storage.transits.items()):
            if transit.kind != "cross":
                continue
            if transaction in under_way:
                self._region.tasks.spawn(self._ask_again(under_way[transaction], transit.data), "object crossing")
            else:  # it has gone otherwise, and must not stand over there
                self._neighbours.handovers.take_back(transaction, RegionRecord.decode(transit.facts["region"]))

    async def _ask_again(self, journey: Journey, linkset: bytes) -> None:
        end = self._region.clock.now() + ASK_AGAIN
        while self._region.clock.now() < end and not journey.done:
            region = self._neighbours.directory.of_id(journey.region.region_id)
            if region is not None:
                offer = ObjectHandOver(journey.transaction, linkset, [], self._neighbours.lease.owner, region.owner)
                try:
                    await self._neighbours.peers.hand_object(region, offer.encode())
                    self.conclude(journey)
                    return
                except PeerError as error:
                    log.warning("hand-over to %s, again: %s", region.name, error)
                    if error.status:
                        self._put_back(journey)
                        return
            await asyncio.sleep(ASK_PAUSE)
        if not journey.done:
            self._put_back(journey)
            self._neighbours.handovers.take_back(journey.transaction, journey.region, (), journey.root)

    def conclude(self, journey: Journey) -> None:
        """It is over there: here it goes, quietly."""
        if journey.done:
            return
        journey.done = True
        self._neighbours.handovers.went(journey.transaction)
        root = journey.root
        self.under_way.pop(root, None)
        if root.row < 0:
            return
        now = self._region.clock.now()
        objects = self._region.world.objects
        objects.left = {local_id: until for local_id, until in objects.left.items() if until > now}
        objects.left.update((prim.local_id, now + LEFT) for prim in root.linkset())
        self._interest.objects.crossed(list(root.linkset()), journey.riders, LATE_KILL, RIDERS_KILL)
        self._region.world.objects.remove(root)

    def _put_back(self, journey: Journey) -> None:
        """It stays: at rest, a little inside the border."""
        journey.done = True
        self._storage.note(journey.transaction, None)
        root = journey.root
        self.under_way.pop(root, None)
        root.leaving = False
        self._region.metrics.count("object_crossings", label="refused")
        for rider in journey.riders:
            if rider.journey.is_by(journey.transaction):
                rider.journey.step(Step.STAY)
        if root.row < 0:
            return
        now = self._region.clock.now()
        self._refused = {prim: until for prim, until in self._refused.items() if until > now}
        self._refused[root] = now + REFUSED_PAUSE
        self.hold_inside(root)
        self._region.world.changes.prims.note(root, What.PLACE)
        self._region.world.changes.prims.note(root, What.BODY)
        for script in journey.stopped:
            script.set_running(True)

    def hold_inside(self, root: Prim) -> None:
        """Stop it at the edge."""
        objects = self._region.world.objects
        row = objects.row(root)
        x, y, z = row["position"].tolist()
        x, y = min(max(x, INSIDE), 256 - INSIDE), min(max(y, INSIDE), 256 - INSIDE)
        row["position"] = x, y, self._sane_height(x, y, z)
        row["velocity"] = row["angular_velocity"] = (0.0, 0.0, 0.0)
        objects.placed(root)
        self._bodies.moved(root)

    def _sane_height(self, x: float, y: float, z: float) -> float:
        """The height, where people can reach it again: what is dragged out of sight would stay there for ever."""
        low = self._region.world.terrain.height(x, y) - DEEPEST
        return min(max(z, low), MAX_HEIGHT) if math.isfinite(z) else low + DEEPEST
