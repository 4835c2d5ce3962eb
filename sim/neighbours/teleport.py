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
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from assets.client import AssetError
from backbone.client import BackboneError
from protocol.errors import ProtocolError
from protocol.events import event
from protocol.message import Message
from protocol.wellknown import NULL
from sim.actions.speak import LURE, message_from
from sim.clients import ask
from sim.neighbours.children import introduce
from sim.neighbours.peers import PeerError
from sim.neighbours.reading import uuid_of, vector3
from sim.neighbours.records import RegionRecord
from sim.neighbours.state import Origin, Reason, agent_state
from sim.world.agent import Agent, Lure, Vector
from sim.world.changes import What
from sim.world.journey import At, Step

if TYPE_CHECKING:
    from sim.actions.sit import Seating
    from sim.caps.server import CapServer
    from sim.clients import Clients
    from sim.neighbours.neighbours import Neighbours
    from sim.region import Region
    from sim.sessions import Sessions

log = logging.getLogger(__name__)

VIA_LURE, VIA_LANDMARK, VIA_LOCATION, VIA_HOME = 0x4, 0x8, 0x10, 0x20
# Viewers give a teleport up after about a minute; so do we, a little later.
ARRIVAL_LIMIT = 65.0
CANCELLED = "The teleport was cancelled."
LURES_KEPT = 32


class Teleports:
    def __init__(
        self, region: Region, neighbours: Neighbours, clients: Clients, inner_url: str, seating: Seating, sessions: Sessions,
        cap_server: CapServer,
    ) -> None:  # fmt: skip
        self._region, self._backbone, self._assets = region, clients.backbone, clients.assets
        self._inner_url = inner_url
        self._seating, self._sessions, self._cap_server = seating, sessions, cap_server
        self._neighbours = neighbours

    # --- asked for

    def to_handle(self, agent: Agent, handle: int, position: Vector, look_at: Vector, flags: int = VIA_LOCATION) -> None:
        """Teleport to a place in the region of a handle, this one or another."""
        facts = self._region.world.facts
        region = self._neighbours.directory.of_handle(handle)
        if handle == facts.handle:
            self._local(agent, position, look_at, flags)
        elif region is None:
            self.fail(agent, "There is no region at that place, or it is down.")
        elif region.region_id == facts.region_id:
            self._local(agent, position, look_at, flags)
        else:
            self._region.tasks.spawn(self._remote(agent, region, position, look_at, flags), "teleport")

    def to_region_id(self, agent: Agent, region_id: UUID, position: Vector, look_at: Vector, flags: int) -> None:
        if region_id == self._region.world.facts.region_id:
            self._local(agent, position, look_at, flags)
            return
        region = self._neighbours.directory.of_id(region_id)
        if region is None:
            self.fail(agent, "That region is not there, or it is down.")
            return
        self._region.tasks.spawn(self._remote(agent, region, position, look_at, flags), "teleport")

    async def home(self, agent: Agent) -> None:
        try:
            home = await self._backbone.get_home(agent.agent_id)
            place = (
                uuid_of(home["region_id"], "region_id"),
                vector3(home["position"], 8192.0),
                vector3(home["look_at"], 2.0),
            )
        except BackboneError as error:
            self.fail(agent, "You have not set a home yet." if error.status == 404 else "Your home cannot be looked up now.")
            return
        self.to_region_id(agent, place[0], place[1], place[2], VIA_HOME)

    async def landmark(self, agent: Agent, asset_id: UUID) -> None:
        try:
            data = await self._assets.get(asset_id)
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
        facts = self._region.world.facts
        x, y, z = self._region.world.position(agent)
        corner_x, corner_y = facts.corner
        bucket = f"{corner_x}|{corner_y}|{x:.0f}|{y:.0f}|{z:.0f}|1|0|0|PG".encode()
        for target in targets:
            invitation = message_from(self._region, agent, target, LURE, uuid4(), text, bucket)
            await ask(self._region.metrics, self._backbone.send_message(invitation))

    def note_lure(self, agent: Agent, message: dict[str, Any]) -> None:
        """An instant message for the agent arrives: when it is a lure, remember where it leads."""
        if message.get("dialog") != LURE:
            return
        try:
            lure_id = uuid_of(message.get("id"), "id")
            lure = Lure(uuid_of(message.get("region_id"), "region_id"), vector3(message.get("position"), 8192.0))
        except ProtocolError:
            return
        while len(agent.lures) >= LURES_KEPT:
            agent.lures.pop(next(iter(agent.lures)))
        agent.lures[lure_id] = lure

    def take_lure(self, agent: Agent, lure_id: UUID) -> None:
        lure = agent.lures.get(lure_id)
        if lure is None:
            self.fail(agent, "That invitation has expired.")
            return
        self.to_region_id(agent, lure.region_id, lure.position, (1.0, 0.0, 0.0), VIA_LURE)

    # --- carried out

    def _local(self, agent: Agent, position: Vector, look_at: Vector, flags: int) -> None:
        if agent.circuit is None or not agent.root or self._under_way(agent):
            return
        world = self._region.world
        self._seating.stand(agent)
        row = world.row(agent)
        place = self._seating.safe_place(position, float(row["height"]))
        flying = bool(row["flying"])
        agent.circuit.send(Message("TeleportStart", Info={"TeleportFlags": flags}))
        row["position"] = place
        row["velocity"] = (0.0, 0.0, 0.0)
        row["sitting"] = 0
        row["on_ground"] = 0
        row["dirty"] = 1
        world.changes.agents.note(agent, What.PLACE)
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
        self._sessions.attachments.teleported_here(agent)
        self._region.metrics.count("teleports", label="local")

    def _under_way(self, agent: Agent) -> bool:
        """Whether the agent is on a journey already: two at once would make two avatars of it."""
        if agent.journey.teleporting:
            self.fail(agent, "You are teleporting already.")
        elif agent.journey.crossing:
            self.fail(agent, "You are walking into another region. Please try again.")
        else:
            return False
        return True

    async def _remote(self, agent: Agent, region: RegionRecord, position: Vector, look_at: Vector, flags: int) -> None:
        if not agent.root or agent.circuit is None or self._under_way(agent):
            return
        handovers, journey = self._neighbours.handovers, agent.journey
        transaction = handovers.begin(region, [journey.lineage])
        journey.step(Step.TELEPORT, transaction, region=region)
        agent.circuit.send(Message("TeleportStart", Info={"TeleportFlags": flags}))
        progress = {"TeleportFlags": flags, "Message": "sending_dest"}
        agent.circuit.send(Message("TeleportProgress", AgentData={"AgentID": agent.agent_id}, Info=progress))
        facts = self._region.world.facts
        state = agent_state(self._region.world, agent, Reason.TELEPORT, position)
        state.look_at, state.rotation = look_at, None
        state.velocity, state.controls = (0.0, 0.0, 0.0), 0
        state.views = {**agent.views.seeds, facts.region_id: self._cap_server.seed_url(agent)}
        state.origin = Origin(facts.region_id, self._inner_url)
        state.worn = self._sessions.attachments.pack(agent)
        state.transaction = transaction
        state.source, state.destination = self._neighbours.lease.owner, region.owner
        try:
            answer = await self._neighbours.peers.announce(region, state)
        except PeerError as error:
            log.warning("%s could not teleport to %s: %s", agent.name, region.name, error)
            if error.status == 0 and not error.nobody:
                handovers.take_back(transaction, region)
            if journey.is_by(transaction):
                journey.step(Step.STAY)
                self.fail(agent, f"{region.name} does not accept you right now.")
            return
        if not journey.is_by(transaction) or agent.events is None:  # cancelled, or gone
            if journey.is_by(transaction):
                journey.step(Step.STAY)
            handovers.take_back(transaction, region)
            return
        journey.step(Step.SEND, transaction, region=region)
        if region.region_id not in agent.views.seeds:
            introduce(agent, region, answer["seed_capability"])
        flying = bool(self._region.world.row(agent)["flying"])
        agent.events.post(
            event(
                Message(
                    "TeleportFinish",
                    Info={
                        "AgentID": agent.agent_id,
                        "LocationID": 4,
                        "SimIP": region.ip,
                        "SimPort": region.port,
                        "RegionHandle": region.handle,
                        "SeedCapability": answer["seed_capability"],
                        "SimAccess": region.access,
                        "TeleportFlags": flags | (0x2000 if flying else 0),
                    },
                )
            )
        )
        self._region.tasks.after(ARRIVAL_LIMIT, lambda: self._doubt(agent, region, transaction))

    def cancel(self, agent: Agent) -> None:
        """The user thought better of it. Who has been told to go is going, and nothing happens."""
        if agent.journey.at is not At.ASKING:
            self._region.metrics.count("messages_dropped", label="nothing to cancel")
            return
        agent.journey.step(Step.STAY)  # whoever waits for the destination's answer takes it back there
        self.fail(agent, CANCELLED)

    def departed(self, agent: Agent, transaction: UUID | None) -> None:
        """The destination has the avatar: here it goes, and the agent looks on as a child.

        It says by which hand-over; news of an earlier one are late, and mean nothing.
        """
        if not agent.journey.teleporting or transaction not in (None, agent.journey.transaction):
            return
        self._region.metrics.count("teleports", label="departed")
        self._sessions.demote(agent, Step.GO)

    def _doubt(self, agent: Agent, region: RegionRecord, transaction: UUID) -> None:
        self._region.tasks.spawn(self._give_up(agent, region, transaction), "teleport")

    async def _give_up(self, agent: Agent, region: RegionRecord, transaction: UUID) -> None:
        """Nothing was heard of the arrival. It may have been the news that got lost, not the viewer."""
        if not agent.journey.is_by(transaction):
            return
        facts = self._region.world.facts
        body = {"region_id": str(facts.region_id), "agents": {}, "unless_arrived": True}
        heard = True
        try:
            await self._neighbours.peers.void(region, transaction, body)
        except PeerError as error:
            if error.status == 409:
                self.departed(agent, transaction)
                return
            heard = error.nobody
        if not agent.journey.is_by(transaction):
            return
        agent.journey.step(Step.STAY)
        self.fail(agent, "The destination did not hear from your viewer.")
        if not heard:
            self._neighbours.handovers.take_back(transaction, region, [agent])

    def fail(self, agent: Agent, reason: str) -> None:
        """By the event queue: neither library acts on the UDP form. Some read the reason in one block, some in the other."""
        self._region.metrics.count("teleports", label="failed")
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
                position = vector3([float(word) for word in words[1:]], 8192.0)
        except ValueError as error:
            raise ProtocolError(f"a landmark line that cannot be read: {line[:60]!r}") from error
    if region_id == NULL:
        raise ProtocolError("a landmark without a region")
    return region_id, position
