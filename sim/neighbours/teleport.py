"""Teleports: within the region, to another, by lure, by landmark, home.

    source                                       destination
    TeleportStart, TeleportProgress to viewer
    POST /services/agents (teleport)  -------->  expects the agent
    EnableSimulator pair if it is no neighbour
    TeleportFinish by the event queue
                                                 UseCircuitCode, CompleteAgentMovement from the viewer
    POST .../departed                 <--------  avatar appears here
    avatar here goes, agent a child

Until the destination reports the arrival, the avatar stands where it was: a teleport that fails loses nobody. A viewer may
cancel it until TeleportFinish is out; then it is on its way. A destination that has reported nothing is asked before the
teleport is given up; silent, it is told that there was none (`handovers.py`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from assets.client import AssetError
from backbone.client import BackboneError
from protocol.errors import ProtocolError
from protocol.events import event
from protocol.message import Message
from protocol.wellknown import NULL, region_handle
from sim.neighbours.children import Children, introduce
from sim.neighbours.directory import access_number
from sim.neighbours.handovers import lineage_of
from sim.neighbours.peers import PeerError, Region
from sim.neighbours.state import agent_state, vector
from sim.world.agent import Agent, Vector

if TYPE_CHECKING:
    from sim.neighbours.neighbours import Neighbours
    from sim.simulator import Simulator

log = logging.getLogger(__name__)

VIA_LURE, VIA_LANDMARK, VIA_LOCATION, VIA_HOME = 0x4, 0x8, 0x10, 0x20
# Viewers give a teleport up after about a minute; so do we, a little later.
ARRIVAL_LIMIT = 65.0
LURE_DIALOG = 22
CANCELLED = "The teleport was cancelled."
LURES_KEPT = 32


@dataclass(eq=False, slots=True)
class Teleport:
    """One on its way; in its agent's `extras["teleport"]` until the destination has it or it has failed."""

    transaction: UUID
    region: Region
    told: bool = False  # TeleportFinish is out


class Teleports:
    def __init__(self, sim: Simulator, neighbours: Neighbours) -> None:
        self.sim = sim
        self._neighbours = neighbours

    # --- asked for

    def to_handle(self, agent: Agent, handle: int, position: Vector, look_at: Vector, flags: int = VIA_LOCATION) -> None:
        """Teleport to a place in the region of a handle, this one or another."""
        facts = self.sim.world.facts
        region = self._neighbours.directory.of_handle(handle)
        if handle == facts.handle:
            self._local(agent, position, look_at, flags)
        elif region is None:
            self.fail(agent, "There is no region at that place, or it is down.")
        elif region["region_id"] == str(facts.region_id):
            self._local(agent, position, look_at, flags)
        else:
            self.sim.spawn(self._remote(agent, region, position, look_at, flags), "teleport")

    def to_region_id(self, agent: Agent, region_id: UUID, position: Vector, look_at: Vector, flags: int) -> None:
        if region_id == self.sim.world.facts.region_id:
            self._local(agent, position, look_at, flags)
            return
        region = self._neighbours.directory.of_id(region_id)
        if region is None:
            self.fail(agent, "That region is not there, or it is down.")
            return
        self.sim.spawn(self._remote(agent, region, position, look_at, flags), "teleport")

    async def home(self, agent: Agent) -> None:
        try:
            home = await self.sim.backbone.get_home(agent.agent_id)
            place = UUID(home["region_id"]), vector(home["position"], 3, 8192.0), vector(home["look_at"], 3, 2.0)
        except BackboneError as error:
            self.fail(agent, "You have not set a home yet." if error.status == 404 else "Your home cannot be looked up now.")
            return
        self.to_region_id(agent, place[0], place[1], place[2], VIA_HOME)  # type: ignore[arg-type]

    async def landmark(self, agent: Agent, asset_id: UUID) -> None:
        try:
            data = await self.sim.assets.get(asset_id)
        except AssetError:
            data = None
        try:
            if data is None:
                raise ProtocolError("no such landmark")
            region_id, position = parse_landmark(data)
        except ProtocolError:
            self.fail(agent, "That landmark cannot be read.")
            return
        self.to_region_id(agent, region_id, position, (1.0, 0.0, 0.0), VIA_LANDMARK)

    # --- lures

    async def offer_lure(self, agent: Agent, targets: list[UUID], text: str) -> None:
        """Invite people to where the agent is: an instant message that names the place and carries the lure's id."""
        facts = self.sim.world.facts
        x, y, z = self.sim.world.position(agent)
        corner_x, corner_y = facts.corner
        bucket = f"{corner_x}|{corner_y}|{x:.0f}|{y:.0f}|{z:.0f}|1|0|0|PG".encode()
        for target in targets:
            await self._neighbours.send_message(
                agent,
                {
                    "message_id": str(uuid4()),
                    "to_agent_id": str(target),
                    "dialog": LURE_DIALOG,
                    "id": str(uuid4()),
                    "message": text,
                    "region_id": str(facts.region_id),
                    "position": [x, y, z],
                },
                bucket,
            )

    def note_lure(self, agent: Agent, message: dict[str, Any]) -> None:
        """An instant message for the agent arrives: when it is a lure, remember where it leads."""
        if message.get("dialog") != LURE_DIALOG:
            return
        try:
            place = [str(UUID(str(message["region_id"]))), list(vector(message["position"], 3, 8192.0))]
        except (KeyError, ValueError):
            return
        lures: dict[str, Any] = agent.extras.setdefault("lures", {})
        while len(lures) >= LURES_KEPT:
            lures.pop(next(iter(lures)))
        lures[str(message.get("id", ""))] = place

    def take_lure(self, agent: Agent, lure_id: UUID) -> None:
        place = agent.extras.get("lures", {}).get(str(lure_id))
        if place is None:
            self.fail(agent, "That invitation has expired.")
            return
        try:
            region_id, position = UUID(place[0]), vector(place[1], 3, 8192.0)
        except (ValueError, IndexError, TypeError):
            self.fail(agent, "That invitation cannot be read.")
            return
        self.to_region_id(agent, region_id, position, (1.0, 0.0, 0.0), VIA_LURE)  # type: ignore[arg-type]

    # --- carried out

    def _local(self, agent: Agent, position: Vector, look_at: Vector, flags: int) -> None:
        if agent.circuit is None or not agent.root or self._under_way(agent):
            return
        world = self.sim.world
        self.sim.seating.stand(agent)
        row = world.row(agent)
        place = self._neighbours.safe_position(position, float(row["height"]))
        flying = bool(row["flying"])
        agent.circuit.send(Message("TeleportStart", Info={"TeleportFlags": flags}))
        row["position"] = place
        row["velocity"] = (0.0, 0.0, 0.0)
        row["sitting"] = 0
        row["on_ground"] = 0
        row["dirty"] = 1
        world.marks.full.add(agent.agent_id)
        world.marks.coarse = True
        agent.circuit.send(
            Message(
                "TeleportLocal",
                Info={
                    "AgentID": agent.agent_id,
                    "LocationID": 4,
                    "Position": place,
                    "LookAt": look_at,
                    "TeleportFlags": flags | (0x2000 if flying else 0),
                },
            )
        )
        self.sim.metrics.count("teleports", label="local")

    def _under_way(self, agent: Agent) -> bool:
        """Whether the agent is on a journey already: two at once would make two avatars of it."""
        if "teleport" in agent.extras:
            self.fail(agent, "You are teleporting already.")
        elif "crossing" in agent.extras:
            self.fail(agent, "You are walking into another region. Please try again.")
        else:
            return False
        return True

    async def _remote(self, agent: Agent, region: Region, position: Vector, look_at: Vector, flags: int) -> None:
        sim = self.sim
        if not agent.root or agent.circuit is None or self._under_way(agent):
            return
        handovers = self._neighbours.handovers
        journey = agent.extras["teleport"] = Teleport(handovers.begin(region, [lineage_of(agent)]), region)
        agent.circuit.send(Message("TeleportStart", Info={"TeleportFlags": flags}))
        progress = {"TeleportFlags": flags, "Message": "sending_dest"}
        agent.circuit.send(Message("TeleportProgress", AgentData={"AgentID": agent.agent_id}, Info=progress))
        facts = sim.world.facts
        state = agent_state(sim, agent, "teleport", position)
        state["look_at"] = list(look_at)
        state["velocity"] = [0.0, 0.0, 0.0]
        state["controls"] = 0
        state.pop("rotation", None)
        state["children"] = {**Children.of(agent), str(facts.region_id): sim.cap_server.seed_url(agent)}
        state["origin"] = {"region_id": str(facts.region_id), "http_url": sim.http_url}
        state["transaction"] = str(journey.transaction)
        try:
            answer = await self._neighbours.peers.announce(region, state)
        except PeerError as error:
            log.warning("%s could not teleport to %s: %s", agent.name, region["name"], error)
            if error.status == 0 and not error.nobody:
                handovers.take_back(journey.transaction, region)
            if agent.extras.get("teleport") is journey:
                del agent.extras["teleport"]
                self.fail(agent, f"{region['name']} does not accept you right now.")
            return
        if agent.extras.get("teleport") is not journey or not agent.root or agent.events is None:
            if agent.extras.get("teleport") is journey:
                del agent.extras["teleport"]
            handovers.take_back(journey.transaction, region)  # cancelled, or gone
            return
        journey.told = True
        if region["region_id"] not in Children.of(agent):
            introduce(agent, region, answer["seed_capability"])
        flying = bool(sim.world.row(agent)["flying"])
        agent.events.post(
            event(
                Message(
                    "TeleportFinish",
                    Info={
                        "AgentID": agent.agent_id,
                        "LocationID": 4,
                        "SimIP": region["ip"],
                        "SimPort": region["port"],
                        "RegionHandle": region_handle(region["grid_x"], region["grid_y"]),
                        "SeedCapability": answer["seed_capability"],
                        "SimAccess": access_number(region),
                        "TeleportFlags": flags | (0x2000 if flying else 0),
                    },
                )
            )
        )
        sim.after(ARRIVAL_LIMIT, lambda: self._doubt(agent, journey))

    def cancel(self, agent: Agent) -> None:
        """The user thought better of it. Who has been told to go is going, and nothing happens."""
        journey: Teleport | None = agent.extras.get("teleport")
        if journey is None or journey.told:
            self.sim.metrics.count("messages_dropped", label="nothing to cancel")
            return
        del agent.extras["teleport"]  # whoever waits for the destination's answer takes it back there
        self.fail(agent, CANCELLED)

    def departed(self, agent: Agent, transaction: UUID | None) -> None:
        """The destination has the avatar: here it goes, and the agent looks on as a child.

        It says by which hand-over; news of an earlier one are late, and mean nothing.
        """
        journey: Teleport | None = agent.extras.get("teleport")
        if journey is None or not agent.root or transaction not in (None, journey.transaction):
            return
        del agent.extras["teleport"]
        self.sim.metrics.count("teleports", label="departed")
        self.sim.sessions.demote(agent)

    def _doubt(self, agent: Agent, journey: Teleport) -> None:
        self.sim.spawn(self._give_up(agent, journey), "teleport")

    async def _give_up(self, agent: Agent, journey: Teleport) -> None:
        """Nothing was heard of the arrival. It may have been the news that got lost, not the viewer."""
        if agent.extras.get("teleport") is not journey:
            return
        facts = self.sim.world.facts
        body = {"region_id": str(facts.region_id), "agents": {}, "unless_arrived": True}
        heard = True
        try:
            await self._neighbours.peers.void(journey.region, journey.transaction, body)
        except PeerError as error:
            if error.status == 409:
                self.departed(agent, journey.transaction)
                return
            heard = error.nobody
        if agent.extras.get("teleport") is not journey:
            return
        del agent.extras["teleport"]
        self.fail(agent, "The destination did not hear from your viewer.")
        if not heard:
            self._neighbours.handovers.take_back(journey.transaction, journey.region, [agent])

    def fail(self, agent: Agent, reason: str) -> None:
        """By the event queue: neither library acts on the UDP form. Some read the reason in one block, some in the other."""
        self.sim.metrics.count("teleports", label="failed")
        if agent.events is not None:
            info = {"AgentID": agent.agent_id, "Reason": reason}
            said = [{"Message": reason, "ExtraParams": "<llsd><map/></llsd>"}]
            agent.events.post(event(Message("TeleportFailed", Info=info, AlertInfo=said)))


def parse_landmark(data: bytes) -> tuple[UUID, Vector]:
    """Region id and position of a landmark asset: `Landmark version 2`, `region_id <uuid>`, `local_pos x y z` by line."""
    region_id, position = NULL, (128.0, 128.0, 0.0)
    for line in data[:1024].decode("utf-8", "replace").splitlines():
        words = line.split()
        try:
            if words[:1] == ["region_id"] and len(words) == 2:
                region_id = UUID(words[1])
            elif words[:1] == ["local_pos"] and len(words) == 4:
                position = vector([float(word) for word in words[1:]], 3, 8192.0)  # type: ignore[assignment]
        except ValueError as error:
            raise ProtocolError(f"a landmark line that cannot be read: {line[:60]!r}") from error
    if region_id == NULL:
        raise ProtocolError("a landmark without a region")
    return region_id, position
