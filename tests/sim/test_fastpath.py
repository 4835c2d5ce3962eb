"""AgentUpdates by the kernel do what the handler does, and nothing odd goes that way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from protocol import packet
from protocol.message import Message, encode
from sim.circuits.datagrams import SLOT, TAKEN
from sim.handlers.movement import FLY, SIT_ON_GROUND, STAND_UP
from tests.kit.world import TestSimulator, Viewer, add_root, region


@pytest.fixture
async def other() -> Any:
    with region("Other") as sim:
        yield sim


def datagram(viewer: Viewer, flags: int = packet.ZEROCODED, **fields: Any) -> bytes:
    ids = {"AgentID": viewer.agent.agent_id, "SessionID": viewer.agent.session_id}
    return packet.build(encode(Message("AgentUpdate", AgentData={**ids, **fields})), 7, flags)


def sift(sim: TestSimulator, *received: tuple[Viewer, bytes]) -> list[bool]:
    """Which of a batch the kernel took."""
    n = len(received)
    buffer = np.zeros(max(n, 1) * SLOT, np.uint8)
    for i, (_, data) in enumerate(received):
        buffer[i * SLOT : i * SLOT + len(data)] = np.frombuffer(data, np.uint8)
    keys = np.array([viewer.circuit.key for viewer, _ in received], np.uint64)
    lengths = np.array([len(data) for _, data in received], np.int64)
    sim.circuits._sift(n, buffer, keys, lengths)
    return (lengths == TAKEN).tolist()


def known(sim: TestSimulator) -> Viewer:
    """One whose first AgentUpdate went by the handler."""
    viewer = add_root(sim)
    viewer.sends(Message("AgentUpdate", AgentData={"CameraCenter": (1.0, 2.0, 3.0)}))
    return viewer


def updates(seed: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(seed)

    def vector(size: float) -> tuple[float, float, float]:
        x, y, z = (float(np.float32(chance.uniform(-size, size))) for _ in range(3))
        return x, y, z

    for _ in range(200):
        rotation = np.array([chance.gauss(0, 1) for _ in range(4)])
        rotation /= np.linalg.norm(rotation) * (1 if rotation[3] >= 0 else -1)
        yield {
            "BodyRotation": tuple(rotation.tolist()),
            "CameraCenter": chance.choice([(0.0, 0.0, 0.0), vector(200), (9000.0, 0.0, 0.0)]),
            "CameraAtAxis": vector(1),
            "CameraLeftAxis": vector(1),
            "CameraUpAxis": vector(1),
            "Far": chance.choice([0.0, 96.0, 5000.0]),
            "ControlFlags": chance.choice([0, 1, FLY, STAND_UP, SIT_ON_GROUND, 0x10 | 1, 0x80000, FLY | 0x400]),
        }


@pytest.mark.parametrize("sitting", [0, 1])
async def test_does_what_the_handler_does(sim: TestSimulator, other: TestSimulator, sitting: int) -> None:
    fast, slow = known(sim), known(other)
    chance = random.Random(5)
    for number, fields in enumerate(updates(sitting)):
        for world in (sim.world, other.world):
            world.row(world.agent_of_row[0])["sitting"] = sitting
        flags = packet.ZEROCODED if number % 2 else 0
        assert sift(sim, (fast, datagram(fast, flags, **fields))) == [True]
        slow.sends(Message("AgentUpdate", AgentData=fields))
        a, b = sim.world.row(fast.agent), other.world.row(slow.agent)
        assert a["controls"] == b["controls"] and a["flying"] == b["flying"]
        assert a["rotation"].tolist() == pytest.approx(b["rotation"].tolist(), abs=1e-5)
        for name in ("center", "at", "left", "up", "far"):
            assert getattr(fast.agent.camera, name) == pytest.approx(getattr(slow.agent.camera, name), abs=1e-4), name
        if chance.random() < 0.5:  # a step of the world passes
            sim.world.time += 1
            other.world.time += 1


async def test_the_handler_and_the_kernel_share_one_rate(sim: TestSimulator) -> None:
    anna = known(sim)
    data = datagram(anna)
    for _ in range(500):
        sift(sim, (anna, data))
    assert sim.metrics.value("messages_dropped", "rate control") > 0
    before = sim.metrics.value("messages_dropped", "rate control")
    anna.sends(Message("AgentUpdate", AgentData={}))
    assert sim.metrics.value("messages_dropped", "rate control") == before + 1


async def test_odd_ones_are_left(sim: TestSimulator) -> None:
    anna, ben = known(sim), known(sim)
    stranger = add_root(sim)  # its first one must go by the handler
    nan = datagram(anna, CameraCenter=(1.0, 2.0, 3.0), flags=0)
    nan = nan[:64] + b"\x00\x00\xc0\x7f" + nan[68:]
    assert sift(sim, (stranger, datagram(stranger))) == [False]
    for odd in (
        datagram(anna, packet.RELIABLE),
        datagram(ben),  # somebody else's ids
        datagram(anna, AgentID=uuid4()),
        nan,
        datagram(anna)[:30],  # within the session's id: cut later, a run of zeros may stand for all the rest
        datagram(anna)[:9] + b"\x00",
        b"",
        b"\x80\x00\x00\x00\x01\xff\x04",
        b"\x00\x00\x00\x00\x01\x00\xff\xff\xff\xfb\x01\x01\x00\x00\x00",
    ):
        assert sift(sim, (anna, odd)) == [False], odd
    assert sift(sim, (anna, datagram(anna))) == [True]


async def test_one_left_lying_keeps_the_order(sim: TestSimulator) -> None:
    anna, ben = known(sim), known(sim)
    assert sift(
        sim,
        (anna, datagram(anna)),
        (anna, datagram(anna, packet.RELIABLE)),
        (ben, datagram(ben)),
        (anna, datagram(anna)),
    ) == [True, False, True, False]


async def test_who_has_left_is_not_moved(sim: TestSimulator) -> None:
    anna = known(sim)
    sim.world.disembody(anna.agent)
    ben = add_root(sim)  # in the same row
    assert ben.agent.row == 0
    assert sift(sim, (anna, datagram(anna, ControlFlags=1))) == [False]
    assert sim.world.row(ben.agent)["controls"] == 0
    circuit = anna.circuit
    sim.circuits.close(circuit, "test")
    assert sift(sim, (anna, datagram(anna))) == [False]
