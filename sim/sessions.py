"""The life of an agent in one region.

    announced   a service (login, teleport, a neighbour) says who may come; capabilities are live at once
    opened      UseCircuitCode came from a client
    ready       RegionHandshakeReply came: updates may flow to it
    root        CompleteAgentMovement made its avatar appear; only an agent announced as arriving may
    gone        logged out, lost, kicked, or walked on to where this region is out of sight

Every transition is idempotent, since each rests on a datagram that may come twice or on a call that may be repeated.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from protocol.appearance import DEFAULT_VISUAL_PARAMS, default_texture_entry
from protocol.message import Message
from sim.caps.event_queue import EventQueue
from sim.neighbours.state import HandOff, Reason
from sim.world.agent import Agent, Vector
from sim.world.journey import Gone, Step

if TYPE_CHECKING:
    from sim.actions.sit import Seating
    from sim.attachments import Attachments
    from sim.caps.server import CapServer
    from sim.circuits.circuits import Circuits
    from sim.interest.interest import Interest
    from sim.region import Region

log = logging.getLogger(__name__)

# The libraries acknowledge a RegionHandshake that overtakes the ack of UseCircuitCode without reading it.
CHILD_HANDSHAKE_DELAY = 0.08
HANDSHAKE_RETRY = 3.0
HANDSHAKE_TRIES = 8
# An announced agent that never shows up is forgotten; viewers try for about a minute.
ANNOUNCED_LIMIT = 90.0
ARRIVAL_LIMIT = 80.0
# Where it came from gives a teleport up a little later: until then it must not come here any more.
TELEPORT_LIMIT = 60.0


def look_rotation(look_at: Vector) -> tuple[float, float, float, float]:
    """The rotation about z that faces along `look_at` (x y z w)."""
    yaw = math.atan2(look_at[1], look_at[0])
    return 0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)


class Around(Protocol):
    """Who must know of an agent's coming and going: the grid's records, the regions around (`neighbours/`)."""

    def arrived(self, agent: Agent, arrival: HandOff) -> None:
        """Its avatar appeared here."""

    def leaving(self, agent: Agent) -> None:
        """It ends here for good."""

    def logged_out(self, agent: Agent) -> None:
        """Its session ends."""

    def came_late(self, agent: Agent) -> None:
        """Its viewer comes to where its avatar is no more."""


class Sessions:
    def __init__(
        self, region: Region, circuits: Circuits, interest: Interest, seating: Seating, cap_server: CapServer,
        attachments: Attachments,
    ) -> None:  # fmt: skip
        self._region, self._world = region, region.world
        self._circuits, self._interest, self._seating, self._cap_server = circuits, interest, seating, cap_server
        self.attachments = attachments
        self._around: Around
        self._welcome: Callable[[Agent, HandOff], None]

    def serve(self, around: Around, welcome: Callable[[Agent, HandOff], None]) -> None:
        """Whom to tell of agents, and who greets them: parts that are made after this one."""
        self._around, self._welcome = around, welcome

    # --- announced

    def announce(self, state: HandOff) -> Agent:
        """Expect an agent, as root or child. `state` is validated by the caller (`neighbours/state.py`)."""
        agent_id = state.agent_id
        agent = self._world.agents.get(agent_id)
        if agent is not None and agent.session_id != state.session_id:
            self.kick(agent, "You have logged in from another place.")
            agent = None
        if agent is not None and agent.root and state.reason in (Reason.TELEPORT, Reason.CROSSING):
            # Whoever hands it over has the avatar, and what stands here is what it left behind: the word of its
            # departure is still on the way.
            self.demote(agent, Step.YIELD)
        if agent is None:
            agent = Agent(
                agent_id,
                state.session_id,
                state.secure_session_id,
                state.circuit_code,
                state.first,
                state.last,
                created_at=self._region.clock.now(),
                spectator=state.spectator,
            )
            agent.events = EventQueue()
            self._cap_server.grant(agent)
            self._world.agents[agent_id] = agent
            self._region.tasks.after(ANNOUNCED_LIMIT, lambda: self._forget_if_unseen(agent))
        elif agent.events is None or agent.events.closed:
            agent.events = EventQueue()
        if state.reason is not Reason.CHILD and agent.child:
            agent.journey.step(Step.EXPECT, state.transaction, arrival=state)
            agent.arrival_position = self._seating.safe_place(state.position, agent.appearance.size[2])
            agent.arrival_look_at = state.look_at
            limit = TELEPORT_LIMIT if state.reason is Reason.TELEPORT else ARRIVAL_LIMIT
            self._region.tasks.after(limit, lambda: self._arrival_expires(agent, state))
        elif agent.child and agent.arrival is None:
            agent.camera.center = state.position
        self._take_appearance(agent, state)
        if not agent.appearance.texture_entry:
            # Many clients never say how they look: others would see a cloud.
            agent.appearance.texture_entry = default_texture_entry()
            agent.appearance.visual_params = DEFAULT_VISUAL_PARAMS
        return agent

    @staticmethod
    def _take_appearance(agent: Agent, state: HandOff) -> None:
        """What is told replaces what is known; a login tells nothing of it."""
        if state.appearance is not None:
            agent.appearance = replace(state.appearance)
            agent.wearables = list(state.wearables)
            agent.group_title = state.title

    def _forget_if_unseen(self, agent: Agent) -> None:
        """A view that was never taken up. Who has been announced as arriving since has a time limit of its own."""
        if agent.circuit is None and agent.arrival is None and self._world.agents.get(agent.agent_id) is agent:
            self.lost(agent, "never came")

    def _arrival_expires(self, agent: Agent, state: HandOff) -> None:
        """Announced as arriving, but it never moved in: after a crossing nobody else has it, so its session ends."""
        if agent.arrival is not state or self._world.agents.get(agent.agent_id) is not agent:
            return
        if state.reason is Reason.TELEPORT and agent.circuit is not None:
            agent.journey.step(Step.GIVE_UP)  # it may look in; its avatar is still where it came from
        else:
            self.lost(agent, "never arrived")

    # --- opened

    def circuit_opened(self, agent: Agent) -> None:
        """UseCircuitCode was accepted, now or again: a handshake follows, for who is about to arrive with its movement.

        A root agent gets one here too: over a bad line UseCircuitCode may come after the CompleteAgentMovement behind it.
        """
        agent.ready = False
        self._interest.forget_viewer(agent)
        if agent.arrival is None:
            self._region.tasks.after(CHILD_HANDSHAKE_DELAY, lambda: self._handshake(agent, HANDSHAKE_TRIES))

    def _handshake(self, agent: Agent, tries: int) -> None:
        """RegionHandshake, again until the reply: a viewer that missed it stands in the dark."""
        circuit = agent.circuit
        if agent.ready or circuit is None or circuit.closed or tries == 0:
            return
        facts = self._world.facts
        low, grass, mountain, rock = self._world.texture_layers
        corners = ("00", "01", "10", "11")
        circuit.send(
            Message(
                "RegionHandshake",
                RegionInfo={
                    "RegionFlags": facts.flags,
                    "SimAccess": facts.access,
                    "SimName": facts.name,
                    "SimOwner": facts.owner_id,
                    "IsEstateManager": False,
                    "WaterHeight": facts.water_height,
                    "BillableFactor": 1.0,
                    "CacheID": facts.cache_id,
                    "TerrainDetail0": low,
                    "TerrainDetail1": grass,
                    "TerrainDetail2": mountain,
                    "TerrainDetail3": rock,
                    **{f"TerrainStartHeight{corner}": 18.0 for corner in corners},
                    **{f"TerrainHeightRange{corner}": 30.0 for corner in corners},
                },
                RegionInfo2={"RegionID": facts.region_id},
                RegionInfo3={
                    "CPUClassID": 1,
                    "CPURatio": 1,
                    "ColoName": "mainland",
                    "ProductSKU": "mainland",
                    "ProductName": "Mainland",
                },
                RegionInfo4=[{"RegionFlagsExtended": facts.flags, "RegionProtocols": 0}],
            )
        )
        self._region.tasks.after(HANDSHAKE_RETRY, lambda: self._handshake(agent, tries - 1))

    # --- ready

    def handshake_replied(self, agent: Agent, flags: int) -> None:
        agent.handshake_flags = flags
        if not agent.ready:
            agent.ready = True
            self._interest.begin_viewer(agent)

    # --- root

    def movement_completed(self, agent: Agent) -> None:
        """CompleteAgentMovement: the avatar appears where it was announced to."""
        if agent.circuit is None:
            return
        if agent.child:
            if agent.arrival is None:
                self._region.metrics.count("messages_dropped", label="not announced")
                self._around.came_late(agent)
                return
            self._embody(agent, agent.arrival)
        agent.journey.viewer_came = True
        position = self._world.position(agent)
        agent.circuit.send(
            Message(
                "AgentMovementComplete",
                AgentData={"AgentID": agent.agent_id, "SessionID": agent.session_id},
                Data={
                    "Position": position,
                    "LookAt": agent.arrival_look_at,
                    "RegionHandle": self._world.facts.handle,
                    "Timestamp": int(self._region.clock.unix()),
                },
                SimData={"ChannelVersion": "Mainland 0.1"},
            )
        )
        if not agent.ready:
            self._handshake(agent, HANDSHAKE_TRIES)

    def take_over(self, agent: Agent) -> None:
        """An avatar walked in: it is ours from now on. It appears at once if its viewer looks in already."""
        if agent.child and agent.arrival is not None and agent.circuit is not None and agent.ready:
            self._embody(agent, agent.arrival)

    def _embody(self, agent: Agent, arrival: HandOff) -> None:
        agent.journey.step(Step.ARRIVE, arrival.transaction)
        agent.journey.lineage = arrival.lineage_here
        agent.arrived_at = self._region.clock.now()
        self._world.embody(agent, agent.arrival_position)
        row = self._world.row(agent)
        row["velocity"] = arrival.velocity
        row["rotation"] = arrival.rotation or look_rotation(agent.arrival_look_at)
        row["controls"] = arrival.controls
        row["flying"], row["running"] = arrival.flying, arrival.running
        seat = arrival.seat
        if seat is not None and seat.prim.row >= 0:
            self._seating.sit(agent, seat)
        self.attachments.arrived(agent, arrival)
        for animation in arrival.animations:
            agent.animation_sequence += 1
            agent.animations[animation] = agent.animation_sequence
        agent.overrides = dict(arrival.overrides)
        log.info("%s arrived (%s)", agent.name, arrival.reason)
        self._around.arrived(agent, arrival)
        self._welcome(agent, arrival)

    # --- gone

    def logged_out(self, agent: Agent) -> None:
        """The viewer leaves the grid.

        It may say so before its avatar appeared, or where its avatar was until a moment ago: a client that has not
        read of the crossing, or cannot cross, still speaks to the region behind it.
        """
        if agent.child and agent.arrival is None and agent.journey.gone is None:
            self._region.metrics.count("messages_dropped", label="not root")
            return
        if agent.circuit is not None:
            ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
            nothing = [{"ItemID": UUID(int=0)}]
            reply = Message("LogoutReply", AgentData=ids, InventoryData=nothing)
            self._circuits.farewells.say(agent.circuit, reply)
        self._leave_grid(agent, "logout")

    def lost(self, agent: Agent, reason: str) -> None:
        """The client vanished: for a root agent that ends the session, for a child only its view from here."""
        log.info("%s lost: %s", agent.name, reason)
        if agent.root or (agent.arrival is not None and agent.arrival.reason is not Reason.TELEPORT):
            self._leave_grid(agent, reason)
        else:
            self.remove(agent, reason)

    def kick(self, agent: Agent, reason: str) -> None:
        """End an agent here and tell its client why. The caller, or nobody, answers for the grid's records."""
        if self._world.agents.get(agent.agent_id) is not agent:
            return  # it is gone; the person may be here again already, in a new session
        if agent.circuit is not None and reason:
            target = {"TargetIP": "0.0.0.0", "TargetPort": 0}
            user = {"AgentID": agent.agent_id, "SessionID": agent.session_id, "Reason": reason}
            self._circuits.farewells.say(agent.circuit, Message("KickUser", TargetBlock=target, UserInfo=user))
        self.attachments.leaving(agent)
        self._around.leaving(agent)
        self.remove(agent, "kicked")

    def _leave_grid(self, agent: Agent, reason: str) -> None:
        self.attachments.leaving(agent)
        self._around.logged_out(agent)
        self.remove(agent, reason)

    def demote(self, agent: Agent, step: Step, gone: Gone | None = None) -> None:
        """The avatar went to another region, or turns out to be there; the agent goes on looking in from there."""
        agent.journey.step(step, gone=gone)
        agent.views.seeds.clear()
        self._seating.release(agent)
        self._world.disembody(agent)
        agent.animations.clear()
        agent.animation_sources.clear()
        agent.overrides.clear()

    def remove(self, agent: Agent, reason: str) -> None:
        """Forget an agent here: avatar, circuit, capabilities, event queue."""
        self._interest.forget_viewer(agent)
        self._seating.release(agent)
        self._world.remove(agent)
        if agent.circuit is not None:
            self._circuits.close(agent.circuit, reason)
        self._cap_server.revoke(agent)
        if agent.events is not None:
            agent.events.close()
            agent.events = None
