"""Who is shown to whom, and that what gets lost on the way is shown again."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from protocol import objects, packet
from protocol.message import Message, decode
from sim.circuits.circuits import PACKET_ACK
from sim.circuits.datagrams import Outgoing
from sim.circuits.fastpath import FastPath
from sim.circuits.flights import ROWS, WINDOW, Flights
from sim.interest.introductions import PACKETS_A_VIEWER
from tests.kit.world import TestSimulator, Viewer, add_root


class Wire:
    """What kernels pack, caught before it leaves; acknowledged at once, or by the test."""

    def __init__(self, sim: TestSimulator, *, acknowledged: bool = False) -> None:
        self.sim = sim
        self.acknowledged = acknowledged
        self.packets: list[tuple[int, packet.Packet]] = []  # circuit slot, packet
        sim.circuits.flush = self._flush  # type: ignore[method-assign]

    def _flush(self) -> None:
        out: Outgoing = self.sim.circuits.socket.outgoing
        for n in range(out.count):
            start, size = int(out.offsets[n]), int(out.lengths[n])
            arrived = packet.parse(out.buffer[start : start + size].tobytes())
            circuit = self.sim.circuits.by_key.get(int(out.keys[n]))
            if circuit is not None and arrived.flags & packet.RELIABLE:
                self.packets.append((circuit.slot, arrived))
                if self.acknowledged:
                    assert self.sim.circuits.flights.acknowledged(circuit.slot, arrived.sequence)
        out.count = out.used = 0

    def shown(self, viewer: Viewer) -> list[int]:
        """Local ids in the ObjectUpdates this viewer was sent, in order."""
        ids = []
        for slot, arrived in self.packets:
            message = decode(arrived.body)
            if slot == viewer.circuit.slot and message.name == "ObjectUpdate":
                ids += [block["ID"] for block in message["ObjectData"]]
        return ids

    def looks(self, viewer: Viewer) -> list[Message]:
        messages = [decode(arrived.body) for slot, arrived in self.packets if slot == viewer.circuit.slot]
        return [message for message in messages if message.name == "AvatarAppearance"]


def frames(sim: TestSimulator, count: int = 1, seconds: float = 1 / 45) -> None:
    for _ in range(count):
        sim.clock.advance(seconds)
        sim.frame.once(sim.clock.now())


async def test_everybody_is_shown_to_everybody_once_oneself_first(sim: TestSimulator) -> None:
    wire = Wire(sim, acknowledged=True)
    people = [add_root(sim, position=(20.0 + 8 * n, 100.0, 25.0)) for n in range(25)]
    for person in people:
        person.agent.updates_seen = 1
    frames(sim, 60)
    everybody = {person.agent.local_id for person in people}
    for person in people:
        shown = wire.shown(person)
        assert shown[0] == person.agent.local_id
        assert Counter(shown) == Counter(everybody)
        assert {look["Sender"]["ID"] for look in wire.looks(person)} == {p.id for p in people if p is not person}
    assert max(Counter(slot for slot, _ in wire.packets).values()) <= 60 * PACKETS_A_VIEWER
    assert not sim.interest.introductions.owed.any()
    assert not sim.metrics.labelled["stage_errors"]


async def test_the_near_are_shown_before_the_far(sim: TestSimulator) -> None:
    wire = Wire(sim, acknowledged=True)
    far = [add_root(sim, position=(200.0, 10.0 + 8 * n, 25.0)) for n in range(20)]
    near = [add_root(sim, position=(20.0, 100.0 + n, 25.0)) for n in range(5)]
    frames(sim)
    viewer = add_root(sim, position=(20.0, 100.0, 25.0))
    viewer.agent.updates_seen = 1
    frames(sim, 80)
    shown = wire.shown(viewer)
    assert len(shown) == 26
    first_far = min(shown.index(person.agent.local_id) for person in far)
    assert max(shown.index(person.agent.local_id) for person in near) < first_far + ROWS * PACKETS_A_VIEWER
    assert set(shown) == {p.agent.local_id for p in [*far, *near, viewer]}


async def test_what_was_lost_is_shown_again_as_it_is_then(sim: TestSimulator) -> None:
    wire = Wire(sim)
    anna, bert = add_root(sim), add_root(sim)
    anna.agent.updates_seen = 1
    frames(sim, 5)
    assert sorted(wire.shown(anna)) == sorted((anna.agent.local_id, bert.agent.local_id))
    wire.packets.clear()  # and nobody acknowledges them
    sim.world.row(bert.agent)["position"] = (30.0, 40.0, 50.0)
    frames(sim, 30, 0.1)
    assert sorted(set(wire.shown(anna))) == sorted((anna.agent.local_id, bert.agent.local_id))
    block = next(
        block
        for _, arrived in reversed(wire.packets)
        if (message := decode(arrived.body)).name == "ObjectUpdate"
        for block in message["ObjectData"]
        if block["ID"] == bert.agent.local_id
    )
    where = objects.decode_object_data(block["ObjectData"]).position
    assert where[:2] == pytest.approx((30.0, 40.0), abs=0.5)
    assert wire.looks(anna)
    assert sim.metrics.value("resends") > 0
    # Acknowledged, it is not said any more.
    for slot, arrived in wire.packets:
        sim.circuits.flights.acknowledged(slot, arrived.sequence)
    wire.packets.clear()
    frames(sim, 40, 0.1)
    assert wire.packets == []


async def test_who_acknowledges_nothing_is_not_flooded(sim: TestSimulator) -> None:
    wire = Wire(sim)
    people = [add_root(sim) for _ in range(60)]
    people[0].agent.updates_seen = 1
    sim.circuits.rates[people[0].circuit.slot] = 1e9
    sim.circuits.patience[people[0].circuit.slot] = 1e9
    for _ in range(200):
        sim.interest.introductions.owe([people[0].agent], [p.agent for p in people], 1)
        frames(sim)
    assert sum(slot == people[0].circuit.slot for slot, _ in wire.packets) <= WINDOW


async def test_somebody_who_leaves_is_owed_to_nobody_and_its_row_starts_anew(sim: TestSimulator) -> None:
    wire = Wire(sim)
    anna, bert = add_root(sim), add_root(sim)
    anna.agent.updates_seen = 1
    frames(sim, 3)
    wire.packets.clear()
    row = bert.agent.row
    sim.world.remove(bert.agent)
    carl = add_root(sim, "Carl Later")
    assert carl.agent.row == row
    frames(sim, 3)
    assert wire.shown(anna) == [carl.agent.local_id]
    frames(sim, 30, 0.1)  # bert's packet counts as lost: what is said again is true of who is there now
    assert set(wire.shown(anna)) <= {anna.agent.local_id, carl.agent.local_id}


async def test_very_large_looks_go_out_whole(sim: TestSimulator) -> None:
    wire = Wire(sim)
    anna, bert = add_root(sim), add_root(sim)
    noise = bytes(np.random.default_rng(1).integers(1, 255, 2048, dtype=np.uint8))
    bert.agent.appearance.texture_entry, bert.agent.appearance.visual_params = noise, noise[:255]
    anna.agent.updates_seen = 1
    frames(sim, 5)
    assert bert.agent.local_id in wire.shown(anna)
    assert any(look["ObjectData"]["TextureEntry"] == noise for look in wire.looks(anna))
    assert not sim.metrics.labelled["stage_errors"]


def launch(flights: Flights, slot: int, sequence: int, rows: list[int], due: float, kind: int = 1) -> None:
    flight = flights.table[slot, sequence % WINDOW]
    flight["sequence"], flight["due"], flight["kind"], flight["count"] = sequence, due, kind, len(rows)
    flight["rows"][: len(rows)] = rows
    flights.flying[slot] += 1


def test_only_overdue_flights_are_owed_again() -> None:
    flights, owed = Flights(), np.zeros((64, 128), np.uint8)
    launch(flights, 3, 1000, [5, 7], due=10.0)
    launch(flights, 3, 1001, [9], due=20.0, kind=2)
    launch(flights, 60, 1, [100], due=10.0)
    assert flights.acknowledged(60, 1)
    assert not flights.acknowledged(60, 1)
    assert not flights.acknowledged(3, 1000 + WINDOW)  # another one, in the same place
    assert sum(flights.lost(owed, 15.0) for _ in range(8)) == 1
    assert sorted(map(tuple, np.argwhere(owed))) == [(3, 5), (3, 7)]
    assert sum(flights.lost(owed, 25.0) for _ in range(8)) == 1
    assert owed[3, 9] == 2
    launch(flights, 3, 1002, [1], due=0.0)
    flights.forget(3)
    assert sum(flights.lost(owed, 99.0) for _ in range(8)) == 0
    assert not flights.flying.any()


async def test_acknowledgements_of_flights_need_no_python(sim: TestSimulator) -> None:
    """A PacketAck is taken when all it names are flights; else it is left, those it names have landed all the same."""
    anna = add_root(sim)
    flights, fast = sim.circuits.flights, FastPath()
    fast.learn(anna.circuit, anna.agent.row, anna.agent.local_id)
    slot = anna.circuit.slot

    def takes(data: bytes) -> bool:
        buffer = np.zeros(2048, np.uint8)
        buffer[: len(data)] = np.frombuffer(data, np.uint8)
        keys, lengths = np.array([anna.circuit.key], np.uint64), np.array([len(data)], np.int64)
        taken, _, updates, _ = fast.take(1, buffer, keys, lengths, sim.world.avatars.rows, flights, 1.0, 0.0)
        assert updates == 0
        return taken == 1

    def acks(*numbers: int) -> bytes:
        return PACKET_ACK + bytes([len(numbers)]) + b"".join(n.to_bytes(4, "little") for n in numbers)

    for number in (10, 11, 12):
        launch(flights, slot, number, [1], due=1e9)
    assert takes(packet.build(acks(10, 11), 1))
    assert not flights.table[slot, 10]["count"] and not flights.table[slot, 11]["count"]
    assert not takes(packet.build(acks(12, 13), 2))
    assert not flights.table[slot, 12]["count"]
    for cut in range(len(acks(1, 2))):
        takes(packet.build(acks(1, 2)[:cut], 3))  # no crash, whatever is missing
    assert not takes(packet.build(acks(), 4))
    launch(flights, slot, 14, [1], due=1e9)
    assert not takes(packet.build(acks(14), 5, packet.RELIABLE))
