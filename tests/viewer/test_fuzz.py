"""A hostile server: arbitrary datagrams, event-queue bodies and seeds never kill a client, and it says what it counted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import llsd, packet
from protocol.message import Message, encode
from protocol.table import MESSAGES
from tests.kit.fakegrid import FakeGrid
from tests.kit.viewers import FakeViewer, fake_viewer, quick
from tests.kit.waiting import eventually
from viewer.client import Client
from viewer.login import Session
from viewer.model import Entity
from viewer.regions import Region

ENDS_SESSION = {"KickUser", "DisableSimulator", "CloseCircuit"}
READABLE = [spec for spec in MESSAGES if spec.prefix and spec.name not in ENDS_SESSION]
SESSION = Session(
    UUID(int=1), UUID(int=2), UUID(int=3), 4, ("127.0.0.1", 9), 1 << 40, "http://127.0.0.1:9/", "A", "B",
    (1.0, 0.0, 0.0), "last", "", None, (), {},
)  # fmt: skip

llsd_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20) | st.binary(max_size=20) | st.uuids(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
QUEUE_NAMES = [spec.name for spec in MESSAGES if spec.name not in ENDS_SESSION]


@pytest.fixture
async def client() -> AsyncIterator[tuple[Client, Region]]:
    """A client without any server: what it is fed is all it hears."""
    async with aiohttp.ClientSession() as http:
        client = Client(SESSION, http, quick())
        region = client.circuits.add_region(("127.0.0.1", 9), 1 << 40)
        region.is_root = True
        client.circuits.region = region
        yield client, region
        await client.close()


fuzz = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def test_arbitrary_bodies_of_every_message(client: tuple[Client, Region]) -> None:
    """Each message of the table with random bytes behind its number, for the client's own handlers."""
    me, region = client
    chance = random.Random(5)
    sequence = 0
    for spec in READABLE:
        for size in (0, 1, 4, 16, 60, 300, 1000):
            body = spec.prefix + chance.randbytes(size)
            sequence += 1
            me.circuits.receive(packet.build(body, sequence, packet.RELIABLE), region.address, 1.0)
    assert me.counters.failures == 0 and not me.closed
    assert me.counters.malformed > 0 and me.counters.refused > 0


async def test_arbitrary_datagrams(client: tuple[Client, Region]) -> None:
    me, region = client

    @fuzz
    @given(st.binary(max_size=1500))
    def feed(datagram: bytes) -> None:
        me.circuits.receive(datagram, region.address, 1.0)

    feed()
    assert me.counters.failures == 0


async def test_terse_updates_of_any_shape(client: tuple[Client, Region]) -> None:
    me, region = client
    sequence = 1
    avatar = Entity(region, 1, UUID(int=9), 47)
    region.entities[1] = region.avatars[avatar.id] = avatar

    @fuzz
    @given(st.binary(max_size=200) | st.binary(min_size=58, max_size=58).map(lambda b: b"\x3c\1\0\0\0\0\1" + b + b"\0"))
    def feed(tail: bytes) -> None:
        nonlocal sequence
        sequence += 1
        me.circuits.receive(packet.build(b"\x0f" + bytes(10) + b"\x01" + tail, sequence), region.address, 1.0)
        assert all(abs(part) >= 0 for part in (*avatar.position, *avatar.velocity, *avatar.rotation))

    feed()
    assert me.counters.failures == 0 and avatar.updates > 0


async def test_events_of_any_shape(client: tuple[Client, Region]) -> None:
    me, region = client

    @fuzz
    @given(
        llsd_values
        | st.fixed_dictionaries(
            {"message": st.sampled_from([*QUEUE_NAMES, "EstablishAgentCommunication"]), "body": llsd_values}
        )
        | st.fixed_dictionaries(
            {
                "message": st.sampled_from(["EnableSimulator", "CrossedRegion", "TeleportFinish", "ParcelProperties"]),
                "body": st.dictionaries(
                    st.sampled_from(["SimulatorInfo", "RegionData", "Info", "AgentData", "ParcelData"]),
                    st.lists(
                        st.dictionaries(st.sampled_from(["IP", "Port", "Handle", "SimIP", "SimPort"]), llsd_values)
                    ),
                ),
            }
        )
    )
    def feed(event: Any) -> None:
        me.circuits.take_event(region, event)

    feed()
    assert me.counters.failures == 0 and not me.closed


async def test_a_server_cannot_make_it_open_circuits_without_end(client: tuple[Client, Region]) -> None:
    me, region = client
    for n in range(500):
        info = {"Handle": llsd.u64(n + 1), "IP": llsd.ip("192.0.2.7"), "Port": 1000 + n}
        me.circuits.take_event(region, {"message": "EnableSimulator", "body": {"SimulatorInfo": [info]}})
    assert len(me.regions) == me.habits.max_regions


async def test_motions_of_what_was_never_described_are_asked_for_within_reason(client: tuple[Client, Region]) -> None:
    me, region = client
    for n in range(20_000):
        block = (n + 1).to_bytes(4, "little") + bytes(40)
        body = b"\x0f" + bytes(10) + b"\x01\x2c" + block + b"\x00\x00"
        me.circuits.receive(packet.build(body, n + 1), region.address, 1.0)
    assert len(region.missing_ids) <= 4096


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<llsd>", b"<llsd><map><key>id</key></map></llsd>", b"\x00\xff garbage", b"<llsd><array/></llsd>",
        b"<llsd><map><key>id</key><integer>1</integer><key>events</key><string>x</string></map></llsd>",
        b"<llsd><map><key>id</key><integer>5</integer><key>events</key><array><undef/><integer>3</integer><map/>"
        b"</array></map></llsd>",
        b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>]><llsd><string>&a;&a;</string></llsd>",
        b"<llsd>" + b"<array>" * 10_000,
    ],
)  # fmt: skip
async def test_bad_event_queue_replies_do_not_end_the_queue(body: bytes) -> None:
    async with FakeGrid() as grid, fake_viewer(grid.login_uri, "Ann Test", "pw") as ann:
        here = grid.agent(ann.agent_id)
        here.raw_replies.extend([(200, body), (200, body)])
        here.wake.set()
        await eventually(lambda: not here.raw_replies, what="both replies fetched")
        failed = ann.expect("TeleportFailed")
        with pytest.raises(Exception, match="no_host"):
            await ann.teleport(1 << 40)
        assert failed.done()
        ann.unharmed()


async def test_noise_on_the_socket_leaves_a_live_session_alone() -> None:
    chance = random.Random(11)

    async def noise(ann: FakeViewer, grid: FakeGrid) -> None:
        here, region = grid.agent(ann.agent_id), grid.regions["Test"]
        for _ in range(400):
            data = bytearray(encode(chance.choice([Message("SimStats"), Message("KillObject"), Message("LayerData")])))
            for _ in range(chance.randint(0, 3)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            # numbers far ahead, so that the noise is not taken for a duplicate of what is real
            region.send_raw(
                here, packet.build(bytes(data), 1_000_000 + chance.randrange(10**6), 0)[: chance.randint(0, 80)]
            )
            await asyncio.sleep(0)

    async with FakeGrid() as grid, fake_viewer(grid.login_uri, "Ann Test", "pw") as ann:
        await ann.sees(ann)
        await noise(ann, grid)
        ann.say("still here")
        await ann.hears("still here")
        ann.unharmed()


async def test_strangers_are_not_listened_to() -> None:
    async with FakeGrid() as grid, fake_viewer(grid.login_uri, "Ann Test", "pw") as ann:
        loop = asyncio.get_running_loop()
        stranger, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        kick = Message("KickUser", UserInfo={"Reason": "gotcha"})
        stranger.sendto(packet.build(encode(kick), 1), ("127.0.0.1", ann.circuits.port))
        await eventually(lambda: ann.counters.strangers == 1, what="counted")
        stranger.close()
        ann.unharmed()
