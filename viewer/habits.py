"""How a viewer behaves in time: every interval, limit and try count of the library, with its reason.

The defaults are a full viewer's, so that what works with them works for people.
Tests shorten a few; nothing else should.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Address = tuple[str, int]


def straight(address: Address) -> Address:
    """The default route: send to the simulator itself."""
    return address


@dataclass(frozen=True, slots=True)
class Habits:
    """Seconds unless said otherwise."""

    # UDP
    tick: float = 0.1  # chores of a client: acks, resends, pings, AgentUpdate. Acks are due "within about 100 ms"
    resend_after: float = 1.0  # or five averaged pings, whichever is longer, as viewers do
    resends: int = 3  # further tries of an ordinary reliable message
    resends_of_vital: int = 30  # of those a session cannot do without: UseCircuitCode, CompleteAgentMovement, ...
    ping_every: float = 5.0
    circuit_timeout: float = 100.0  # silence of the region we stand in ends the session
    resend_memory: int = 4096  # reliable numbers remembered to tell a duplicate

    # entering a region
    connect_timeout: float = 60.0  # from UseCircuitCode to AgentMovementComplete
    seed_tries: int = 5
    seed_retry: float = 1.0
    handshake_patience: float = 5.0  # a child's capabilities are asked for after its handshake, or after this

    # event queue
    poll_timeout: float = 65.0  # servers hold a poll for 10 to 58 s
    poll_fault_before: float = 10.0  # a 5xx that comes sooner is a fault of the server, not a timeout
    poll_fault_wait: float = 15.0  # then stay away for this long, and a little longer each time
    poll_faults: int = 10  # that many in a row end the queue

    # movement
    agent_update_gap: float = 0.1  # at most ten a second while something changes
    agent_update_idle: float = 1.0  # and one a second when nothing does
    draw_distance: float = 128.0  # metres, AgentUpdate.Far
    stuck_after: float = 6.0  # a walk that gets no nearer for so long is given up
    throttle: float = 1_500_000.0  # bits per second, all categories together

    # leaving
    logout_timeout: float = 5.0
    teleport_timeout: float = 60.0

    # limits against a hostile server
    max_regions: int = 64
    max_objects: int = 100_000  # per region
    max_pending_land: int = 4096  # LayerData payloads kept undecoded, per region
    max_http_body: int = 16 * 1024 * 1024

    # where datagrams for a simulator go instead; the test kit's lossy link hooks in here
    route: Callable[[Address], Address] = straight
