"""What a region tells every viewer regularly: how it is doing, what time it is, and where people are on the map.

    SimStats 3 s    SimulatorViewerTimeMessage 10 s    CoarseLocationUpdate 5 s, or within a second of a change

Every figure is measured; none is scaled (the ids are those of the public message SimStats).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from protocol.message import Message, encode

if TYPE_CHECKING:
    from sim.simulator import Simulator
    from sim.world.agent import Agent

SECONDS_PER_DAY, SECONDS_PER_YEAR = 14400, 14400 * 11  # a day in the world is four hours, a year eleven days


class Statistics:
    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        now = sim.clock.now()
        self._next_stats = now + 3.0
        self._next_time = now + 10.0
        self._next_coarse = now + 5.0
        self._last: dict[str, float] = {}
        self._last_at = now

    def update(self, viewers: Iterable[Agent]) -> None:
        now = self.sim.clock.now()
        marks = self.sim.world.marks
        if marks.coarse and self._next_coarse > now + 0.5:
            self._next_coarse = now + 0.5
        marks.coarse = False
        if now >= self._next_stats:
            self._next_stats = now + 3.0
            stats = self._stats_message(now)
            _broadcast(viewers, stats)
        if now >= self._next_time:
            self._next_time = now + 10.0
            _broadcast(viewers, self.time_message())
        if now >= self._next_coarse:
            self._next_coarse = now + 5.0
            self._send_coarse(viewers)

    def greet(self, agent: Agent) -> None:
        """What a new viewer should not wait ten seconds for."""
        if agent.circuit is not None:
            agent.circuit.send(self.time_message(), reliable=False)
            self._send_coarse([agent])

    # --- time of day

    def time_message(self) -> Message:
        unix = self.sim.clock.unix()
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
        world = self.sim.world
        roots = list(world.roots())[:250]
        locations = []
        for agent in roots:
            x, y, z = world.position(agent)
            locations.append({"X": _byte(x), "Y": _byte(y), "Z": _byte(z / 4)})
        people = [{"AgentID": agent.agent_id} for agent in roots]
        order = {agent: number for number, agent in enumerate(roots)}
        for viewer in viewers:
            if viewer.circuit is not None:
                index = {"You": order.get(viewer, -1), "Prey": -1}
                message = Message("CoarseLocationUpdate", Location=locations, Index=index, AgentData=people)
                viewer.circuit.send(message, reliable=False)

    # --- figures

    def _stats_message(self, now: float) -> Message:
        sim = self.sim
        world, metrics, frame = sim.world, sim.metrics, sim.frame
        span = max(now - self._last_at, 1e-6)
        self._last_at = now

        def rate(name: str, value: float) -> float:
            before = self._last.get(name, value)
            self._last[name] = value
            return (value - before) / span

        fps, steps = frame.rates()
        stages = {name: seconds for name, seconds in metrics.stage_seconds.items()}
        frames = max(rate("frames", metrics.plain["frames"]) * span, 1.0)
        milliseconds = {name: rate(f"stage {name}", seconds) * span / frames * 1e3 for name, seconds in stages.items()}
        net = sum(milliseconds.get(name, 0.0) for name in ("receive", "keep", "flush"))
        busy = sum(milliseconds.values())
        updates = rate("agent updates", metrics.plain["agent_updates"])
        figures = {
            0: world.dilation,
            1: fps,
            2: steps,
            3: updates,
            4: busy,
            5: net,
            6: milliseconds.get("timers", 0.0) + milliseconds.get("interest", 0.0),
            7: milliseconds.get("step", 0.0),
            8: 0.0,  # agents move in the physics step
            9: 0.0,  # textures come from the asset store
            10: 0.0,
            11: 0.0,
            12: 0.0,
            13: sum(1 for _ in world.roots()),
            14: sum(1 for _ in world.children()),
            15: 0.0,
            16: 0.0,
            17: rate("in", metrics.plain["packets_in"]),
            18: rate("out", metrics.plain["packets_out"]),
            19: 0.0,
            20: 0.0,
            24: sum(circuit.unacked_bytes for circuit in sim.circuits.by_key.values()),
            31: 0.0,
            32: max(1e3 / 45 - busy, 0.0),
            33: max(1e3 / 45 - busy, 0.0),
        }
        facts = world.facts
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


def _broadcast(viewers: Iterable[Agent], message: Message) -> None:
    body = encode(message)
    for viewer in viewers:
        if viewer.circuit is not None:
            viewer.circuit.send_body(body, reliable=False, zerocode=message.spec.zerocoded)


def _byte(value: float) -> int:
    return min(max(int(value), 0), 255)


