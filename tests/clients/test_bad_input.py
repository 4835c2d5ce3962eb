"""Strangers, liars and broken packets, while clients are in: nothing happens to them, and they stay in."""
from __future__ import annotations

import random
import socket
import struct
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Visit
from .driver import Driver, until
from .grid import Grid
from .raw import wire
from .raw.viewer import Viewer

BOMB = (b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
        + b"]><methodCall><methodName>login_to_simulator</methodName><params><param><value>&j;</value></param></params>"
          b"</methodCall>")
LLSD_BOMB = BOMB.split(b"<methodCall>")[0] + b"<llsd><string>&j;</string></llsd>"


@pytest.fixture(scope="module")
def me(stay: Visit, grid: Grid) -> Viewer:
    return stay.viewer(grid.west, (100, 100))


@pytest.fixture(scope="module")
def hippo(stay: Visit, grid: Grid) -> Driver:
    return stay.hippo(grid.west, (104, 100))


@pytest.fixture(autouse=True)
def everybody_stays(grid: Grid, me: Viewer, hippo: Driver) -> Iterator[None]:
    """After every attack: both are still in, talk to each other, and no process was restarted."""
    before = processes(grid)
    yield
    mark, text = hippo.mark(), str(uuid.uuid4())
    me.chat(text)
    hippo.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == text, since=mark)
    mark = me.mark()
    hippo.do("chat", text=text)
    me.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == text, since=mark)
    assert processes(grid) == before
    grid.settled(me.agent_id, grid.west)


def processes(grid: Grid) -> list[Any]:
    """Every region's epoch: it changes when a simulator has to start again."""
    return sorted((region["name"], region["epoch"]) for region in grid.get("/regions")["regions"])


def shower(address: tuple[str, int], datagrams: list[bytes]) -> None:
    """Sends datagrams from an address nobody knows."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for datagram in datagrams:
            stranger.sendto(datagram, address)


def test_datagrams_from_strangers(grid: Grid, me: Viewer) -> None:
    dice = random.Random(1)
    noise = [dice.randbytes(dice.randrange(0, 1500)) for _ in range(300)]
    valid = [wire.build(wire.encode(name), number, wire.RELIABLE) for number, name in enumerate(wire.SHAPES)]
    stolen = wire.encode("ChatFromViewer", AgentData={"AgentID": me.agent_id, "SessionID": me.session_id},
                         ChatData={"Message": "stolen", "Type": 1})
    mark = me.mark()
    shower(grid.west.address, [*noise, *valid, wire.build(stolen, 1, wire.RELIABLE), b"", bytes(60000)])
    me.chat("end of the shower")
    me.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "end of the shower", since=mark)
    assert "stolen" not in [event["ChatData.Message"] for event in me.since(mark, "ChatFromSimulator")]


def test_a_stranger_with_the_wrong_code_does_not_take_over(grid: Grid, me: Viewer) -> None:
    code = {"Code": me.account["circuit_code"] ^ 5, "SessionID": me.session_id, "ID": me.agent_id}
    logout = wire.encode("LogoutRequest", AgentData={"AgentID": me.agent_id, "SessionID": me.session_id})
    shower(grid.west.address, [
        wire.build(wire.encode("UseCircuitCode", CircuitCode=code), 1, wire.RELIABLE),
        wire.build(logout, 2, wire.RELIABLE),
    ])
    until(lambda: me.position(), "still in")


def test_broken_packets_from_a_client(me: Viewer) -> None:
    """Every message it may send, cut at every place, with wild lengths and counts, from its own address."""
    own = {"AgentID": me.agent_id, "SessionID": me.session_id}
    number = 5_000_000
    for name, shape in wire.SHAPES.items():
        if name in ("LogoutRequest", "CloseCircuit", "KickUser", "DisableSimulator"):
            continue
        first, count, fields = shape.blocks[0] if shape.blocks else ("", "", [])
        known = {key: own[key] for key, _ in fields if key in own}
        message = wire.encode(name, **({first: known} if known and count == "1" else {}))
        for cut in {0, 1, len(message) // 4, len(message) // 2, len(message) - 1}:
            number += 1
            me.datagram(wire.build(message[:cut], number, wire.RELIABLE))
        number += 1
        me.datagram(wire.build(message + b"\xff" * 40, number, wire.RELIABLE))


def test_broken_headers_and_codings_from_a_client(me: Viewer) -> None:
    ping = wire.encode("StartPingCheck", PingID={"PingID": 1})
    header = struct.pack(">BIB", 0, 6_000_000, 0)
    for datagram in (
        b"", b"\x40", header[:5], header, struct.pack(">BIB", 0, 6_000_001, 255) + ping,  # extra data it has not
        struct.pack(">BIB", wire.ACKS, 6_000_002, 0) + ping + b"\xff",  # 255 acks that are not there
        struct.pack(">BIB", wire.ZEROCODED, 6_000_003, 0) + b"\x00",  # a run without a count
        struct.pack(">BIB", wire.ZEROCODED, 6_000_004, 0) + b"\x00\x00" * 600,
        struct.pack(">BIB", wire.ZEROCODED, 6_000_005, 0) + b"\x00\xff" * 20000,  # five megabytes of nothing
        struct.pack(">BIB", wire.RELIABLE, 0xFFFFFFFF, 0) + ping, header + b"\xff\xff\xff\xff" * 10,
        header + b"\xff\xff\xff\xf0", header + b"\xff\xff\xff\xff", struct.pack(">BIB", 0xFF, 1, 0),
    ):
        me.datagram(datagram)


def test_wild_numbers_in_movement_and_chat(grid: Grid, visit: Visit, me: Viewer) -> None:
    wild = visit.viewer(grid.west, (110, 100))
    nan, huge = float("nan"), 3e38
    for value in (nan, huge, -huge, float("inf")):
        wild.send("AgentUpdate", reliable=True, AgentData={
            "BodyRotation": [value, value, value, 1.0], "HeadRotation": [value] * 4, "CameraCenter": [value] * 3,
            "CameraAtAxis": [value] * 3, "Far": value, "ControlFlags": 0xFFFFFFFF, "State": 255, "Flags": 255})
    for message in (b"", b"\0", b"\xff" * 1000, b"x" * 2000, "‮".encode() * 300):
        wild.send("ChatFromViewer", ChatData={"Message": message, "Type": 1})
    for kind in (3, 6, 7, 8, 9, 100, 255):
        wild.send("ChatFromViewer", ChatData={"Message": "kind", "Type": kind})
    for channel in (-1, 2**31 - 1, -(2**31)):
        wild.send("ChatFromViewer", ChatData={"Message": "channel", "Type": 1, "Channel": channel})
    sequence = wild.send("AgentHeightWidth", HeightWidthBlock={"Height": 0, "Width": 0})
    until(lambda: sequence in wild.root.acked, "all of it is read")
    x, y, z = me.position(wild.agent_id)
    assert 0 <= x <= 256 and 0 <= y <= 256 and -100 < z < 5000


def test_a_replayed_login_packet_from_elsewhere(grid: Grid, me: Viewer) -> None:
    """Somebody recorded the client's very own first packets and sends them from another port."""
    movement = wire.encode("CompleteAgentMovement", AgentData={
        "AgentID": me.agent_id, "SessionID": str(uuid.uuid4()), "CircuitCode": me.account["circuit_code"]})
    shower(grid.west.address, [wire.build(movement, 2, wire.RELIABLE)] * 3)
    until(lambda: me.position(), "still in")


def test_a_flood_of_reliable_packets_is_survived(me: Viewer) -> None:
    """Ten thousand numbers out of order: the memory of received packets is bounded, the acks keep coming."""
    dice = random.Random(2)
    ping = wire.encode("AgentHeightWidth", AgentData={"AgentID": me.agent_id, "SessionID": me.session_id})
    for _ in range(10000):
        me.datagram(wire.build(ping, dice.randrange(2**32), wire.RELIABLE))
    sequence = me.send("AgentHeightWidth")
    until(lambda: sequence in me.root.acked, "an ack after the flood")


@pytest.mark.parametrize("body", [
    b"", b"<", b"not xml at all", BOMB, LLSD_BOMB, b"<llsd>", b"<llsd></llsd>", b"<llsd><map><key>a</key></map></llsd>",
    b"<llsd><array>" * 20000, b"<llsd><integer>" + b"9" * 10000 + b"</integer></llsd>",
    b"<llsd><binary>%%%</binary></llsd>", b"<llsd><uuid>x</uuid></llsd>", b"\xff\xfe" * 1000,
    b"<? LLSD/Binary ?>\n[\xff\xff\xff\xff", b"<llsd><string>" + b"x" * 3_000_000 + b"</string></llsd>",
])
def test_malformed_llsd_is_refused_by_every_capability(grid: Grid, me: Viewer, body: bytes) -> None:
    urls = [me.root.seed, *(url for name, url in me.root.caps.items() if name != "EventQueueGet")]
    for url in urls:
        status, _ = grid.raw_post(url, body, "application/llsd+xml")
        assert status == 0 or status < 500, f"{status} of {url}"


def test_wrong_shapes_in_good_llsd(grid: Grid, me: Viewer) -> None:
    for name in ("FetchInventoryDescendents2", "FetchInventory2", "EventQueueGet", "UpdateAgentLanguage", "AgentPreferences"):
        if name not in me.root.caps or (name == "EventQueueGet"):
            continue
        for inner in ("<map/>", "<array/>", "<string>x</string>", "<map><key>folders</key><integer>1</integer></map>",
                      "<map><key>folders</key><array><map/></array><key>items</key><array><string/></array></map>",
                      "<map><key>items</key><array><map><key>item_id</key><array/></map></array></map>"):
            status, _ = grid.raw_post(me.root.caps[name], f"<llsd>{inner}</llsd>".encode(), "application/llsd+xml")
            assert status < 500, (name, inner)


@pytest.mark.parametrize("body", [
    b"", b"<methodCall/>", BOMB, b"<methodCall><methodName>rm</methodName></methodCall>", b"\0" * 100,
    b"<methodCall><methodName>login_to_simulator</methodName><params/></methodCall>", b"<a>" * 50000,
    b"<methodCall><methodName>login_to_simulator</methodName><params><param><value><int>1</int></value></param></params>"
    b"</methodCall>", b"x" * 5_000_000,
])
def test_malformed_logins_are_refused(grid: Grid, body: bytes) -> None:
    status, answer = grid.raw_post(grid.login_uri, body)
    assert status < 500
    assert b"session_id" not in answer


def test_capabilities_that_are_not_there(grid: Grid, me: Viewer) -> None:
    base = me.root.seed.rsplit("/caps/", 1)[0]
    for path in (f"/caps/{uuid.uuid4()}", "/caps/", "/caps/../services/status", "/nothing", "/caps/" + "x" * 5000):
        status, _ = grid.raw_post(base + path, b"<llsd><undef/></llsd>", "application/llsd+xml")
        assert status in (400, 404, 405, 414), (status, path[:60])


def test_internal_doors_are_shut_to_strangers(grid: Grid, me: Viewer) -> None:
    simulator = f"http://{grid.west.address[0]}:{grid.west.address[1]}"
    for method, url in (
        ("POST", f"{simulator}/services/agents"), ("POST", f"{simulator}/services/messages"),
        ("DELETE", f"{simulator}/services/agents/{me.agent_id}?session_id={me.session_id}&reason=x"),
        ("POST", f"{grid.login_uri}users"), ("GET", f"{grid.login_uri}agents/{me.agent_id}/friends"),
        ("GET", f"{grid.login_uri}agents/{me.agent_id}/inventory/skeleton"),
        ("PUT", f"{grid.login_uri}regions/{grid.west.region_id}"),
        ("DELETE", f"{grid.login_uri}agents/{me.agent_id}/presence?session_id={me.session_id}"),
    ):
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            request = urllib.request.Request(url, b"{}" if method in ("POST", "PUT") else None, headers, method=method)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=20)
            assert refused.value.code in (401, 403), (method, url)
