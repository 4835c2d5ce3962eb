"""What a region tells every viewer regularly: how it is doing, what time it is, and where people are on the map.

    SimStats 3 s    SimulatorViewerTimeMessage 10 s    CoarseLocationUpdate 5 s, or within a second of a change

In a crowd that change comes all the time and the map is long: the second becomes five. A message for everybody is encoded
once and leaves to some of them each frame, since a thousand datagrams at once are a frame's worth of time.

Every figure is measured; none is scaled (the ids are those of the public message SimStats).
"""

from __future__ import annotations

import itertools
import math
import struct
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from protocol.message import Message, encode
from sim.world.changes import What

if TYPE_CHECKING:
    from sim.gauges import Gauges
    from sim.region import Region
    from sim.world.agent import Agent

MAP_DOTS = 250
VIEWERS_A_FRAME = 64  # that one broadcast reaches
_YOU = struct.Struct("<h")
SECONDS_PER_DAY, SECONDS_PER_YEAR = 14400, 14400 * 11  # a day in the world is four hours, a year eleven days


class Statistics:
    def __init__(self, region: Region, gauges: Gauges) -> None:
        self._region, self._world = region, region.world
        self._gauges = gauges
        self._moved = region.world.changes.agents.reader(What.MADE | What.GONE | What.PLACE | What.SEAT)
        now = region.clock.now()
        self._next_stats = now + 3.0
        self._next_time = now + 10.0
        self._next_coarse = now + 5.0
        self._last: dict[str, float] = {}
        self._last_at = now
        self._coarse: tuple[bytes, bytes, dict[Agent, int]] | None = None  # the map, in front of and behind You
        self._coarse_until = 0.0
        self._leaving: deque[tuple[Agent, bytes, bool]] = deque()

    def update(self, viewers: Iterable[Agent]) -> None:
        now = self._region.clock.now()
        soon = 0.5 + len(self._world.avatars.rows[: self._world.avatars.count]) / 100
        if len(self._moved):
            self._moved.take()
            self._next_coarse = min(self._next_coarse, now + soon)
        if now >= self._next_stats:
            self._next_stats = now + 3.0
            stats = self._stats_message(now)
            self._broadcast(viewers, stats)
        if now >= self._next_time:
            self._next_time = now + 10.0
            self._broadcast(viewers, self.time_message())
        if now >= self._next_coarse:
            self._next_coarse = now + 5.0
            self._send_coarse(viewers)
        for _ in range(min(len(self._leaving), VIEWERS_A_FRAME)):
            viewer, body, zerocode = self._leaving.popleft()
            if viewer.circuit is not None:
                viewer.circuit.send_body(body, reliable=False, zerocode=zerocode)

    def _broadcast(self, viewers: Iterable[Agent], message: Message) -> None:
        body, zerocode = encode(message), message.spec.zerocoded
        self._leaving.extend((viewer, body, zerocode) for viewer in viewers)

    def greet(self, agent: Agent) -> None:
        """What a new viewer should not wait ten seconds for."""
        if agent.circuit is not None:
            agent.circuit.send(self.time_message(), reliable=False)
            self._send_coarse([agent])

    # --- time of day

    def time_message(self) -> Message:
        unix = self._region.clock.unix()
        phase = (unix % SECONDS_PER_DAY) / SECONDS_PER_DAY * 2 * math.pi
        direction = (math.cos(phase), 0.0, math.sin(phase))
        return Message(
            "SimulatorViewerTimeMessage",
            TimeInfo={
                "UsecSinceStart": int(unix * 1e6),
                "SecPerDay": SECONDS_PER_DAY,
                "SecPerYear": SECONDS_PER_YEAR,
                "SunDirection": direction,
                "SunPhase": phase,
                "SunAngVelocity": (0.0, 2 * math.pi / SECONDS_PER_DAY, 0.0),
            },
        )

    # --- map dots

    def _send_coarse(self, viewers: Iterable[Agent]) -> None:
        # Only You differs between viewers: behind the message number, the count and three bytes a location.
        before, after, order = self._map()
        for viewer in viewers:
            self._leaving.append((viewer, before + _YOU.pack(order.get(viewer, -1)) + after, False))

    def _map(self) -> tuple[bytes, bytes, dict[Agent, int]]:
        """The message around You, and who is which dot. Arrivals in a crowd share one that is not quite new."""
        world, now = self._world, self._region.clock.now()
        if self._coarse is not None and now < self._coarse_until:
            return self._coarse
        roots = list(itertools.islice(world.roots(), MAP_DOTS))
        locations = []
        for agent in roots:
            x, y, z = world.position(agent)
            locations.append({"X": _byte(x), "Y": _byte(y), "Z": _byte(z / 4)})
        people = [{"AgentID": agent.agent_id} for agent in roots]
        order = {agent: number for number, agent in enumerate(roots)}
        index = {"You": -1, "Prey": -1}
        body = encode(Message("CoarseLocationUpdate", Location=locations, Index=index, AgentData=people))
        at = 3 + 3 * len(locations)
        self._coarse = body[:at], body[at + 2 :], order
        self._coarse_until = now + len(order) / 200
        return self._coarse

    # --- figures

    def _stats_message(self, now: float) -> Message:
        metrics, now_is = self._region.metrics, self._gauges.measure()
        span = max(now - self._last_at, 1e-6)
        self._last_at = now

        def rate(name: str, value: float) -> float:
            before = self._last.get(name, value)
            self._last[name] = value
            return (value - before) / span

        stages = {name: seconds for name, seconds in metrics.stage_seconds.items()}
        frames = max(rate("frames", metrics.plain["frames"]) * span, 1.0)
        milliseconds = {name: rate(f"stage {name}", seconds) * span / frames * 1e3 for name, seconds in stages.items()}
        net = sum(milliseconds.get(name, 0.0) for name in ("receive", "keep", "flush"))
        busy = sum(milliseconds.values())
        physics = {
            part: rate(f"physics {part}", metrics.value("physics_seconds", part)) * span / frames * 1e3
            for part in ("bodies", "shapes")
        }
        step = milliseconds.get("step", 0.0)
        figures = {
            0: now_is["dilation"],
            1: now_is["frames_per_second"],
            2: now_is["steps_per_second"],
            3: rate("agent updates", metrics.plain["agent_updates"]),
            4: busy,
            5: net,
            6: milliseconds.get("timers", 0.0) + milliseconds.get("interest", 0.0),
            7: step,
            8: 0.0,  # agents move in the physics step
            9: 0.0,  # textures come from the asset store
            10: milliseconds.get("scripts", 0.0),
            11: now_is["prims"],
            12: now_is["prims_active"],
            13: now_is["root_agents"],
            14: now_is["child_agents"],
            15: now_is["scripts_running"],
            17: rate("in", metrics.plain["packets_in"]),  # no 16: compiled scripts do not count instructions
            18: rate("out", metrics.plain["packets_out"]),
            19: 0.0,  # nor do up- and downloads pass through here
            20: 0.0,
            24: now_is["unacked_bytes"],
            27: physics["bodies"],  # what 7 is made of
            28: physics["shapes"],
            29: max(step - physics["bodies"] - physics["shapes"], 0.0),
            31: rate("script events", metrics.plain["script_events"]),
            32: max(1e3 / 45 - busy, 0.0),
            33: max(1e3 / 45 - busy, 0.0),
        }
        facts = self._world.facts
        return Message(
            "SimStats",
            Region={
                "RegionX": facts.grid_x,
                "RegionY": facts.grid_y,
                "RegionFlags": facts.flags,
                "ObjectCapacity": 30000,
            },
            Stat=[{"StatID": number, "StatValue": float(value)} for number, value in figures.items()],
            PidStat={"PID": 0},
        )


def _byte(value: float) -> int:
    return min(max(int(value), 0), 255)
