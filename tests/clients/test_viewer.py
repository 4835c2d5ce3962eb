"""What a full viewer does on the wire and the two libraries don't: acks that ride along, repeats, zero coding,
numbers from 1, appearance, and the order of the handshake."""
from __future__ import annotations

import socket
import struct
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Visit
from .driver import until
from .grid import Grid
from .raw import wire
from .raw.viewer import Viewer, login


@pytest.fixture(scope="module")
def me(stay: Visit, grid: Grid) -> Viewer:
    return stay.viewer(grid.west, (128, 128))


@pytest.fixture(scope="module")
def other(stay: Visit, grid: Grid) -> Viewer:
    return stay.viewer(grid.west, (130, 128))


def chat(text: str, who: Viewer) -> bytes:
    return wire.encode("ChatFromViewer", AgentData={"AgentID": who.agent_id, "SessionID": who.session_id},
                       ChatData={"Message": text, "Type": 1})


def heard(listener: Viewer, text: str, since: int) -> int:
    """How often a text was heard, once a text sent later has been."""
    return [event["ChatData.Message"] for event in listener.since(since, "ChatFromSimulator")].count(text)


def test_a_repeated_packet_is_acknowledged_again_and_done_once(me: Viewer, other: Viewer) -> None:
    mark = other.mark()
    sequence = me.send("ChatFromViewer", ChatData={"Message": "once", "Type": 1})
    until(lambda: sequence in me.root.acked, "the first ack")
    for _ in range(3):
        me.root.acked.discard(sequence)
        me.root.repeat(sequence, chat("once", me), wire.RELIABLE)
        until(lambda: sequence in me.root.acked, "the ack of a repeat")
    me.chat("later")
    other.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "later", since=mark)
    assert heard(other, "once", mark) == 1


def test_zero_coded_packets_with_acks_behind(me: Viewer, other: Viewer) -> None:
    mark = other.mark()
    until(lambda: not me.root.to_ack, "nothing left to acknowledge")
    me.root.to_ack = [max(me.root.received)]
    me.send("ChatFromViewer", zero=True, append_acks=True, ChatData={"Message": "packed tight", "Type": 1})
    other.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "packed tight", since=mark)


def test_what_is_not_acknowledged_comes_again(grid: Grid, visit: Visit) -> None:
    """The viewer drops acks of one reliable message: it comes again with the resent flag and the same number."""
    deaf = visit.viewer(grid.west, (140, 128))
    sequence = max(deaf.root.received)
    deaf.hold_acks = True
    deaf.send("MoneyBalanceRequest")
    until(lambda: any(number > sequence and count > 1 for number, count in deaf.root.received.items()),
          "a repeat of an unacknowledged packet")
    deaf.hold_acks = False
    assert len(list(deaf.since(0, "MoneyBalanceReply"))) >= 1


def test_pings_are_answered_both_ways(me: Viewer) -> None:
    mark = me.mark()
    me.send("StartPingCheck", reliable=False, PingID={"PingID": 201, "OldestUnacked": 1})
    assert me.wait("CompletePingCheck", since=mark)["PingID.PingID"] == 201
    until(lambda: me.pings, "the simulator's own ping")


def test_appearance_is_relayed_to_all_others(grid: Grid, visit: Visit, me: Viewer, other: Viewer) -> None:
    entry = uuid.UUID("5748decc-f629-461c-9a36-a35a221fe21f").bytes + bytes(60)
    params = [{"ParamValue": value % 256} for value in range(218)]
    mark = other.mark()
    me.send("AgentSetAppearance", zero=True, AgentData={"SerialNum": 4, "Size": [0.45, 0.6, 1.8]},
            ObjectData={"TextureEntry": entry}, VisualParam=params)
    seen = other.wait("AvatarAppearance", lambda event: event["Sender.ID"] == me.agent_id, since=mark)
    assert seen["ObjectData.TextureEntry"] == entry
    assert [block["ParamValue"] for block in seen.blocks("VisualParam")] == [block["ParamValue"] for block in params]
    newcomer = visit.viewer(grid.west, (132, 128))
    late = newcomer.wait("AvatarAppearance", lambda event: event["Sender.ID"] == me.agent_id)
    assert late["ObjectData.TextureEntry"] == entry


def test_pointing_is_relayed(me: Viewer, other: Viewer) -> None:
    mark = other.mark()
    effect = {"ID": str(uuid.uuid4()), "AgentID": me.agent_id, "Type": 9, "Duration": 1.0, "Color": b"\1\2\3\4",
              "TypeData": bytes(56)}
    me.send("ViewerEffect", Effect=[effect])
    seen = other.wait("ViewerEffect", lambda event: event["Effect.ID"] == effect["ID"], since=mark)
    assert seen["Effect.AgentID"] == me.agent_id


def test_what_the_region_sends_unasked(me: Viewer) -> None:
    for name in ("CoarseLocationUpdate", "SimStats", "SimulatorViewerTimeMessage", "AgentGroupDataUpdate"):
        me.wait(name)
    overlays = [event for event in me.since(0, "ParcelOverlay") if event.region == me.root.name]
    assert sorted(event["ParcelData.SequenceID"] for event in overlays) == [0, 1, 2, 3]
    assert sum(len(event["ParcelData.Data"]) for event in overlays) == 4096


class Wire:
    """The first packets of an entry one by one, without the viewer's conveniences."""

    def __init__(self, grid: Grid) -> None:
        who = grid.account()
        self.account = login(grid.login_uri, who.first, who.last, who.password, grid.far.start())
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.settimeout(0.1)
        self.simulator = (self.account["sim_ip"], self.account["sim_port"])
        self.packets: list[tuple[float, wire.Packet]] = []

    def send(self, sequence: int, name: str, flags: int = wire.RELIABLE, **blocks: Any) -> None:
        self.udp.sendto(wire.build(wire.encode(name, **blocks), sequence, flags), self.simulator)

    def ids(self, **more: Any) -> dict[str, Any]:
        return {"AgentID": self.account["agent_id"], "SessionID": self.account["session_id"], **more}

    def circuit_code(self, sequence: int, flags: int = wire.RELIABLE, **wrong: Any) -> None:
        self.send(sequence, "UseCircuitCode", flags, CircuitCode={
            "Code": self.account["circuit_code"], "SessionID": self.account["session_id"],
            "ID": self.account["agent_id"], **wrong})

    def until(self, name: str, acks: int | None = None, timeout: float = 20.0) -> wire.Packet:
        """Receives until a message (which acknowledges the given number, if any) comes."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                datagram, source = self.udp.recvfrom(65535)
            except TimeoutError:
                continue
            assert source == self.simulator
            packet = wire.parse(datagram)
            self.packets.append((time.monotonic(), packet))
            if packet.flags & wire.RELIABLE:
                self.udp.sendto(wire.build(wire.encode("PacketAck", Packets=[{"ID": packet.sequence}]), 90000), source)
            if packet.name == name and (acks is None or acks in [block["ID"] for block in packet.body["Packets"]]):
                return packet
        raise AssertionError(f"no {name}; got {[packet.name for _, packet in self.packets]}")

    def silent(self, seconds: float) -> bool:
        """Nothing at all comes for so long."""
        self.udp.settimeout(seconds)
        try:
            self.udp.recvfrom(65535)
            return False
        except TimeoutError:
            return True
        finally:
            self.udp.settimeout(0.1)


@pytest.fixture
def bare(grid: Grid) -> Iterator[Wire]:
    bare = Wire(grid)
    yield bare
    bare.send(9000, "LogoutRequest", AgentData=bare.ids())
    bare.until("LogoutReply")
    bare.udp.close()


@pytest.mark.parametrize("first", [0, 1, 70000])
def test_the_order_of_the_handshake(bare: Wire, first: int) -> None:
    """Any first number, 0 too. The ack comes by itself, in a PacketAck, and the handshake only after it."""
    bare.circuit_code(first)
    ack = bare.until("PacketAck", acks=first)
    assert not ack.flags & wire.ACKS
    assert not [packet.name for _, packet in bare.packets if packet.name == "RegionHandshake"]
    bare.send(first + 1, "CompleteAgentMovement", AgentData=bare.ids(CircuitCode=bare.account["circuit_code"]))
    bare.until("RegionHandshake")
    before = {packet.name for _, packet in bare.packets}
    assert not before & {"ObjectUpdate", "LayerData"}, "nothing before the handshake is answered"
    bare.send(first + 2, "RegionHandshakeReply", AgentData=bare.ids(), RegionInfo={"Flags": 0})
    bare.send(first + 3, "AgentUpdate", AgentData=bare.ids())  # all zero, as hippolyzer's: Far 0 is not "nothing"
    bare.until("ObjectUpdate")
    bare.until("LayerData")
    assert "AgentMovementComplete" in {packet.name for _, packet in bare.packets}


def test_a_repeated_handshake_reply_and_movement_do_no_harm(bare: Wire) -> None:
    """A viewer whose acks are lost repeats all three entry messages."""
    bare.circuit_code(1)
    bare.until("PacketAck", acks=1)
    for _ in range(3):
        bare.circuit_code(1, wire.RELIABLE | wire.RESENT)
    bare.until("PacketAck", acks=1)
    for sequence in (2, 3):
        bare.send(sequence, "CompleteAgentMovement", AgentData=bare.ids(CircuitCode=bare.account["circuit_code"]))
    bare.until("RegionHandshake")
    for sequence in (4, 5):
        bare.send(sequence, "RegionHandshakeReply", AgentData=bare.ids(), RegionInfo={"Flags": 0})
    bare.send(6, "AgentUpdate", AgentData=bare.ids())
    bare.until("ObjectUpdate")


def test_a_fresh_circuit_code_starts_the_numbers_again(bare: Wire) -> None:
    """hippolyzer re-enters a region on the same socket with numbers from 0; nothing may be taken for a repeat."""
    for _ in range(2):
        bare.packets.clear()
        bare.circuit_code(0)
        bare.until("PacketAck", acks=0)
        bare.send(1, "CompleteAgentMovement", AgentData=bare.ids(CircuitCode=bare.account["circuit_code"]))
        bare.until("AgentMovementComplete")
        bare.until("RegionHandshake")
        bare.send(2, "RegionHandshakeReply", AgentData=bare.ids(), RegionInfo={"Flags": 0})
        bare.send(3, "AgentUpdate", AgentData=bare.ids())
        bare.until("ObjectUpdate")


def test_no_answer_to_a_wrong_code_session_or_agent(bare: Wire) -> None:
    other = str(uuid.uuid4())
    for wrong in ({"Code": bare.account["circuit_code"] ^ 1}, {"SessionID": other}, {"ID": other}):
        bare.circuit_code(1, **wrong)
    assert bare.silent(1.0), "not even an ack"
    bare.circuit_code(1)
    bare.until("PacketAck", acks=1)
    bare.send(2, "CompleteAgentMovement", AgentData=bare.ids(CircuitCode=bare.account["circuit_code"]))
    bare.until("RegionHandshake")


def test_throttle_settings_of_any_shape_are_survived(me: Viewer) -> None:
    for sizes in (struct.pack("<7f", *[0.0] * 7), struct.pack("<7f", *[float("nan")] * 7), b"", b"\1\2\3",
                  struct.pack("<7f", *[-1e30] * 7), struct.pack("<7f", *[1e6] * 7)):
        me.send("AgentThrottle", Throttle={"Throttles": sizes})
    mark = me.mark()
    me.chat("still talking")
    me.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "still talking", since=mark)
