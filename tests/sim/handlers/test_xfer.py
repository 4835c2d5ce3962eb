"""Files that viewers fetch by Xfer."""

from __future__ import annotations

import struct

import pytest

from protocol.message import Message
from sim.handlers.xfer import KEPT, MOST_BYTES, MOST_FILES, NOT_FOUND, WINDOW
from tests.kit.world import TestSimulator, Viewer, add_root

LAST = 1 << 31


def flow(sim: TestSimulator) -> None:
    """What waits for its throttle leaves."""
    for _ in range(20):
        sim.clock.advance(0.1)
        sim.circuits.keep()


def ask(viewer: Viewer, name: str, transfer_id: int = 7) -> None:
    viewer.sends(Message("RequestXfer", XferID={"ID": transfer_id, "Filename": name.encode() + b"\0"}))


def packets(viewer: Viewer) -> list[tuple[int, bytes]]:
    return [(sent["XferID"]["Packet"], sent["DataPacket"]["Data"]) for sent in viewer.heard("SendXferPacket")]


@pytest.mark.parametrize("size", [0, 1, 1000, 1001, 25_000])
async def test_a_file_comes_whole_a_few_packets_at_a_time(sim: TestSimulator, size: int) -> None:
    anna = add_root(sim)
    data = bytes(n % 251 for n in range(size))
    ask(anna, sim.xfers.offer(anna.agent, data))
    flow(sim)
    got: list[tuple[int, bytes]] = []
    while not got or not got[-1][0] & LAST:
        fresh = packets(anna)[len(got) :]
        assert 0 < len(fresh) <= WINDOW
        got += fresh
        for number, _ in fresh:
            anna.sends(Message("ConfirmXferPacket", XferID={"ID": 7, "Packet": number}))
        flow(sim)
    assert [number & ~LAST for number, _ in got] == list(range(max(1, -(-size // 1000))))
    whole = b"".join(piece for _, piece in got)
    assert struct.unpack_from("<i", whole)[0] == size and whole[4:] == data
    assert len(packets(anna)) == len(got)


async def test_a_file_is_for_one_agent_and_for_a_minute(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    name = sim.xfers.offer(anna.agent, b"contents")
    for viewer, asked in ((bert, name), (anna, "inventory_other.tmp"), (anna, "../../etc/passwd")):
        viewer.forget()
        ask(viewer, asked)
        flow(sim)
        assert not packets(viewer) and viewer.heard("AbortXfer")[0]["XferID"]["Result"] == NOT_FOUND
    ask(anna, name)
    flow(sim)
    assert len(packets(anna)) == 1
    sim.clock.advance(KEPT + 1)
    sim.xfers.offer(anna.agent, b"other")
    anna.forget()
    ask(anna, name, 8)
    assert anna.heard("AbortXfer")


async def test_a_greedy_client_costs_a_bounded_lot(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    theirs = sim.xfers.offer(bert.agent, b"mine")
    for _ in range(2 * MOST_FILES):
        sim.xfers.offer(anna.agent, bytes(MOST_BYTES // 8))
    assert sum(len(file.data) for file in sim.xfers._files.values() if file.agent is anna.agent) <= MOST_BYTES
    assert sim.xfers.find(bert.agent, theirs) is not None
    name = sim.xfers.offer(anna.agent, bytes(100_000))
    for number in range(3 * MOST_FILES):
        ask(anna, name, number)
    flow(sim)
    assert len(sim.xfers._files[name].sent) == MOST_FILES
    for number in (0, 1, 2, 5, 0xFFFFFFFF):
        anna.sends(Message("ConfirmXferPacket", XferID={"ID": 1, "Packet": number}))
        anna.sends(Message("AbortXfer", XferID={"ID": number, "Result": 0}))
