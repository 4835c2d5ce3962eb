"""The circuit alone: no sockets, a clock in hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import packet
from protocol.errors import ProtocolError
from protocol.message import Message, decode, encode
from viewer.circuit import Circuit
from viewer.errors import ConnectionLost
from viewer.habits import Habits

SIM = ("192.0.2.1", 9000)
CHAT = Message("ChatFromViewer", ChatData={"Message": "hi", "Type": 1})


class Bench:
    """A circuit whose wire is a list."""

    def __init__(self, habits: Habits = Habits()) -> None:
        self.sent: list[packet.Packet] = []
        self.read: list[str] = []
        self.circuit = Circuit(SIM, habits, self._transmit, self._deliver, 0.0)

    def _deliver(self, body: bytes, sequence: int, now: float) -> None:
        self.read.append(decode(body).name)

    def _transmit(self, datagram: bytes, address: tuple[str, int]) -> None:
        assert address == SIM
        self.sent.append(packet.parse(datagram))

    def take(self) -> list[packet.Packet]:
        taken, self.sent = self.sent, []
        return taken

    def get(
        self, message: Message, sequence: int, flags: int = 0, now: float = 0.0, acks: tuple[int, ...] = ()
    ) -> None:
        self.circuit.receive(packet.build(encode(message), sequence, flags, acks), now)


def test_numbers_begin_at_one_and_count_everything() -> None:
    bench = Bench()
    assert [bench.circuit.send(CHAT, 0.0, reliable) for reliable in (True, False, True)] == [1, 2, 3]
    assert [(p.sequence, p.reliable) for p in bench.take()] == [(1, True), (2, False), (3, True)]


def test_resends_with_the_flag_until_acknowledged() -> None:
    bench = Bench()
    bench.circuit.send(CHAT, 0.0, True)
    bench.circuit.tick(0.9)
    assert [p.resent for p in bench.take()] == [False]
    bench.circuit.tick(1.0)
    (again,) = bench.take()
    assert (again.sequence, again.resent, again.reliable) == (1, True, True)
    bench.get(Message("PacketAck", Packets=[{"ID": 1}]), 1, now=1.1)
    bench.circuit.tick(2.5)
    assert bench.take() == []


async def test_gives_up_after_its_tries_and_says_so() -> None:
    bench = Bench()
    lost = bench.circuit.acknowledged(bench.circuit.send(CHAT, 0.0, True, tries=2))
    kept = bench.circuit.acknowledged(bench.circuit.send(CHAT, 0.0, True))
    for second in (1, 2):
        bench.circuit.tick(float(second))
    bench.get(Message("PacketAck", Packets=[{"ID": 2}]), 1)
    bench.circuit.tick(3.0)
    await kept
    with pytest.raises(ConnectionLost):
        await lost
    assert bench.circuit.stats.undelivered == 1


def test_reliable_packets_are_acked_each_time_and_read_once() -> None:
    bench = Bench()
    for _ in range(3):
        bench.get(Message("RegionHandshake"), 7, packet.RELIABLE)
    assert bench.read == ["RegionHandshake"] and bench.circuit.stats.duplicates == 2
    bench.circuit.tick(0.1)
    (ack,) = bench.take()
    assert [block["ID"] for block in decode(ack.body)["Packets"]] == [7, 7, 7]


def test_acks_ride_on_what_is_sent_but_not_on_its_resend() -> None:
    bench = Bench()
    bench.get(Message("RegionHandshake"), 7, packet.RELIABLE)
    bench.circuit.send(CHAT, 0.0, True)
    bench.circuit.tick(1.0)
    first, again = bench.take()
    assert first.acks == (7,) and again.acks == () and again.body == first.body


def test_acks_from_both_places_end_resending() -> None:
    bench = Bench()
    bench.circuit.send(CHAT, 0.0, True)
    bench.circuit.send(CHAT, 0.0, True)
    bench.get(Message("SimStats"), 1, acks=(1,))
    bench.get(Message("PacketAck", Packets=[{"ID": 2}]), 2)
    bench.take()
    bench.circuit.tick(1.5)
    assert bench.take() == []


def test_pings_are_answered_and_measured() -> None:
    bench = Bench(Habits(ping_every=5.0))
    bench.get(Message("StartPingCheck", PingID={"PingID": 42}), 1)
    (pong,) = bench.take()
    assert decode(pong.body)["PingID"]["PingID"] == 42 and not pong.reliable
    bench.circuit.send(CHAT, 0.0, True, tries=100)
    bench.circuit.tick(5.0)
    ping = next(m for m in map(decode, (p.body for p in bench.take())) if m.name == "StartPingCheck")
    assert ping["PingID"]["OldestUnacked"] == 2
    bench.get(Message("CompletePingCheck", PingID={"PingID": ping["PingID"]["PingID"]}), 2, now=5.25)
    assert bench.circuit.ping == pytest.approx(0.25)


def test_missing_numbers_are_counted_and_late_ones_taken_back() -> None:
    bench = Bench()
    for sequence in (10, 11, 14):
        bench.get(Message("SimStats"), sequence)
    assert bench.circuit.stats.missing == 2
    bench.get(Message("SimStats"), 12)
    assert bench.circuit.stats.missing == 1


def test_memory_of_duplicates_is_bounded() -> None:
    bench = Bench(Habits(resend_memory=100))
    for sequence in range(1000):
        bench.get(Message("SimStats"), sequence, packet.RELIABLE)
    assert len(bench.circuit._seen) == 100


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_or_read(data: bytes) -> None:
    bench = Bench()
    bench.circuit._deliver = lambda body, sequence, now: None
    try:
        bench.circuit.receive(data, 0.0)
    except ProtocolError:
        pass
    bench.circuit.tick(10.0)
