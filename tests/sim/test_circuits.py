"""Circuits over a real socket and a manual clock: opening, duplicates, acks, resends, pings, and everything hostile."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import packet
from protocol.message import Message, decode, encode
from sim import handlers
from sim.circuits.circuit import CHOKED
from sim.circuits.circuits import SILENCE_LIMIT
from sim.circuits.inbox import MOST_WAITING
from sim.neighbours.state import HandOff, Reason
from sim.world.agent import Agent
from sim.world.changes import What
from tests.kit.world import TestSimulator, close_sim, make_sim


class Client:
    """The bare wire of a client: numbered packets out, packets in, nothing automatic."""

    def __init__(self, sim: TestSimulator, agent: Agent) -> None:
        self.sim = sim
        self.agent = agent
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.sequence = 0

    def send_raw(self, data: bytes) -> None:
        self.socket.sendto(data, ("127.0.0.1", self.sim.port))

    def send(self, message: Message, flags: int = packet.RELIABLE, sequence: int | None = None, acks: tuple[int, ...] = ()) -> int:
        if sequence is None:
            sequence = self.sequence
            self.sequence += 1
        self.send_raw(packet.build(encode(message), sequence, flags, acks))
        return sequence

    def use_circuit_code(self, flags: int = packet.RELIABLE, sequence: int | None = None, **changes: Any) -> int:
        code = {"Code": self.agent.circuit_code, "SessionID": self.agent.session_id, "ID": self.agent.agent_id}
        return self.send(Message("UseCircuitCode", CircuitCode={**code, **changes}), flags, sequence)

    def complete_movement(self, flags: int = packet.RELIABLE, sequence: int | None = None) -> int:
        ids = {"AgentID": self.agent.agent_id, "SessionID": self.agent.session_id, "CircuitCode": self.agent.circuit_code}
        return self.send(Message("CompleteAgentMovement", AgentData=ids), flags, sequence)

    def received(self) -> list[tuple[packet.Packet, Message]]:
        out: list[tuple[packet.Packet, Message]] = []
        while True:
            try:
                parsed = packet.parse(self.socket.recv(4096))
            except BlockingIOError:
                return out
            out.append((parsed, decode(parsed.body)))

    def names(self) -> list[str]:
        return [message.name for _, message in self.received()]

    def acked(self) -> list[int]:
        return [b["ID"] for _, m in self.received() if m.name == "PacketAck" for b in m["Packets"]]


def announce(sim: TestSimulator, reason: str = "login", code: int = 77) -> Agent:
    return sim.sessions.announce(
        HandOff(Reason(reason), uuid4(), uuid4(), uuid4(), code, "Test", "Wire", (128.0, 128.0, 25.0))
    )


def frames(sim: TestSimulator, seconds: float = 0.0) -> None:
    """At least one frame; as many as fit in so much time."""
    end = sim.clock.now() + seconds
    while True:
        sim.frame.once(sim.clock.now())
        sim.clock.advance(1 / 45)
        if sim.clock.now() >= end:
            return


@pytest.fixture
async def sim() -> Any:
    sim = make_sim()
    yield sim
    close_sim(sim)
    assert not sim.metrics.labelled["stage_errors"]
    assert not sim.metrics.labelled["handler_errors"]


@pytest.fixture
async def client(sim: TestSimulator) -> Any:
    client = Client(sim, announce(sim))
    yield client
    client.socket.close()


async def test_the_first_packet_may_be_number_zero_and_is_acked_alone(sim: TestSimulator, client: Client) -> None:
    assert client.use_circuit_code() == 0
    frames(sim)
    got = client.received()
    assert [message.name for _, message in got] == ["PacketAck"]
    assert got[0][1]["Packets"] == [{"ID": 0}]
    assert not got[0][0].flags & packet.RELIABLE


@pytest.mark.parametrize("wrong", [{"Code": 78}, {"SessionID": uuid4()}, {"ID": uuid4()}])
async def test_a_wrong_code_gets_no_answer_at_all(sim: TestSimulator, client: Client, wrong: dict[str, Any]) -> None:
    client.use_circuit_code(**wrong)
    frames(sim, 0.5)
    assert client.received() == []
    assert sim.metrics.value("packets_dropped", "wrong circuit code") == 1
    assert not sim.circuits.by_key


async def test_a_stranger_gets_no_answer(sim: TestSimulator, client: Client) -> None:
    client.complete_movement()
    frames(sim, 0.5)
    assert client.received() == []
    assert sim.metrics.value("packets_dropped", "stranger") == 1


async def test_arriving_brings_movement_complete_then_the_handshake(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    frames(sim)
    client.received()
    client.complete_movement()
    frames(sim, 0.2)
    names = client.names()
    assert names[0] == "PacketAck"
    assert "AgentMovementComplete" in names and "RegionHandshake" in names
    assert "ObjectUpdate" not in names  # not before the reply (trap 7)


async def test_a_child_gets_its_handshake_later_and_in_a_datagram_of_its_own(sim: TestSimulator) -> None:
    child = Client(sim, announce(sim, "child"))
    child.use_circuit_code()
    frames(sim)
    assert child.names() == ["PacketAck"]
    frames(sim, 0.2)
    assert child.names() == ["RegionHandshake"]
    child.complete_movement()  # nobody announced it as arriving
    frames(sim, 0.2)
    assert "AgentMovementComplete" not in child.names()
    assert child.agent.child
    child.socket.close()


async def test_a_handshake_that_is_not_answered_is_said_again(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    frames(sim)
    client.complete_movement()
    frames(sim, 0.2)
    (first,) = [parsed.sequence for parsed, message in client.received() if message.name == "RegionHandshake"]
    client.send(Message("PacketAck", Packets=[{"ID": first}]), flags=0)  # acknowledged, but never understood
    frames(sim, 4)
    assert "RegionHandshake" in client.names()


async def test_duplicates_are_acked_again_and_processed_once(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    frames(sim)
    client.complete_movement()
    frames(sim)
    client.received()
    client.complete_movement(packet.RELIABLE | packet.RESENT, sequence=1)
    frames(sim)
    got = client.received()
    assert [m["Packets"] for _, m in got if m.name == "PacketAck"] == [[{"ID": 1}]]
    assert "AgentMovementComplete" not in [m.name for _, m in got]


async def test_a_client_that_counts_anew_is_heard_anew(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    client.received()
    client.sequence = 0
    client.use_circuit_code()
    client.complete_movement()  # number 1 again: no duplicate
    frames(sim, 0.1)
    assert "AgentMovementComplete" in client.names()


async def test_a_resent_circuit_code_does_not_reset_what_was_seen(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    client.received()
    client.use_circuit_code(packet.RELIABLE | packet.RESENT, sequence=0)
    client.complete_movement(packet.RELIABLE | packet.RESENT, sequence=1)
    frames(sim, 0.1)
    names = client.names()
    assert names.count("PacketAck") == 1
    assert "AgentMovementComplete" not in names


async def test_the_same_session_from_a_new_port_takes_the_circuit_over(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    frames(sim)
    again = Client(sim, client.agent)
    again.use_circuit_code()
    frames(sim)
    assert again.names() == ["PacketAck"]
    assert len(sim.circuits.by_key) == 1
    again.socket.close()


async def test_reliable_packets_are_resent_until_acked(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    frames(sim)
    client.complete_movement()
    frames(sim)
    first = {p.sequence: m.name for p, m in client.received() if p.flags & packet.RELIABLE}
    number = next(s for s, name in first.items() if name == "AgentMovementComplete")
    frames(sim, 2)
    again = [p for p, _ in client.received() if p.sequence == number]
    assert again and all(p.flags & packet.RESENT for p in again)
    assert all(p.acks == () for p in again)
    client.send(Message("CompletePingCheck", PingID={"PingID": 200}), flags=packet.ACKS, acks=(number,))
    frames(sim)
    client.received()
    frames(sim, 3)
    assert number not in [p.sequence for p, _ in client.received()]


class Told:
    """What a packet tells, by a test's leave."""

    def __init__(self) -> None:
        self.true = True
        self.losses = 0

    def stands(self) -> bool:
        return self.true

    def lost(self) -> None:
        self.losses += 1


async def test_a_packet_that_may_be_untrue_by_now_is_not_repeated(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    frames(sim)
    circuit = client.agent.circuit
    assert circuit is not None
    body = encode(Message("KillObject", ObjectData=[{"ID": 7}]))
    lost, arrived, untrue = Told(), Told(), Told()
    client.received()
    for told in (lost, arrived):
        circuit.send_body(body, category="task", telling=told)
    frames(sim)
    numbers = [p.sequence for p, m in client.received() if m.name == "KillObject"]
    client.send(Message("PacketAck", Packets=[{"ID": numbers[1]}]), flags=0)
    frames(sim, 3)
    assert (lost.losses, arrived.losses) == (1, 0)
    assert "KillObject" not in client.names()
    circuit.send_body(body, category="task", telling=untrue)
    untrue.true = False
    frames(sim, 3)
    assert untrue.losses == 1 and "KillObject" not in client.names()


async def test_pings_are_answered_at_once_and_sent_every_five_seconds(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    frames(sim)
    client.received()
    client.send(Message("StartPingCheck", PingID={"PingID": 9, "OldestUnacked": 0}), flags=0)
    frames(sim)
    (answer,) = [m for _, m in client.received() if m.name == "CompletePingCheck"]
    assert answer["PingID"]["PingID"] == 9
    frames(sim, 11)
    assert client.names().count("StartPingCheck") == 2


async def test_a_silent_client_ends_after_a_minute(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    assert client.agent.root
    sim.clock.advance(SILENCE_LIMIT - 1)
    frames(sim, 0.3)
    assert client.agent.agent_id in sim.world.agents
    sim.clock.advance(2)
    frames(sim, 0.3)
    assert client.agent.agent_id not in sim.world.agents
    assert not sim.circuits.by_key
    assert not sim.cap_server._grants


async def test_messages_for_another_session_are_ignored(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    for ids in ({"AgentID": uuid4(), "SessionID": client.agent.session_id}, {"AgentID": client.agent.agent_id, "SessionID": uuid4()}):
        client.send(Message("LogoutRequest", AgentData=ids))
    frames(sim, 0.1)
    assert client.agent.agent_id in sim.world.agents
    assert sim.metrics.value("messages_dropped", "wrong session") == 2


async def test_a_flood_of_one_kind_is_cut_off_and_counted(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    ids = {"AgentID": client.agent.agent_id, "SessionID": client.agent.session_id}
    for _ in range(200):
        client.send(Message("ChatFromViewer", AgentData=ids, ChatData={"Message": "spam", "Type": 1, "Channel": 0}), flags=0)
    frames(sim)
    assert sim.metrics.value("messages_dropped", "rate chat") > 100


async def test_logout_is_answered_before_the_circuit_goes(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    client.received()
    ids = {"AgentID": client.agent.agent_id, "SessionID": client.agent.session_id}
    number = client.send(Message("LogoutRequest", AgentData=ids))
    frames(sim)
    got = client.received()
    assert "LogoutReply" in [m.name for _, m in got]
    assert number in [b["ID"] for _, m in got if m.name == "PacketAck" for b in m["Packets"]]
    assert client.agent.agent_id not in sim.world.agents


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=1400))
async def test_no_datagram_hurts(sim: TestSimulator, client: Client, data: bytes) -> None:
    client.send_raw(data)
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.sendto(data, ("127.0.0.1", sim.port))
    stranger.close()
    frames(sim)




@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.sampled_from([4, *range(6, 30)]) | st.integers(0, 0xFFFF),
    low=st.booleans(),
    rest=st.binary(max_size=300),
    zerocoded=st.booleans(),
)
async def test_no_message_on_an_open_circuit_hurts(
    sim: TestSimulator, client: Client, number: int, low: bool, rest: bytes, zerocoded: bool
) -> None:
    """Any message number with the right ids in front and anything after them."""
    if client.agent.agent_id not in sim.world.agents:
        client.agent = announce(sim)
    if client.agent.circuit is None:
        client.use_circuit_code()
        client.complete_movement()
        frames(sim)
    prefix = b"\xff\xff" + number.to_bytes(2, "big") if low else bytes([number & 0xFF or 1])
    ids = client.agent.agent_id.bytes + client.agent.session_id.bytes
    body = prefix + ids + rest
    client.send_raw(packet.build(body, client.sequence, packet.ZEROCODED if zerocoded else 0))
    client.sequence += 1
    frames(sim)
    client.received()


# --- what comes too fast, and what strangers send


async def test_what_is_acknowledged_happens_however_fast_it_came(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    ids = {"AgentID": client.agent.agent_id, "SessionID": client.agent.session_id}
    said: list[str] = []
    sim.world.changes.speech.at_once(What.MADE, lambda chat, _: said.append(chat.text))
    sim.world.row(client.agent)["position"] = (2.0, 128.0, 25.0)
    numbers = []
    for number in range(100):
        chat = {"Message": f"line {number}".encode(), "Type": 1, "Channel": 0}
        numbers.append(client.send(Message("ChatFromViewer", AgentData=ids, ChatData=chat)))
    frames(sim)
    assert set(numbers) <= set(client.acked())
    assert len(said) < 60 and sim.metrics.value("messages_put_off", "chat") > 40
    frames(sim, 8.0)
    assert said == [f"line {number}" for number in range(100)]
    assert sim.metrics.value("messages_dropped", "rate chat") == 0


async def test_moves_of_many_items_all_happen(sim: TestSimulator, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than are under way at once with a service that is slow; the viewer logs out behind them, and they happen."""
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    answer = asyncio.Event()
    moved: list[UUID] = []

    async def change_items(agent_id: UUID, changes: list[dict[str, Any]], *_: Any) -> dict[str, Any]:
        await answer.wait()
        moved.extend(UUID(change["item_id"]) for change in changes)
        return {"items": [], "refused": []}

    monkeypatch.setattr(sim.backbone, "change_items", change_items)
    ids = {"AgentID": client.agent.agent_id, "SessionID": client.agent.session_id}
    items = [uuid4() for _ in range(251)]
    for item in items:
        block = {"ItemID": item, "FolderID": uuid4(), "NewName": b""}
        client.send(Message("MoveInventoryItem", AgentData={**ids, "Stamp": False}, InventoryData=[block]))
    client.send(Message("LogoutRequest", AgentData=ids))
    frames(sim, 2.0)
    assert moved == []
    answer.set()
    for _ in range(2000):
        await asyncio.sleep(0)
        sim.frame.once(sim.clock.now())
        sim.clock.advance(1 / 45)
        if len(moved) == len(items) and client.agent.agent_id not in sim.world.agents:
            break
    assert moved == items and client.agent.agent_id not in sim.world.agents


async def test_a_client_that_sends_more_than_can_wait_is_pushed_back(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    client.received()
    ids = {"AgentID": client.agent.agent_id, "SessionID": client.agent.session_id}
    sent = []
    for number in range(MOST_WAITING + 200):
        chat = {"Message": b"spam", "Type": 1, "Channel": 5}
        sent.append(client.send(Message("ChatFromViewer", AgentData=ids, ChatData=chat)))
        if number % 100 == 99:
            sim.frame.once(sim.clock.now())
    acked = client.acked()
    assert MOST_WAITING <= len(acked) < len(sent)
    assert sim.metrics.value("packets_dropped", "pushed back") == len(sent) - len(acked)
    assert len(sim.circuits.by_key) == 1


async def test_one_who_costs_much_waits_and_others_do_not(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    other = Client(sim, announce(sim, code=78))
    other.use_circuit_code()
    other.complete_movement()
    frames(sim, 0.1)
    said: list[str] = []

    def dear(sim: TestSimulator, agent: Agent, message: Message) -> None:
        said.append(agent.name)
        sim.clock.advance(0.06)

    row = handlers.TABLE["ChatFromViewer"]
    handlers.TABLE["ChatFromViewer"] = replace(row, function=dear)  # type: ignore[arg-type]
    try:
        for one, times in ((client, 5), (other, 1)):
            ids = {"AgentID": one.agent.agent_id, "SessionID": one.agent.session_id}
            for _ in range(times):
                one.send(Message("ChatFromViewer", AgentData=ids, ChatData={"Message": b"x", "Type": 1, "Channel": 0}))
        sim.frame.once(sim.clock.now())
        assert said == [client.agent.name, other.agent.name]
        frames(sim, 4.0)
        assert len(said) == 6
    finally:
        handlers.TABLE["ChatFromViewer"] = row


async def test_strangers_get_nothing_decoded(sim: TestSimulator, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.circuits.circuits.decode", lambda body: pytest.fail("a stranger's message was decoded"))
    monkeypatch.setattr(packet, "parse", lambda data: pytest.fail("a stranger's datagram was taken apart"))
    big = Message("ObjectSelect", AgentData={}, ObjectData=[{"ObjectLocalID": 0}] * 255)
    for _ in range(20):
        client.send(big, packet.ZEROCODED)
    client.send_raw(b"\xc0" + bytes(5) + b"\xff\xff\x00")
    client.send_raw(b"")
    frames(sim)
    assert sim.metrics.value("packets_dropped", "stranger") == 22


async def test_a_viewer_that_answers_slowly_is_sent_less_not_more(sim: TestSimulator, client: Client) -> None:
    """Its pings come back after eight seconds: packets wait that long for their acks before they are sent again."""
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    late: list[tuple[float, int]] = []
    before = resent = 0
    for second in range(60):
        assert client.agent.circuit is not None
        client.agent.circuit.send(Message("AlertMessage", AlertData={"Message": b"news"}))
        frames(sim, 1.0)
        now = sim.clock.now()
        for parsed, message in client.received():
            resent += parsed.resent
            if message.name == "StartPingCheck":
                late.append((now + 8.0, -1 - message["PingID"]["PingID"]))
            elif parsed.reliable:
                late.append((now + 8.0, parsed.sequence))
        due, late = [what for when, what in late if when <= now], [each for each in late if each[0] > now]
        for ping in (-1 - what for what in due if what < 0):
            client.send(Message("CompletePingCheck", PingID={"PingID": ping}), 0)
        acks = [{"ID": what} for what in due if what >= 0]
        if acks:
            client.send(Message("PacketAck", Packets=acks[:255]), 0)
        if second == 29:
            before = resent
    assert client.agent.circuit is not None and client.agent.circuit.round_trip > 7.0
    assert resent - before <= 5  # in half a minute, of 30 packets


async def test_retransmits_keep_to_the_viewers_throttle(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    circuit = client.agent.circuit
    assert circuit is not None
    circuit.set_throttles((64e3,) * 7)
    client.received()
    for _ in range(300):
        circuit.send(Message("AlertMessage", AlertData={"Message": bytes([65]) * 250}))
    size = 0
    for _ in range(20):
        frames(sim, 1.0)
        size += sum(len(parsed.body) for parsed, _ in client.received() if parsed.resent)
    assert 40_000 < size <= 16_000 + 20 * 8_000 + 1_000


async def test_who_never_acknowledges_is_given_up(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    ids = {"AgentID": client.agent.agent_id, "SessionID": client.agent.session_id}
    for _ in range(62):
        client.send(Message("AgentHeightWidth", AgentData=ids, HeightWidthBlock={}), 0)
        frames(sim, 1.0)
    assert not sim.circuits.by_key and sim.metrics.value("circuits_closed", "unresponsive") == 1


async def test_who_acknowledges_nothing_draws_little(sim: TestSimulator, client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(sim, 0.1)
    circuit = client.agent.circuit
    assert circuit is not None
    client.received()
    size = 0
    for _ in range(100):
        for _ in range(20):
            circuit.send(Message("AlertMessage", AlertData={"Message": bytes([65]) * 250}))
        frames(sim, 0.1)
        size += sum(len(parsed.body) for parsed, _ in client.received())
    assert CHOKED < size < 2 * CHOKED
