"""What a client is told last reaches it over a bad line, though its circuit is gone by then."""

from __future__ import annotations

import pytest

from protocol import packet
from protocol.message import Message
from tests.kit.world import TestSimulator
from tests.sim.test_circuits import Client, announce, client, frames, sim

__all__ = ["client", "sim"]  # fixtures


def log_in(client: Client) -> None:
    client.use_circuit_code()
    client.complete_movement()
    frames(client.sim, 0.1)
    client.received()


def ask_to_leave(client: Client, flags: int = packet.RELIABLE, sequence: int | None = None) -> int:
    ids = {"AgentID": client.agent.agent_id, "SessionID": client.agent.session_id}
    return client.send(Message("LogoutRequest", AgentData=ids), flags, sequence)


def replies(client: Client) -> list[packet.Packet]:
    return [got for got, message in client.received() if message.name == "LogoutReply"]


async def test_a_lost_goodbye_is_said_again_until_it_is_acknowledged(sim: TestSimulator, client: Client) -> None:
    log_in(client)
    ask_to_leave(client)
    frames(sim)
    (lost,) = replies(client)
    assert not sim.circuits.by_key and client.agent.agent_id not in sim.world.agents
    frames(sim, 1.0)
    (again,) = replies(client)
    assert again.sequence == lost.sequence and again.flags & packet.RESENT and again.body == lost.body
    client.send(Message("PacketAck", Packets=[{"ID": again.sequence}]), flags=0)
    frames(sim, 6.0)
    assert client.received() == [] and len(sim.circuits.farewells) == 0
    assert not sim.metrics.labelled["packets_dropped"]


async def test_a_client_that_is_gone_is_not_told_for_ever(sim: TestSimulator, client: Client) -> None:
    log_in(client)
    ask_to_leave(client)
    frames(sim, 20.0)
    assert len(replies(client)) == 4
    assert len(sim.circuits.farewells) == 0 and sim.circuits.quiet


async def test_a_request_that_is_repeated_is_acknowledged_and_answered(sim: TestSimulator, client: Client) -> None:
    log_in(client)
    number = ask_to_leave(client)
    frames(sim)
    client.received()  # all of it lost
    ask_to_leave(client, packet.RELIABLE | packet.RESENT, number)
    frames(sim)
    got = client.received()
    assert [message.name for _, message in got] == ["PacketAck", "LogoutReply"]
    assert got[0][1]["Packets"] == [{"ID": number}]
    assert len({arrived.sequence for arrived, _ in got}) == 2


async def test_whoever_is_kicked_is_told_why_in_the_same_way(sim: TestSimulator, client: Client) -> None:
    log_in(client)
    sim.sessions.kick(client.agent, "the region closes")
    frames(sim)
    assert client.names().count("KickUser") == 1
    frames(sim, 1.0)
    assert client.names() == ["KickUser"]


@pytest.mark.parametrize("wait", [0.0, 1.0])
async def test_a_new_session_from_the_same_port_is_not_disturbed(sim: TestSimulator, client: Client, wait: float) -> None:
    log_in(client)
    ask_to_leave(client)
    frames(sim, wait)
    client.received()
    client.agent = announce(sim, code=78)
    client.use_circuit_code(sequence=0)
    frames(sim, 0.1)
    assert "PacketAck" in client.names() and len(sim.circuits.by_key) == 1
    frames(sim, 3.0)
    assert "LogoutReply" not in client.names() and len(sim.circuits.farewells) == 0


async def test_a_crowd_that_leaves_at_once_is_bounded(sim: TestSimulator, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.circuits.farewells.MOST", 0)
    log_in(client)
    ask_to_leave(client)
    frames(sim)
    assert len(replies(client)) == 1 and len(sim.circuits.farewells) == 0
