"""The client over a bad network."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import pytest

from protocol import packet
from protocol.errors import ProtocolError
from protocol.message import identify
from tests.kit.fakegrid import FakeGrid
from tests.kit.lossy import TO_CLIENT, TO_SIM, LossyLink
from tests.kit.viewers import fake_viewer, quick
from tests.kit.waiting import eventually


@pytest.fixture
async def grid() -> AsyncIterator[FakeGrid]:
    async with FakeGrid(("West", 1000, 1000), ("East", 1001, 1000)) as grid:
        yield grid


def first_few(name: str, direction: str, count: int) -> object:
    """Drops the first ``count`` datagrams of that message in that direction."""
    left = count

    def drop(datagram: bytes, way: str) -> bool:
        nonlocal left
        if way != direction or left == 0:
            return False
        try:
            matches = identify(packet.parse(datagram).body).name == name
        except ProtocolError:
            return False
        left -= matches
        return matches

    return drop


@pytest.mark.parametrize("seed", [1, 2])
async def test_lives_and_crosses_with_a_fifth_lost(grid: FakeGrid, seed: int) -> None:
    link = LossyLink(seed, loss=0.2, duplicate=0.1, reorder=0.1, delay=(0.0, 0.02))
    # A busy machine is slow to bring news of a walk, and slow is not stuck: only the test's own bound ends it.
    habits = quick(resend_after=0.3, resends=200, route=link.route, stuck_after=60.0)
    try:
        async with fake_viewer(grid.login_uri, "Ann Test", "pw", "uri:West&252&128&26", habits) as ann:
            await ann.sees(ann)
            await eventually(lambda: any(r.name == "East" and r.queue for r in ann.regions.values()), what="a neighbour")
            await ann.walk_to((262, 128), timeout=100.0)
            await eventually(lambda: ann.root.name == "East" and math.dist(ann.position[:2], (6, 128)) < 2, what="there")
            for n in range(10):
                ann.say(f"line {n}")
            for n in range(10):
                await ann.hears(f"line {n}")
            await eventually(lambda: ann.root.land_received == 1.0, what="all land")
            assert [chat.text for chat in ann.chats].count("line 3") == 1  # duplicates are read once
            ann.unharmed()
            assert link.dropped and link.repeated
    finally:
        link.close()


@pytest.mark.parametrize(
    ("message", "direction"),
    [
        ("UseCircuitCode", TO_SIM),
        ("CompleteAgentMovement", TO_SIM),
        ("RegionHandshakeReply", TO_SIM),
        ("AgentMovementComplete", TO_CLIENT),
        ("PacketAck", TO_CLIENT),
    ],
)
async def test_any_of_the_vital_messages_may_be_lost(grid: FakeGrid, message: str, direction: str) -> None:
    link = LossyLink(drop_if=first_few(message, direction, 2))  # type: ignore[arg-type]
    try:
        habits = quick(resend_after=0.2, route=link.route)
        async with fake_viewer(grid.login_uri, "Ann Test", "pw", habits=habits) as ann:
            await ann.sees(ann)
            ann.unharmed()
            assert link.dropped == 2
    finally:
        link.close()


async def test_losses_are_counted(grid: FakeGrid) -> None:
    link = LossyLink(3)
    try:
        async with fake_viewer(grid.login_uri, "Ann Test", "pw", habits=quick(route=link.route)) as ann:
            await ann.sees(ann)
            link.loss = 0.5
            ann.movement.press(0x401)
            await eventually(lambda: ann.root.circuit.stats.missing > 5, what="missing numbers")
            ann.movement.release(0x401)
    finally:
        link.close()
